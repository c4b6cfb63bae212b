"""The store keeps, lists, changes and forgets, and stays within its limits."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.embedded.store import (
    Attachment,
    Draft,
    Limits,
    Message,
    Store,
    UnknownMessageError,
    UnknownThreadError,
)


def make_store(limits: Limits | None = None) -> Store:
    """Make a store with ids 0, 1, 2 … and a clock that is 1000.9 and then a second later each time."""
    numbers = itertools.count()
    ticks = itertools.count(1000)
    return Store(lambda: next(ticks) + 0.9, token=lambda: str(next(numbers)), limits=limits)


def say(text: str, **more: object) -> Draft:
    return Draft("user", (text,), **more)  # type: ignore[arg-type]  # tests pass what Draft takes


def texts(messages: list[Message]) -> list[str]:
    return [message.draft.texts[0] for message in messages]


def test_creates_threads_with_messages_and_metadata() -> None:
    """Ids carry the API's prefixes and times are whole seconds of the clock handed in."""
    store = make_store()
    thread = store.create_thread([say("a"), say("b")], {"k": "v"})
    assert (thread.id, thread.created_at, thread.metadata) == ("thread_0", 1000, {"k": "v"})
    assert store.thread("thread_0") == thread
    first = store.message("thread_0", "msg_1")
    assert (first.thread_id, first.created_at, first.draft) == ("thread_0", 1001, say("a"))
    assert texts(store.list_messages("thread_0", order="asc").messages) == ["a", "b"]


def test_metadata_is_replaced_or_left() -> None:
    """Modifying replaces metadata whole; None changes nothing; the caller's dict is not kept."""
    store = make_store()
    thread = store.create_thread([say("a", metadata={"old": "1"})], {"old": "1"})
    given_metadata = {"new": "2"}
    assert store.modify_thread(thread.id, given_metadata).metadata == {"new": "2"}
    assert store.modify_message(thread.id, "msg_1", given_metadata).draft.metadata == {"new": "2"}
    given_metadata["new"] = "3"
    assert store.modify_thread(thread.id, None).metadata == {"new": "2"}
    assert store.modify_message(thread.id, "msg_1", None).draft.metadata == {"new": "2"}
    assert store.message(thread.id, "msg_1").draft.metadata == {"new": "2"}


def test_deletes() -> None:
    """What was deleted is unknown, a thread together with its messages."""
    store = make_store()
    store.create_thread([say("a"), say("b")])
    store.delete_message("thread_0", "msg_1")
    with pytest.raises(UnknownMessageError, match="msg_1"):
        store.message("thread_0", "msg_1")
    store.delete_thread("thread_0")
    for call in (store.thread, store.delete_thread, store.list_messages):
        with pytest.raises(UnknownThreadError, match="thread_0"):
            call("thread_0")
    with pytest.raises(UnknownThreadError):
        store.message("thread_0", "msg_2")
    assert len(store) == 0


def test_unknown_cursor() -> None:
    """A cursor that is no message of this thread is named."""
    store = make_store()
    store.create_thread([say("a")])
    for cursor in ({"after": "msg_9"}, {"before": "msg_9"}):
        with pytest.raises(UnknownMessageError, match="msg_9"):
            store.list_messages("thread_0", **cursor)  # type: ignore[arg-type]  # one of two str keywords


def test_before_gives_the_page_that_ends_there() -> None:
    """Before alone pages backwards; with after it is only the other bound."""
    store = make_store()
    store.create_thread([say(letter) for letter in "abcdef"])  # msg_1 … msg_6
    page = store.list_messages("thread_0", order="asc", before="msg_5", limit=2)
    assert (texts(page.messages), page.has_more) == (["c", "d"], True)
    page = store.list_messages("thread_0", order="asc", after="msg_1", before="msg_5", limit=2)
    assert (texts(page.messages), page.has_more) == (["b", "c"], True)
    page = store.list_messages("thread_0", order="asc", after="msg_3", before="msg_2")
    assert (page.messages, page.has_more) == ([], False)


