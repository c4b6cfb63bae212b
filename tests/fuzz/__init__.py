"""Fuzzing: targets with invariants, for hypothesis and atheris alike; see README.md beside this."""
