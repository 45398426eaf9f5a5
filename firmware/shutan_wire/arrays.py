"""Array datatypes in `bytes_value` (Sparkplug 3.0, 6.4.16.4): numbers little-endian, tightly packed.

Boolean: u32 little-endian count, then bits, the first element in the highest bit. String: each ends with a zero byte.
"""

import struct

from shutan_wire.datatypes import BOOLEAN_ARRAY, DATETIME_ARRAY, INT8_ARRAY, STRING_ARRAY, integer_width, name_of
from shutan_wire.errors import WireError

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_wire.model import Value

LIMIT_ELEMENTS = 1_000_000

_CODES = "bhiqBHIQfd??Q"  # struct code by datatype - 22; 32 and 33 are not numeric
_SIZES = b"\x01\x02\x04\x08\x01\x02\x04\x08\x04\x08\x00\x00\x08"


def unpack(datatype: int, data: "Value") -> "tuple[bool | int | float | str, ...]":
    """Elements of an array value; a tuple is returned as it is. WireError if the bytes do not fit the datatype."""
    if isinstance(data, tuple):
        return data
    if not isinstance(data, bytes):
        raise WireError("value", "field does not fit " + name_of(datatype))
    if datatype == BOOLEAN_ARRAY:
        return _unpack_booleans(data)
    if datatype == STRING_ARRAY:
        return _unpack_strings(data)
    if not INT8_ARRAY <= datatype <= DATETIME_ARRAY:
        raise WireError("value", "datatype " + str(datatype) + " is no array")
    size = _SIZES[datatype - INT8_ARRAY]
    if len(data) % size:
        raise WireError("value", "array of " + str(len(data)) + " bytes, not a multiple of " + str(size))
    return struct.unpack("<" + str(len(data) // size) + _CODES[datatype - INT8_ARRAY], data)


def _unpack_booleans(data: bytes) -> "tuple[bool | int | float | str, ...]":
    if len(data) < 4:
        raise WireError("value", "boolean array without its count")
    count = struct.unpack("<I", data[:4])[0]
    if count > LIMIT_ELEMENTS or (count + 7) // 8 != len(data) - 4:
        raise WireError("value", "boolean array of " + str(count) + " in " + str(len(data) - 4) + " bytes")
    return tuple([bool(data[4 + (index >> 3)] & (128 >> (index & 7))) for index in range(count)])


def _unpack_strings(data: bytes) -> "tuple[bool | int | float | str, ...]":
    if not data:
        return ()
    if data[-1]:
        raise WireError("value", "string array does not end with a zero byte")
    try:
        return tuple(str(data[:-1], "utf-8").split("\0"))
    except ValueError:
        raise WireError("value", "string array is not UTF-8") from None


def pack(datatype: int, items: "tuple[bool | int | float | str, ...]") -> bytes:
    """Bytes of an array value; WireError for an element that does not fit."""
    if datatype == BOOLEAN_ARRAY:
        return _pack_booleans(items)
    if datatype == STRING_ARRAY:
        return _pack_strings(items)
    if not INT8_ARRAY <= datatype <= DATETIME_ARRAY:
        raise WireError("value", "datatype " + str(datatype) + " is no array")
    width = integer_width(datatype - INT8_ARRAY + 1) if datatype != DATETIME_ARRAY else (64, False)
    for item in items:
        _check(item, width)
    try:
        numbers = items if width else [float(item) for item in items]
        return struct.pack("<" + str(len(items)) + _CODES[datatype - INT8_ARRAY], *numbers)
    except OverflowError:
        raise WireError("value", "array element too large") from None


def _check(item: "bool | int | float | str", width: "tuple[int, bool] | None") -> None:
    """Refuse an element that is no integer of (bits, signed), or no number where width is None."""
    if isinstance(item, (bool, str)) or (width and not isinstance(item, int)):
        raise WireError("value", "array element of another kind")
    if width:
        low = -(1 << (width[0] - 1)) if width[1] else 0
        if not low <= item < low + (1 << width[0]):
            raise WireError("value", "array element does not fit " + str(width[0]) + " bits")


def _pack_booleans(items: "tuple[bool | int | float | str, ...]") -> bytes:
    bits = bytearray((len(items) + 7) // 8)
    for index, item in enumerate(items):
        if item is True:
            bits[index >> 3] |= 128 >> (index & 7)
        elif item is not False:
            raise WireError("value", "boolean array element is no boolean")
    return struct.pack("<I", len(items)) + bytes(bits)


def _pack_strings(items: "tuple[bool | int | float | str, ...]") -> bytes:
    packed = bytearray()
    for item in items:
        if not isinstance(item, str) or "\0" in item:
            raise WireError("value", "string array element is no string without zero")
        packed += item.encode() + b"\0"
    return bytes(packed)