@given(count=st.integers(0, 30), limit=st.integers(1, 12), order=st.sampled_from(["asc", "desc"]))
def test_paging_sees_each_message_once(count: int, limit: int, order: str) -> None:
    """Following ``after`` until there is no more gives every message once, in order."""
    store = make_store()
    thread = store.create_thread([say(str(number)) for number in range(count)])
    seen: list[str] = []
    after = None
    while True:
        page = store.list_messages(thread.id, limit=limit, order=order, after=after)  # type: ignore[arg-type]
        assert len(page.messages) <= limit
        seen += texts(page.messages)
        if not page.has_more:
            break
        after = page.messages[-1].id
    wanted = [str(number) for number in range(count)]
    assert seen == (wanted if order == "asc" else wanted[::-1])


def test_oldest_thread_makes_room() -> None:
    """One thread too many, and the one created first is gone, however busy it was."""
    store = make_store(Limits(threads=2))
    first, second = store.create_thread(), store.create_thread()
    store.create_message(first.id, say("still in use"))
    store.create_thread()
    assert len(store) == 2
    assert store.thread(second.id) == second
    with pytest.raises(UnknownThreadError):
        store.thread(first.id)


def test_oldest_message_makes_room() -> None:
    """A thread keeps the newest messages up to its limit."""
    store = make_store(Limits(messages=2))
    thread = store.create_thread([say("a"), say("b"), say("c")])
    assert texts(store.list_messages(thread.id, order="asc").messages) == ["b", "c"]


def test_size_is_bounded() -> None:
    """Over the size, other threads go first, oldest first, then the own thread's oldest messages."""
    store = make_store(Limits(size=40_000))
    first = store.create_thread([say("x" * 2000)])
    second = store.create_thread([say("y" * 2000)])
    third = store.create_thread([say("z" * 5000)])
    with pytest.raises(UnknownThreadError):
        store.thread(first.id)
    store.create_message(third.id, say("w" * 4000))
    with pytest.raises(UnknownThreadError):
        store.thread(second.id)
    store.create_message(third.id, say("v" * 100_000))
    assert texts(store.list_messages(third.id).messages) == ["v" * 100_000]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("thread"), st.integers(0, 3)),
        st.tuples(st.just("message"), st.integers(0, 400)),
        st.tuples(st.just("modify"), st.integers(0, 400)),
        st.tuples(st.just("delete"), st.booleans()),
    ),
    max_size=40,
)


@given(STEPS)
def test_weight_is_kept_exactly(steps: list[tuple[str, int]]) -> None:
    """Whatever is done in whatever order: limits hold, and deleting everything leaves no weight behind."""
    limits = Limits(threads=3, messages=4, size=12_000)
    store = make_store(limits)
    alive: list[str] = []
    for kind, figure in steps:
        alive = [key for key in alive if key in store._shelves]
        if kind == "thread":
            alive.append(store.create_thread([say("x")] * figure, {"k": "v"}).id)
        elif not alive:
            continue
        elif kind == "message":
            attached = (Attachment("file", ("file_search",)),)
            store.create_message(alive[-1], say("x" * figure, file_ids=("f",), attachments=attached))
        elif kind == "modify":
            store.modify_thread(alive[-1], {"k": "v" * figure})
            for message in store.list_messages(alive[-1], limit=1).messages:
                store.modify_message(alive[-1], message.id, {"k": "v" * figure})
        elif figure:
            store.delete_thread(alive[-1])
        else:
            for message in store.list_messages(alive[-1], limit=1).messages:
                store.delete_message(alive[-1], message.id)
        assert len(store) <= limits.threads
        assert store._weight <= limits.size
        assert all(len(shelf.messages) <= limits.messages for shelf in store._shelves.values())
    for key in list(store._shelves):
        store.delete_thread(key)
    assert store._weight == 0
