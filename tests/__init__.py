"""The tests. A package, so that tests and the bench can import ``tests.support``."""
