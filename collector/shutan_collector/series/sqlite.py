"""Reader of the gateway's embedded store: an SQLite file in WAL mode, read while the gateway writes it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Self, cast

from shutan_collector.errors import SeriesError, StoreUnavailableError
from shutan_collector.series.base import Source, collect
from shutan_gateway.errors import GatewayError
from shutan_gateway.stores.sqlite import schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_collector.energy.registers import Samples

__all__ = ["SqliteReader"]


class SqliteReader:
    """One consistent snapshot of the file, from the first reading to close(): a report sees whole commits only."""

    def __init__(self, path: str) -> None:
        self._where = f"sqlite:{path}"
        try:
            self._conn = schema.open_readonly(path)
        except GatewayError as error:
            raise StoreUnavailableError(self._where, str(error)) from error
        try:
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

    def close(self) -> None:
        """End the snapshot and close the file."""
        self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
