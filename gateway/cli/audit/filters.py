"""The filters of ``gateway audit``'s verbs, as options; :mod:`gateway.audit.query` says what they mean."""

from __future__ import annotations

import inspect
import time
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.audit.query import Query

_OPTIONS: Final = {
    "app": ("NAME", "Of this app."),
    "operation": ("NAME", "Of this operation."),
    "decision": ("WORD", "allow, reject, would_reject or error."),
    "code": ("CODE", "With this code."),
    "status": ("NUMBER", "With this HTTP status."),
    "kind": ("KIND", "request, intent, connection, config, lifecycle or admin."),
    "since": ("TIME", "Not before: 7d, a date, or an RFC 3339 time."),
    "until": ("TIME", "Before."),
    "q": ("TEXT", "With this id, request id of client or upstream, thread or path."),
    "id": ("ID", "With this id."),
    "thread_id": ("ID", "Of this thread."),
    "key_fingerprint": ("TEXT", "Of the caller with this key; see lookup."),
    "body_hmac": ("TEXT", "Of this body; see lookup."),
    "cursor": ("CURSOR", "The page that follows: what the page before gave."),
    "limit": ("NUMBER", "Most records of a page, up to 1000."),
}


def filtered(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the filters as options, but for those that it does without.

    It gets those that were given, as a :class:`Query`, in its argument ``query``.
    """
    names = [name for name in _OPTIONS if name not in without]

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        @wraps(verb)
        def run(**given: Any) -> None:
            filters = {name: given.pop(name) for name in names}
            verb(query=_query(filters), **given)

        # Typer makes a command line of a function's signature.
        own = inspect.signature(verb, locals={"Query": object}, eval_str=True)
        options = [_option(name) for name in names]
        kept = [
            one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for one in own.parameters.values()
            if one.name != "query"
        ]
        run.__signature__ = own.replace(parameters=[*options, *kept])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in (*options, *kept)}
        return run

    return decorate


def _option(name: str) -> inspect.Parameter:
    metavar, words = _OPTIONS[name]
    option = typer.Option(f"--{name.replace('_', '-')}", metavar=metavar, help=words, show_default=False)
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[str | None, option])


def _query(filters: dict[str, str | None]) -> Query:
    from gateway.audit.query import QueryError, parse_query

    try:
        return parse_query({name: text for name, text in filters.items() if text is not None}, time.time())
    except QueryError as error:
        raise typer.BadParameter(str(error)) from None
