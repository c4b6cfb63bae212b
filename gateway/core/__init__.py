"""The deciding part: bytes and a head in, a verdict out. Pure and synchronous.

Nothing in here knows a clock, a socket, a log or a file; import-linter holds that.
"""
