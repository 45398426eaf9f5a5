"""The store, the same over SQLite and PostgreSQL: what is appended stays, in order, and nothing else gets in."""

import sqlite3
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from shutan_collector.errors import LedgerError, StoreUnavailableError
from shutan_collector.ledger.canonical import canonical
from shutan_collector.ledger.entries import EMPTY, Head, Record
from shutan_collector.ledger.store import Ledger, open_ledger
from support.ledgers import AT, record, sql

REFUSED = (sqlite3.IntegrityError, psycopg.errors.RaiseException)


def test_an_empty_ledger(ledger: Ledger) -> None:
    assert ledger.head() == EMPTY == Head(0, "0" * 64)
    assert list(ledger.entries()) == []
    assert ledger.check_chain() is None
    assert ledger.append([], "me", AT) == ()


def test_the_chain_is_the_one_of_the_contract(ledger: Ledger) -> None:
    entries = ledger.append([record(1), record(2)], "曾工", AT)
    previous = "0" * 64
    for seq, entry in enumerate(entries, 1):
        fields = {"seq": seq, "at": AT, "author": "曾工", "kind": "document", "key": f"readings/m-{seq}"}
        fields |= {"period": f"2025-0{seq + 1}", "body_sha256": sha256(canonical(record(seq).body)).hexdigest()}
        assert entry.body_sha256 == fields["body_sha256"]
        assert entry.hash == sha256(canonical(fields | {"previous": previous})).hexdigest()
        assert entry.previous == previous
        previous = entry.hash
    assert ledger.head() == Head(2, previous)


def test_the_hashes_are_pinned(ledger: Ledger) -> None:
    """Both databases give these, on every machine, in every release."""
    ledger.append([record(1), record(2)], "曾工", AT)
    ledger.append([record(3)], "auditor", "2026-02-01T00:00:00.000001Z")
    assert ledger.head().hash == "4fd52fdefcf23aad5158b4e081825f60b9d5f8560d7a0ae4b35317cff920aa22"


def test_what_is_read_is_what_was_appended(url: str) -> None:
    with open_ledger(url, create=True) as ledger:
        first = ledger.append(map(record, range(1, 41)), "me", AT)
        second = ledger.append([Record("note", "n", "", {"text": "第二"})], "you", AT)
    with open_ledger(url) as ledger:
        assert tuple(ledger.entries()) == first + second
        assert [header.hash for header in ledger.headers()] == [entry.hash for entry in first + second]
        assert ledger.entry(17) == first[16]
        assert ledger.body_bytes(17) == canonical(record(17).body)
        assert all(right.previous == left.hash for left, right in pairwise(first + second))
        assert ledger.check_chain() is None


def test_entries_are_chosen_by_kind_key_period_and_number(ledger: Ledger) -> None:
    ledger.append(map(record, range(1, 31)), "me", AT)
    ledger.append([Record("note", "readings/m-3", "2025-04", {"n": 1})], "me", AT)
    assert [entry.seq for entry in ledger.entries(kind="note")] == [31]
    assert [entry.seq for entry in ledger.entries(key="readings/m-3")] == [3, 31]
    assert [entry.seq for entry in ledger.entries(period="2025-04", kind="document")] == [3, 15, 27]
    assert [entry.seq for entry in ledger.entries(period="2025-04", after=15)] == [27, 31]
    assert [header.seq for header in ledger.headers(after=29)] == [30, 31]
    assert list(ledger.entries(kind="close")) == []
    last = ledger.last("document", period="2025-04")
    assert last is not None
    assert last.seq == 27
    assert ledger.last("close") is None


def test_chinese_text_with_full_width_spaces_is_in_order(ledger: Ledger) -> None:
    entry = ledger.append([Record("note", "发票　01（乙）", "", {})], "李　伟", AT)[0]
    assert ledger.entry(1) == entry


def test_an_entry_that_is_not_there(ledger: Ledger) -> None:
    for missing in (lambda: ledger.entry(1), lambda: ledger.body_bytes(1)):
        with pytest.raises(LedgerError, match="entry 1: is not in this ledger"):
            missing()


def test_a_transaction_is_whole_or_not_at_all(ledger: Ledger) -> None:
    ledger.append([record(1)], "me", AT)
    bad = Record("document", "x", "2025-06", {"value": 1.5})  # pyright: ignore[reportArgumentType] - the point
    with pytest.raises(TypeError, match="float"):
        ledger.append([*map(record, range(2, 40)), bad], "me", AT)
    assert ledger.head().seq == 1
    assert ledger.head().seq == 1


