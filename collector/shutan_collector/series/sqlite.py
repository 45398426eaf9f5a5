"""Reader of the gateway's embedded store: an SQLite file in WAL mode, read while the gateway writes it."""

from __future__ import annotations

import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, cast

from shutan_collector.errors import RequestError, SeriesError, StoreUnavailableError
from shutan_collector.series.base import Source, collect
from shutan_gateway.errors import GatewayError
from shutan_gateway.stores.sqlite import schema
from shutan_wire.quality import GOOD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_collector.samples import Samples
    from shutan_collector.series.base import Fingerprint

__all__ = ["SqliteReader"]

# A month of forty meters stands in 4 MB of interleaved rows, of which every meter reads its own: with SQLite's own 2 MB
# they were fetched again for each.
_CACHE_KIB: Final = 65_536


class SqliteReader:
    """One consistent snapshot of the file, from the first reading to close(): a report sees whole commits only."""

    def __init__(self, path: str) -> None:
        self._where = f"sqlite:{path}"
        if not Path(path).is_file():  # waiting does not bring it: most of all a slip in the path
            raise RequestError(self._where, "no such file; check the path")
        try:
            self._conn = schema.open_readonly(path)
        except GatewayError as error:
            if "not a database" in str(error) or "not a series store" in str(error):
                raise RequestError(self._where, str(error)) from error
            raise StoreUnavailableError(self._where, str(error)) from error
        try:
            self._conn.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._conn.execute("BEGIN")
            self._series = {
                Source(item.family, item.site, item.node, item.device): item for item in schema.list_series(self._conn)
            }
        except sqlite3.Error as error:
            self._conn.close()
            raise StoreUnavailableError(self._where, f"cannot be read: {error}") from error

    def read(self, source: Source, metric: str, start_ns: int, end_ns: int) -> Samples:
        """Good readings with start_ns <= time < end_ns."""
        series = self._series.get(source)
        if series is None:
            return collect(())
        try:
            stored = schema.list_metrics(self._conn, series).get(metric)
            if stored is None:
                return collect(())
            if stored != "INTEGER":
                raise SeriesError(f"{source} {metric}", f"is stored as {stored}; a counter is an integer")
            columns = (metric, f"{metric}_q")
            rows = schema.read_series(self._conn, series, columns, start_ns, end_ns)
            # The column's type was checked above, so that its values are integers.
            return collect(cast("Iterable[tuple[int, int, int | None]]", (row for row in rows if row[1] is not None)))
        except sqlite3.Error as error:
            raise StoreUnavailableError(self._where, f"cannot be read: {error}") from error

    def fingerprints(self, source: Source, metric: str, day_edges_ns: Sequence[int]) -> tuple[Fingerprint, ...]:
        """Counted by SQLite: milliseconds for a year of one counter."""
        series = self._series.get(source)
        empty = tuple((0, 0, 0) for _ in day_edges_ns[1:])
        if series is None:
            return empty
        try:
            columns = {
                column.type if column.type == schema.QUALITY else "VALUE": column
                for column in schema.columns_of(self._conn, series.table_name)
                if column.metric == metric
            }
            if "VALUE" not in columns:
                return empty
            if columns["VALUE"].type != "INTEGER":
                raise SeriesError(
                    f"{source} {metric}", f"is stored as {columns['VALUE'].type}; a counter is an integer"
                )
            query = _counting(series.table_name, columns["VALUE"], columns.get(schema.QUALITY))
            return tuple(self._fingerprint(query, series.series_id, edges) for edges in pairwise(day_edges_ns))
        except sqlite3.Error as error:
            raise StoreUnavailableError(self._where, f"cannot be read: {error}") from error

    def _fingerprint(self, query: str, series_id: int, edges_ns: tuple[int, int]) -> Fingerprint:
        start_ns, end_ns = edges_ns
        count, high, low, since_ms = self._conn.execute(query, (start_ns, series_id, start_ns, end_ns)).fetchone()
        return count, (high << 32) + low, since_ms

    def close(self) -> None:
        """End the snapshot and close the file."""
        self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _counting(table_name: str, value: schema.Column, quality: schema.Column | None) -> str:
    """Query of one interval. Registers are summed in two halves: 64 bits do not hold a day of large ones."""
    name = schema.quoted(value.column_name)
    good = ""
    if quality is not None:
        flag = schema.quoted(quality.column_name)
        good = f" AND ({flag} IS NULL OR {flag} = {GOOD})"
    return (
        f"SELECT count(*), coalesce(sum({name} >> 32), 0), coalesce(sum({name} & 4294967295), 0),"  # noqa: S608 - quoted
        f" coalesce(sum((t_ns - ?) / 1000000), 0) FROM {schema.quoted(table_name)}"
        f" WHERE series_id = ? AND t_ns >= ? AND t_ns < ? AND {name} IS NOT NULL{good}"
    )
