"""Whoever owns the database can change it; the chain says so, and names the first bad entry."""

import zlib
from collections.abc import Callable

import pytest

from shutan_collector.errors import LedgerError
from shutan_collector.ledger.canonical import canonical, sha256_hex
from shutan_collector.ledger.chain import Fault
from shutan_collector.ledger.entries import Entry, Head, chain_hash
from shutan_collector.ledger.store import Ledger
from support.ledgers import AT, Sql, behind_its_back, record

COUNT = 70  # more than a page
BODY = zlib.compress(canonical({"schema": "test/1", "number": 0}))


def update(column: str, value: object) -> Callable[[Sql, str], None]:
    """Set a column of entry 40."""

    def run(connection: Sql, mark: str) -> None:
        connection.execute(f"UPDATE ledger_entry SET {column} = {mark} WHERE seq = 40", (value,))  # noqa: S608 - ours

    return run


def swap(connection: Sql, _mark: str) -> None:
    for old, new in ((40, 1000), (41, 40), (1000, 41)):
        connection.execute(f"UPDATE ledger_entry SET seq = {new} WHERE seq = {old}")  # noqa: S608 - numbers


def remove(connection: Sql, _mark: str) -> None:
    connection.execute("DELETE FROM ledger_entry WHERE seq = 40")


def close_the_hole(connection: Sql, mark: str) -> None:
    remove(connection, mark)
    for number in range(41, COUNT + 1):
        connection.execute(f"UPDATE ledger_entry SET seq = {number - 1} WHERE seq = {number}")  # noqa: S608 - numbers


def remove_the_first(connection: Sql, _mark: str) -> None:
    connection.execute("DELETE FROM ledger_entry WHERE seq = 1")


WRITTEN = "its fields or its hash are not what was written"
TAMPERING: dict[str, tuple[Callable[[Sql, str], None], int, str]] = {
    "author": (update("author", "someone else"), 40, WRITTEN),
    "time": (update("at", "2026-01-15T08:00:00.000001Z"), 40, WRITTEN),
    "kind": (update("kind", "close"), 40, WRITTEN),
    "key": (update("key", "readings/m-39"), 40, WRITTEN),
    "period": (update("period", "2025-04"), 40, WRITTEN),
    "hash of the body": (update("body_sha256", "0" * 64), 40, WRITTEN),
    "hash": (update("hash", "f" * 64), 40, WRITTEN),
    "previous": (update("previous", "f" * 64), 40, "does not continue entry 39"),
    "body": (update("body", BODY), 40, "the body is not what was written"),
    "body garbled": (update("body", b"\x78\x01garbage"), 40, "the body cannot be unpacked"),
    "body empty": (update("body", b""), 40, "the body cannot be unpacked"),
    "two entries swapped": (swap, 40, "does not continue entry 39"),
    "entry removed": (remove, 40, "is missing: entry 41 follows"),
    "entry removed and the rest moved up": (close_the_hole, 40, "does not continue entry 39"),
    "first entry removed": (remove_the_first, 1, "is missing: entry 2 follows"),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_found_and_located(ledger: Ledger, url: str, kind: str) -> None:
    ledger.append(map(record, range(1, COUNT + 1)), "me", AT)
    assert ledger.check_chain() is None
    tamper, seq, said = TAMPERING[kind]
    with behind_its_back(url) as connection:
        tamper(connection, "?" if url.startswith("sqlite") else "%s")
    fault = ledger.check_chain()
    assert fault is not None
    assert fault.seq == seq
    assert fault.reason.startswith(said)
    assert str(fault).startswith(f"entry {seq}: ")


def test_a_changed_body_is_never_handed_out(ledger: Ledger, url: str) -> None:
    ledger.append(map(record, range(1, COUNT + 1)), "me", AT)
    with behind_its_back(url) as connection:
        update("body", BODY)(connection, "?" if url.startswith("sqlite") else "%s")
    for read in (lambda: ledger.entry(40), lambda: ledger.body_bytes(40), lambda: list(ledger.entries(after=39))):
        with pytest.raises(LedgerError, match="entry 40: the body is not what was written"):
            read()


def rewritten(entry: Entry, previous: str, author: str) -> tuple[object, ...]:
    own = chain_hash(
        seq=entry.seq,
        at=entry.at,
        author=author,
        kind=entry.kind,
        key=entry.key,
        period=entry.period,
        body_sha256=entry.body_sha256,
        previous=previous,
    )
    return author, previous, own


def rewrite(ledger: Ledger, url: str, first: int, last: int) -> None:
    """Change an author and compute all hashes anew up to `last`, as a forger would who knows the rule."""
    entries = list(ledger.entries())
    previous = entries[first - 1].previous
    mark = "?" if url.startswith("sqlite") else "%s"
    with behind_its_back(url) as connection:
        for entry in entries[first - 1 : last]:
            fields = rewritten(entry, previous, "forger" if entry.seq == first else entry.author)
            connection.execute(
                f"UPDATE ledger_entry SET author = {mark}, previous = {mark}, hash = {mark} WHERE seq = {entry.seq}",  # noqa: S608 - ours
                fields,
            )
            previous = str(fields[2])


def test_a_forger_has_to_rewrite_everything_that_follows(ledger: Ledger, url: str) -> None:
    ledger.append(map(record, range(1, 21)), "me", AT)
    rewrite(ledger, url, 7, 12)
    assert ledger.check_chain() == Fault(13, "does not continue entry 12: one of the two is not what was written")


def test_a_ledger_rewritten_to_its_end_is_shown_by_a_head_noted_before(ledger: Ledger, url: str) -> None:
    ledger.append(map(record, range(1, 13)), "me", AT)
    noted = ledger.head()
    ledger.append(map(record, range(13, 21)), "me", AT)
    assert ledger.check_chain(noted) is None
    rewrite(ledger, url, 7, 20)
    assert ledger.check_chain() is None
    fault = ledger.check_chain(noted)
    assert fault is not None
    assert fault.seq == 12
    assert fault.reason == f"has another hash than was noted ({noted.hash}): the ledger has been rewritten"


def test_a_ledger_that_was_cut_is_shown_by_a_head_noted_before(ledger: Ledger, url: str) -> None:
    ledger.append(map(record, range(1, 21)), "me", AT)
    noted = ledger.head()
    with behind_its_back(url) as connection:
        connection.execute("DELETE FROM ledger_entry WHERE seq > 15")
    assert ledger.check_chain() is None
    fault = ledger.check_chain(noted)
    assert fault is not None
    assert str(fault) == "entry 16: is missing: entries up to 20 have been seen, the ledger ends before"
    assert ledger.check_chain(Head(15, ledger.head().hash)) is None


def test_a_body_that_is_no_object(ledger: Ledger, url: str) -> None:
    """Hashes that fit over a body that no program of ours writes."""
    entry = ledger.append([record(1)], "me", AT)[0]
    body = b"[1.5]"
    digest = sha256_hex(body)
    own = chain_hash(
        seq=1,
        at=AT,
        author="me",
        kind=entry.kind,
        key=entry.key,
        period=entry.period,
        body_sha256=digest,
        previous=entry.previous,
    )
    mark = "?" if url.startswith("sqlite") else "%s"
    with behind_its_back(url) as connection:
        connection.execute(
            f"UPDATE ledger_entry SET body_sha256 = {mark}, hash = {mark}, body = {mark}",  # noqa: S608 - ours
            (digest, own, zlib.compress(body)),
        )
    assert ledger.check_chain() == Fault(1, "not canonical JSON: 1.5 is no integer")
