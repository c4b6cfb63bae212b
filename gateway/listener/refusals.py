"""Refusals for what happens around a request, rather than for what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.core.types import Phase, Rejection

if TYPE_CHECKING:
    from gateway.ports import UpstreamFault

_AGAIN: Final = (("retry-after", "1"),)
_FAULTS: Final = {
    "upstream_unreachable": "The upstream could not be reached, or closed the connection without an answer.",
    "upstream_protocol_error": "The upstream's answer is not acceptable HTTP.",
    "upstream_timeout": "The upstream did not answer in time.",
    "overloaded": "All connections to the upstream are in use. Try again shortly.",
}


def upstream_failed(fault: UpstreamFault) -> Rejection:
    """Refuse for want of an answer; nobody is told to try again where the upstream may have acted."""
    headers = _AGAIN if fault.code == "overloaded" else ()
    retry = False if fault.sent else None
    return Rejection(Phase.FORWARD, fault.code, _FAULTS[fault.code], headers=headers, retry=retry)


def unrecorded(*, close: bool = False) -> Rejection:
    """Refuse what could not be recorded; nothing of it was forwarded."""
    message = "The gateway cannot write its audit trail at present. Try again shortly."
    return Rejection(Phase.LIMIT, "audit_unavailable", message, headers=_AGAIN, retry=True, close=close)
