"""The path of a document's first server, which stands before every path (OpenAPI 3.1.0, "Server Object")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gateway.contracts.notes import at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.contracts.notes import Notes

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?")


def server_path(notes: Notes, root: Mapping[str, Any]) -> str:
    """Give the path of the first server without a slash at its end, its variables by their defaults.

    Which host it names does not matter: where requests go is the configuration's to say.
    """
    servers = root.get("servers") or [{"url": "/"}]
    place = at(notes.sources.root, "servers", 0, "url")
    server = servers[0] if isinstance(servers, list) and isinstance(servers[0], dict) else {}
    url = server.get("url")
    if not isinstance(url, str):
        notes.fault(place, "a server needs a url")
        return ""
    variables = server.get("variables", {})
    defaults = {
        name: variable.get("default")
        for name, variable in (variables.items() if isinstance(variables, dict) else ())
        if isinstance(variable, dict)
    }
    for name in _VARIABLE.findall(url):
        if not isinstance(defaults.get(name), str):
            notes.fault(place, f"the variable {name} of the server's url has no default")
            return ""
    try:
        path = urlsplit(_VARIABLE.sub(lambda match: str(defaults[match[1]]), url)).path
    except ValueError:
        path = "-"
    if not _PATH.fullmatch(path):
        notes.fault(place, "the path of the server's url cannot be used; set the contract's prefix")
        return ""
    return path.rstrip("/")
