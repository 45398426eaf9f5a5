"""How rows of one shape go into one table, and what a row that is already there says to a second one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_gateway.stores.base import BOOT_MASK
from shutan_gateway.stores.shapes import META
from shutan_gateway.stores.sqlite.schema import QUALITY, quoted
from shutan_gateway.stores.sqlite.tables import Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.rows import Row, Value
    from shutan_gateway.stores.shapes import Shape
    from shutan_gateway.stores.sqlite.tables import Table

__all__ = ["Params", "Plan", "params_of"]

Params = tuple["Value | None", ...]
_SHOWN_CHARS: Final = 80


def params_of(series_id: int, row: Row) -> Params:
    """A row as the parameters of `Plan.insert`."""
    boot = None if row.boot is None else row.boot & BOOT_MASK
    if row.qualities:
        codes = [code for _, code in row.qualities]
        return (series_id, row.t_ns, row.record, boot, row.received_ms, *row.values, *codes)
    return (series_id, row.t_ns, row.record, boot, row.received_ms, *row.values)


class Plan:
    """The statements for rows of one shape in one table. Names are quoted and come from the table; values are bound."""

    __slots__ = ("_metrics", "insert", "select", "update")

    def __init__(self, table: Table, shape: Shape, fields: Sequence[Field]) -> None:
        names = ["series_id", "t_ns", *META, *(quoted(table.columns[field]) for field in fields)]
        marks = ", ".join("?" * len(names))
        into = f"INTO {quoted(table.name)} ({', '.join(names)})"
        self.insert = f"INSERT {into} VALUES ({marks}) ON CONFLICT (series_id, t_ns) DO NOTHING"  # noqa: S608 - names are quoted
        filled = ", ".join(f"{column} = coalesce({column}, ?)" for column in names[2:])
        key = "WHERE series_id = ? AND t_ns = ?"
        self.update = f"UPDATE {quoted(table.name)} SET {filled} {key}"  # noqa: S608 - names are quoted
        # Every metric of the row, with or without a value in it: what the table has as its value and as its quality.
        self._metrics = tuple(dict.fromkeys((*shape.metrics, *shape.qualities)))
        pairs = ", ".join(f"{_value(table, metric)}, {_quality(table, metric)}" for metric in self._metrics)
        self.select = f"SELECT {pairs} FROM {quoted(table.name)} {key}"  # noqa: S608 - names are quoted

    def compare(self, old: Sequence[Value | None], row: Row) -> tuple[bool, str | None]:
        """Whether the row fills something that is empty in the store, and the first metric on which they differ.

        old: the answer to `select`. A value and its quality are one statement: both must be equal, or both empty.
        """
        values = dict(zip(row.metrics, row.values, strict=True))
        codes = dict(row.qualities)
        fills = False
        for index, metric in enumerate(self._metrics):
            was, was_quality = old[2 * index], old[2 * index + 1]
            value, quality = values.get(metric), codes.get(metric)
            if was is None and was_quality is None:
                fills = True
            elif was != value:
                return fills, f"conflict: {metric} is {_shown(was)} in the store, {_shown(value)} in the row"
            elif was_quality != quality:
                return fills, f"conflict: quality of {metric} is {was_quality} in the store, {quality} in the row"
        return fills, None


def _shown(value: Value | None) -> str:
    """A value for a reason: a text may be as long as a payload."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."


def _value(table: Table, metric: str) -> str:
    kind = table.types.get(metric)
    return "NULL" if kind is None else quoted(table.columns[Field(metric, kind)])


def _quality(table: Table, metric: str) -> str:
    column = table.columns.get(Field(metric, QUALITY))
    return "NULL" if column is None else quoted(column)
