"""Where a refused Sparkplug payload is broken: what the decoder says, and the bytes that it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shutan_wire import protobuf
from shutan_wire.decode import LIMIT_DEPTH, decode_metric, decode_payload
from shutan_wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Place", "find_place"]

_METRIC = 2  # number of the field `metrics` of a payload
_LIMIT = 10_000_000


class Place(NamedTuple):
    """What the decoder said, and the smallest piece that it refuses by itself: bytes first up to (not with) end."""

    said: str
    first: int
    end: int


def find_place(raw: bytes) -> Place | None:
    """The broken piece of a payload; None when the decoder takes it (it was refused for another reason)."""
    said = _refusal(lambda: decode_payload(raw, _LIMIT))
    if said is None:
        return None
    first, end, inside = _broken_field(raw, 0, len(raw), lambda piece: decode_payload(piece, _LIMIT))
    if inside is not None:
        inner = _broken_field(raw, inside, end, lambda piece: decode_metric(piece, 0, len(piece), LIMIT_DEPTH, {}))
        if inner[:2] != (inside, end):
            first, end = inner[:2]
    return Place(said, first, end)


def _refusal(decode: Callable[[], object]) -> str | None:
    try:
        decode()
    except WireError as error:
        return str(error).lstrip(": ")
    except IndexError:
        return "truncated"
    return None


def _broken_field(raw: bytes, first: int, end: int, decode: Callable[[bytes], object]) -> tuple[int, int, int | None]:
    """(first, end, where the contents of a metric begin) of the first field in raw[first:end] that does not decode."""
    at = first
    while at < end:
        try:
            tag, value, following = protobuf.read_field(raw, at, end)
        except (WireError, IndexError):
            return at, end, None
        if _refusal(lambda at=at, following=following: decode(raw[at:following])) is not None:
            is_metric = tag >> 3 == _METRIC and not isinstance(value, int)
            return at, following, following - len(value) if is_metric and not isinstance(value, int) else None
        at = following
    return first, end, None  # each field is sound: they contradict each other
