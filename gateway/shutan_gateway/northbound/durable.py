"""What a northbound connection keeps in one SQLite file: samples that it still needs, documents not acknowledged.

A delivery thread writes samples, a sending thread makes and sends documents; every method is one durable transaction.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.stores.base import StoreRefused

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

__all__ = ["Document", "Durable"]

_OUTBOX = """
CREATE TABLE IF NOT EXISTS outbox (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, made_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, next_ms INTEGER NOT NULL DEFAULT 0, acked_ms INTEGER,
    said TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
"""
_FOR_A_PERSON = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")


class Document(NamedTuple):
    """A document of the outbox. `key` says which (a time), `body` what it holds."""

    kind: str
    key: str
    body: str
    tries: int


class Durable:
    """The state file. `tables`: the statements that make the connection's own tables."""

    def __init__(self, path: Path, tables: str) -> None:
        self._path = path
        self._tables = tables
        self._lock = threading.Lock()
        self._conn: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """One durable transaction. Raises StoreUnavailable, or StoreRefused where a person must act."""
        with self._lock:
            try:
                conn = self._opened()
                conn.execute("BEGIN IMMEDIATE")
                yield conn
                conn.execute("COMMIT")
            except sqlite3.Error as error:
                self._close()
                kind = getattr(error, "sqlite_errorname", "")
                refused = kind.startswith(_FOR_A_PERSON)
                raise (StoreRefused if refused else StoreUnavailable)(f"{self._path}: {error}") from error
            except OSError as error:
                self._close()
                raise StoreRefused(f"{self._path}: {error.strerror or error}") from error
            except BaseException:
                self._close()
                raise

    def _opened(self) -> sqlite3.Connection:
        if self._conn is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            conn = sqlite3.connect(self._path, timeout=5.0, isolation_level=None, check_same_thread=False)
            self._conn = conn
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("PRAGMA synchronous = FULL")
            conn.executescript(_OUTBOX + self._tables)
        return self._conn

    def close(self) -> None:
        """Close the file; it opens again when it is used."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(sqlite3.Error):
                conn.close()

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """All rows of a query."""
        with self.transaction() as conn:
            return conn.execute(statement, values).fetchall()

    def many(self, statement: str, values: Iterable[Sequence[object]]) -> None:
        """One statement over many rows, in one transaction."""
        with self.transaction() as conn:
            conn.executemany(statement, values)

    def put(self, document: Document, now_ms: int) -> bool:
        """A document to send; an acknowledged one is sent again only with another body. True when it is to be sent."""
        with self.transaction() as conn:
            done = conn.execute(
                "INSERT INTO outbox (kind, key, body, made_ms) VALUES (?, ?, ?, ?) ON CONFLICT (kind, key) DO UPDATE "
                "SET body = excluded.body, made_ms = excluded.made_ms, tries = 0, next_ms = 0, acked_ms = NULL "
                "WHERE body <> excluded.body",
                (document.kind, document.key, document.body, now_ms),
            )
            return done.rowcount > 0

    def due(self, now_ms: int, most: int = 100) -> list[Document]:
        """Documents that wait for an acknowledgement and may be sent now, oldest first."""
        found = self.rows(
            "SELECT kind, key, body, tries FROM outbox WHERE acked_ms IS NULL AND next_ms <= ? ORDER BY key LIMIT ?",
            now_ms,
            most,
        )
        return [Document(*one) for one in found]  # pyright: ignore[reportArgumentType] - columns of a STRICT table

    def acknowledged(self, document: Document, now_ms: int, said: str = "") -> None:
        """The other side has it."""
        self.many(
            "UPDATE outbox SET acked_ms = ?, said = ?, tries = tries + 1 WHERE kind = ? AND key = ? AND body = ?",
            [(now_ms, said, document.kind, document.key, document.body)],
        )

    def failed(self, document: Document, next_ms: int, said: str) -> None:
        """It was not acknowledged; it is due again at `next_ms`."""
        self.many(
            "UPDATE outbox SET next_ms = ?, said = ?, tries = tries + 1 WHERE kind = ? AND key = ?",
            [(next_ms, said, document.kind, document.key)],
        )

    def waiting(self) -> int:
        """How many documents are not acknowledged."""
        return int(str(self.rows("SELECT count(*) FROM outbox WHERE acked_ms IS NULL")[0][0]))

    def forget(self, before_ms: int) -> None:
        """Delete acknowledged documents made before a time."""
        self.many("DELETE FROM outbox WHERE acked_ms IS NOT NULL AND made_ms < ?", [(before_ms,)])