def test_a_transaction_that_is_given_up_leaves_nothing(ledger: Ledger) -> None:
    ledger.append([record(1)], "me", AT)

    def give_up() -> None:
        with ledger.writing("me", AT) as writer:
            writer.append([record(2)])
            assert writer.head().seq == 2
            assert ledger.head().seq == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert ledger.head().seq == 1
    ledger.append([record(2)], "me", AT)
    assert ledger.check_chain() is None


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    with open_ledger(f"sqlite:{tmp_path / 'l.db'}", create=True) as ledger:
        ledger.append([record(1)], "me", AT)

        def fill() -> None:
            with ledger.writing("me", AT) as writer, writer.connection() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
                writer.append(record(number, 5000) for number in range(2, 100))

        with pytest.raises(StoreUnavailableError, match="full"):
            fill()
        assert ledger.head().seq == 1
        assert ledger.check_chain() is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "Close"}, "kind: 'Close'"),
        ({"kind": ""}, "kind: ''"),
        ({"key": ""}, "key: ''"),
        ({"key": "a\nb"}, r"key: 'a\nb'"),
        ({"key": "x" * 201}, "key: 'xxx"),
        ({"period": "2025-13"}, "period: '2025-13'"),
        ({"period": "25"}, "period: '25'"),
        ({"author": " "}, "author: ' '"),
        ({"author": "a\x00"}, r"author: 'a\x00'"),
        ({"author": "\ud800"}, r"author: '\ud800'"),
        ({"at": "2026-01-15"}, "at: '2026-01-15'"),
        ({"at": "2026-13-15T08:00:00.000000Z"}, "at: '2026-13-15"),
    ],
)
def test_a_field_that_has_no_place_is_refused(tmp_path: Path, change: dict[str, str], said: str) -> None:
    fields = {"kind": "note", "key": "k", "period": "2025-06", "author": "me", "at": AT} | change
    with open_ledger(f"sqlite:{tmp_path / 'l.db'}", create=True) as ledger:
        with pytest.raises(LedgerError) as caught:
            ledger.append([Record(fields["kind"], fields["key"], fields["period"], {})], fields["author"], fields["at"])
        assert str(caught.value).startswith(said)
        assert ledger.head() == EMPTY


COPY = "at, author, kind, key, period, body_sha256, previous, hash, body FROM ledger_entry"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET author = 'x' WHERE seq = 2",
        "UPDATE ledger_entry SET body = body",
        "DELETE FROM ledger_entry WHERE seq = 3",
        "DELETE FROM ledger_entry",
        "INSERT INTO ledger_entry SELECT * FROM ledger_entry WHERE seq = 2",
        f"INSERT INTO ledger_entry SELECT seq + 7, {COPY}",
        f"INSERT INTO ledger_entry SELECT 4, {COPY} WHERE seq = 2",
        "INSERT INTO ledger_entry SELECT * FROM ledger_entry WHERE seq = 2 ON CONFLICT (seq) DO UPDATE SET at = ''",
    ],
)
def test_the_database_itself_refuses(ledger: Ledger, url: str, statement: str) -> None:
    entries = ledger.append(map(record, (1, 2, 3)), "me", AT)
    with sql(url) as connection, pytest.raises(REFUSED, match="append-only"):
        connection.execute(statement)
    assert tuple(ledger.entries()) == entries


def test_sqlite_refuses_replace(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    with open_ledger(url, create=True) as ledger, sql(url) as connection:
        entries = ledger.append(map(record, (1, 2, 3)), "me", AT)
        for statement in (
            "INSERT OR REPLACE INTO ledger_entry SELECT * FROM ledger_entry WHERE seq = 3",
            "REPLACE INTO ledger_entry SELECT * FROM ledger_entry",
            "UPDATE OR REPLACE ledger_entry SET seq = 1 WHERE seq = 3",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
        assert tuple(ledger.entries()) == entries


def test_postgresql_refuses_truncate(postgres_server: object, request: pytest.FixtureRequest) -> None:
    del postgres_server
    server = request.getfixturevalue("postgres_server")
    url = server.url(server.new_database())
    with open_ledger(url, create=True) as ledger, sql(url) as connection:
        entries = ledger.append(map(record, (1, 2, 3)), "me", AT)
        with pytest.raises(psycopg.errors.RaiseException, match="append-only: TRUNCATE refused"):
            connection.execute("TRUNCATE ledger_entry")
        assert tuple(ledger.entries()) == entries


def test_both_databases_are_durable(ledger: Ledger) -> None:
    """Each commit is on the disk before the append returns."""
    with ledger.writing("me", AT) as writer, writer.connection() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        else:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


def test_many_bodies_are_read_in_few_queries(ledger: Ledger) -> None:
    entries = ledger.append(
        [Record("document", f"d{number}", "2025-06", {"n": number}) for number in range(150)], "a", AT
    )
    wanted = [entry.seq for entry in entries]
    found = list(ledger.bodies([*reversed(wanted), wanted[0]]))
    assert found == [(entry.seq, canonical(entry.body)) for entry in entries]
    with pytest.raises(LedgerError, match="entry 9999: is not in this ledger"):
        list(ledger.bodies([wanted[0], 9999]))
