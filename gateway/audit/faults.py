"""What can go wrong with the audit trail."""

from __future__ import annotations

from gateway.errors import GatewayError


class AuditError(GatewayError):
    """The ledger, its keys or its index cannot be used. The text tells the file and what the system said."""

    exit_status = 2


class StreamTaken(AuditError):
    """Another process writes the stream."""


def system_fault(doing: str, path: object, error: OSError) -> AuditError:
    """Make the error for a system call that failed on ``path``."""
    return AuditError(f"{path}: cannot {doing}: {error.strerror or type(error).__name__}.")
