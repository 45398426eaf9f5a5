"""Sparkplug B payload encoder.

`Writer` fills a caller's buffer and allocates nothing on MicroPython: its integers stay below 31 bits, values come as
raw bytes, times and record numbers in halves (`epoch`). `encode_payload` is the general one, for any `Payload`.
"""

from shutan_wire.datatypes import BOOLEAN, DOUBLE, FLOAT, INT64, STRING, TEXT, UUID
from shutan_wire.errors import WireError
from shutan_wire.quality import GOOD

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import TypeAlias

    from shutan_wire.model import Payload

    Buffer: TypeAlias = "bytearray | memoryview"
    Image: TypeAlias = "bytes | bytearray | memoryview"

# bytes of a value image by datatype code 0..13: what `Writer` can carry
_WIDTHS = b"\x00\x01\x02\x04\x08\x01\x02\x04\x08\x04\x08\x01\x00\x08"
_QUALITY = b"\x0a\x07Quality\x12"  # PropertySet: the key, then the tag of its value
_SEQ_BYTES = 3  # kept free, so that seq() always fits
_METRIC_MAX = 16383  # two bytes of length


def encode_payload(payload: "Payload", datatypes: bool = True) -> bytes:
    """Encode a payload; WireError for a value that does not fit its datatype.

    datatypes False leaves the datatype field of metrics away (DATA and commands), the values are checked against it
    all the same.
    """
    from shutan_wire.encode_general import encode  # late: a node encodes with Writer only

    return encode(payload, datatypes)


def _varint(buf: "Buffer", pos: int, value: int) -> int:
    """Write a small int >= 0 as a varint at pos; return the next position."""
    while value > 127:
        buf[pos] = value & 127 | 128
        value >>= 7
        pos += 1
    buf[pos] = value
    return pos + 1


def _halves(buf: "Buffer", pos: int, hi: int, lo: int) -> int:
    """Write hi * 2**21 + lo as a varint."""
    if not hi:
        return _varint(buf, pos, lo)
    buf[pos] = lo & 127 | 128
    buf[pos + 1] = lo >> 7 & 127 | 128
    buf[pos + 2] = lo >> 14 | 128
    return _varint(buf, pos + 3, hi)


def _image(buf: "Buffer", pos: int, image: "Image", offset: int, width: int) -> int:
    """Write the unsigned little-endian number image[offset:offset+width] as a varint."""
    last = offset + width - 1
    while last > offset and not image[last]:
        last -= 1
    held = image[offset]
    bits = 8  # bits waiting in held, 14 at most between two bytes
    while offset < last:
        offset += 1
        held |= image[offset] << bits
        bits += 1
        buf[pos] = held & 127 | 128
        pos += 1
        held >>= 7
        if bits == 14 and (offset < last or held > 127):
            buf[pos] = held & 127 | 128
            pos += 1
            held >>= 7
            bits = 7
    while held > 127:
        buf[pos] = held & 127 | 128
        held >>= 7
        pos += 1
    buf[pos] = held
    return pos + 1


def _value(buf: "Buffer", pos: int, datatype: int, image: "Image | None", offset: int) -> int:
    """Write the value field of a metric, or is_null where there is no image."""
    if image is None:
        buf[pos] = 0x38
        buf[pos + 1] = 1
        return pos + 2
    width = _width(datatype)
    if datatype == BOOLEAN:
        buf[pos] = 0x70
        buf[pos + 1] = 1 if image[offset] else 0
        return pos + 2
    if FLOAT <= datatype <= DOUBLE:
        buf[pos] = 0x65 if datatype == FLOAT else 0x69
        while width:
            pos += 1
            buf[pos] = image[offset]
            offset += 1
            width -= 1
        return pos + 1
    buf[pos] = 0x58 if width == 8 else 0x50
    return _image(buf, pos + 1, image, offset, width)


def _width(datatype: int) -> int:
    """Bytes of a value image; WireError for a datatype that has none."""
    width = _WIDTHS[datatype] if 0 <= datatype < len(_WIDTHS) else 0
    if not width:
        raise WireError("encode", "no image of datatype " + str(datatype))
    return width


def _quality(buf: "Buffer", pos: int, quality: int) -> int:
    """Write the property `Quality` (type 3 = Int32, int_value)."""
    size = 5 if quality > 127 else 4
    buf[pos] = 0x4A
    buf[pos + 1] = len(_QUALITY) + 1 + size
    pos += 2
    at = 0
    while at < len(_QUALITY):
        buf[pos] = _QUALITY[at]
        pos += 1
        at += 1
    buf[pos] = size
    buf[pos + 1] = 0x08
    buf[pos + 2] = 3
    buf[pos + 3] = 0x18
    return _varint(buf, pos + 4, quality)


