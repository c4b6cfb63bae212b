"""Message Gateway: a validating reverse proxy for message APIs.

See ARCHITECTURE.md for the floors of this package and a request's way through it.
"""

__version__ = "0.1.0"
