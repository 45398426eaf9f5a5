"""The fast reading of a learned layout (shape.py): one time for all samples, floats and unsigned integers, all good.

A payload becomes one big integer, and a few operations on it decide about all bytes at once, in C:

1. `number & mask == expected + stamp * copies`: every fixed byte is as learned and every sample carries the time of the
   first one (a product with ones at the stamps' places is a copy of the stamp at each of them).
2. `(number & kept) + room` leaves the bits of `clear` at 0 only if |value| <= limit in every lane: without its sign, an
   IEEE 754 number grows with its bits, and `room` is what is missing from the limit's bits to the sign bit. NaN and
   infinities lie above every limit. A lane that may not be negative keeps its sign bit, which shows or carries.
   The byte behind a lane is a tag, so a carry meets nothing.
3. Varints stand in the 8-byte lanes of another integer; three shifts take out their continuation bits.

A range that is not symmetric to 0 is compared by itself. This path never decides that a value is bad: what fails a
check is left to the slower paths, so it has to be right only where it answers.
"""

from __future__ import annotations

import struct
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shutan_gateway.payload.decode import T_MS_MAX, Decoded, Group, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shutan_gateway.payload.definition import Field
    from shutan_gateway.payload.shape import Span

__all__ = ["Frame", "Lanes", "SoundNames", "Source"]

_T_MS_MIN = 4_102_444_800  # below it a time may be one in seconds
_VARINT_MAX = 8  # bytes of a varint that a lane holds: 56 bits
_NAMES_MOST = 10_000
_FLOAT_MAX = 3.4028234663852886e38
_DOUBLE_MAX = 1.7976931348623157e308
_tuple = cast("Callable[..., Any]", tuple.__new__)


class SoundNames(tuple[str, ...]):  # noqa: SLOT001 - a tuple of any length cannot have slots of its own
    """Names of a group that Lanes filled: each value is a finite float, or an int of 56 bits where `integers` says so.

    One object per set of names and kinds; equal to the plain tuple of names.
    """

    integers: tuple[bool, ...]


class Source(NamedTuple):
    """Where the value of a field lies; code: "f", "d", or "" for a varint."""

    field: Field
    span: Span
    code: str


class Frame(NamedTuple):
    """The parts of a layout beside its values: mask over its bytes, times of all samples, other varints."""

    raw: bytes
    mask: int
    stamps: Sequence[Span]
    record: Span | None
    seq: Span | None


class _Plan(NamedTuple):
    """One group: its family and names, and what picks its values out of all numbers."""

    family: str
    names: SoundNames
    pick: Callable[[tuple[Value, ...]], tuple[Value, ...]]


class _Check(NamedTuple):
    """The big integers of step 2, and the values that are compared by themselves: (index, low, high)."""

    kept: int
    room: int
    clear: int
    singles: tuple[tuple[int, float, float], ...]


class Lanes:
    """Reads payloads of one layout; None where the slower paths must decide."""

    __slots__ = ("_check", "_floats", "_match", "_plans", "_record", "_seq", "_swar", "_time", "_varints")

    def __init__(self, frame: Frame, sources: Sequence[Source]) -> None:
        """Use `lanes_of`, which looks whether all this fits."""
        first = frame.stamps[0]
        self._match = _match(frame)
        self._seq = None if frame.seq is None else (frame.seq.at, frame.seq.at + frame.seq.size)
        floats = [source for source in sources if source.code]
        others = [first, *[source.span for source in sources if not source.code]]
        others += [] if frame.record is None else [frame.record]
        others.sort(key=lambda span: span.at)
        size = len(frame.raw)
        self._floats = _struct([(source.span, source.code) for source in floats], size).unpack
        self._varints = _struct([(span, f"{span.size}s") for span in others], size).unpack
        # The sequence number stands at the end of a payload: in the first lane it does not part counters from floats.
        places = {span: place for place, span in enumerate(others, 1)}
        places |= {source.span: len(others) + 1 + place for place, source in enumerate(_by_place(floats))}
        self._time = places[first]
        self._record = 0 if frame.record is None else places[frame.record]
        self._swar = _swar(len(others) + 1)
        self._plans = _plans(sources, places)
        self._check = _check(sources, places)

    def read(self, raw: bytes, number: int) -> Decoded | None:
        """Samples of a payload, which is `number` as a little-endian integer."""
        mask, expected, copies, bits, continued = self._match
        pieces = self._varints(raw)
        stamp = int.from_bytes(pieces[self._time - 1], "little")
        if number & mask != expected + stamp * copies or stamp & bits != continued:
            return None
        kept, room, clear, singles = self._check
        if (number & kept) + room & clear:
            return None
        pack, unpack, size, one, two, three, four, five, six = self._swar
        seq = self._seq
        x = int.from_bytes(pack(raw[seq[0] : seq[1]] if seq else b"", *pieces), "little")
        x = x & one | (x & two) >> 1
        x = x & three | (x & four) >> 2
        numbers = unpack((x & five | (x & six) >> 4).to_bytes(size, "little"))
        t_ms = numbers[self._time]
        if not _T_MS_MIN <= t_ms <= T_MS_MAX:
            return None
        found = numbers + self._floats(raw)
        for index, low, high in singles:
            if not low <= found[index] <= high:
                return None
        # A named tuple made by its class goes through a function of its own; this is the same tuple for less.
        groups = [_tuple(Group, (family, t_ms, names, pick(found), ())) for family, names, pick in self._plans]
        record = numbers[self._record] if self._record else None
        return _tuple(Decoded, (numbers[0] if seq else None, record, groups, None, 0, 0, ()))


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


