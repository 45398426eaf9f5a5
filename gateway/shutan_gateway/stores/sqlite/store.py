"""The embedded store: rows into one SQLite file, one durable commit per write call.

A row is inserted; where its key exists already it is *merged*: fields that were empty are filled, equal ones are left,
and a differing one makes the row a conflict, which is refused whole and changes nothing. Intake gives every sample its
own nanosecond time, so a conflict here is a defect that somebody should see.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from shutan_gateway.errors import StartError, StoreUnavailable
from shutan_gateway.stores.base import Rejected, StoreRefused, Written
from shutan_gateway.stores.shapes import ShapeCache
from shutan_gateway.stores.sqlite.plan import Plan, params_of
from shutan_gateway.stores.sqlite.schema import QUALITY, file_version, migrate
from shutan_gateway.stores.sqlite.tables import Field, Refused, Tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shutan_gateway.counters import Counters
    from shutan_gateway.rows import Row
    from shutan_gateway.stores.shapes import Shape
    from shutan_gateway.stores.sqlite.plan import Params
    from shutan_gateway.stores.sqlite.tables import Table

__all__ = ["SqliteStore"]

_SQL_TYPES: Final[dict[type, str]] = {bool: "BOOLEAN", int: "INTEGER", float: "REAL", str: "TEXT"}
# Only a person can mend these; the others (disk full, locked, I/O error) may pass by themselves.
_FOR_A_PERSON: Final = (
    "SQLITE_NOTADB",
    "SQLITE_CORRUPT",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_PERM",
    "SQLITE_AUTH",
)
_BUSY_S: Final = 5.0


class _Group:
    """Rows of one batch that share a plan, with their places in the batch."""

    __slots__ = ("indexes", "params", "plan")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.indexes: list[int] = []
        self.params: list[Params] = []


class SqliteStore:
    """Store kind "sqlite". An error of the file closes it; the next write opens it again and sees what is committed."""

    def __init__(self, name: str, path: Path, counters: Counters | None = None) -> None:
        """counters: where commits are counted, each of which syncs the write-ahead log."""
        self.name = name
        self._path = path
        self._counters = counters
        self._conn: sqlite3.Connection | None = None
        self._tables: Tables | None = None
        self._shapes = ShapeCache(on_clear=self._forget_plans)

    def write(self, rows: Sequence[Row]) -> Written:
        """Store all rows in one durable commit. Raises StoreUnavailable or StoreRefused, then nothing was stored."""
        try:
            conn, tables = self._opened()
            conn.execute("BEGIN IMMEDIATE")
            rejected = self._write(conn, tables, rows)
            conn.execute("COMMIT")
            if self._counters is not None:
                self._counters.inc("shutan_fsyncs_total", of="store")
        except sqlite3.Error as error:
            self.close()
            raise self._explained(error) from error
        except (OSError, StartError) as error:
            self.close()
            raise StoreRefused(f"{self._path}: {error}") from error
        except BaseException:
            self.close()
            raise
        return Written(len(rows), tuple(sorted(rejected, key=lambda entry: entry.index)))

    def close(self) -> None:
        """Close the file; an unfinished transaction is rolled back by SQLite."""
        conn, self._conn, self._tables = self._conn, None, None
        if conn is not None:
            with suppress(sqlite3.Error):  # what cannot be rolled back now is rolled back when the file is next opened
                conn.close()

    def _forget_plans(self) -> None:
        if self._tables is not None:
            self._tables.forget_plans()

    def _explained(self, error: sqlite3.Error) -> StoreUnavailable:
        name = getattr(error, "sqlite_errorname", "")
        text = f"{self._path}: {error}"
        if name.startswith(_FOR_A_PERSON):
            return StoreRefused(f"{text} ({name}): check the path, its permissions and the file")
        return StoreUnavailable(text)

    def _opened(self) -> tuple[sqlite3.Connection, Tables]:
        if self._conn is None or self._tables is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Opened and used by the delivery thread, closed by whoever stops it.
            self._conn = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            file_version(self._conn)  # before anything is changed in a file that is not ours
            self._conn.execute("PRAGMA journal_mode = WAL")
            # In WAL mode only FULL makes each commit durable against a power cut.
            self._conn.execute("PRAGMA synchronous = FULL")
            self._conn.execute("PRAGMA journal_size_limit = 67108864")
            self._conn.execute("PRAGMA cache_size = -16384")
            migrate(self._conn)
            self._tables = Tables(self._conn)
        return self._conn, self._tables

    def _write(self, conn: sqlite3.Connection, tables: Tables, rows: Sequence[Row]) -> list[Rejected]:
        rejected: list[Rejected] = []
        groups: dict[Plan, _Group] = {}
        for index, row in enumerate(rows):
            shape = self._shapes.of(row)
            reason = shape.value_fault(row)
            if reason is None:
                entry = tables.find(row[:4])
                plan = entry[1].plans.get(shape) if entry else None
                if entry is None or plan is None:
                    # A new column makes older plans blind to it and a series may move, so what is planned goes first.
                    rejected += _flush(conn, groups, rows)
                    try:
                        entry, plan = _planned(tables, row, shape)
                    except Refused as refusal:
                        rejected.append(Rejected(index, str(refusal)))
                        continue
                group = groups.get(plan)
                if group is None:
                    group = groups[plan] = _Group(plan)
                group.indexes.append(index)
                group.params.append(params_of(entry[0], row))
            else:
                rejected.append(Rejected(index, reason))
        return rejected + _flush(conn, groups, rows)


def _planned(tables: Tables, row: Row, shape: Shape) -> tuple[tuple[int, Table], Plan]:
    """Series and plan of a row whose shape is new to its table. Raises Refused."""
    key = row[:4]
    fields = [Field(metric, _SQL_TYPES[kind]) for metric, kind in zip(shape.metrics, shape.types, strict=True)]
    fields += [Field(metric, QUALITY) for metric in shape.qualities]
    if tables.find(key) is None:
        tables.add_series(key, fields)
    series_id, table = tables.make_room(key, fields)
    plan = table.plans[shape] = Plan(table, shape, fields)
    return (series_id, table), plan


def _flush(conn: sqlite3.Connection, groups: dict[Plan, _Group], rows: Sequence[Row]) -> list[Rejected]:
    """Execute and forget what is planned; the rows that conflict with the store are returned."""
    rejected: list[Rejected] = []
    for group in groups.values():
        if conn.executemany(group.plan.insert, group.params).rowcount < len(group.params):
            rejected += _merge(conn, group, rows)
    groups.clear()
    return rejected


def _merge(conn: sqlite3.Connection, group: _Group, rows: Sequence[Row]) -> list[Rejected]:
    """Compare each row of a group with what is stored now and fill what is empty; the conflicts are returned."""
    rejected: list[Rejected] = []
    for index, params in zip(group.indexes, group.params, strict=True):
        old = conn.execute(group.plan.select, params[:2]).fetchone()
        fills, reason = group.plan.compare(old, rows[index])
        if reason is not None:
            rejected.append(Rejected(index, reason))
        elif fills:
            conn.execute(group.plan.update, (*params[2:], *params[:2]))
    return rejected
