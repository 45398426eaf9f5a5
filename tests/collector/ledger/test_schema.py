"""Opening: old ledgers are brought up to date, newer ones and other files are refused in one line."""

import sqlite3
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from shutan_collector.errors import LedgerError, StoreUnavailableError
from shutan_collector.ledger import schema
from shutan_collector.ledger.database import Database
from shutan_collector.ledger.entries import EMPTY, Head
from shutan_collector.ledger.store import open_ledger
from support.ledgers import AT, record, sql
from support.places import REPO
from support.postgres import Postgres

OLD = REPO / "tests/vectors/ledger_v1.sql"
OLD_HEAD = Head(4, "178910e44926ffabcfcf4305e1e95173a98098a46350667078c40a0c175ebb31")


def refused(url: str, said: str, *, create: bool = False) -> None:
    with pytest.raises(LedgerError) as caught:
        open_ledger(url, create=create)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A file of schema 1, as the program of that time wrote it."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
    return f"sqlite:{path}"


def tables(path: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall())


def test_an_old_file_is_brought_up_to_date(old: str, tmp_path: Path) -> None:
    with open_ledger(old) as ledger:
        assert ledger.head() == OLD_HEAD
        assert ledger.check_chain() is None
        assert [entry.author for entry in ledger.entries()] == ["曾工", "曾工", "曾工", "auditor"]
        assert ledger.entry(4).body == {"text": "old schema"}
        ledger.append([record(5)], "me", AT)
        assert ledger.check_chain(OLD_HEAD) is None
    with open_ledger(f"sqlite:{tmp_path / 'new.db'}", create=True):
        pass
    assert tables(str(tmp_path / "old.db")) == tables(str(tmp_path / "new.db"))


def test_an_old_postgresql_ledger_is_brought_up_to_date(postgres_server: Postgres) -> None:
    url = postgres_server.url(postgres_server.new_database())
    database = Database(url)
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE ledger_schema (version integer PRIMARY KEY, name text)")
        schema.migrations("postgresql")[0].apply(connection)
    inserts = [line for line in OLD.read_text(encoding="utf-8").splitlines() if '"ledger_entry" VALUES' in line]
    with sql(url) as raw:
        for line in inserts:
            raw.execute(line.replace(",X'", r",'\x"))
    database.close()
    with open_ledger(url) as ledger:
        assert ledger.head() == OLD_HEAD
        assert ledger.check_chain() is None
        ledger.append([record(5)], "me", AT)
        assert ledger.check_chain(OLD_HEAD) is None


def test_every_migration_is_there_for_both_databases() -> None:
    names = [[(step.version, step.name) for step in schema.migrations(dialect)] for dialect in ("sqlite", "postgresql")]
    assert names[0] == names[1]
    assert [version for version, _ in names[0]] == list(range(1, len(names[0]) + 1))


def test_a_migration_that_fails_leaves_the_old_ledger(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tables(old.removeprefix("sqlite:"))
    whole = schema.Migration.apply

    def half(step: schema.Migration, connection: Connection) -> None:
        whole(step, connection)
        raise KeyboardInterrupt

    monkeypatch.setattr(schema.Migration, "apply", half)
    with pytest.raises(KeyboardInterrupt):
        open_ledger(old)
    assert tables(old.removeprefix("sqlite:")) == before
    monkeypatch.undo()
    with open_ledger(old) as ledger:
        assert ledger.head() == OLD_HEAD


def test_a_newer_schema_is_refused(url: str) -> None:
    with open_ledger(url, create=True), sql(url) as connection:
        connection.execute("INSERT INTO ledger_schema (version, name) VALUES (99, 'future')")
    known = len(schema.migrations("sqlite"))
    said = f"has schema version 99, this program knows up to {known}; install the newer release"
    refused(url, said)
    refused(url, said, create=True)


def test_a_ledger_is_made_on_request_only(url: str, tmp_path: Path) -> None:
    refused(url, "`shutan ledger create`")
    assert list(tmp_path.iterdir()) == []
    with open_ledger(url, create=True) as ledger:
        assert ledger.head() == EMPTY
        ledger.append([record(1)], "me", AT)
    with open_ledger(url, create=True) as ledger:
        assert ledger.head().seq == 1


def test_many_open_a_new_ledger_at_once(url: str) -> None:
    def use(number: int) -> int:
        with open_ledger(url, create=True) as ledger:
            return ledger.append([record(number)], "me", AT)[0].seq

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(use, range(12))) == list(range(1, 13))
    with open_ledger(url) as ledger:
        assert ledger.check_chain() is None


@pytest.mark.parametrize(
    "address",
    ["", "ledger.db", "sqlite:", "sqlite::memory:", "mysql://u:secret@h/d", "postgres://u:secret@h/d", "postgresql:x"],
)
def test_an_address_that_says_nothing(address: str) -> None:
    refused(address, "give sqlite:PATH or postgresql://USER@HOST:PORT/DATABASE", create=True)
    with pytest.raises(LedgerError) as caught:
        open_ledger(address)
    assert "secret" not in str(caught.value)


def test_a_port_that_is_no_number() -> None:
    refused("postgresql://u:secret@h:port/d", "--ledger: not a PostgreSQL address")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    refused(f"sqlite:{tmp_path / 'x' / 'ledger.db'}", "x does not exist", create=True)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text("[site]\n" * 1000)
    refused(f"sqlite:{path}", "cannot be read as a ledger: file is not a database", create=True)
    assert path.read_text() == "[site]\n" * 1000


def test_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    refused(f"sqlite:{path}", "holds no ledger; check the address")


@contextmanager
def a_writer_that_holds_the_lock(url: str) -> Generator[None]:
    database = Database(url)
    with database.writing():
        yield
    database.close()


def test_postgresql_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    refused("postgresql://u:secret@h/d", "postgresql://h/d: needs psycopg: pip install 'shutan[postgresql]'")


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="try again") as caught:
        open_ledger(f"postgresql://u:secret@/ledger?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_a_writer_that_holds_the_lock_for_long(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_ledger(url, create=True):
        pass
    monkeypatch.setattr("shutan_collector.ledger.database._BUSY_MS", 50)
    with a_writer_that_holds_the_lock(url), open_ledger(url) as ledger:
        with pytest.raises(StoreUnavailableError, match="try again"):
            ledger.append([record(1)], "me", AT)
        assert ledger.head() == EMPTY  # readers go on
