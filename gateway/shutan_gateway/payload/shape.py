"""Shape cache: the DATA of one node has the same byte layout from sample to sample; most of a parse can be remembered.

From one full, validated parse a layout is learned: which bytes are fixed (tags, lengths, aliases, flags, properties,
strings), which are varints of a certain length (only their continuation bits are fixed) and which are the value bytes
of floats. A later payload of equal length matches when `payload & mask == expected` as one big integer; then one
`Struct.unpack` gives every number. Soundness: everything that the full parser looks at is either fixed, so it does the
same again, or one of the numbers read here. Whatever else a number leads to (out of range, not finite, too wide, an odd
time) is left to the full parser by returning None.
"""

from __future__ import annotations

import struct
from math import isfinite
from operator import ge, itemgetter, le
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shutan_gateway.payload.decode import T_MS_MAX, Decoded, Group, shared_names
from shutan_wire import datatypes as dt
from shutan_wire import quality
from shutan_wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shutan_gateway.payload.definition import Field
    from shutan_gateway.payload.shape_lanes import Lanes

__all__ = ["Form", "Item", "Layout", "LeftToTheParser", "Parts", "Slot", "Span", "getter"]

_T_MS_MIN = 4_102_444_800  # below it a time may be one in seconds
_UNKNOWN: list[_GroupPlan] = []
_PLANS = 8  # patterns of equal times remembered per layout


class Span(NamedTuple):
    """A number inside a payload: tag of its field, first byte, count of bytes."""

    tag: int
    at: int
    size: int


class Slot(NamedTuple):
    """One sample metric of a layout: its field, constant quality, whether it has a value, place of value and time."""

    field: Field
    quality: int
    has_value: bool
    value_at: int
    time_at: int


class _GroupPlan(NamedTuple):
    """How to fill one group: which time, which names, which numbers, which of them must lie in a range."""

    family: str
    time: int
    metrics: tuple[str, ...]
    pick: Callable[[Sequence[Any]], tuple[Any, ...]]
    ranged: Callable[[Sequence[Any]], tuple[Any, ...]]
    low: tuple[float, ...]
    high: tuple[float, ...]
    finite: Callable[[Sequence[Any]], tuple[Any, ...]]
    qualities: tuple[tuple[str, int], ...]
    members: list[Slot]


# 14 bits of the two varint bytes that a little-endian 16-bit number holds, without their continuation bits
_PAIRS = [low & 127 | (low >> 8 & 127) << 7 for low in range(65536)]


