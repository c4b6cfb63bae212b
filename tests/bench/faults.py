"""What can go wrong with a bench, told in a sentence and without a traceback."""

from __future__ import annotations


class BenchError(Exception):
    """A figure that would not be worth its name: a peer that failed, lost requests, odd statuses."""


class MissingToolError(BenchError):
    """A program that the bench needs is not installed; the text says how to get it."""
