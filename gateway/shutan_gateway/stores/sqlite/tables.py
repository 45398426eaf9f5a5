"""Which table a series lives in, and how tables get the columns that rows ask for (docs/adr/0005).

A new series joins a table of its family that already has all of its columns and not many more; else it gets a table of
its own. New columns are added to the table, as long as it stays narrow enough; a series that would make a shared table
too wide moves to its own. All of it happens inside the transaction of the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

from shutan_gateway.stores.shapes import META
from shutan_gateway.stores.sqlite.schema import QUALITY, Column, Series, columns_of, list_series, quoted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from shutan_gateway.stores.shapes import Shape
    from shutan_gateway.stores.sqlite.plan import Plan

__all__ = ["Field", "Refused", "Table", "Tables"]

# SQLite's own limit is 2,000 columns (SQLITE_MAX_COLUMN); a series that alone asks for more is refused.
MAX_COLUMNS: Final = 1_900
# A table that several series share stops growing here: each NULL costs every row of all of them one byte.
MAX_SHARED_COLUMNS: Final = 200
_FIXED: Final = ("series_id", "t_ns", *META)


class Field(NamedTuple):
    """A column that a row needs: the metric with an SQL type, or its quality with type QUALITY."""

    metric: str
    type: str


class Refused(Exception):  # noqa: N818 - a verdict on a row, caught by the store
    """The fields of a row cannot be given columns; the message is the reason `<class>: <detail>`."""


class Table:
    """A data table in memory: column by field, and the types of its metrics."""

    __slots__ = ("columns", "family", "members", "name", "plans", "taken", "types")

    def __init__(self, name: str, family: str, columns: Iterable[Column]) -> None:
        self.name = name
        self.family = family
        self.members = 0
        self.columns: dict[Field, str] = {}
        self.types: dict[str, str] = {}
        # SQLite compares column names without regard to letter case.
        self.taken = {name.casefold() for name in _FIXED}
        # What the store prepared for shapes of rows; void when the table gets a column.
        self.plans: dict[Shape, Plan] = {}
        for column in columns:
            self.note(column)

    def note(self, column: Column) -> None:
        """Take a column into account that the table has."""
        self.columns[Field(column.metric, column.type)] = column.column_name
        self.taken.add(column.column_name.casefold())
        if column.type != QUALITY:
            self.types[column.metric] = column.type
        self.plans.clear()

    def suits(self, family: str, fields: Iterable[Field], count: int) -> bool:
        """Whether a new series with these fields may join: all are here, and at least about half are used."""
        return (
            self.family == family and len(self.columns) <= 2 * count + 8 and all(map(self.columns.__contains__, fields))
        )

    def column_name(self, field: Field) -> str:
        """A free column name for a field: the metric's own name where nothing else differs from it by case only."""
        wished = f"{field.metric}_q" if field.type == QUALITY else field.metric
        # A control character is legal in a column name and NUL is not; shape_column keeps the true name anyway.
        wished = "".join(sign if sign >= " " else "?" for sign in wished)
        name, number = wished, 1
        while name.casefold() in self.taken:
            number += 1
            name = f"{wished}~{number}"
        return name


