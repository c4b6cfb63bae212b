"""The verbs of ``gateway audit`` that read records, on ledgers of made-up records."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit import tail
from gateway.audit.content.lines import keep_full
from gateway.audit.content.writer import ContentWriter
from gateway.audit.index import sqlite
from gateway.audit.instance import Keys
from gateway.audit.record import fingerprint
from gateway.audit.segments import Segment, segments
from gateway.audit.stream import Stream
from gateway.cli.audit.export import COLUMNS
from tests.support.ledgers import MOMENT, NAME, OTHER, lines, made_up, members, write
from tests.support.markdown import page
from tests.support.program import Program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command, Result

COUNT = 60
LATER = MOMENT / 1000 + 7200


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give an audit directory with a ledger and no index."""
    write(tmp_path / "audit", made_up(COUNT), segment_bytes=16_000, commit=10)
    return tmp_path / "audit"


def found(result: Result) -> list[dict[str, Any]]:
    """Give the records that a command printed."""
    assert result.status == 0
    return [json.loads(line) for line in result.output.splitlines()]


def requests(directory: Path) -> list[dict[str, Any]]:
    """Give the ledger's requests, newest first."""
    records = [json.loads(line) for line in lines(directory)]
    return [record for record in reversed(records) if record["kind"] == "request"]


def add(directory: Path, *records: dict[str, Any]) -> None:
    write(directory, [{"kind": "request", **record} for record in records])


def test_query_fills_the_index_first(command: Command, directory: Path) -> None:
    """Without a gateway and without an index, all that the ledger has is found, newest first."""
    result = command("audit", "query", "--kind", "request", "--json", "--directory", str(directory))
    assert found(result) == requests(directory)
    record = next(made_up(1, start=MOMENT + 10_000, seed=7))
    add(directory, record)
    result = command("audit", "query", "--json", "--limit", "1", "--directory", str(directory))
    assert found(result)[0]["id"] == record["id"]
    assert "There are more: --cursor " in result.errors


