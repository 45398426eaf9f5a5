"""Line protocol from rows: one line per device and sample time, `family,device=,node=,site= fields t_ns`.

| part        | rule |
|-------------|------|
| measurement | the family |
| tags        | device ("-" for the node itself), node, site; nothing else, so that a repeat lands on the same point |
| fields      | metrics, `<metric>_q` where quality is not good, `record`, `boot` (low 63 bits), `received_ms` |
| integers    | `<digits>i`, exact |
| floats      | the shortest text that gives the same double back; a mirror gets nine significant digits for Float |
|             | gauges of the catalogue: the same float32 back, which its compression of longer digits does not give |
| booleans    | True, False |
| strings     | in quotes, quotes and backslashes escaped by a backslash |

Names: comma, equals sign and space are escaped by a backslash, as the protocol has it. Parsers disagree about the other
signs that mean something (backslash, quotes, control characters), so those travel as `%XX`; `name_of` gives the name
back. Own ids and catalogue names contain none of them.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, cast

import orjson

from shutan_gateway.payload.shape_lanes import SoundNames
from shutan_gateway.stores.base import BOOT_MASK
from shutan_gateway.stores.shapes import Shape, ShapeCache, quality_field
from shutan_wire import catalogue
from shutan_wire.datatypes import FLOAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.rows import Row, Value

__all__ = ["NODE_DEVICE", "LineEncoder", "RowFault", "coded", "device_of", "device_tag", "field_type", "name_of"]

NODE_DEVICE: Final = "-"
_EXACT_IN_DOUBLE: Final = 2**53
_TOGETHER: Final = 16  # rows whose numbers are written by one call: more of them leave the cache of the processor

_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f"\\]|%(?=[0-9A-Fa-f]{2})')
_UNSAFE_IN_MEASUREMENT: Final = re.compile(r'[\x00-\x20\x7f"\\,=#]|%(?=[0-9A-Fa-f]{2})')
_CODED: Final = re.compile("%([0-9A-Fa-f]{2})")
_ESCAPED: Final = re.compile("([,= ])")
_QUOTED: Final = re.compile(r'(["\\])')
_FIELD_TYPES: Final[dict[type, str]] = {bool: "boolean", int: "integer", float: "float", str: "string"}


class RowFault(Exception):  # noqa: N818 - a verdict on a row, caught by the store
    """A row that has no line; the message is the reason `<class>: <detail>`."""


def coded(name: str) -> str:
    """A tag value or field name as the store keeps it: `%XX` for the signs that parsers disagree about."""
    return _UNSAFE.sub(_as_code, name)


def _as_code(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"


def name_of(text: str) -> str:
    """The name behind a tag value or field name that was read from the store; the other direction of `coded`."""
    return _CODED.sub(lambda match: chr(int(match[1], 16)), text)


def device_tag(device: str) -> str:
    """The `device` tag of a device, "-" for the node itself; a device that is called "-" stays another one."""
    return "%2D" if device == NODE_DEVICE else coded(device) or NODE_DEVICE


def device_of(tag: str) -> str:
    """The device behind a `device` tag, "" for the node itself."""
    return "" if tag == NODE_DEVICE else name_of(tag)


def field_type(kind: type) -> str:
    """InfluxDB's name for the field type that a Python type is written as."""
    return _FIELD_TYPES[kind]


def _key(name: str) -> str:
    return _ESCAPED.sub(r"\\\1", coded(name))


def _head(row: Row) -> str:
    """Measurement and tags, tags sorted by name as the store likes them. Raises RowFault for ids that make none."""
    if not (row.family and row.site and row.node):
        raise RowFault("id: family, site and node may not be empty")
    device = _ESCAPED.sub(r"\\\1", device_tag(row.device))
    measurement = _UNSAFE_IN_MEASUREMENT.sub(_as_code, row.family)
    head = f"{measurement},device={device},node={_key(row.node)},site={_key(row.site)}"
    try:
        head.encode()
    except UnicodeEncodeError as error:
        raise RowFault("id: family, site, node and device must be valid text") from error
    return head


