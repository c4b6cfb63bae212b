"""The admin listener: health, readiness, metrics, the audit trail.

Cold path: an ordinary aiohttp application. ``access`` says who may ask, ``application`` what is answered,
``server`` puts it on a socket. It knows nothing of where its answers come from: it is handed functions.
"""

from gateway.admin.access import AdminError, AdminToken
from gateway.admin.application import AdminStatus, AuditReader, Reader, make_admin
from gateway.admin.server import start_admin

__all__ = ["AdminError", "AdminStatus", "AdminToken", "AuditReader", "Reader", "make_admin", "start_admin"]
