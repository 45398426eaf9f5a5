"""Learning a layout for the shape cache (shape.py) from one payload that the full parser has explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shutan_gateway.payload.decode import INT_MAX, Decoded, find_field, finish, quality_of
from shutan_gateway.payload.definition import Definition, Field, Role
from shutan_gateway.payload.shape import Form, Item, Layout, LeftToTheParser, Parts, Slot, Span, getter
from shutan_gateway.payload.shape_lanes import Frame, Source, lanes_of
from shutan_wire import datatypes as dt
from shutan_wire import protobuf, quality
from shutan_wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.payload.shape_lanes import Lanes
    from shutan_wire.model import Metric, Payload

__all__ = ["learn"]

# the first follows from fixed bytes, the second is checked each time
_LEARNABLE_FAULTS = frozenset({"null", "range"})

_TAG_TIME, _TAG_METRIC, _TAG_SEQ = 0x08, 0x12, 0x18
_METRIC_TIME, _INT, _LONG, _FLOAT, _DOUBLE, _BOOL = 0x18, 0x50, 0x58, 0x65, 0x69, 0x70
_VALUES = frozenset({_INT, _LONG, _FLOAT, _DOUBLE, _BOOL})


class MetricSpans(NamedTuple):
    """Where one metric keeps its time and its number; None where it has none."""

    time: Span | None
    value: Span | None


def learn(definition: Definition, raw: bytes, payload: Payload, decoded: Decoded) -> Layout | None:
    """Layout of a payload that the general path has explained without surprises; None when it has none."""
    if decoded.gap or decoded.unknown_aliases or decoded.unknown_names or not decoded.groups:
        return None
    if any(cause not in _LEARNABLE_FAULTS for cause, _ in decoded.faults):
        return None
    try:
        walked = _walk(raw)
    except (IndexError, WireError):
        return None
    if walked is None or len(walked[1]) != len(payload.metrics):
        return None
    heads, spans = walked
    builder = _Builder(heads)
    for metric, metric_spans in zip(payload.metrics, spans, strict=True):
        field, declared = find_field(definition, metric)
        if field is None or not declared or not builder.add(field, metric, metric_spans):
            return None
    layout = builder.layout(raw, decoded.faults)
    # The last word: what does not give the general path's own answer is not used.
    lanes = builder.lanes(raw, layout.mask)
    answer = None if lanes is None else lanes.read(raw)
    if answer == decoded or (answer is None and decoded.faults):  # a value out of range is not for the lanes to see
        layout.lanes = lanes
    return layout if layout.decode(raw) == decoded else None


class _Builder:
    """Collects the numbers of a payload in the order of their bytes."""

    def __init__(self, heads: dict[int, Span]) -> None:
        self._items: list[Item] = []
        self._convert: list[tuple[Span, Callable[[int], Any]]] = []
        self._slots: list[tuple[Field, int, bool, Span | int, Span]] = []
        self._constants: list[Any] = []
        self._record: Span | None = None
        self._seq = heads.get(_TAG_SEQ)
        if _TAG_TIME in heads:
            self._items.append(Item(heads[_TAG_TIME], Form.UNUSED))
        if self._seq is not None:
            self._items.append(Item(self._seq, Form.NUMBER))

    def add(self, field: Field, metric: Metric, spans: MetricSpans) -> bool:
        """Take one metric; False when it cannot be part of a layout."""
        if field.role == Role.GAP:
            return False
        if spans.time is not None:
            unused = field.role != Role.SAMPLE
            self._items.append(Item(spans.time, Form.UNUSED if unused else Form.STAMP))
        if field.role == Role.PROTOCOL:
            return True
        if field.role == Role.RECORD:
            if self._record is not None or spans.value is None or spans.value.tag != _LONG:
                return False
            self._record = spans.value
            self._add_number(spans.value, _small if spans.value.size > 8 else None)
            return True
        return self._add_sample(field, metric, spans)

    def _add_sample(self, field: Field, metric: Metric, spans: MetricSpans) -> bool:
        if spans.time is None or not field.column:
            return False
        code = quality_of(metric)
        if metric.is_null or metric.value is None:
            code = quality.BAD if code == quality.GOOD else code
            self._slots.append((field, code, False, 0, spans.time))
            return True
        if spans.value is None:
            value, cause = finish(field, cast("Any", dt.resolve(field.datatype, metric.value)))
            if cause or not isinstance(value, str):
                return False
            self._slots.append((field, code, True, len(self._constants), spans.time))
            self._constants.append(value)
            return True
        if metric.datatype not in {None, field.datatype}:
            return False
        self._add_number(spans.value, _converter(field, spans.value))
        self._slots.append((field, code, True, spans.value, spans.time))
        return True

    def _add_number(self, span: Span, convert: Callable[[int], Any] | None) -> None:
        form = {_FLOAT: Form.FLOAT, _DOUBLE: Form.DOUBLE}.get(span.tag, Form.NUMBER)
        self._items.append(Item(span, form))
        if convert is not None:
            self._convert.append((span, convert))

    def layout(self, raw: bytes, faults: tuple[tuple[str, int], ...]) -> Layout:
        items = sorted(self._items, key=lambda item: item.span.at)
        index: dict[Span, int] = {}
        width = 0
        for item in items:
            index[item.span] = width
            width += item.width
        slots = tuple(
            Slot(field, code, has_value, width + at if isinstance(at, int) else index[at], index[time])
            for field, code, has_value, at, time in self._slots
        )
        parts = Parts(
            varints=tuple((index[span], span.size) for span, form in items if form == Form.NUMBER and span.size > 1),
            convert=tuple((index[span], convert) for span, convert in self._convert),
            times=getter([slot.time_at for slot in slots]),
            slots=slots,
            constants=self._constants,
            seq=None if self._seq is None else index[self._seq],
            record=None if self._record is None else index[self._record],
            faults=tuple(fault for fault in faults if fault[0] == "null"),
        )
        return Layout(raw, items, parts)

    def lanes(self, raw: bytes, mask: int) -> Lanes | None:
        """The fast reading, where every sample is a good number as it stands and all have one time."""
        if self._convert or not self._slots:
            return None
        sources: list[Source] = []
        for field, code, has_value, value, _ in self._slots:
            if code != quality.GOOD or not has_value or isinstance(value, int):
                return None
            sources.append(Source(field, value, {_FLOAT: "f", _DOUBLE: "d"}.get(value.tag, "")))
        stamps = [slot[4] for slot in self._slots]
        return lanes_of(Frame(raw, mask, stamps, self._record, self._seq), sources)


def _small(number: int) -> int:
    if number > INT_MAX:
        raise LeftToTheParser
    return number


def _converter(field: Field, span: Span) -> Callable[[int], Any] | None:
    """From a varint's number to the value of its field; None when it is that already."""
    datatype = field.datatype
    if span.tag in {_FLOAT, _DOUBLE} and datatype in {dt.FLOAT, dt.DOUBLE}:
        return None
    if span.tag == _LONG and datatype in {dt.UINT64, dt.DATETIME} and not field.as_float:
        return _small if span.size > 8 else None
    if span.tag == _BOOL and datatype == dt.BOOLEAN:
        return bool
    narrow = span.tag == _INT

    def convert(number: int) -> Any:
        raw = protobuf.uint32(number) if narrow else number
        value, cause = finish(field, cast("Any", dt.resolve(datatype, raw)))
        if cause:
            raise LeftToTheParser
        return value

    return convert