class _Layout:
    """The fields of one shape as format strings: `exact` for all, `short` for a mirror's values of nine digits."""

    __slots__ = ("_narrow", "_pack", "_strings", "exact", "short")

    def __init__(self, shape: Shape, *, mirror: bool) -> None:
        narrow = [i for i, kind in enumerate(shape.types) if mirror and kind is float and _is_float32(shape.metrics[i])]
        keys = [_key(metric).replace("%", "%%") for metric in shape.metrics]
        tail = [f"{_key(quality_field(metric)).replace('%', '%%')}=%di" for metric in shape.qualities]
        forms = [_FORMS[kind] for kind in shape.types]
        self.exact = ",".join([f"{key}={form}" for key, form in zip(keys, forms, strict=True)] + tail)
        for index in narrow:
            forms[index] = "%.9g"
        self.short = ",".join([f"{key}={form}" for key, form in zip(keys, forms, strict=True)] + tail)
        self._narrow = tuple(narrow)
        self._pack = struct.Struct(f"<{len(narrow)}f")
        self._strings = tuple(index for index, kind in enumerate(shape.types) if kind is str)

    def fields(self, row: Row) -> str:
        """All fields of a row of this shape."""
        values: tuple[Value, ...] = row.values
        form = self.short if self._narrow and self._fits_float32(values) else self.exact
        if self._strings:
            texts = list(values)
            for index in self._strings:
                texts[index] = _QUOTED.sub(r"\\\1", cast("str", texts[index]))
            values = tuple(texts)
        if row.qualities:
            values = (*values, *(code for _, code in row.qualities))
        return form % values

    def _fits_float32(self, values: tuple[Value, ...]) -> bool:
        """Whether all Float gauges hold what a float32 holds: a foreign node may send doubles under their names."""
        narrow = tuple([values[index] for index in self._narrow])
        try:
            return self._pack.unpack(self._pack.pack(*narrow)) == narrow
        except OverflowError:
            return False


_FORMS: Final[dict[type, str]] = {bool: "%r", int: "%di", float: "%r", str: '"%s"'}


def _is_float32(metric: str) -> bool:
    known = catalogue.by_name(metric)
    return known is not None and known.datatype == FLOAT


