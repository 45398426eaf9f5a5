"""The parts of a learned layout that shape_lanes.py reads: the block of all floats, and the rest.

The block is equal in all layouts that differ only in their varints, so it is made once for all of them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from shutan_gateway.payload.shape import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from shutan_gateway.payload.definition import Field

__all__ = [
    "Block",
    "Frame",
    "Match",
    "Part",
    "Source",
    "block_of",
    "by_place",
    "is_single",
    "match_of",
    "moved",
    "parts_of",
    "pieces_of",
    "share",
    "size_of",
    "struct_of",
]

_FLOAT_MAX = 3.4028234663852886e38
_DOUBLE_MAX = 1.7976931348623157e308
_SHARED_MOST = 2_000  # a block takes about 5 KB


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


class Match(NamedTuple):
    """The big integers of step 1."""

    mask: int
    expected: int
    copies: int


class Block(NamedTuple):
    """The floats of all layouts that differ in their varints only: steps 1 and 2, and what reads them."""

    match: Match
    kept: int
    room: int
    clear: int
    unpack: Callable[[bytes], tuple[float, ...]]


def by_place(sources: Iterable[Source]) -> list[Source]:
    """Sources in the order of their bytes."""
    return sorted(sources, key=lambda source: source.span.at)


def struct_of(spans: Iterable[tuple[Span, str]], size: int) -> struct.Struct:
    """Reads some numbers of a payload of `size` bytes, in the order of their places."""
    code = ["<"]
    at = 0
    for span, form in sorted(spans, key=lambda entry: entry[0].at):
        code.append(f"{span.at - at}x{form}")
        at = span.at + span.size
    return struct.Struct("".join((*code, f"{size - at}x")))


def size_of(parts: Sequence[Part]) -> int:
    """Bytes of the joined parts."""
    return sum([part.stop - part.start for part in parts])


class Part(NamedTuple):
    """Bytes start..stop of a payload; of the block, or of the rest."""

    start: int
    stop: int
    block: bool


def parts_of(frame: Frame, sources: Sequence[Source]) -> list[Part]:
    """Rest, block, rest, ... rest: floats with their times, and what is fixed between two of them, are the block."""
    size = len(frame.raw)
    mask = frame.mask.to_bytes(size, "little")
    pairs = [(stamp, source.span) for stamp, source in zip(frame.stamps, sources, strict=True) if source.code]
    # Each with its first tag: where two runs meet, a fixed byte stands between their lanes.
    places = [
        (min(stamp.at, span.at) - 1, max(stamp.at + stamp.size, span.at + span.size)) for stamp, span in sorted(pairs)
    ]
    parts: list[Part] = []
    at = 0
    for start, stop in _runs(mask, places):
        parts += (Part(at, start, block=False), Part(start, stop, block=True))
        at = stop
    return [*parts, Part(at, size, block=False)]


def _runs(mask: bytes, places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """These places, start and stop, in their order; those between which all bytes are fixed become one."""
    runs: list[tuple[int, int]] = []
    for start, stop in places:
        if runs and mask.count(0xFF, runs[-1][1], start) == start - runs[-1][1]:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return runs


def pieces_of(match: Match, spans: Iterable[Span], size: int) -> struct.Struct:
    """Cuts these spans, in the order of their places, out of `size` bytes, with what is fixed or a time between two."""
    places = [(span.at, span.at + span.size) for span in spans]
    runs = _runs(match.mask.to_bytes(size, "little"), places)
    return struct_of([(Span(0, start, stop - start), f"{stop - start}s") for start, stop in runs], size)


def _joined(raw: bytes, parts: Sequence[Part]) -> bytes:
    return b"".join([raw[part.start : part.stop] for part in parts])


def moved(span: Span, parts: Sequence[Part]) -> Span:
    """The span's place in the joined parts, of which one holds it."""
    at = 0
    for start, stop, _ in parts:
        if start <= span.at < stop:
            return span._replace(at=at + span.at - start)
        at += stop - start
    raise ValueError(span)


def match_of(frame: Frame, parts: Sequence[Part]) -> Match:
    """Step 1 for the joined parts."""
    held = [moved(span, parts) for span in frame.stamps if any(part[0] <= span.at < part[1] for part in parts)]
    stamps = sum((1 << 8 * span.size) - 1 << 8 * span.at for span in held)
    mask = int.from_bytes(_joined(frame.mask.to_bytes(len(frame.raw), "little"), parts), "little")
    expected = int.from_bytes(_joined(frame.raw, parts), "little") & mask & ~stamps
    return Match(mask | stamps, expected, sum(1 << 8 * span.at for span in held))


def block_of(frame: Frame, parts: Sequence[Part], floats: Sequence[Source]) -> Block:
    """Steps 1 and 2 for the floats, in the order of their bytes."""
    match = match_of(frame, parts)
    own = [source._replace(span=moved(source.span, parts)) for source in floats]
    size = size_of(parts)

    def make() -> Block:
        unpack = struct_of([(source.span, source.code) for source in own], size).unpack
        return Block(match, *_check(own), unpack)

    return share((match, size, *[(field.low, field.high, span.at, code) for field, span, code in own]), make)


_shared: dict[Hashable, Any] = {}


def share(key: Hashable, make: Callable[[], Any]) -> Any:
    """What layouts have in common, once. A key belongs to one kind of thing."""
    found = _shared.get(key)
    if found is None:
        if len(_shared) >= _SHARED_MOST:
            _shared.clear()
        found = _shared.setdefault(key, make())
    return found


def _check(floats: Sequence[Source]) -> tuple[int, int, int]:
    """kept, room and clear of step 2; a range that is not symmetric to 0 is left to `_singles`."""
    kept = room = clear = 0
    for field, span, code in floats:
        limit = _FLOAT_MAX if code == "f" else _DOUBLE_MAX
        low, high = field.low, field.high
        if low is None or high is None or low not in {0, -high}:
            low, high = -limit, limit
        width, at = 8 * span.size, 8 * span.at
        sign = 1 << width - 1
        kept |= (sign - 1 | (0 if low else sign)) << at
        room |= sign - 1 - _bits(min(high, limit), code) << at
        clear |= (sign | (0 if low else sign << 1)) << at
    return kept, room, clear


def is_single(source: Source) -> bool:
    """Whether a value must be compared by itself."""
    (_, _, _, _, _, _, low, high), span, code = source
    if low is None or high is None:
        return False
    return (low not in {0, -high}) if code else (low > 0 or high < (1 << 7 * span.size) - 1)


def _bits(limit: float, code: str) -> int:
    """Bits of the greatest number of this width that is not above `limit` (>= 0)."""
    text = struct.pack(f"<{code}", limit)
    above = struct.unpack(f"<{code}", text)[0] > limit
    return int.from_bytes(text, "little") - above
