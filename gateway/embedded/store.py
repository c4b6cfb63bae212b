"""Threads and messages in memory: pure, synchronous, and bounded in number and in size.

Nothing here knows HTTP or JSON. Clock and id tokens are handed in, so tests decide both. When a limit is
reached the oldest goes: the oldest thread, or the oldest message of the thread that is being written.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Order = Literal["asc", "desc"]

_MESSAGE_OVERHEAD = 1024
"""What an empty message is taken to weigh, in bytes: objects, ids and dictionary entries."""


class UnknownThreadError(LookupError):
    """No thread has this id: it never was, was deleted, or made room for newer ones. Carries the id."""


class UnknownMessageError(LookupError):
    """The thread has no message with this id. Carries the id."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the store keeps at most: threads, messages in one thread, and bytes in all (roughly)."""

    threads: int = 10_000
    messages: int = 1_000
    size: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message and the types of the tools that may use it (second version of the API)."""

    file_id: str
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as its author sent it; ``texts`` holds one string for each content part."""

    role: str
    texts: tuple[str, ...]
    file_ids: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A kept message. ``created_at`` is in whole seconds since the epoch."""

    id: str
    thread_id: str
    created_at: int
    draft: Draft


@dataclass(frozen=True, slots=True)
class Thread:
    """A kept thread. ``created_at`` is in whole seconds since the epoch."""

    id: str
    created_at: int
    metadata: Mapping[str, str]


class Page(NamedTuple):
    """A part of a list: the messages in the order asked for, and whether more follow that way."""

    messages: list[Message]
    has_more: bool


@dataclass(slots=True)
class _Shelf:
    thread: Thread
    messages: dict[str, Message] = field(default_factory=dict)
    weight: int = _MESSAGE_OVERHEAD


class Store:
    """Threads with their messages.

    ``clock`` gives seconds since the epoch. ``token`` gives the part of an id after its prefix, new each
    time. Every method that takes an id raises :class:`UnknownThreadError` or :class:`UnknownMessageError`.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        token: Callable[[], str] = lambda: secrets.token_hex(12),
        limits: Limits | None = None,
    ) -> None:
        self._clock = clock
        self._token = token
        self._limits = limits or Limits()
        self._shelves: dict[str, _Shelf] = {}  # in the order of creation
        self._weight = 0

    def __len__(self) -> int:
        return len(self._shelves)

    def create_thread(
        self, drafts: Iterable[Draft] = (), metadata: Mapping[str, str] | None = None
    ) -> Thread:
        """Keep a new thread that starts with ``drafts``; the oldest thread goes when there are too many."""
        thread = Thread(f"thread_{self._token()}", int(self._clock()), dict(metadata or {}))
        shelf = _Shelf(thread)
        shelf.weight += _weight_of(thread.metadata)
        self._shelves[thread.id] = shelf
        self._weight += shelf.weight
        for draft in drafts:
            self.create_message(thread.id, draft)
        self._make_room(shelf)
        return thread

    def thread(self, thread_id: str) -> Thread:
        """Give the thread."""
        return self._shelf(thread_id).thread

    def modify_thread(self, thread_id: str, metadata: Mapping[str, str] | None) -> Thread:
        """Replace the thread's metadata; None leaves it as it is."""
        shelf = self._shelf(thread_id)
        if metadata is not None:
            self._grow(shelf, _weight_of(metadata) - _weight_of(shelf.thread.metadata))
            shelf.thread = replace(shelf.thread, metadata=dict(metadata))
            self._make_room(shelf)
        return shelf.thread

    def delete_thread(self, thread_id: str) -> None:
        """Forget the thread and its messages."""
        self._weight -= self._shelf(thread_id).weight
        del self._shelves[thread_id]

    def create_message(self, thread_id: str, draft: Draft) -> Message:
        """Add a message to the thread; its oldest one goes when there are too many."""
        shelf = self._shelf(thread_id)
        message = Message(f"msg_{self._token()}", thread_id, int(self._clock()), draft)
        shelf.messages[message.id] = message
        self._grow(shelf, _weigh(draft))
        if len(shelf.messages) > self._limits.messages:
            self._drop_message(shelf)
        self._make_room(shelf)
        return message

    def message(self, thread_id: str, message_id: str) -> Message:
        """Give one message of the thread."""
        try:
            return self._shelf(thread_id).messages[message_id]
        except KeyError:
            raise UnknownMessageError(message_id) from None

    def modify_message(self, thread_id: str, message_id: str, metadata: Mapping[str, str] | None) -> Message:
        """Replace the message's metadata; None leaves it as it is."""
        message = self.message(thread_id, message_id)
        if metadata is None:
            return message
        shelf = self._shelf(thread_id)
        draft = replace(message.draft, metadata=dict(metadata))
        shelf.messages[message_id] = changed = replace(message, draft=draft)
        self._grow(shelf, _weigh(draft) - _weigh(message.draft))
        self._make_room(shelf)
        return changed

    def delete_message(self, thread_id: str, message_id: str) -> None:
        """Forget one message of the thread."""
        message = self.message(thread_id, message_id)
        shelf = self._shelf(thread_id)
        del shelf.messages[message_id]
        self._grow(shelf, -_weigh(message.draft))

    def list_messages(
        self,
        thread_id: str,
        *,
        limit: int = 20,
        order: Order = "desc",
        after: str | None = None,
        before: str | None = None,
    ) -> Page:
        """List messages by age, newest first unless ``order`` is ``asc``.

        ``after`` and ``before`` are message ids that bound the list, exclusively, in the order asked for.
        With ``before`` alone the page is the one that ends there; otherwise it is the first ``limit``.
        """
        messages = list(self._shelf(thread_id).messages.values())
        if order == "desc":
            messages.reverse()
        places = {message.id: place for place, message in enumerate(messages)}
        try:
            start = 0 if after is None else places[after] + 1
            stop = len(messages) if before is None else places[before]
        except KeyError as error:
            raise UnknownMessageError(*error.args) from None
        window = messages[start:stop]
        page = window[-limit:] if before is not None and after is None else window[:limit]
        return Page(page, has_more=len(page) < len(window))

    def _shelf(self, thread_id: str) -> _Shelf:
        try:
            return self._shelves[thread_id]
        except KeyError:
            raise UnknownThreadError(thread_id) from None

    def _grow(self, shelf: _Shelf, weight: int) -> None:
        shelf.weight += weight
        self._weight += weight

    def _make_room(self, current: _Shelf) -> None:
        """Drop the oldest, but never ``current`` itself nor its newest message."""
        while len(self._shelves) > self._limits.threads or self._weight > self._limits.size:
            oldest = next((key for key in self._shelves if key != current.thread.id), None)
            if oldest is not None:
                self.delete_thread(oldest)
            elif len(current.messages) > 1:
                self._drop_message(current)
            else:
                break

    def _drop_message(self, shelf: _Shelf) -> None:
        oldest = shelf.messages.pop(next(iter(shelf.messages)))
        self._grow(shelf, -_weigh(oldest.draft))


def _weigh(draft: Draft) -> int:
    """Estimate the bytes that a message takes; a code point counts four, as it may in memory."""
    attached = itertools.chain.from_iterable((item.file_id, *item.tools) for item in draft.attachments)
    strings = itertools.chain((draft.role,), draft.texts, draft.file_ids, attached)
    return _MESSAGE_OVERHEAD + _weight_of(draft.metadata) + sum(64 + 4 * len(text) for text in strings)


def _weight_of(metadata: Mapping[str, str]) -> int:
    return sum(128 + 4 * (len(key) + len(value)) for key, value in metadata.items())