class Tables:
    """All series and data tables of a store file, as committed plus what the current transaction added."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._by_name: dict[str, Table] = {}
        self._series: dict[tuple[str, str, str, str], tuple[int, Table]] = {}
        for series in list_series(conn):
            self._know(series)

    def _know(self, series: Series) -> None:
        table = self._by_name.get(series.table_name)
        if table is None:
            table = Table(series.table_name, series.family, columns_of(self._conn, series.table_name))
            self._by_name[series.table_name] = table
        table.members += 1
        self._series[series.family, series.site, series.node, series.device] = (series.series_id, table)

    def forget_plans(self) -> None:
        """Drop what was prepared for shapes."""
        for table in self._by_name.values():
            table.plans.clear()

    def find(self, key: tuple[str, str, str, str]) -> tuple[int, Table] | None:
        """Series id and table of (family, site, node, device)."""
        return self._series.get(key)

    def add_series(self, key: tuple[str, str, str, str], fields: list[Field]) -> None:
        """A new series in the table that suits its first row best, or in a table of its own. Raises Refused."""
        if len(fields) > MAX_COLUMNS:
            raise Refused(f"columns: {len(fields)} fields, {MAX_COLUMNS} is the limit")
        suiting = [table for table in self._by_name.values() if table.suits(key[0], fields, len(fields))]
        table = min(suiting, key=lambda table: len(table.columns)) if suiting else self._create(key[0], fields)
        cursor = self._conn.execute(
            "INSERT INTO series (family, site, node, device, table_name) VALUES (?, ?, ?, ?, ?)", (*key, table.name)
        )
        table.members += 1
        self._series[key] = (cast("int", cursor.lastrowid), table)

    def make_room(self, key: tuple[str, str, str, str], fields: list[Field]) -> tuple[int, Table]:
        """A known series with its table, which has a column for each field now; it may have moved. Raises Refused."""
        series_id, table = self._series[key]
        missing = [field for field in fields if field not in table.columns]
        for field in missing:
            here = table.types.get(field.metric)
            if field.type != QUALITY and here is not None and here != field.type:
                raise Refused(f"type conflict: {field.metric} is {here} in the store, {field.type} in the row")
        limit = MAX_COLUMNS if table.members == 1 else MAX_SHARED_COLUMNS
        if len(table.columns) + len(missing) <= limit:
            for field in missing:
                self._add_column(table, field)
            return series_id, table
        if table.members == 1:
            raise Refused(f"columns: {len(table.columns) + len(missing)} fields, {MAX_COLUMNS} is the limit")
        return series_id, self._move(key, series_id, table, missing)

    def _move(self, key: tuple[str, str, str, str], series_id: int, table: Table, missing: list[Field]) -> Table:
        """Give a series a table of its own with the columns it uses and the missing ones, and bring its rows there."""
        counts = ", ".join(f"count({quoted(name)})" for name in table.columns.values())
        where = f"FROM {quoted(table.name)} WHERE series_id = ?"
        used = self._conn.execute(f"SELECT {counts} {where}", (series_id,)).fetchone()
        kept = [field for field, count in zip(table.columns, used, strict=True) if count]
        if len(kept) + len(missing) > MAX_COLUMNS:
            raise Refused(f"columns: {len(kept) + len(missing)} fields, {MAX_COLUMNS} is the limit")
        own = self._create(key[0], kept + missing)
        fixed = ", ".join(_FIXED)
        into = "".join(f", {quoted(own.columns[field])}" for field in kept)
        out = "".join(f", {quoted(table.columns[field])}" for field in kept)
        self._conn.execute(f"INSERT INTO {quoted(own.name)} ({fixed}{into}) SELECT {fixed}{out} {where}", (series_id,))
        self._conn.execute(f"DELETE {where}", (series_id,))
        self._conn.execute("UPDATE series SET table_name = ? WHERE series_id = ?", (own.name, series_id))
        table.members -= 1
        own.members = 1
        self._series[key] = (series_id, own)
        return own

    def _create(self, family: str, fields: Iterable[Field]) -> Table:
        table = Table(f"s_{max((int(name[2:]) for name in self._by_name), default=0) + 1}", family, ())
        columns = [self._name_column(table, field) for field in fields]
        described = "".join(f", {_described(column)}" for column in columns)
        # A rowid table with an index beats WITHOUT ROWID for wide rows: figures in docs/adr/0005.
        self._conn.execute(
            f"CREATE TABLE {quoted(table.name)} (series_id INTEGER NOT NULL, t_ns INTEGER NOT NULL, record INTEGER,"
            f" boot INTEGER, received_ms INTEGER{described}, PRIMARY KEY (series_id, t_ns))"
        )
        self._by_name[table.name] = table
        return table

    def _add_column(self, table: Table, field: Field) -> None:
        column = self._name_column(table, field)
        self._conn.execute(f"ALTER TABLE {quoted(table.name)} ADD COLUMN {_described(column)}")

    def _name_column(self, table: Table, field: Field) -> Column:
        column = Column(table.column_name(field), field.metric, field.type)
        self._conn.execute("INSERT INTO shape_column VALUES (?, ?, ?, ?)", (table.name, *column))
        table.note(column)
        return column


def _described(column: Column) -> str:
    return f"{quoted(column.column_name)} {'INTEGER' if column.type == QUALITY else column.type}"
