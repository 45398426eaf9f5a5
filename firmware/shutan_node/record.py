"""A record's body: what one DATA message says, in as few bytes as flash and RAM like.

| bytes | data record                                         | gap record                                     |
|-------|-----------------------------------------------------|------------------------------------------------|
| 1     | flags: 1 = time is uptime, 4 = qualities follow     | flags: 2 = gap, 8 = lost with RAM (unsaved)    |
| 1     | slot: 0 = the node, 1.. = device in the shape's order | 0                                            |
| 6     | time in ms: low 21 bits in 3 bytes, the rest in 3   | the same                                       |
| 1     | n = bytes of the bit map                            | 0                                              |
| n     | bit map of the columns that carry a value           | from, to, start, end: 6 bytes each             |
| 1+3k  | only with flag 4: k, then k times column, quality u16 (its top bit: no value, the bytes mean nothing) |   |
| rest  | values in column order: Float 4 bytes, Double 8, all others a length and that many bytes |           |

Numbers are little-endian. Uptime is stamped over with the epoch (`stamp`) as soon as the clock is set.
"""

from struct import pack_into, unpack_from  # pyright: ignore[reportUnknownVariableType] - its stub names `array` without a type

from shutan_node.columns import NO_VALUE
from shutan_wire.quality import GOOD

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node.columns import Columns
    from shutan_wire.encode import Writer

RELATIVE = 1
GAP = 2
QUALITIES = 4
UNSAVED = 8
HEAD = 9
GAP_SIZE = HEAD + 24

_SIZES = b"\0\0\0\0\0\0\0\0\0\4\x08\0\0\0"  # of a value by datatype: Float 4, Double 8, 0 = as long as it is

_image = bytearray(8)


def put_time(body: "bytearray | memoryview", time_ms: int) -> None:
    """Write the time of a body."""
    lo = time_ms & 0x1FFFFF
    hi = time_ms >> 21
    pack_into("<HBHB", body, 2, lo & 0xFFFF, lo >> 16, hi & 0xFFFF, hi >> 16)


def time_of(body: "bytes | bytearray | memoryview") -> int:
    """Time of a body in ms: uptime when its flag RELATIVE is set, else UTC since 1970."""
    lo, lo2, hi, hi2 = unpack_from("<HBHB", body, 2)
    return ((hi | hi2 << 16) << 21) + (lo | lo2 << 16)


def stamp(body: "bytearray | memoryview", offset_ms: int) -> None:
    """Turn an uptime into UTC: offset_ms is the epoch at uptime 0. Without effect on a stamped body."""
    if body[0] & RELATIVE:
        put_time(body, time_of(body) + offset_ms)
        body[0] &= ~RELATIVE & 255


def encode(out: "bytearray | memoryview", columns: "Columns") -> int:
    """Write the body of the columns that are due; its length. IndexError when `out` is too small."""
    types = columns.types
    due = columns.due
    size = (len(types) + 7) >> 3
    out[0] = RELATIVE if columns.relative else 0
    out[1] = columns.slot
    put_time(out, columns.time_ms)
    out[8] = size
    pos = HEAD + size
    for at in range(HEAD, pos):
        out[at] = 0
    poor = 0
    for column in range(len(types)):
        if due[column]:
            out[HEAD + (column >> 3)] |= 1 << (column & 7)
            if columns.quality[column] != GOOD:
                poor += 1
                pack_into("<BH", out, pos + 3 * poor - 2, column, columns.quality[column])
    if poor:
        out[0] |= QUALITIES
        out[pos] = poor
        pos += 1 + 3 * poor
    for column in range(len(types)):
        if due[column]:
            pos = _put_value(out, pos, columns.image, 8 * column, types[column])
    return pos


def _put_value(out: "bytearray | memoryview", pos: int, image: bytearray, at: int, datatype: int) -> int:
    size = _SIZES[datatype]
    if not size:
        size = 8
        while size and not image[at + size - 1]:
            size -= 1
        out[pos] = size
        pos += 1
    for end in range(at, at + size):
        out[pos] = image[end]
        pos += 1
    return pos


def emit(body: "bytearray | memoryview", columns: "Columns", writer: "Writer", historical: bool) -> None:
    """Write the metrics of a stamped data body to a `shutan_wire.encode.Writer`; WireError when its buffer is full.

    Allocates nothing on MicroPython.
    """
    lo = body[2] | body[3] << 8 | body[4] << 16
    hi = body[5] | body[6] << 8 | body[7] << 16
    pos = HEAD + body[8]
    poor = 0
    if body[0] & QUALITIES:
        poor = body[pos]
        pos += 1 + 3 * poor
    base = columns.slot * 256
    for column in range(body[8] * 8):
        if not body[HEAD + (column >> 3)] >> (column & 7) & 1:
            continue
        datatype = columns.types[column]
        size = _SIZES[datatype]
        if not size:
            size = body[pos]
            pos += 1
        for at in range(8):
            _image[at] = body[pos + at] if at < size else 0
        pos += size
        quality = _quality(body, poor, column) if poor else GOOD
        image = None if quality & NO_VALUE else _image
        writer.metric(base + columns.ids[column], hi, lo, datatype, image, 0, historical, quality & 0x7FFF)


def _quality(body: "bytearray | memoryview", poor: int, column: int) -> int:
    at = HEAD + body[8] + 1
    for pos in range(at, at + 3 * poor, 3):
        if body[pos] == column:
            return body[pos + 1] | body[pos + 2] << 8
    return GOOD
