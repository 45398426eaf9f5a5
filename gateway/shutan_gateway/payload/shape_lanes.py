"""The fast reading of a learned layout (shape.py): one time for all samples, floats and unsigned integers, all good.

Meters of one model send the same floats, but counters whose varints differ in length. So a payload is cut in two: the
`block` of all its floats, whose reading all meters of a model share, and the rest, whose reading belongs to the layout
and is small: what is shared stays in the processor's cache. Each half becomes one big integer, and a few operations on
it decide about all its bytes at once, in C:

1. `number & mask == expected + stamp * copies`: every fixed byte is as learned and every sample carries the time of the
   first one (a product with ones at the stamps' places is a copy of the stamp at each of them).
2. `(number & kept) + room` leaves the bits of `clear` at 0 only if |value| <= limit in every lane: without its sign, an
   IEEE 754 number grows with its bits, and `room` is what is missing from the limit's bits to the sign bit. NaN and
   infinities lie above every limit. A lane that may not be negative keeps its sign bit, which shows or carries.
   Between two lanes there is a fixed byte at least, so a carry meets nothing.
3. Varints stand in the 8-byte lanes of another integer; three shifts take out their continuation bits.

A range that is not symmetric to 0 is compared by itself. This path never decides that a value is bad: what fails a
check is left to the slower paths, so it has to be right only where it answers.
"""

from __future__ import annotations