def _walk(raw: bytes) -> tuple[dict[int, Span], list[MetricSpans]] | None:
    """Spans of payload time and seq by tag, and of every metric; None for a payload with anything unusual."""
    heads: dict[int, Span] = {}
    metrics: list[MetricSpans] = []
    pos, end = 0, len(raw)
    while pos < end:
        tag = raw[pos]
        if tag == _TAG_METRIC:
            size, pos = protobuf.read_varint(raw, pos + 1)
            spans = _walk_metric(raw, pos, pos + size)
            if spans is None:
                return None
            metrics.append(spans)
            pos += size
        elif tag in {_TAG_TIME, _TAG_SEQ} and tag not in heads:
            _, stop = protobuf.read_varint(raw, pos + 1)
            heads[tag] = Span(tag, pos + 1, stop - pos - 1)
            pos = stop
        else:
            return None
    return heads, metrics


def _walk_metric(raw: bytes, pos: int, end: int) -> MetricSpans | None:
    time: Span | None = None
    value: Span | None = None
    others = 0
    while pos < end:
        tag, _, stop = protobuf.read_field(raw, pos, end)
        span = Span(tag, pos + 1, stop - pos - 1)
        if tag > 127 or raw[pos] != tag:
            others += tag >> 3 > 15  # bytes, DataSet, Template, extension; or a tag longer than it need be
            if tag < 128:
                return None
        elif tag == _METRIC_TIME:
            if time is not None:
                return None
            time = span
        elif tag in _VALUES and value is None and not (tag == _BOOL and span.size > 1):
            value = span
        elif tag in _VALUES or tag >> 3 == 15:
            others += 1
        pos = stop
    # More than one value field: the last one counts, which a fixed place cannot tell.
    return MetricSpans(time, value) if others + (value is not None) < 2 else None
