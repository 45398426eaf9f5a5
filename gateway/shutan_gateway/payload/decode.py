"""From a raw payload and the definition of its birth to validated samples, the same way at intake and at delivery.

`decode` is the general path. `Decoder` puts the shape cache before it (shape.py); both give equal results.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, NamedTuple, cast

from shutan_gateway.errors import Refusal
from shutan_gateway.payload.definition import Definition, Field, Role, field_of, infer_datatype
from shutan_gateway.payload.malformed import kind_of
from shutan_wire import datatypes as dt
from shutan_wire import quality, records
from shutan_wire.decode import decode_payload
from shutan_wire.errors import WireError

if TYPE_CHECKING:
    from shutan_wire.model import Metric, Payload

__all__ = ["Decoded", "Gap", "Group", "Value", "decode", "finish", "groups_of", "normal_ms"]

Value = int | float | bool | str

T_MS_MAX = 9_223_372_036_853  # the last whole millisecond whose nanoseconds fit 63 bits
_SECONDS = range(946_684_800, 4_102_444_800)  # 2000 to 2100 in seconds: a known fault of foreign nodes
INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class Group(NamedTuple):
    """Samples of one family at one time; `metrics` is one shared object per set of names."""

    family: str
    t_ms: int
    metrics: tuple[str, ...]
    values: tuple[Value, ...]
    qualities: tuple[tuple[str, int], ...]


class Gap(NamedTuple):
    """Record numbers first..last that will never come; unsaved = lost with RAM, else overwritten."""

    first: int
    last: int
    unsaved: bool


class Decoded(NamedTuple):
    """One data payload, explained.

    seq: Sparkplug sequence number or None; record: record number or None; groups: samples in payload order;
    gap: of a gap record; unknown_aliases: metrics that no birth explains (skipped); unknown_names: metrics under a
    name that the birth lacks (kept); faults: (name of the cause, count) of values and times that needed help.
    """

    seq: int | None
    record: int | None
    groups: list[Group]
    gap: Gap | None
    unknown_aliases: int
    unknown_names: int
    faults: tuple[tuple[str, int], ...]


class Sample(NamedTuple):
    """One metric on its way into a group. value None: there is none, only its quality."""

    field: Field
    t_ms: int
    value: Value | None
    quality: int


class Tally:
    """Counts of what needed help inside one payload."""

    __slots__ = ("causes",)

    def __init__(self) -> None:
        self.causes: dict[str, int] = {}

    def add(self, cause: str) -> None:
        """Count one."""
        self.causes[cause] = self.causes.get(cause, 0) + 1

    @property
    def items(self) -> tuple[tuple[str, int], ...]:
        """(cause, count) pairs in the order of their names."""
        return tuple(sorted(self.causes.items()))


_names: dict[tuple[str, ...], tuple[str, ...]] = {}


def shared_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The one object for equal tuples of names (bounded: forgotten when 10,000 are known)."""
    if len(_names) > 10_000:
        _names.clear()
    return _names.setdefault(names, names)


def parse(raw: bytes, limit: int) -> Payload:
    """Payload of a raw message. Raises Refusal: `oversize` or a class of malformed.py."""
    if len(raw) > limit:
        raise Refusal("oversize", f"{len(raw)} bytes, limit {limit}")
    try:
        return decode_payload(raw, limit)
    except WireError as error:
        raise Refusal(kind_of(error), str(error)) from error


def decode(definition: Definition, raw: bytes, received_ms: int, limit: int = 10_000_000) -> Decoded:
    """The general path: full parse, every metric looked up. Raises Refusal when the payload is malformed."""
    return explain(definition, parse(raw, limit), received_ms)


def explain(definition: Definition, payload: Payload, received_ms: int) -> Decoded:
    """Samples of a parsed payload. Raises Refusal when its record protocol is broken."""
    tally = Tally()
    samples: list[Sample] = []
    protocol: dict[str, int] = {}
    unknown_aliases = unknown_names = 0
    default_ms = received_ms if payload.timestamp is None else payload.timestamp
    for metric in payload.metrics:
        field, declared = find_field(definition, metric)
        if field is None:
            unknown_aliases += 1
            continue
        unknown_names += not declared
        if field.role == Role.SAMPLE:
            samples.append(_sample(field, metric, default_ms, received_ms, tally))
        elif field.role != Role.PROTOCOL:
            value = _number(field, metric)
            protocol[field.name] = value
            if field.role == Role.GAP:
                samples.append(_sample(field, metric, default_ms, received_ms, tally))
    record = protocol.get(records.RECORD)
    gap = _gap(protocol, record)
    groups = groups_of(samples, tally)
    return Decoded(payload.seq, record, groups, gap, unknown_aliases, unknown_names, tally.items)