def _join(numbers: list[Any], varints: Sequence[tuple[int, int]]) -> None:
    """Put varints of 2 bytes and more together in their first place: (index, size) of each."""
    pairs = _PAIRS
    for index, size in varints:
        if size == 4:
            numbers[index] = pairs[numbers[index]] | pairs[numbers[index + 1]] << 14
        elif size == 5:
            numbers[index] = pairs[numbers[index]] | pairs[numbers[index + 1]] << 14 | numbers[index + 2] << 28
        elif size == 2:
            numbers[index] = pairs[numbers[index]]
        else:
            value: int = numbers[index + size // 2] if size % 2 else 0
            for place in reversed(range(index, index + size // 2)):
                pair: int = numbers[place]
                value = value << 14 | pairs[pair]
            numbers[index] = value


def _stamp(data: bytes) -> int:
    """Value of a varint kept as bytes."""
    value = 0
    for byte in reversed(data):
        value = value << 7 | byte & 127
    return value


class Form:
    """How a number of a payload is read."""

    UNUSED = 0  # a varint that nobody asks for
    STAMP = 1  # a varint kept as bytes: most stamps of a payload are equal
    NUMBER = 2  # a varint
    FLOAT = 3
    DOUBLE = 4


class Item(NamedTuple):
    """A number and how it is read."""

    span: Span
    form: int

    @property
    def code(self) -> str:
        """Its part of the struct format: varints come as 16-bit pairs."""
        size = self.span.size
        if self.form == Form.NUMBER:
            return "H" * (size // 2) + "B" * (size % 2)
        return (f"{size}x", f"{size}s", "", "f", "d")[self.form]

    @property
    def width(self) -> int:
        """How many values unpacking gives for it."""
        return (0, 1, (self.span.size + 1) // 2, 1, 1)[self.form]


class Layout:
    """One learned layout; `decode` gives what the general path gives, or None when that path must decide."""

    __slots__ = ("_expected", "_parts", "_plans", "_unpack", "_unread", "lanes", "mask", "size", "used")

    def __init__(self, raw: bytes, items: Sequence[Item], parts: Parts) -> None:
        """Items in the order of their bytes."""
        mask = bytearray(b"\xff" * len(raw))
        code = ["<"]
        at = 0
        for item in items:
            _, start, size = item.span
            code.append(f"{start - at}x{item.code}")
            if item.form in {Form.FLOAT, Form.DOUBLE}:
                mask[start : start + size] = bytes(size)
            else:
                mask[start : start + size] = b"\x80" * size
                if size == 10:  # the tenth byte carries one bit only, the parser refuses others
                    mask[start + 9] = 0xFF
            at = start + size
        code.append(f"{len(raw) - at}x")
        self.mask = int.from_bytes(mask, "little")
        self._expected = int.from_bytes(raw, "little") & self.mask
        self._unpack = struct.Struct("".join(code)).unpack
        self._parts: Parts | None = parts
        self.size = len(raw)
        self._plans: dict[tuple[int, ...] | None, list[_GroupPlan] | None] = {}
        self.used = False
        self.lanes: Lanes | None = None  # the fast reading, where there is one
        self._unread = 0

    def slim(self) -> None:
        """Keep the lanes only, which nearly always suffice, for a third of the memory; `decode` answers None then."""
        self._parts = None
        self._unpack = struct.Struct("").unpack
        self._plans = {}

    def unread_again(self) -> int:
        """Count a payload that it matches and cannot read; returns how many there were."""
        self._unread += 1
        return self._unread

    def fill(self, other: Layout) -> None:
        """Take back what `slim` gave up from a layout learned from a payload that this one matches."""
        self._unpack, self._plans = other._unpack, other._plans
        self._parts = other._parts  # last: another thread may be in `decode`

    def matches(self, number: int) -> bool:
        """Whether a payload of this length, as a little-endian integer, has this layout."""
        return number & self.mask == self._expected

    def decode(self, raw: bytes) -> Decoded | None:
        """Samples of a matching payload."""
        parts = self._parts
        if parts is None:
            return None
        numbers: list[Any] = list(self._unpack(raw))
        _join(numbers, parts.varints)
        try:
            for index, convert in parts.convert:
                numbers[index] = convert(numbers[index])
        except (WireError, LeftToTheParser):
            return None
        stamps = parts.times(numbers)
        pattern = None
        if stamps.count(stamps[0]) != len(stamps):
            order = {stamp: index for index, stamp in enumerate(dict.fromkeys(stamps))}
            pattern = tuple([order[stamp] for stamp in stamps])
            stamps = tuple(order)
        times = [_stamp(stamps[0])] if pattern is None else [_stamp(stamp) for stamp in stamps]
        if min(times) < _T_MS_MIN or max(times) > T_MS_MAX:
            return None
        numbers += parts.constants
        filled = self._fill(self._plans_of(parts.slots, pattern), times, numbers)
        if filled is None:
            return None
        groups, outside = filled
        seq = None if parts.seq is None else numbers[parts.seq]
        record = None if parts.record is None else numbers[parts.record]
        faults = (*parts.faults, ("range", outside)) if outside else parts.faults
        return Decoded(seq, record, groups, None, 0, 0, faults)

    def _plans_of(self, slots: Sequence[Slot], pattern: tuple[int, ...] | None) -> list[_GroupPlan] | None:
        plans = self._plans.get(pattern, _UNKNOWN)
        if plans is _UNKNOWN:  # two threads may both make it: equal, and the later one stays
            plans = _plan(slots, pattern)
            if len(self._plans) >= _PLANS:
                self._plans = {}
            self._plans[pattern] = plans
        return plans

    @staticmethod
    def _fill(plans: list[_GroupPlan] | None, times: list[int], numbers: list[Any]) -> tuple[list[Group], int] | None:
        """Groups and how many values lie outside their range; None when a value is not finite."""
        if plans is None:
            return None
        groups: list[Group] = []
        outside = 0
        for family, time, metrics, pick, ranged, low, high, finite, qualities, members in plans:
            checked = ranged(numbers)
            marks = qualities
            if not (all(map(le, low, checked)) and all(map(ge, high, checked))):
                found = _mark(members, numbers)
                if found is None:
                    return None
                marks, count = found
                outside += count
            if not all(map(isfinite, finite(numbers))):
                return None
            groups.append(Group(family, times[time], metrics, pick(numbers), marks))
        return groups, outside


class LeftToTheParser(Exception):  # noqa: N818 - a decision, not a fault
    """A number that the general path must judge."""


class Parts(NamedTuple):
    """What a layout does with the unpacked numbers.

    varints: (index, size) of those of 2 bytes and more; convert: (index, function) of numbers that need more;
    times: picks the time bytes of all slots; seq, record: index or None; constants: values that follow the numbers;
    faults: constant too.
    """

    varints: tuple[tuple[int, int], ...]
    convert: tuple[tuple[int, Callable[[int], Any]], ...]
    times: Callable[[Sequence[Any]], tuple[bytes, ...]]
    slots: tuple[Slot, ...]
    constants: list[Any]
    seq: int | None
    record: int | None
    faults: tuple[tuple[str, int], ...]


def getter(indexes: list[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Like itemgetter, but a tuple for any count of indexes."""
    if not indexes:
        return _nothing
    if len(indexes) == 1:
        only = indexes[0]
        return lambda numbers: (numbers[only],)
    if indexes == list(range(indexes[0], indexes[-1] + 1)):
        part = slice(indexes[0], indexes[-1] + 1)
        return lambda numbers: tuple(numbers[part])
    return itemgetter(*indexes)


def _nothing(numbers: Sequence[Any]) -> tuple[Any, ...]:
    del numbers
    return ()


def _plan(slots: Sequence[Slot], pattern: tuple[int, ...] | None) -> list[_GroupPlan] | None:
    """Plans for one pattern of equal times; None when a field would be there twice at one time."""
    gathered: dict[tuple[str, int], list[Slot]] = {}
    for place, slot in enumerate(slots):
        gathered.setdefault((slot.field.family, 0 if pattern is None else pattern[place]), []).append(slot)
    plans: list[_GroupPlan] = []
    for (family, time), members in gathered.items():
        if len({slot.field.column for slot in members}) != len(members):
            return None
        valued = [slot for slot in members if slot.has_value]
        ranged = [slot for slot in valued if slot.field.low is not None]
        loose = [slot for slot in valued if slot.field.low is None and slot.field.datatype in {dt.FLOAT, dt.DOUBLE}]
        plans.append(
            _GroupPlan(
                family,
                time,
                shared_names(tuple(slot.field.column for slot in valued)),
                getter([slot.value_at for slot in valued]),
                getter([slot.value_at for slot in ranged]),
                tuple(cast("float", slot.field.low) for slot in ranged),
                tuple(cast("float", slot.field.high) for slot in ranged),
                getter([slot.value_at for slot in loose]),
                tuple((slot.field.column, slot.quality) for slot in members if slot.quality != quality.GOOD),
                members,
            )
        )
    return plans


def _mark(members: list[Slot], numbers: Sequence[Any]) -> tuple[tuple[tuple[str, int], ...], int] | None:
    """Qualities of a group with values outside their range, and how many; None when one is not finite."""
    qualities: list[tuple[str, int]] = []
    outside = 0
    for field, code, has_value, value_at, _ in members:
        if has_value and field.low is not None and field.high is not None:
            value = numbers[value_at]
            if not isfinite(value):
                return None
            if not field.low <= value <= field.high:
                qualities.append((field.column, quality.BAD))
                outside += 1
                continue
        if code != quality.GOOD:
            qualities.append((field.column, code))
    return tuple(qualities), outside
