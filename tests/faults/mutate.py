"""Damaged inputs from sound ones: a seeded, structure-aware mutator that costs a few microseconds an input."""

import random
from collections.abc import Callable, Sequence

__all__ = ["CHUNKS", "Mutator", "protobuf_places", "seal_cjt188", "seal_dlt645", "seal_modbus"]

_EDGES = bytes((0, 1, 0x7F, 0x80, 0xFF, 0xFE, 0x68, 0x16, 0x10, 0x12, 0x0A, 0x08, 0x0B, 0x0C, 0x0F))
CHUNKS = (
    b"\xff" * 9 + b"\x01",  # the largest varint
    b"\xff" * 10,
    b"\x80" * 9 + b"\x02",
    b"\x80\x80\x80\x80\x10",
    b"\x00" * 8,
    b"\x00\x00\xc0\x7f",  # NaN, infinities
    b"\x00\x00\x80\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf8\x7f",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xed\xa0\x80",  # a lone surrogate in UTF-8
    b"\xc0\x80",
    b"\xf0\x9d\x8c\x86",
    b"\x12\x00",
    b"\x4a\x00",
)


class Mutator:
    """`next` gives another damaged input. The same seed gives the same inputs on every machine."""

    def __init__(
        self,
        corpus: Sequence[bytes],
        seed: int,
        *,
        places: Callable[[bytes], list[int]] | None = None,
        seal: Callable[[bytearray], None] | None = None,
        chunks: Sequence[bytes] = CHUNKS,
    ) -> None:
        """places: offsets worth damaging (tags, lengths) of a sound input; seal: makes a checksum right again;

        chunks: pieces that are put in.
        """
        self._corpus = list(corpus)
        self._places = [places(data) if places else [] for data in self._corpus]
        self._seal = seal
        self._chunks = list(chunks)
        self._random = random.Random(seed).random  # noqa: S311 - the same inputs each time

    def next(self) -> bytes:
        """Another input: one of the corpus with one to four damages."""
        chance = self._random
        index = int(chance() * len(self._corpus))
        data = bytearray(self._corpus[index])
        places = self._places[index]
        if places and data and chance() < 0.5:
            at = places[int(chance() * len(places))]
            data[at] = (
                _EDGES[int(chance() * len(_EDGES))] if chance() < 0.5 else (data[at] + int(chance() * 9) - 4) & 255
            )
        for _ in range(int(chance() * 4) + (not places)):
            self._damage(data)
        if self._seal is not None and chance() < 0.7:
            self._seal(data)
        return bytes(data)

    def _damage(self, data: bytearray) -> None:
        chance = self._random
        size = len(data)
        kind = int(chance() * 9)
        at = int(chance() * size)
        if kind < 2 and size:
            data[at] ^= 1 << int(chance() * 8)
        elif kind == 2 and size:
            data[at] = int(chance() * 256)
        elif kind == 3 and size:
            data[at] = _EDGES[int(chance() * len(_EDGES))]
        elif kind == 4:
            del data[at:]
        elif kind == 5:
            del data[at : at + 1 + int(chance() * 8)]
        elif kind == 6:
            chunk = self._chunks[int(chance() * len(self._chunks))]
            data[at : at + (len(chunk) if chance() < 0.5 else 0)] = chunk
        elif kind == 7:
            data[at:at] = data[at : at + 1 + int(chance() * 40)]
        else:
            other = self._corpus[int(chance() * len(self._corpus))]
            data[at:] = other[int(chance() * len(other)) :]


def protobuf_places(data: bytes) -> list[int]:
    """Offsets of tags and lengths, also inside what may be a message of its own."""
    found: list[int] = []
    _walk(data, 0, len(data), found, 0)
    return found


def _walk(data: bytes, pos: int, end: int, found: list[int], depth: int) -> None:
    while pos < end:
        tag = data[pos]
        found.append(pos)
        pos += 1
        wire = tag & 7
        if wire == 0:
            while pos < end and data[pos] > 127:
                pos += 1
            pos += 1
        elif wire in {1, 5}:
            pos += 8 if wire == 1 else 4
        elif wire == 2 and pos < end and data[pos] < 128:
            found.append(pos)
            size = data[pos]
            pos += 1
            if depth < 6 and tag not in {0x0A, 0x22, 0x7A}:
                _walk(data, pos, min(pos + size, end), found, depth + 1)
            pos += size
        else:
            return


def seal_modbus(data: bytearray) -> None:
    """Make the last two bytes the CRC of those before."""
    if len(data) < 3:
        return
    crc = 0xFFFF
    for byte in data[:-2]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    data[-2:] = crc.to_bytes(2, "little")


def seal_dlt645(data: bytearray) -> None:
    """Make length, checksum and end of the first frame right again."""
    at = data.find(0x68)
    if at < 0 or len(data) < at + 12:
        return
    data[at + 7] = 0x68
    data[at + 9] = len(data) - at - 12 & 255
    data[-2] = sum(data[at:-2]) & 255
    data[-1] = 0x16


def seal_cjt188(data: bytearray) -> None:
    """Make length, checksum and end of the first frame right again."""
    at = data.find(0x68)
    if at < 0 or len(data) < at + 13:
        return
    data[at + 10] = len(data) - at - 13 & 255
    data[-2] = sum(data[at:-2]) & 255
    data[-1] = 0x16