def _text(buf: "Buffer", pos: int, tag: int, text: str) -> int:
    """Write a string field."""
    try:
        data = text.encode()
    except ValueError:
        raise WireError("encode", "string not encodable in UTF-8") from None
    buf[pos] = tag
    pos = _varint(buf, pos + 1, len(data))
    for byte in data:
        buf[pos] = byte
        pos += 1
    return pos


class Writer:
    """Writes one payload into a buffer: head, metrics, seq. The payload is then buf[:writer.pos].

    A method that finds the buffer full raises WireError("encode", "buffer full") and leaves `pos` where it was, so the
    payload can still be closed: room for `seq` is kept free. `metric` and `metric_int` allocate nothing on MicroPython.
    """

    def __init__(self, buf: "Buffer") -> None:
        self._buf = buf
        self._limit = len(buf) - _SEQ_BYTES
        self.pos = 0

    def reset(self) -> None:
        """Begin a new payload."""
        self.pos = 0

    def head(self, ts_hi: int, ts_lo: int) -> None:
        """Payload timestamp (halves of ms since 1970)."""
        pos = self.pos
        try:
            self._buf[pos] = 0x08
            pos = _halves(self._buf, pos + 1, ts_hi, ts_lo)
        except IndexError:
            raise self._full(0, None, 0) from None
        self._close(pos)

    def seq(self, number: int) -> None:
        """Sequence number 0..255; comes last."""
        if not 0 <= number <= 255:
            raise WireError("encode", "seq " + str(number) + " is not 0..255")
        self._buf[self.pos] = 0x18
        self.pos = _varint(self._buf, self.pos + 1, number)

    def metric(  # noqa: PLR0917  # positional: keywords cost a node time at every call
        self,
        alias: int,
        ts_hi: int,
        ts_lo: int,
        datatype: int,
        image: "Image | None",
        offset: int = 0,
        historical: bool = False,
        quality: int = GOOD,
    ) -> None:
        """Metric of a DATA: value = the raw little-endian bytes at image[offset:], in the width of its datatype.

        Integers unsigned or in two's complement, Float 4 bytes, Double 8, Boolean 1. image None = null.
        """
        buf = self._buf
        start = self.pos
        try:
            pos = _stamp(buf, start + 2, alias, ts_hi, ts_lo)
            if historical:
                buf[pos] = 0x28
                buf[pos + 1] = 1
                pos += 2
            if quality != GOOD:
                pos = _quality(buf, pos, quality)
            if datatype == FLOAT and image is not None:  # most of what a node sends
                buf[pos] = 0x65
                buf[pos + 1] = image[offset]
                buf[pos + 2] = image[offset + 1]
                buf[pos + 3] = image[offset + 2]
                buf[pos + 4] = image[offset + 3]
                pos += 5
            else:
                pos = _value(buf, pos, datatype, image, offset)
            buf[start] = 0x12
            buf[start + 1] = pos - start - 2  # at most 46
        except IndexError:
            raise self._full(datatype, image, offset) from None
        if pos > self._limit:
            raise WireError("encode", "buffer full")
        self.pos = pos

    def metric_int(  # noqa: PLR0917  # as above
        self, alias: int, ts_hi: int, ts_lo: int, hi: int, lo: int, historical: bool = False
    ) -> None:
        """Metric of a DATA with the UInt64 (or DateTime) value hi * 2**21 + lo, such as `Store/Record`."""
        buf = self._buf
        start = self.pos
        try:
            pos = _stamp(buf, start + 2, alias, ts_hi, ts_lo)
            if historical:
                buf[pos] = 0x28
                buf[pos + 1] = 1
                pos += 2
            buf[pos] = 0x58
            pos = _halves(buf, pos + 1, hi, lo)
            buf[start] = 0x12
            buf[start + 1] = pos - start - 2
        except IndexError:
            raise self._full(0, None, 0) from None
        self._close(pos)

    def named(  # noqa: PLR0917  # as above
        self,
        name: str,
        alias: "int | None",
        ts_hi: int,
        ts_lo: int,
        datatype: int,
        image: "Image | None" = None,
        offset: int = 0,
        quality: int = GOOD,
    ) -> None:
        """Metric of a BIRTH: name, alias or None, datatype and value as in `metric`."""
        start = self.pos
        try:
            pos = self._title(name, alias, ts_hi, ts_lo, datatype)
            if quality != GOOD:
                pos = _quality(self._buf, pos, quality)
            pos = _value(self._buf, pos, datatype, image, offset)
        except IndexError:
            raise self._full(datatype, image, offset) from None
        self._wrap(start, pos)

    def named_int(  # noqa: PLR0917  # as above
        self, name: str, alias: "int | None", ts_hi: int, ts_lo: int, datatype: int, value: int
    ) -> None:
        """Metric of a BIRTH or a command with an integer or Boolean value >= 0."""
        width = _width(datatype)
        bits = 1 if datatype == BOOLEAN else 8 * width - (1 if datatype <= INT64 else 0)
        if FLOAT <= datatype <= DOUBLE or value < 0 or value >> bits:
            raise WireError("encode", str(value) + " does not fit datatype " + str(datatype))
        buf = self._buf
        start = self.pos
        try:
            pos = self._title(name, alias, ts_hi, ts_lo, datatype)
            buf[pos] = 0x70 if datatype == BOOLEAN else 0x58 if width == 8 else 0x50
            pos = _varint(buf, pos + 1, value)
        except IndexError:
            raise self._full(0, None, 0) from None
        self._wrap(start, pos)

    def text(  # noqa: PLR0917  # as above
        self, name: str, alias: "int | None", ts_hi: int, ts_lo: int, value: str, datatype: int = STRING
    ) -> None:
        """Metric of a BIRTH with a string value (String, Text or UUID)."""
        if datatype not in (STRING, TEXT, UUID):
            raise WireError("encode", "datatype " + str(datatype) + " is no string")
        start = self.pos
        try:
            pos = _text(self._buf, self._title(name, alias, ts_hi, ts_lo, datatype), 0x7A, value)
        except IndexError:
            raise self._full(0, None, 0) from None
        self._wrap(start, pos)

    def _full(self, datatype: int, image: "Image | None", offset: int) -> WireError:
        """Error for an index beyond one of the two buffers."""
        if image is not None and not 0 <= offset <= len(image) - _width(datatype):
            return WireError("encode", "image too short")
        return WireError("encode", "buffer full")

    def _title(self, name: str, alias: "int | None", ts_hi: int, ts_lo: int, datatype: int) -> int:
        """Name, alias, timestamp and datatype of a metric; two bytes are left for its tag and length."""
        buf = self._buf
        pos = _text(buf, self.pos + 2, 0x0A, name)
        if alias is not None:
            buf[pos] = 0x10
            pos = _varint(buf, pos + 1, alias)
        buf[pos] = 0x18
        pos = _halves(buf, pos + 1, ts_hi, ts_lo)
        buf[pos] = 0x20
        return _varint(buf, pos + 1, datatype)

    def _wrap(self, start: int, pos: int) -> None:
        """Put tag and length before a metric whose body lies from start + 2 to pos."""
        buf = self._buf
        size = pos - start - 2
        if size > 127 and pos <= self._limit:  # the length takes two bytes: move the body by one
            if size > _METRIC_MAX:
                raise WireError("encode", "metric above " + str(_METRIC_MAX) + " bytes")
            at = pos
            while at > start + 2:
                buf[at] = buf[at - 1]
                at -= 1
            pos += 1
        self._close(pos)
        buf[start] = 0x12
        _varint(buf, start + 1, size)

    def _close(self, pos: int) -> None:
        if pos > self._limit:
            raise WireError("encode", "buffer full")
        self.pos = pos


def _stamp(buf: "Buffer", pos: int, alias: int, ts_hi: int, ts_lo: int) -> int:
    """Write alias and timestamp of a metric."""
    buf[pos] = 0x10
    pos += 1
    while alias > 127:
        buf[pos] = alias & 127 | 128
        alias >>= 7
        pos += 1
    buf[pos] = alias
    buf[pos + 1] = 0x18
    pos += 2
    if ts_hi:
        buf[pos] = ts_lo & 127 | 128
        buf[pos + 1] = ts_lo >> 7 & 127 | 128
        buf[pos + 2] = ts_lo >> 14 | 128
        pos += 3
        ts_lo = ts_hi
    while ts_lo > 127:
        buf[pos] = ts_lo & 127 | 128
        ts_lo >>= 7
        pos += 1
    buf[pos] = ts_lo
    return pos + 1
