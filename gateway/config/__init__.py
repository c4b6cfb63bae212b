"""The configuration: its model, and reading it with the place of every fault."""
