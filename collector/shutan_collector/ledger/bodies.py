"""Bodies as they rest: canonical bytes under zlib, their hash over the bytes before compression."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.ledger.canonical import canonical, sha256_hex

if TYPE_CHECKING:
    from shutan_collector.ledger.entries import Record

__all__ = ["Sealed", "seal", "unpack"]

_LEVEL: Final = 1  # a year of readings is some 50 MB of JSON; level 6 takes five times as long for a tenth less


@dataclass(frozen=True, slots=True)
class Sealed:
    """A record that is ready to be written: all that takes time is done, before any lock is taken."""

    record: Record
    body_sha256: str
    packed: bytes


def seal(record: Record) -> Sealed:
    """Canonical bytes, hash, compression. Raises TypeError, ValueError as canonical() does."""
    data = canonical(record.body)
    return Sealed(record, sha256_hex(data), zlib.compress(data, _LEVEL))


def unpack(packed: bytes, body_sha256: str) -> bytes:
    """The canonical bytes. Raises ValueError if they are not the ones whose hash was written."""
    try:
        data = zlib.decompress(packed)
    except zlib.error as error:
        raise ValueError(f"the body cannot be unpacked ({error})") from error
    if sha256_hex(data) != body_sha256:
        raise ValueError("the body is not what was written (its hash differs)")
    return data
