"""Captures of a line, as bytes or as text of hex digits, taken apart into frames and what lay between them."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from shutan_meters.errors import FrameError
from shutan_meters.inspect_stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shutan_meters.inspect import Report
    from shutan_meters.profile import Profile

__all__ = ["reports"]

_PORTION = 65536
_SEPARATORS = b" \t\r\n,;:-"
_DIGITS = b"0123456789abcdefABCDEF"


def reports(name: str, protocols: tuple[str, ...], profile: Profile | None) -> Iterator[Report]:
    """Frames and skipped stretches in their order, the summary last.

    name:   of the file, - for stdin; a file of hex digits and blanks is read as what it spells
    Raises  OSError; FrameError where the file is empty or has an odd number of hex digits, or where no frame is in it
            (after everything that was skipped has been told)
    """
    stream = Stream(protocols, profile)
    with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
        for portion in _portions(file):
            yield from stream.feed(portion)
    if not stream.bytes:
        raise FrameError("--stream", "nothing to decode")
    yield from stream.finish()
    yield {"summary": stream.summary()}
    if not stream.frame_bytes:
        raise FrameError("--stream", f"no valid frame in {stream.bytes} bytes")


def _portions(file: BinaryIO) -> Iterator[bytes]:
    """The capture as bytes. No frame is all hex digits: 68 is an h, and Modbus units are no printable characters."""
    first = file.read(_PORTION)
    if first.translate(None, _DIGITS + _SEPARATORS):
        while first:
            yield first
            first = file.read(_PORTION)
        return
    left, read = b"", 0
    while first:
        digits = left + first.translate(None, _SEPARATORS)
        wrong = digits.translate(None, _DIGITS)
        if wrong:
            at = read + min(first.index(byte) for byte in wrong)
            raise FrameError("--stream", f"character {at + 1}: {chr(first[at - read])!r} is not a hex digit")
        whole = len(digits) // 2 * 2
        left, read = digits[whole:], read + len(first)
        yield bytes.fromhex(digits[:whole].decode("ascii"))
        first = file.read(_PORTION)
    if left:
        raise FrameError("--stream", "a byte needs two hex digits: their number is odd")
