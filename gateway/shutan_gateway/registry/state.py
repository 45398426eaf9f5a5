"""Registry of the gateway in SQLite (WAL, FULL): schemas, sessions, watermarks, totals and store positions.

A schema or session is committed before any spool record that names it is written, so every record on disk can be
decoded by itself. Watermarks and totals are a checkpoint: they hold for a spool position, what lies behind it is found
by reading the spool's tail.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from typing import TYPE_CHECKING, NamedTuple, cast

from shutan_gateway.counters import Key
from shutan_gateway.errors import StartError, StateUnavailable
from shutan_gateway.spool.log import ORIGIN, Position

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path

__all__ = ["Checkpoint", "SchemaRow", "SessionRow", "State", "StoreProgress", "WatermarkRow"]

_VERSION = 1
_TABLES = """
CREATE TABLE schema (
    schema_id INTEGER PRIMARY KEY, site TEXT NOT NULL, node TEXT NOT NULL, device TEXT NOT NULL,
    definition TEXT NOT NULL, UNIQUE (site, node, device, definition)
) STRICT;
CREATE TABLE session (
    session_id INTEGER PRIMARY KEY, site TEXT NOT NULL, node TEXT NOT NULL,
    store_id TEXT NOT NULL, boot_id TEXT NOT NULL, UNIQUE (site, node, store_id, boot_id)
) STRICT;
CREATE TABLE watermark (
    site TEXT NOT NULL, node TEXT NOT NULL, store_id TEXT NOT NULL,
    upto INTEGER NOT NULL, above TEXT NOT NULL, floor INTEGER NOT NULL,
    PRIMARY KEY (site, node, store_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE total (
    name TEXT NOT NULL, labels TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (name, labels)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1), segment INTEGER NOT NULL, offset INTEGER NOT NULL, ordinal INTEGER NOT NULL
) STRICT;
CREATE TABLE store (
    name TEXT PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    start_ordinal INTEGER NOT NULL, stored INTEGER NOT NULL, dead INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


class SchemaRow(NamedTuple):
    """The birth that explains records: ids and the canonical text of its metrics (definition.py)."""

    site: str
    node: str
    device: str
    definition: str


class SessionRow(NamedTuple):
    """Store id and boot id that a node declared in its NBIRTH (unsigned 64 bit)."""

    site: str
    node: str
    store_id: int
    boot_id: int


class WatermarkRow(NamedTuple):
    """Record numbers of one node store that are on disk or closed (watermarks.py)."""

    site: str
    node: str
    store_id: int
    upto: int
    above: list[tuple[int, int]]
    floor: int


class Checkpoint(NamedTuple):
    """State that holds for all records before `position`."""

    position: Position
    watermarks: list[WatermarkRow]
    totals: dict[Key, int]


class StoreProgress(NamedTuple):
    """How far one store is: `position.ordinal == start_ordinal + stored + dead` at every commit (records)."""

    position: Position
    start_ordinal: int
    stored: int
    dead: int


class _New:
    """Rows that have a number but are not committed yet, for one thread."""

    def __init__(self, newest: int) -> None:
        self._newest = newest
        self._rows: dict[tuple[object, ...], int] = {}

    def number(self, row: tuple[object, ...]) -> int:
        if row not in self._rows:
            self._newest += 1
            self._rows[row] = self._newest
        return self._rows[row]

    def rows(self) -> list[tuple[object, ...]]:
        return [(number, *row) for row, number in self._rows.items()]

    def written(self, count: int) -> None:
        for row in list(self._rows)[:count]:
            del self._rows[row]


class State:
    """One connection behind a lock; every method is one transaction and thread-safe."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.syncs = 0  # commits, each of which syncs the write-ahead log
        self._new_schemas = _New(self._newest("SELECT max(schema_id) FROM schema"))
        self._new_sessions = _New(self._newest("SELECT max(session_id) FROM session"))

    def _newest(self, text: str) -> int:
        return cast("int | None", self._query(text)[0][0]) or 0

    @classmethod
    def open(cls, path: Path) -> State:
        """Open or create `registry.sqlite`. Raises StartError when the file cannot be used."""
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                connection.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={_VERSION};COMMIT;")
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise StartError(f"{path}: {error}; give the folder space and rights, or restore the file") from error
        if version > _VERSION:
            connection.close()
            raise StartError(f"{path}: written by a newer version (schema {version}, known {_VERSION}); upgrade first")
        return cls(connection)

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
                self.syncs += 1
            except sqlite3.Error as error:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise StateUnavailable(f"registry.sqlite: {error}") from error
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _query(self, text: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock:
            try:
                return self._connection.execute(text, values).fetchall()
            except sqlite3.Error as error:
                raise StateUnavailable(f"registry.sqlite: {error}") from error

    def schema_id(self, row: SchemaRow) -> int:
        """Number of a schema; a new one is committed by `flush`, before its records. Raises StateUnavailable."""
        where = "site = ? AND node = ? AND device = ? AND definition = ?"
        found = self._query(f"SELECT schema_id FROM schema WHERE {where}", *row)  # noqa: S608 - constant text
        return cast("int", found[0][0]) if found else self._new_schemas.number(row)

    def flush(self) -> None:
        """Commit new schemas and sessions. Raises StateUnavailable; they stay new."""
        schemas, sessions = self._new_schemas.rows(), self._new_sessions.rows()
        if not schemas and not sessions:
            return
        with self._transaction() as connection:
            connection.executemany("INSERT INTO schema VALUES (?, ?, ?, ?, ?)", schemas)
            connection.executemany("INSERT INTO session VALUES (?, ?, ?, ?, ?)", sessions)
        self._new_schemas.written(len(schemas))
        self._new_sessions.written(len(sessions))

    def schema(self, schema_id: int) -> SchemaRow | None:
        """A schema by its number."""
        found = self._query("SELECT site, node, device, definition FROM schema WHERE schema_id = ?", schema_id)
        return SchemaRow(*cast("tuple[str, str, str, str]", found[0])) if found else None

    def session_id(self, row: SessionRow) -> int:
        """Number of a session (>= 1); a new one is committed by `flush`. Raises StateUnavailable."""
        values = (row.site, row.node, _hex(row.store_id), _hex(row.boot_id))
        where = "site = ? AND node = ? AND store_id = ? AND boot_id = ?"
        found = self._query(f"SELECT session_id FROM session WHERE {where}", *values)  # noqa: S608 - constant text
        return cast("int", found[0][0]) if found else self._new_sessions.number(values)

    def session(self, session_id: int) -> SessionRow | None:
        """A session by its number; None for 0 (foreign node) and unknown ones."""
        found = self._query("SELECT site, node, store_id, boot_id FROM session WHERE session_id = ?", session_id)
        if not found:
            return None
        site, node, store_id, boot_id = cast("tuple[str, str, str, str]", found[0])
        return SessionRow(site, node, int(store_id, 16), int(boot_id, 16))

    def births(self) -> int:
        """How many births the registry holds."""
        return cast("int", self._query("SELECT count(*) FROM schema")[0][0])

    def forget_others(self, schemas: Iterable[int], sessions: Iterable[int]) -> int:
        """Delete births and sessions but these and the newest of each device and node; returns how many births went.

        The newest of all stay as well, so that no number is ever given out twice. Raises StateUnavailable.
        """
        with self._transaction() as connection:
            connection.execute("CREATE TEMP TABLE needed (kind TEXT, id INTEGER, PRIMARY KEY (kind, id))")
            connection.executemany("INSERT OR IGNORE INTO needed VALUES ('schema', ?)", [(one,) for one in schemas])
            connection.executemany("INSERT OR IGNORE INTO needed VALUES ('session', ?)", [(one,) for one in sessions])
            gone = connection.execute(
                "DELETE FROM schema WHERE schema_id NOT IN (SELECT id FROM needed WHERE kind = 'schema') "
                "AND schema_id NOT IN (SELECT max(schema_id) FROM schema GROUP BY site, node, device)"
            ).rowcount
            connection.execute(
                "DELETE FROM session WHERE session_id NOT IN (SELECT id FROM needed WHERE kind = 'session') "
                "AND session_id NOT IN (SELECT max(session_id) FROM session GROUP BY site, node)"
            )
            connection.execute("DROP TABLE needed")
        return gone

    def nodes(self) -> list[tuple[str, str, int]]:
        """(site, node, newest session or 0) of every node that ever declared a session or a schema."""
        rows = self._query(
            "SELECT site, node, max(session_id) FROM ("
            "SELECT site, node, session_id FROM session UNION SELECT site, node, 0 FROM schema) GROUP BY site, node"
        )
        return cast("list[tuple[str, str, int]]", rows)

    def checkpoint(
        self, position: Position, watermarks: Iterable[WatermarkRow], totals: Mapping[Key, int | float]
    ) -> None:
        """Commit watermarks (those given; others stay) and totals for `position`. Raises StateUnavailable."""
        marks = [(w.site, w.node, _hex(w.store_id), w.upto, json.dumps(w.above), w.floor) for w in watermarks]
        numbers = [(key.name, json.dumps(key.labels), int(value)) for key, value in totals.items()]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO watermark VALUES (?, ?, ?, ?, ?, ?)", marks)
            connection.executemany("INSERT OR REPLACE INTO total VALUES (?, ?, ?)", numbers)
            connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?)", position)

    def load_checkpoint(self) -> Checkpoint:
        """The last checkpoint; ORIGIN and nothing else in a new registry."""
        place = self._query("SELECT segment, offset, ordinal FROM checkpoint")
        position = Position(*cast("tuple[int, int, int]", place[0])) if place else ORIGIN
        marks: list[WatermarkRow] = []
        for row in self._query("SELECT site, node, store_id, upto, above, floor FROM watermark"):
            site, node, store_id, upto, above, floor = cast("tuple[str, str, str, int, str, int]", row)
            pairs = cast("list[list[int]]", json.loads(above))
            intervals = [(low, high) for low, high in pairs]
            marks.append(WatermarkRow(site, node, int(store_id, 16), upto, intervals, floor))
        totals: dict[Key, int] = {}
        for row in self._query("SELECT name, labels, value FROM total"):
            name, labels, value = cast("tuple[str, str, int]", row)
            pairs = cast("list[list[str]]", json.loads(labels))
            totals[Key(name, tuple((label, text) for label, text in pairs))] = value
        return Checkpoint(position, marks, totals)

    def add_store(self, store: str, start: Position) -> None:
        """Register a store at `start`; a store already known keeps its position."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO store VALUES (?, ?, ?, ?, ?, 0, 0)", (store, *start, start.ordinal)
            )

    def keep_stores(self, names: Iterable[str]) -> list[str]:
        """Forget the progress of all other stores, which would hold the spool for ever; returns their names."""
        wanted = set(names)
        gone = [name for name in self.progress() if name not in wanted]
        if gone:
            with self._transaction() as connection:
                connection.executemany("DELETE FROM store WHERE name = ?", [(name,) for name in gone])
        return gone

    def position_of(self, store: str) -> Position:
        """Next position to deliver to a registered store. Raises KeyError for another name."""
        found = self._query("SELECT segment, offset, ordinal FROM store WHERE name = ?", store)
        if not found:
            raise KeyError(store)
        return Position(*cast("tuple[int, int, int]", found[0]))

    def progress(self) -> dict[str, StoreProgress]:
        """Progress of all stores at one moment."""
        answer: dict[str, StoreProgress] = {}
        for row in self._query("SELECT name, segment, offset, ordinal, start_ordinal, stored, dead FROM store"):
            name, segment, offset, ordinal, start, stored, dead = cast("tuple[str, int, int, int, int, int, int]", row)
            answer[name] = StoreProgress(Position(segment, offset, ordinal), start, stored, dead)
        return answer

    def commit_delivery(self, store: str, position: Position, *, stored: int, dead: int) -> None:
        """Move a store's position and its totals in one transaction. Raises StateUnavailable; then nothing changed."""
        with self._transaction() as connection:
            done = connection.execute(
                "UPDATE store SET segment = ?, offset = ?, ordinal = ?, stored = stored + ?, dead = dead + ? "
                "WHERE name = ?",
                (*position, stored, dead, store),
            )
            if done.rowcount != 1:
                raise KeyError(store)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()


def _hex(number: int) -> str:
    return f"{number:016x}"