def test_query_where_the_index_cannot_grow(
    command: Command, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has is shown all the same, and that this is not all is said."""
    assert found(command("audit", "query", "--json", "--directory", str(directory)))
    add(directory, next(made_up(1, start=MOMENT + 10_000, seed=7)))
    monkeypatch.setattr(sqlite, "LEFT_BYTES", 1 << 60)
    monkeypatch.setattr(sqlite, "LEFT_SHARE", 1.0)
    result = command("audit", "query", "--kind", "request", "--json", "--directory", str(directory))
    assert found(result) == requests(directory)[1:]
    assert "they are for the ledger. What follows is without the ledger's last records." in result.errors


def test_query_by_filters_and_pages(command: Command, directory: Path) -> None:
    """Filters have to match together; a cursor leads to the page that follows."""
    wanted = [r for r in requests(directory) if r["app"] == "billing" and r["operation"] == "createMessage"]
    assert len(wanted) > 3
    filters = ["--app", "billing", "--operation", "createMessage", "--directory", str(directory), "--json"]
    first = command("audit", "query", *filters, "--limit", "3")
    cursor = first.errors.split()[-1]
    rest = command("audit", "query", *filters, "--cursor", cursor)
    assert found(first) + found(rest) == wanted
    assert rest.errors == ""


def test_query_as_a_table(command: Command, directory: Path) -> None:
    """A heading and a row for each record; what callers wrote cannot break out of it."""
    path = "/v1/\x1b[31m\nthreads"
    add(directory, {"id": "1", "time": "2027-01-15T08:00:09.000Z", "method": "POST", "path": path})
    result = command("audit", "query", "--limit", "1", "--directory", str(directory))
    heading, row = result.output.splitlines()
    assert heading.split()[:2] == ["time", "what"]
    assert "POST /v1/" in row
    assert "\x1b" not in row
    assert command("audit", "query", "--app", "nobody", "--directory", str(directory)).output == (
        "No record matches.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [("query", "--status", "9"), ("export", "--since", "soon"), ("tail", "--kind", "x"), ("show", "")],
)
def test_what_cannot_be_asked(command: Command, directory: Path, arguments: tuple[str, ...]) -> None:
    """Usage: status 2, and a sentence that names the filter; an id that is none is not found."""
    result = command("audit", *arguments, "--directory", str(directory))
    if arguments[0] == "show":
        assert (result.status, result.errors) == (1, "gateway: No record has this id.\n")
    else:
        assert result.status == 2
        assert f"Error: Invalid value: {arguments[1].removeprefix('--')}: " in result.errors


def test_query_while_a_gateway_writes(command: Command, directory: Path) -> None:
    """Then the index is the gateway's to fill; that it is behind is said."""
    (old,) = made_up(1, start=1_700_000_000_000)
    stream = Stream(directory, OTHER, now=lambda: LATER, opening=lambda _: members(old))
    try:
        stream.commit([members(old)])
        result = command("audit", "query", "--json", "--directory", str(directory))
    finally:
        stream.close()
    assert found(result) == []
    assert re.search(r"The index is \d+ seconds and \d+ bytes behind the ledger\.", result.errors)


def test_tail(command: Command, directory: Path) -> None:
    """The last ones that match, oldest first, over segments, from the ledger alone."""
    assert len(segments(directory / "ledger" / NAME)) > 2
    result = command(
        "audit", "tail", "-n", "50", "--kind", "request", "--json", "--directory", str(directory)
    )
    assert found(result) == requests(directory)[:50][::-1]
    refused = [record["id"] for record in requests(directory) if record["decision"] == "reject"]
    result = command("audit", "tail", "--decision", "reject", "--directory", str(directory))
    assert [line.split()[-1] for line in result.output.splitlines()] == refused[:10][::-1]
    assert not (directory / "index.sqlite").exists()


def test_tail_follows(directory: Path) -> None:
    """What comes is printed, in the next segment and in a new stream, too; a line that is not whole waits."""
    with Program("audit", "tail", "-f", "-n", "1", "--json", "--directory", str(directory)) as tail:
        tail.wait_line(lambda line: requests(directory)[0]["id"] in line)
        for number, name in enumerate((NAME, OTHER, NAME)):
            record = {"id": f"new-{number}", "time": f"2027-01-15T08:00:1{number}.000Z"}
            stream = Stream(
                directory,
                name,
                now=lambda: MOMENT / 1000 + 7200,
                opening=lambda _, first=record: members(first),
            )
            stream.commit([members({"kind": "request", **record})])
            stream.close()
            tail.wait_line(lambda line, wanted=record["id"]: wanted in line)  # type: ignore[misc]
        path = segments(directory / "ledger" / NAME)[-1].path
        line = path.read_bytes().splitlines(keepends=True)[-1].replace(b"new-2", b"new-3")
        with path.open("ab", buffering=0) as file:
            file.write(line[:100])
            file.write(line[100:])
        tail.wait_line(lambda line: "new-3" in line)
        assert tail.stop(signal.SIGINT) == 130


def test_tail_is_in_the_order_of_the_ends(command: Command, tmp_path: Path) -> None:
    """A long request comes when its record was made, between two streams as within one."""
    for name, made in (
        (NAME, [("1", "00", 0.0), ("3", "00", 3000.0), ("5", "01", 4000.0)]),
        (OTHER, [("2", "02", 10.0), ("4", "04", 0.0)]),
    ):
        given = [
            {"kind": "request", "id": i, "time": f"2027-01-15T08:00:{s}.000Z", "duration_ms": d}
            for i, s, d in made
        ]
        write(tmp_path, given, name)
    result = command("audit", "tail", "-n", "4", "--kind", "request", "--json", "--directory", str(tmp_path))
    assert [one["id"] for one in found(result)] == ["2", "3", "4", "5"]


def test_tail_goes_on_where_segments_are_pruned(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that goes while it is about to be read is passed over, at the start and as records come."""
    folder = directory / "ledger" / NAME
    first, *_, last = segments(folder)
    gone = Segment(last.path.with_name(f"{last.first - 1:019d}-{last.hour}.jsonl"), last.first - 1, last.hour)
    monkeypatch.setattr(tail, "segments", lambda at: sorted([gone, *segments(at)]))
    first.path.unlink()
    end = tail.Tail(directory)
    assert [line.text for line in end.last()] == lines(directory)[::-1]
    monkeypatch.setattr(tail, "segments", lambda at: [*segments(at), gone._replace(path=folder / "z.jsonl")])
    add(directory, {"id": "1", "time": "2027-01-15T08:00:09.000Z"})
    assert [line.record["id"] for line in end.more()] == ["1"]
    assert end.more() == []


def test_show(command: Command, directory: Path) -> None:
    """A record with its intent, proven; one that was changed in the index is not."""
    record = requests(directory)[0]
    add(directory, {"kind": "intent", "id": record["id"], "time": record["time"]})
    result = command("audit", "show", record["id"], "--json", "--directory", str(directory))
    shown = json.loads(result.output)
    assert result.status == 0
    assert [one["record"]["kind"] for one in shown["records"]] == ["intent", "request"]
    assert [one["proof"] for one in shown["records"]] == ["proven"] * 2
    assert shown["records"][1]["record"] == record
    assert shown["content"] == {"state": "none"}
    for path in (one.path for one in segments(directory / "ledger" / NAME)):
        path.write_bytes(path.read_bytes().replace(record["id"].encode(), b"x" * len(record["id"])))
    result = command("audit", "show", record["id"], "--directory", str(directory))
    assert result.status == 1
    assert "NOT what was written" in result.output


def test_show_of_what_was_pruned(command: Command, directory: Path) -> None:
    """Then the index alone has it, and says so; without the whole stream it is of another ledger."""
    record = requests(directory)[-1]
    command("audit", "query", "--directory", str(directory))
    folder = directory / "ledger" / NAME
    segments(folder)[0].path.unlink()
    assert (
        "the ledger has it no more"
        in command("audit", "show", record["id"], "--directory", str(directory)).output
    )
    folder.rename(directory / "ledger" / OTHER)
    assert (
        "another gateway's ledger"
        in command("audit", "show", record["id"], "--directory", str(directory)).output
    )


@pytest.mark.parametrize("body", [b'{"role": "user\x1b"}', b"\xff\x00"])
def test_show_and_erase_content(command: Command, directory: Path, body: bytes) -> None:
    """What is kept is shown, without control characters; once erased, that is shown, and nothing is left."""
    identity = "019bc0e4-3c00-7b85-8a74-3a403b068946"
    kept = keep_full(Keys(directory), identity, body)
    writer = ContentWriter(directory, NAME, now=lambda: MOMENT / 1000)
    writer.add(kept.line)
    writer.flush(1)
    writer.close()
    add(directory, {"id": identity, "time": "2027-01-15T08:00:09.000Z", "content": kept.hmac})
    show = ("audit", "show", identity, "--directory", str(directory))
    content = json.loads(command(*show, "--json").output)["content"]
    assert (content["state"], content["form"]) == ("kept", "full")
    assert ("text" in content) == body.isascii()
    plain = command(*show)
    assert plain.status == 0
    assert "Its body (full):" in plain.output
    assert "\x1b" not in plain.output
    erase = ("audit", "erase", identity, "--directory", str(directory))
    assert command(*erase).output == "Erased. The record, where there still is one, stays as it is.\n"
    assert command(*erase).status == 1
    gone = command(*show)
    assert (gone.status, "was erased" in gone.output) == (0, True)


def test_export_as_lines(command: Command, tmp_path: Path) -> None:
    """More than a page of them, all that match, as the ledger has them."""
    write(tmp_path, made_up(1500))
    result = command("audit", "export", "--kind", "request", "--directory", str(tmp_path))
    assert result.output.splitlines() == [line for line in reversed(lines(tmp_path)) if '"request"' in line]
    result = command("audit", "export", "--decision", "reject", "--directory", str(tmp_path))
    assert found(result) == [record for record in requests(tmp_path) if record["decision"] == "reject"]


def test_all_is_given_over_pages_that_end_by_bytes(command: Command, tmp_path: Path) -> None:
    """By ``export``, and by ``lookup`` up to its limit; ``query`` gives one page, and says so."""
    trail = tmp_path / "audit"
    keys = Keys(trail)
    large = {"user_agent": "x" * 60_000, "key_fingerprint": fingerprint(keys, b"Bearer sk-canary")}
    write(trail, [record | large for record in made_up(40)])
    wanted = requests(trail)
    where = ("--directory", str(trail))
    assert found(command("audit", "export", "--kind", "request", *where)) == wanted
    for limit, count in ((1000, 40), (25, 25), (3, 3)):
        asked = ("audit", "lookup", "--key", "--json", "--limit", str(limit), *where)
        assert found(command(*asked, stdin=b"sk-canary")) == wanted[:count]
    page = command("audit", "query", "--kind", "request", "--json", "--limit", "1000", *where)
    assert found(page) == wanted[:18]
    assert "There are more: --cursor " in page.errors


def test_export_as_csv(command: Command, directory: Path) -> None:
    """A column for each member; lists and objects in one cell; nothing that a spreadsheet would run."""
    add(
        directory,
        {
            "id": "1", "time": "2027-01-15T08:00:09.000Z", "user_agent": "=cmd()", "status": 400,
            "violations": [{"code": "invalid_type", "pointer": "/a", "layer": "contract"}] * 2,
            "metadata_keys": ["+team", "b"], "detail": {"a": 1}, "path": 'a,"b"\n', "sdk_retry": "-",
        },
    )  # fmt: skip
    result = command("audit", "export", "--format", "csv", "--directory", str(directory))
    first, *rest = csv.DictReader(io.StringIO(result.output))
    assert len(rest) == len(lines(directory)) - 1
    assert first["user_agent"] == "'=cmd()"
    assert (first["sdk_retry"], first["status"], first["path"]) == ("-", "400", 'a,"b"\n')
    assert first["app"] == ""
    assert first["violations"] == "invalid_type@/a invalid_type@/a"
    assert (first["metadata_keys"], first["detail"], first["code"]) == ("'+team b", '{"a": 1}', "")


def test_csv_has_every_member() -> None:
    """The columns are the schema's members, but for the version."""
    schema = json.loads(page("gateway/audit/record.schema.json"))
    assert sorted(COLUMNS) == sorted(schema["properties"].keys() - {"v"})


def test_lookup(command: Command, directory: Path, tmp_path: Path) -> None:
    """A body and a key are found by what any of the keys signed, and neither by its text."""
    keys = Keys(directory)
    body, key = b'{"role": "user"}', b"sk-canary"
    for number in range(2):
        record = {"id": str(number), "time": f"2027-01-15T08:00:0{number}.000Z"}
        add(directory, record | {"body_hmac": keys.sign(body)})
        add(directory, record | {"key_fingerprint": fingerprint(keys, b"Bearer " + key)})
        keys.rotate()
    (tmp_path / "body").write_bytes(body)
    by_body = ("audit", "lookup", "--body", str(tmp_path / "body"), "--directory", str(directory))
    by_key = ("audit", "lookup", "--key", "--directory", str(directory))
    for arguments in (by_body, by_key):
        result = command(*arguments, "--json", stdin=key + b"\n")
        assert [record["id"] for record in found(result)] == ["1", "0"]
    table = command(*by_key, "--limit", "1", stdin=b"Bearer sk-canary")
    assert len(table.output.splitlines()) == 2
    assert command(*by_key, stdin=b"sk-other\n").status == 1
    assert command(*by_key, stdin=b"\n").status == 2
    assert command("audit", "lookup", "--directory", str(directory)).status == 2
    assert command(*by_body, "--key").status == 2
    assert command("audit", "lookup", "--body", "nowhere", "--directory", str(directory)).status == 2


def test_who_reads_makes_no_keys(command: Command, directory: Path, tmp_path: Path) -> None:
    """A look-up or a record without a key that there ever was finds nothing, and leaves none behind."""
    (tmp_path / "body").write_bytes(b"{}")
    add(directory, {"id": "1", "time": "2027-01-15T08:00:09.000Z", "content": f"11111111:{'a' * 64}"})
    where = ("--directory", str(directory))
    assert command("audit", "lookup", "--body", str(tmp_path / "body"), *where).status == 1
    assert command("audit", "lookup", "--key", *where, stdin=b"sk-1\n").status == 1
    assert "was erased" in command("audit", "show", "1", *where).output
    assert not (directory / "keys").exists()


def test_keys_rotate(command: Command, directory: Path) -> None:
    """The next key file, which whoever opens the keys afterwards signs with; the older ones stay."""
    for number in (1, 2):
        before = Keys(directory, make=False).ids
        result = command("audit", "keys", "rotate", "--directory", str(directory))
        keys = Keys(directory, make=False)
        assert keys.ids[:-1] == before
        assert result == (
            0,
            f"Made the key {keys.ids[-1]}, which is used from the gateway's next start on.\n",
            "",
        )
        assert keys.sign(b"").startswith(keys.ids[-1])
        assert len(list((directory / "keys").glob("*.key"))) == number


def test_index_rebuild(command: Command, directory: Path) -> None:
    """What the index had of its own is gone, and what the ledger has is there."""
    command("audit", "query", "--directory", str(directory))
    folder = directory / "ledger" / NAME
    segments(folder)[0].path.unlink()
    result = command("audit", "index", "rebuild", "--directory", str(directory))
    assert result.output == f"The index has {len(lines(directory))} records of this ledger.\n"
    result = command("audit", "query", "--kind", "request", "--json", "--directory", str(directory))
    assert found(result) == requests(directory)
