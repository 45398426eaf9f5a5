"""Material for tests of the ledger: records, SQL behind its back, and the documents of made-up months."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Protocol

import psycopg

from shutan_collector.ledger.entries import Record

AT = "2026-01-15T08:00:00.000000Z"
TABLE = "ledger_entry"


class Sql(Protocol):
    """A connection that takes statements."""

    def execute(self, query: str, params: Sequence[object] = ..., /) -> object:
        """Run one statement."""


def record(number: int, size: int = 3) -> Record:
    """A document record with some content."""
    body = {"schema": "test/1", "number": number, "register": list(range(number, number + size)), "text": "数碳"}
    return Record("document", f"readings/m-{number}", f"2025-{number % 12 + 1:02d}", body)


@contextmanager
def sql(url: str) -> Iterator[Sql]:
    """A raw connection to the database of a ledger, each statement on its own."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)) as connection:
            yield connection
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection  # pyright: ignore[reportReturnType] - psycopg wants a literal query, a test may compose one


@contextmanager
def behind_its_back(url: str) -> Iterator[Sql]:
    """A raw connection for which the triggers are off, as for someone who owns the database."""
    with sql(url) as connection:
        if url.startswith("sqlite:"):
            for name in ("no_update", "no_delete", "next"):
                connection.execute(f"DROP TRIGGER {TABLE}_{name}")
        else:
            connection.execute("SET session_replication_role = replica")
        yield connection
