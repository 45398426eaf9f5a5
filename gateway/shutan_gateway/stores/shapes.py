"""Shapes: what rows of one layout have in common, worked out once, and the checks that every store makes on a row.

Intake validates samples already; what is refused here would otherwise harm the store in silence (SQLite keeps NaN as
NULL, a line protocol without escapes is a line of somebody else's choosing).
"""

from __future__ import annotations

import math
from operator import itemgetter
from typing import TYPE_CHECKING, Final, cast

from shutan_gateway.stores.base import MAX_INT, MAX_NS, MIN_INT, MIN_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.rows import Row, Value

__all__ = ["META", "Shape", "ShapeCache", "quality_field", "row_fault"]

# Fields that every row carries beside its metrics.
META: Final = ("record", "boot", "received_ms")
# Names that mean something else in one of the stores, so that no store may take them for a metric.
_RESERVED: Final = frozenset({*META, "", "time", "series_id", "t_ns", "site", "node", "device"})
_QUALITY: Final = "_q"
_TYPES: Final = (bool, int, float, str)


def quality_field(metric: str) -> str:
    """Name of the field that holds a metric's quality where it is not good."""
    return metric + _QUALITY


class Shape:
    """Layout of rows: names, types and which metrics carry a quality. Compared by identity.

    `fault` is None, or why no row of this shape can be stored.
    """

    __slots__ = ("_ints", "_plain", "fault", "metrics", "qualities", "types")

    def __init__(self, metrics: tuple[str, ...], types: tuple[type, ...], qualities: tuple[str, ...]) -> None:
        self.metrics = metrics
        self.types = types
        self.qualities = qualities
        self.fault = _shape_fault(self)
        self._plain = str not in types and not qualities
        ints = [index for index, kind in enumerate(types) if kind is int]
        self._ints: Callable[[tuple[Value, ...]], object] | None = itemgetter(*ints) if ints else None

    def value_fault(self, row: Row) -> str | None:
        """Why this row cannot be stored, None for the usual one; a few C calls decide for rows of numbers."""
        if self.fault is not None:
            return self.fault
        if self._plain and self._ints_fit(row) and _finite(row.values) and _frame_fault(row) is None:
            return None
        return row_fault(row)

    def _ints_fit(self, row: Row) -> bool:
        if self._ints is None:
            return True
        found = self._ints(row.values)
        ints = cast("tuple[int, ...]", found if isinstance(found, tuple) else (found,))
        return max(ints) <= MAX_INT and min(ints) >= MIN_INT


def _finite(values: tuple[Value, ...]) -> bool:
    """Whether numbers are all finite: NaN and infinities survive a sum; False for sound ones whose sum overflows."""
    return math.isfinite(sum(cast("tuple[float, ...]", values)))


def _shape_fault(shape: Shape) -> str | None:
    if len(shape.metrics) != len(shape.types):
        return f"shape: {len(shape.metrics)} names for {len(shape.types)} values"
    fields = [*shape.metrics, *map(quality_field, shape.qualities)]
    if any(metric.endswith(_QUALITY) for metric in shape.metrics):
        return f"name: a metric may not end in {_QUALITY}, which marks qualities"
    if not fields:
        return "empty: neither a value nor a quality"
    if len(set(fields)) < len(fields):
        return "name: the same field twice"
    types = (
        f"type: {name} is {kind.__name__}"
        for name, kind in zip(shape.metrics, shape.types, strict=True)
        if kind not in _TYPES
    )
    return next(filter(None, map(_name_fault, fields)), None) or next(types, None)


def _name_fault(field: str) -> str | None:
    if field in _RESERVED:
        return f"name: {field!r} is not a name for a metric"
    return None if _encodable(field) else f"name: {field!r} is not valid text"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: no store takes it
        return False
    return True


def _frame_fault(row: Row) -> str | None:
    """What is wrong with a row's key and numbers beside its values; source of the range: models.MaxNanoTime."""
    if not MIN_NS <= row.t_ns <= MAX_NS:
        return f"time: {row.t_ns} ns is outside what stores keep"
    if row.record is not None and not 0 <= row.record <= MAX_INT:
        return f"range: record {row.record} has no signed 64-bit form"
    if not MIN_INT <= row.received_ms <= MAX_INT:
        return f"range: received_ms {row.received_ms} has no signed 64-bit form"
    return None


def row_fault(row: Row) -> str | None:
    """Why no store can take the values of this row, value by value; None when all can be stored."""
    for metric, value in zip(row.metrics, row.values, strict=True):
        if isinstance(value, str):
            if not _encodable(value):
                return f"text: {metric} is not valid text"
        elif isinstance(value, float):
            if not math.isfinite(value):
                return f"number: {metric} is {value}"
        elif not MIN_INT <= value <= MAX_INT:
            return f"range: {metric} = {value} has no signed 64-bit form"
    for metric, code in row.qualities:
        if not MIN_INT <= code <= MAX_INT:
            return f"range: quality of {metric} = {code} has no signed 64-bit form"
    return _frame_fault(row)


_KeyById = tuple[int, tuple[type, ...], tuple[str, ...]]
_KeyByName = tuple[tuple[str, ...], tuple[type, ...], tuple[str, ...]]


class ShapeCache:
    """Shapes of rows, found by the identity of the metrics tuple that rows of one payload shape share.

    A row whose tuple is new is looked up by its names, so a decoder that makes a tuple per row costs time, not memory.
    Bounded: a full cache starts again empty; `on_clear` lets its user drop what hangs on shapes.
    """

    def __init__(self, limit: int = 4096, on_clear: Callable[[], None] | None = None) -> None:
        self._limit = limit
        self._on_clear = on_clear
        # The tuple itself is kept beside the shape: its id stays taken as long as the entry lives.
        self._by_id: dict[_KeyById, tuple[tuple[str, ...], Shape]] = {}
        self._by_name: dict[_KeyByName, Shape] = {}

    def __len__(self) -> int:
        return len(self._by_id) + len(self._by_name)

    def of(self, row: Row) -> Shape:
        """The shape of a row."""
        types = tuple(map(type, row.values))
        qualities = tuple([name for name, _ in row.qualities]) if row.qualities else ()
        found = self._by_id.get((id(row.metrics), types, qualities))
        return found[1] if found else self._learn(row.metrics, types, qualities)

    def _learn(self, metrics: tuple[str, ...], types: tuple[type, ...], qualities: tuple[str, ...]) -> Shape:
        if len(self._by_name) >= self._limit:
            self.clear()
        if len(self._by_id) >= self._limit:
            self._by_id.clear()
        shape = self._by_name.get((metrics, types, qualities))
        if shape is None:
            shape = self._by_name[metrics, types, qualities] = Shape(metrics, types, qualities)
        self._by_id[id(metrics), types, qualities] = (metrics, shape)
        return shape

    def clear(self) -> None:
        """Forget all shapes."""
        self._by_id.clear()
        self._by_name.clear()
        if self._on_clear is not None:
            self._on_clear()