class LineEncoder:
    """Rows to lines, with everything that repeats worked out once. `shapes` and `heads` bound what is remembered.

    mirror: for a server that turns strings to 0 and integers above 2^53 to other integers (VictoriaMetrics): such
    values and the boot id are left out, and `omitted` counts the values.
    """

    def __init__(self, *, mirror: bool = False, shapes: int = 4096, heads: int = 65_536) -> None:
        self.omitted = 0
        self._mirror = mirror
        self._most_heads = heads
        self._layouts: dict[Shape, _Layout] = {}
        self._heads: dict[tuple[str, str, str, str], str] = {}
        self._shapes = ShapeCache(shapes, on_clear=self._layouts.clear)
        self._most_plans = shapes
        # By identity of the names (its complement: with record numbers); kept beside, so that the id stays taken.
        self._plans: dict[int, tuple[SoundNames, list[bytes] | None]] = {}
        self._starts: dict[tuple[str, str, str, str, int | None], bytes] = {}

    def __len__(self) -> int:
        """How many things are remembered between rows."""
        return len(self._heads) + len(self._layouts) + len(self._shapes) + len(self._plans) + len(self._starts)

    def body(self, rows: Sequence[Row]) -> bytes | None:
        """The lines of rows that Lanes filled, each with its end; None when a row has to go the general way.

        The numbers of many rows are written by one call; rows of the same names stand together. Nothing is refused
        here: `line` says why a row has no line.
        """
        if self._mirror:
            return None
        written: list[bytes] = []
        gathered: dict[int, tuple[list[bytes], list[bytes], list[float]]] = {}
        for row in rows:
            family, site, node, device, t_ns, record, boot, received_ms, names, values, qualities = row
            if type(names) is not SoundNames or qualities:
                return None
            key = id(names) if record is None else ~id(names)
            found = gathered.get(key)
            if found is None:
                _, parts = self._plans.get(key) or self._plan(key, names, numbered=record is not None)
                if parts is None:
                    return None
                found = gathered[key] = ([*parts, b"\n"], [], [])
            start = self._starts.get((family, site, node, device, boot)) or self._start_or_none(row)
            if start is None:
                return None
            parts, starts, numbers = found
            starts.append(start)
            ends = (received_ms, t_ns) if record is None else (record, received_ms, t_ns)
            numbers += (0, *cast("tuple[float, ...]", values), *ends)  # 0: where the start goes
            if len(starts) == _TOGETHER:
                written.append(_written(*found))
                found[1].clear()
                found[2].clear()
        return b"".join(written + [_written(*found) for found in gathered.values() if found[1]])

    def _start_or_none(self, row: Row) -> bytes | None:
        try:
            return self._start(row)
        except RowFault:
            return None

    def line(self, row: Row) -> bytes:
        """The line of a row, without a line end. Raises RowFault when there is none."""
        family, site, node, device, t_ns, record, boot, received_ms, names, values, qualities = row
        if type(names) is SoundNames and not qualities and not self._mirror:
            key = id(names) if record is None else ~id(names)
            _, parts = self._plans.get(key) or self._plan(key, names, numbered=record is not None)
            if parts is not None:
                start = self._starts.get((family, site, node, device, boot))
                parts[0] = self._start(row) if start is None else start
                # One call writes all numbers, of which each is the shortest text that gives it back.
                ends = (received_ms, t_ns) if record is None else (record, received_ms, t_ns)
                parts[2::2] = orjson.dumps(values + ends)[1:-1].split(b",")
                return b"".join(parts)
        return self._line(row)

    def _plan(self, key: int, names: SoundNames, *, numbered: bool) -> tuple[SoundNames, list[bytes] | None]:
        """Parts of the lines under these names, with places for their start and numbers; None when there are none."""
        types = tuple([int if integer else float for integer in names.integers])
        parts: list[bytes] | None = None
        if Shape(names, types, ()).fault is None:
            # Behind a counter stands an i, before the next name a comma.
            fields = [*map(_key, names), *(("record",) if numbered else ()), "received_ms"]
            ends = ["", *("i," if integer else "," for integer in names.integers), *(("i,",) if numbered else ())]
            parts = [b""]
            for before, field in zip(ends, fields, strict=True):
                parts += (f"{before}{field}=".encode(), b"")
            parts += (b"i ", b"")
        if len(self._plans) >= self._most_plans:
            self._plans.clear()
        plan = self._plans[key] = (names, parts)
        return plan

    def _start(self, row: Row) -> bytes:
        """What stands before the first sample of a device: measurement, tags and the boot id. Raises RowFault."""
        boot = "" if row.boot is None else f"boot={row.boot & BOOT_MASK}i,"
        if len(self._starts) >= self._most_heads:
            self._starts.clear()
        start = self._starts[(*row[:4], row.boot)] = f"{_head(row)} {boot}".encode()
        return start

    def _line(self, row: Row) -> bytes:
        """The general way: any names and values."""
        shape = self._shapes.of(row)
        fault = shape.value_fault(row)
        if fault is not None:
            raise RowFault(fault)
        head = self._heads.get(row[:4])
        if head is None:
            if len(self._heads) >= self._most_heads:
                self._heads.clear()
            head = self._heads[row[:4]] = _head(row)
        layout = self._layouts.get(shape)
        if layout is None:
            layout = self._layouts[shape] = _Layout(shape, mirror=self._mirror)
        if self._mirror:
            return f"{head} {self._mirrored(row, shape, layout)}received_ms={row.received_ms}i {row.t_ns}".encode()
        record = "" if row.record is None else f"record={row.record}i,"
        boot = "" if row.boot is None else f"boot={row.boot & BOOT_MASK}i,"
        return f"{head} {layout.fields(row)},{record}{boot}received_ms={row.received_ms}i {row.t_ns}".encode()

    def _mirrored(self, row: Row, shape: Shape, layout: _Layout) -> str:
        """Fields that the mirror keeps as they are, each with a comma behind."""
        kept = [index for index, value in enumerate(row.values) if _kept_by_mirror(value)]
        if len(kept) < len(row.values):
            self.omitted += len(row.values) - len(kept)
            names = tuple([shape.metrics[index] for index in kept])
            row = row._replace(metrics=names, values=tuple([row.values[index] for index in kept]))
            layout = _Layout(Shape(names, tuple(map(type, row.values)), shape.qualities), mirror=True)
        fields = layout.fields(row)
        return (fields and f"{fields},") + ("" if row.record is None else f"record={row.record}i,")


def _written(parts: list[bytes], starts: list[bytes], numbers: list[float]) -> bytes:
    """Lines of rows of one plan: its parts, repeated, with starts and numbers in every second place."""
    texts = orjson.dumps(numbers)[1:-1].split(b",")
    texts[:: len(parts) // 2] = starts
    whole = parts * len(starts)
    whole[::2] = texts
    return b"".join(whole)


def _kept_by_mirror(value: Value) -> bool:
    return not isinstance(value, str) and (isinstance(value, float) or abs(value) <= _EXACT_IN_DOUBLE)
