"""Reading protobuf (proto2) fields: varints, tags, lengths. Every function takes and returns positions in `bytes`.

Reading past the end of the buffer raises IndexError, which `decode_payload` turns into WireError; reading past the end
of a message inside the buffer is found by comparing positions.
"""

import struct

from shutan_wire.errors import WireError

VARINT = 0
FIXED64 = 1
LENGTH = 2
FIXED32 = 5
ANY = 255  # in a table of wire types: a field number without meaning for us
PACKED = 16  # in a table of wire types: repeated varint, packed accepted

_UINT32 = 0xFFFFFFFF
_INT32_EXTENDED = 0xFFFFFFFF80000000


def read_varint(data: bytes, pos: int) -> "tuple[int, int]":
    """(value, next position) of a varint of at most 10 bytes and 64 bits."""
    value = data[pos]
    pos += 1
    if value < 128:
        return value, pos
    value &= 127
    shift = 7
    while True:
        byte = data[pos]
        pos += 1
        if shift == 63:
            if byte > 1:
                raise WireError("", "varint above 64 bits")
            return value | byte << 63, pos
        if byte < 128:
            return value | byte << shift, pos
        value |= (byte & 127) << shift
        shift += 7


def uint32(value: int) -> int:
    """Check a uint32 field: a negative int32 sign-extended to 64 bits is cut, anything else above is refused."""
    if value <= _UINT32:
        return value
    if value >= _INT32_EXTENDED:
        return value & _UINT32
    raise WireError("", "uint32 field above 32 bits")


def text(raw: bytes) -> str:
    """String of a length-delimited field; WireError when it is not UTF-8."""
    try:
        return str(raw, "utf-8")
    except ValueError:
        raise WireError("", "string is not UTF-8") from None


def float32(raw: bytes) -> float:
    """Float of 4 little-endian bytes."""
    return struct.unpack("<f", raw)[0]


def float64(raw: bytes) -> float:
    """Float of 8 little-endian bytes."""
    return struct.unpack("<d", raw)[0]


def read_length(data: bytes, pos: int, end: int) -> "tuple[int, int]":
    """(first, last + 1) of the bytes behind a length at pos; WireError if they reach beyond end."""
    size = data[pos]
    pos += 1
    if size > 127:
        size, pos = read_varint(data, pos - 1)
    if size > end - pos:
        raise WireError("", "field beyond the end of its message")
    return pos, pos + size


def read_field(data: bytes, pos: int, end: int) -> "tuple[int, int | bytes, int]":
    """(tag, value, next position) of one field; value: int of a varint, else the raw bytes.

    The tag is field number * 8 + wire type. Groups (wire types 3, 4) and 6, 7 raise WireError, as does a field that
    is longer than its message.
    """
    tag, pos = read_varint(data, pos)
    wire = tag & 7
    if not 8 <= tag <= _UINT32:
        raise WireError("", "field number out of range")
    if wire == VARINT:
        number, pos = read_varint(data, pos)
        if pos > end:
            raise WireError("", "field beyond the end of its message")
        return tag, number, pos
    if wire == LENGTH:
        pos, stop = read_length(data, pos, end)
    elif wire in (FIXED32, FIXED64):
        stop = pos + (4 if wire == FIXED32 else 8)
        if stop > end:
            raise WireError("", "field beyond the end of its message")
    else:
        raise WireError("", "wire type " + str(wire) + " is not in use")
    return tag, data[pos:stop], stop


def fields(data: bytes, wires: bytes) -> "list[tuple[int, int | bytes]]":
    """All known fields of a message as (number, value), in order; unknown ones are skipped.

    wires: wire type by field number (index 0 unused), ANY = unknown, PACKED = repeated varint. WireError when a known
    field has another wire type.
    """
    found: list[tuple[int, int | bytes]] = []
    pos = 0
    end = len(data)
    while pos < end:
        tag, value, pos = read_field(data, pos, end)
        number = tag >> 3
        wanted = wires[number] if number < len(wires) else ANY
        if wanted == ANY:
            continue
        if wanted == PACKED and not isinstance(value, int) and tag & 7 == LENGTH:
            at = 0
            while at < len(value):
                item, at = read_varint(value, at)
                found.append((number, item))
        elif tag & 7 == wanted & 7:
            found.append((number, value))
        else:
            raise WireError("", "field " + str(number) + " has wire type " + str(tag & 7))
    return found