def find_field(definition: Definition, metric: Metric) -> tuple[Field | None, bool]:
    """(field, whether the birth declares it) of a metric: by alias, else by name, else as it describes itself."""
    if metric.alias is not None:
        field = definition.by_alias.get(metric.alias)
        if field is not None:
            return field, True
    if metric.name is None:
        return None, False
    field = definition.by_name.get(metric.name)
    if field is not None:
        return field, True
    return field_of(metric.name, infer_datatype(metric)), False


def _number(field: Field, metric: Metric) -> int:
    """Integer of the record protocol. Raises Refusal when it is none."""
    if isinstance(metric.value, int) and 0 <= metric.value <= INT_MAX:
        return int(metric.value)
    raise Refusal("record_protocol", f"{field.name} is no number")


def _gap(protocol: dict[str, int], record: int | None) -> Gap | None:
    first, last = protocol.get(records.GAP_FROM), protocol.get(records.GAP_TO)
    if first is None and last is None:
        return None
    # A gap is told by a later record, so a broken one cannot close numbers that may still come.
    if first is None or last is None or record is None or not 1 <= first <= last < record:
        raise Refusal("record_protocol", "gap record without a sound From, To and Record")
    return Gap(first, last, bool(protocol.get(records.GAP_UNSAVED, 0)))


def normal_ms(stamp: int | None, default_ms: int, received_ms: int, tally: Tally) -> int:
    """UTC ms of a sample; a time in seconds becomes ms, one that no store can hold becomes the receive time."""
    t_ms = default_ms if stamp is None else stamp
    if t_ms in _SECONDS:
        tally.add("time_in_seconds")
        return t_ms * 1000
    if t_ms > T_MS_MAX:
        tally.add("time_out_of_range")
        return received_ms
    return t_ms


def _sample(field: Field, metric: Metric, default_ms: int, received_ms: int, tally: Tally) -> Sample:
    t_ms = normal_ms(metric.timestamp, default_ms, received_ms, tally)
    code = quality_of(metric)
    if metric.is_null or metric.value is None:
        tally.add("null")
        return Sample(field, t_ms, None, quality.BAD if code == quality.GOOD else code)
    if not field.column:
        tally.add("unsupported")
        return Sample(field, t_ms, None, quality.BAD)
    try:
        value = cast("Value", dt.resolve(field.datatype, metric.value))
    except WireError:
        tally.add("type")
        return Sample(field, t_ms, None, quality.BAD)
    value, cause = finish(field, value)
    if cause:
        tally.add(cause)
        code = quality.BAD
    return Sample(field, t_ms, value, code)


def finish(field: Field, value: Value) -> tuple[Value | None, str]:
    """The value a store gets and why it is bad, "" when it is good. Outside the plausible range it is kept, marked."""
    if isinstance(value, float):
        if not isfinite(value):
            return None, "nan"
    elif field.as_float:
        value = float(value)
    elif not isinstance(value, str) and not INT_MIN <= value <= INT_MAX:
        return None, "width"
    if field.low is not None and field.high is not None and not isinstance(value, str):
        return value, "" if field.low <= value <= field.high else "range"
    return value, ""


def quality_of(metric: Metric) -> int:
    """Sparkplug quality code of a metric; absent means good."""
    if metric.properties:
        found = metric.properties.get(quality.PROPERTY)
        if found is not None and isinstance(found[1], int):
            return int(found[1])
    return quality.GOOD


def groups_of(samples: list[Sample], tally: Tally) -> list[Group]:
    """Samples put together by family and time, in the order in which each pair first appears."""
    gathered: dict[tuple[str, int], tuple[dict[str, Value], dict[str, int]]] = {}
    for field, t_ms, value, code in samples:
        if not field.column:
            continue
        values, qualities = gathered.setdefault((field.family, t_ms), ({}, {}))
        if field.column in values or field.column in qualities:
            tally.add("repeated")
            values.pop(field.column, None)
            qualities.pop(field.column, None)
        if value is not None:
            values[field.column] = value
        if code != quality.GOOD:
            qualities[field.column] = code
    return [
        Group(family, t_ms, shared_names(tuple(values)), tuple(values.values()), tuple(qualities.items()))
        for (family, t_ms), (values, qualities) in gathered.items()
    ]