import functools
import struct
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shutan_gateway.payload.decode import T_MS_MAX, Decoded, Group, Value
from shutan_gateway.payload.shape_parts import (
    Frame,
    Part,
    Source,
    block_of,
    by_place,
    is_single,
    match_of,
    moved,
    parts_of,
    pieces_of,
    share,
    size_of,
    struct_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shutan_gateway.payload.shape import Span

__all__ = ["Checked", "Frame", "Lanes", "SoundNames", "Source"]

_T_MS_MIN = 4_102_444_800  # below it a time may be one in seconds
_VARINT_MAX = 8  # bytes of a varint that a lane holds: 56 bits
_NAMES_MOST = 10_000
_tuple = cast("Callable[..., Any]", tuple.__new__)


class SoundNames(tuple[str, ...]):  # noqa: SLOT001 - a tuple of any length cannot have slots of its own
    """Names of a group that Lanes filled: each value is a finite float, or an int of 56 bits where `integers` says so.

    One object per set of names and kinds; equal to the plain tuple of names.
    """

    integers: tuple[bool, ...]


class _Plan(NamedTuple):
    """One group: its family and names, and what picks its values out of all numbers."""

    family: str
    names: SoundNames
    pick: Callable[[tuple[Value, ...]], tuple[Value, ...]]


class Checked(NamedTuple):
    """What intake needs of a payload: numbers (None where it carries none), the time of its samples, their content.

    content: a hash of all values; equal for payloads of one time whose values stand in the same bytes, whatever their
    record and sequence numbers.
    """

    seq: int | None
    record: int | None
    t_ms: int
    content: int


class Lanes:
    """Reads payloads of one layout; None where the slower paths must decide.

    block: what reads its floats, shared; names: those of each group; count: of values.
    """

    __slots__ = (
        "_cut",
        "_few",
        "_few_swar",
        "_floats",
        "_match",
        "_pieces",
        "_plans",
        "_record",
        "_seq",
        "_singles",
        "_stamp",
        "_swar",
        "_varints",
        "block",
        "count",
        "names",
    )

    def __init__(self, frame: Frame, sources: Sequence[Source]) -> None:
        """Use `lanes_of`, which looks whether all this fits."""
        floats = by_place([source for source in sources if source.code])
        counters = by_place([source for source in sources if not source.code])
        parts = parts_of(frame, sources)
        block, rest = [part for part in parts if part.block], [part for part in parts if not part.block]
        self._cut = struct.Struct("<" + "".join([f"{part.stop - part.start}s" for part in parts])).unpack
        self._match = match_of(frame, rest)
        self.block = block_of(frame, block, floats)
        self._seq = slice(0, 0) if frame.seq is None else slice(frame.seq.at, frame.seq.at + frame.seq.size)
        self._stamp = _stamp(frame.stamps[0])
        # Bytes and not a number: the hash of a number is its remainder, which is equal for many of them.
        self._pieces = pieces_of(self._match, [moved(one.span, rest) for one in counters], size_of(rest)).unpack
        # What intake looks at by itself: sequence number, time, record number, and what has a range of its own.
        few = [] if frame.record is None else [frame.record]
        few += [source.span for source in counters if is_single(source)]
        order = sorted(few, key=lambda span: span.at)
        self._few = _slices(order, rest)
        self._few_swar = _swar(len(order) + 2)
        places = {span: place for place, span in enumerate(order, 2)}
        odd = [source for source in floats if is_single(source)]
        self._floats = struct_of([(moved(one.span, block), one.code) for one in odd], size_of(block)).unpack
        places |= {source.span: len(order) + 2 + place for place, source in enumerate(odd)}
        self._record = 0 if frame.record is None else places[frame.record]
        self._singles = _singles(sources, places)
        # All values: those of the counters in front of the floats, the time in front of all.
        self._varints = _slices([source.span for source in counters], rest)
        self._swar = _swar(len(counters) + 1)
        self._plans = _plans(sources, {source.span: place for place, source in enumerate([*counters, *floats], 1)})
        self.names = tuple([plan.names for plan in self._plans])
        self.count = len(sources)

    def check(self, raw: bytes) -> Checked | None:
        """Look at a payload of the size of this layout; None unless every sample in it is good."""
        parts = self._cut(raw)
        rest = parts[0] + parts[2] if len(parts) == 3 else b"".join(parts[::2])
        block = parts[1] if len(parts) == 3 else b"".join(parts[1::2])
        where, bits, continued = self._stamp
        time_bytes = raw[where]
        stamp = int.from_bytes(time_bytes, "little")
        mask, expected, copies = self._match
        varints = int.from_bytes(rest, "little")
        if varints & mask != expected + stamp * copies or stamp & bits != continued:
            return None
        (mask, expected, copies), kept, room, clear, _ = self.block
        number = int.from_bytes(block, "little")
        if number & mask != expected + stamp * copies or (number & kept) + room & clear:
            return None
        found = _numbers(self._few_swar, (raw[self._seq], time_bytes, *self._few(rest))) + self._floats(block)
        for index, low, high in self._singles:
            if not low <= found[index] <= high:
                return None
        t_ms = found[1]
        if not _T_MS_MIN <= t_ms <= T_MS_MAX:
            return None
        record = found[self._record] if self._record else None
        content = hash(block) ^ hash(self._pieces(rest))
        # A named tuple made by its class goes through a function of its own; this is the same tuple for less.
        return _tuple(Checked, (found[0] if self._seq.stop else None, record, t_ms, content))

    def groups(self, raw: bytes) -> list[Group]:
        """Samples of a payload that `check` has accepted."""
        parts = self._cut(raw)
        rest = parts[0] + parts[2] if len(parts) == 3 else b"".join(parts[::2])
        block = parts[1] if len(parts) == 3 else b"".join(parts[1::2])
        found = _numbers(self._swar, (raw[self._stamp[0]], *self._varints(rest))) + self.block.unpack(block)
        t_ms = found[0]
        return [_tuple(Group, (family, t_ms, names, pick(found), ())) for family, names, pick in self._plans]

    def read(self, raw: bytes) -> Decoded | None:
        """Samples of a payload of the size of this layout."""
        checked = self.check(raw)
        if checked is None:
            return None
        groups = self.groups(raw)
        return _tuple(Decoded, (checked.seq, checked.record, groups, None, 0, 0, ()))


def _numbers(swar: _Lanes, pieces: Sequence[bytes]) -> tuple[int, ...]:
    """Numbers of varints, step 3."""
    pack, unpack, size, one, two, three, four, five, six = swar
    x = int.from_bytes(pack(*pieces), "little")
    x = x & one | (x & two) >> 1
    x = x & three | (x & four) >> 2
    return unpack((x & five | (x & six) >> 4).to_bytes(size, "little"))


def lanes_of(frame: Frame, sources: Sequence[Source]) -> Lanes | None:
    """Lanes for a layout whose samples are all good and of one time; None when it does not fit."""
    varints = [source.span for source in sources if not source.code]
    varints += [*frame.stamps, *[span for span in (frame.record, frame.seq) if span is not None]]
    if not sources or any(span.size > _VARINT_MAX for span in varints):
        return None
    if len({span.size for span in frame.stamps}) != 1:
        return None
    columns = {(source.field.family, source.field.column) for source in sources}
    return Lanes(frame, sources) if len(columns) == len(sources) else None


def _slices(spans: Sequence[Span], rest: Sequence[Part]) -> Callable[[bytes], tuple[bytes, ...]]:
    """Cuts these spans, in their order, out of the joined rest."""
    return struct_of([(moved(span, rest), f"{span.size}s") for span in spans], size_of(rest)).unpack


def _stamp(span: Span) -> tuple[slice, int, int]:
    """Where the first time stands, its continuation bits, and those of them that are set."""
    bits = sum(0x80 << 8 * place for place in range(span.size))
    return slice(span.at, span.at + span.size), bits, bits & (1 << 8 * span.size - 8) - 1


_Lanes = tuple["Callable[..., bytes]", "Callable[[bytes], tuple[int, ...]]", int, int, int, int, int, int, int]


@functools.cache
def _swar(count: int) -> _Lanes:
    """Packing and unpacking of so many 8-byte lanes, their size, and the masks of the three steps of joining."""
    masks = (0x007F_007F_007F_007F, 0x0000_3FFF_0000_3FFF, 0x0000_0000_0FFF_FFFF)
    low = [int.from_bytes(mask.to_bytes(8, "little") * count, "little") for mask in masks]
    high = [mask << width for mask, width in zip(low, (8, 16, 32), strict=True)]
    packed, unpacked = struct.Struct("8s" * count), struct.Struct(f"<{count}Q")
    return packed.pack, unpacked.unpack, 8 * count, low[0], high[0], low[1], high[1], low[2], high[2]


def _plans(sources: Sequence[Source], places: dict[Span, int]) -> tuple[_Plan, ...]:
    def make() -> tuple[_Plan, ...]:
        families: dict[str, list[Source]] = {}
        for source in sources:
            families.setdefault(source.field.family, []).append(source)
        return tuple([_plan(family, members, places) for family, members in families.items()])

    names = [(source.field.family, source.field.column, source.code, places[source.span]) for source in sources]
    return share(tuple(names), make)


def _plan(family: str, members: Sequence[Source], places: dict[Span, int]) -> _Plan:
    names = tuple([source.field.column for source in members])
    indexes = [places[source.span] for source in members]
    start, stop = indexes[0], indexes[0] + len(indexes)
    if indexes == list(range(start, stop)):
        return _Plan(family, _sound_names(names, members), itemgetter(slice(start, stop)))
    return _Plan(family, _sound_names(names, members), itemgetter(*indexes))


_sound: dict[tuple[tuple[str, ...], tuple[bool, ...]], SoundNames] = {}


def _sound_names(names: tuple[str, ...], members: Sequence[Source]) -> SoundNames:
    if len(_sound) > _NAMES_MOST:
        _sound.clear()
    made = SoundNames(names)
    made.integers = tuple([not source.code for source in members])
    return _sound.setdefault((names, made.integers), made)


def _singles(sources: Sequence[Source], places: dict[Span, int]) -> tuple[tuple[int, float, float], ...]:
    """(place, low, high) of such values."""
    found = [source for source in sources if is_single(source)]
    singles = tuple([(places[span], cast("float", field.low), cast("float", field.high)) for field, span, _ in found])
    return share(("singles", singles), lambda: singles)