def _by_place(sources: Iterable[Source]) -> list[Source]:
    return sorted(sources, key=lambda source: source.span.at)


def _struct(spans: Iterable[tuple[Span, str]], size: int) -> struct.Struct:
    """Reads some numbers of a payload of `size` bytes, in the order of their places."""
    code = ["<"]
    at = 0
    for span, form in sorted(spans, key=lambda entry: entry[0].at):
        code.append(f"{span.at - at}x{form}")
        at = span.at + span.size
    return struct.Struct("".join((*code, f"{size - at}x")))


def _match(frame: Frame) -> tuple[int, int, int, int, int]:
    """(mask, expected, copies) of step 1, (bits, continued) of the stamp's own continuation bits."""
    size = frame.stamps[0].size
    stamps = sum((1 << 8 * size) - 1 << 8 * span.at for span in frame.stamps)
    copies = sum(1 << 8 * span.at for span in frame.stamps)
    bits = sum(0x80 << 8 * place for place in range(size))
    expected = int.from_bytes(frame.raw, "little") & frame.mask & ~stamps
    return frame.mask | stamps, expected, copies, bits, bits & (1 << 8 * size - 8) - 1


_Lanes = tuple["Callable[..., bytes]", "Callable[[bytes], tuple[int, ...]]", int, int, int, int, int, int, int]


def _swar(count: int) -> _Lanes:
    """Packing and unpacking of so many 8-byte lanes, their size, and the masks of the three steps of joining."""
    masks = (0x007F_007F_007F_007F, 0x0000_3FFF_0000_3FFF, 0x0000_0000_0FFF_FFFF)
    low = [int.from_bytes(mask.to_bytes(8, "little") * count, "little") for mask in masks]
    high = [mask << width for mask, width in zip(low, (8, 16, 32), strict=True)]
    packed, unpacked = struct.Struct("8s" * count), struct.Struct(f"<{count}Q")
    return packed.pack, unpacked.unpack, 8 * count, low[0], high[0], low[1], high[1], low[2], high[2]


def _plans(sources: Sequence[Source], places: dict[Span, int]) -> tuple[_Plan, ...]:
    families: dict[str, list[Source]] = {}
    for source in sources:
        families.setdefault(source.field.family, []).append(source)
    return tuple([_plan(family, members, places) for family, members in families.items()])


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


def _check(sources: Sequence[Source], places: dict[Span, int]) -> _Check:
    kept = room = clear = 0
    singles: list[tuple[int, float, float]] = []
    for field, span, code in sources:
        low, high = field.low, field.high
        if not code:
            if low is not None and high is not None and (low > 0 or high < (1 << 7 * span.size) - 1):
                singles.append((places[span], low, high))
            continue
        limit = _FLOAT_MAX if code == "f" else _DOUBLE_MAX
        if low is None or high is None:
            low, high = -limit, limit
        if low not in {0, -high}:
            singles.append((places[span], low, high))
            continue
        width, at = 8 * span.size, 8 * span.at
        sign = 1 << width - 1
        kept |= (sign - 1 | (0 if low else sign)) << at
        room |= sign - 1 - _bits(min(high, limit), code) << at
        clear |= (sign | (0 if low else sign << 1)) << at
    return _Check(kept, room, clear, tuple(singles))


def _bits(limit: float, code: str) -> int:
    """Bits of the greatest number of this width that is not above `limit` (>= 0)."""
    text = struct.pack(f"<{code}", limit)
    above = struct.unpack(f"<{code}", text)[0] > limit
    return int.from_bytes(text, "little") - above
