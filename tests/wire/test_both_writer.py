"""The Writer: same bytes as the general encoder, nothing on the heap, every value within its width."""

import gc
import struct
import sys

from shutan_wire import datatypes as dt
from shutan_wire import epoch, records
from shutan_wire.decode import decode_payload
from shutan_wire.encode import Writer, encode_payload
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload
from shutan_wire.mqtt import publish_head
from shutan_wire.quality import BAD, GOOD, STALE

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from shutan_wire.model import PropertySet, Value

MICROPYTHON = sys.implementation.name == "micropython"
NOW_MS = 1780000000123
HI, LO = epoch.split(NOW_MS)

# (datatype, struct code of its image, value)
SAMPLES: "list[tuple[int, str, Value]]" = [
    (dt.INT8, "<b", -128),
    (dt.INT8, "<b", 127),
    (dt.INT16, "<h", -12),
    (dt.INT32, "<i", -12),
    (dt.INT32, "<i", 2147483647),
    (dt.INT64, "<q", -1),
    (dt.INT64, "<q", -9223372036854775808),
    (dt.UINT8, "<B", 255),
    (dt.UINT16, "<H", 65535),
    (dt.UINT32, "<I", 4294967295),
    (dt.UINT64, "<Q", 0),
    (dt.UINT64, "<Q", 18446744073709551615),
    (dt.FLOAT, "<f", 230.5),
    (dt.FLOAT, "<f", -0.0),
    (dt.DOUBLE, "<d", 0.1),
    (dt.BOOLEAN, "<B", True),
    (dt.BOOLEAN, "<B", False),
    (dt.DATETIME, "<Q", NOW_MS),
]


def _image(code: str, value: "Value") -> bytes:
    """Image at offset 3 of a longer buffer, with other bytes around it."""
    return b"\xff\xff\xff" + struct.pack(code, value) + b"\xff\xff\xff\xff\xff\xff\xff\xff"


def _refusal(call: "Callable[..., object]", *arguments: object) -> str:
    try:
        found = call(*arguments)
    except WireError as error:
        return str(error)
    raise AssertionError("accepted: " + repr(found))


def test_data_has_the_bytes_of_the_general_encoder():
    buf = bytearray(4000)
    writer = Writer(buf)
    metrics: list[Metric] = []
    writer.head(HI, LO)
    alias = 0
    for datatype, code, value in SAMPLES:
        for historical in (False, True):
            for quality in (GOOD, BAD, STALE):
                writer.metric(alias, HI, LO, datatype, _image(code, value), 3, historical, quality)
                properties: PropertySet | None = None if quality == GOOD else {"Quality": (dt.INT32, quality)}
                metrics.append(
                    Metric(None, alias, NOW_MS, datatype, value, is_historical=historical, properties=properties)
                )
                alias = alias * 2 + 1 if alias < 100000 else 0
        if len(metrics) >= 18:
            writer.seq(200)
            expected = encode_payload(Payload(NOW_MS, metrics, 200), datatypes=False)
            assert bytes(buf[: writer.pos]) == expected, datatype
            metrics = []
            writer.reset()
            writer.head(HI, LO)


def test_integers_of_every_length_become_the_shortest_varint():
    buf = bytearray(100)
    writer = Writer(buf)
    for bits in range(64):
        for value in {1 << bits, (1 << bits) - 1, (1 << bits) + (1 << bits // 2)}:
            writer.reset()
            writer.metric(1, 0, 0, dt.UINT64, struct.pack("<Q", value))
            expected = encode_payload(Payload(None, [Metric(None, 1, 0, dt.UINT64, value)]), datatypes=False)
            assert bytes(buf[: writer.pos]) == expected, value


def test_times_and_record_numbers_in_halves():
    buf = bytearray(100)
    writer = Writer(buf)
    for value in (0, 1, 127, 128, 2097151, 2097152, 2097153, 1 << 28, NOW_MS, (1 << 51) - 1):
        hi, lo = epoch.split(value)
        writer.reset()
        writer.head(hi, lo)
        writer.metric_int(256, hi, lo, hi, lo)
        writer.metric_int(256, hi, lo, hi, lo, True)
        writer.seq(0)
        metric = Metric(None, 256, value, dt.UINT64, value)
        old = Metric(None, 256, value, dt.UINT64, value, is_historical=True)
        assert bytes(buf[: writer.pos]) == encode_payload(Payload(value, [metric, old], 0), datatypes=False), value


def test_a_value_that_is_missing_is_null():
    buf = bytearray(100)
    writer = Writer(buf)
    writer.metric(5, HI, LO, dt.FLOAT, None, 0, False, BAD)
    writer.named("a", 5, HI, LO, dt.FLOAT)
    bad: PropertySet = {"Quality": (dt.INT32, BAD)}
    first, second = decode_payload(buf[: writer.pos]).metrics
    assert first == Metric(None, 5, NOW_MS, None, None, is_null=True, properties=bad)
    assert second == Metric("a", 5, NOW_MS, dt.FLOAT, None, is_null=True)


def test_birth_has_the_bytes_of_the_general_encoder():
    buf = bytearray(2000)
    writer = Writer(buf)
    long_name = "energy/" + "n" * 150
    writer.head(HI, LO)
    writer.named_int(records.BDSEQ, None, HI, LO, dt.INT64, 255)
    writer.named_int(records.REBIRTH, None, HI, LO, dt.BOOLEAN, 0)
    writer.named(records.STORE_ID, None, HI, LO, dt.UINT64, b"\x10\x32\x54\x76\x98\xba\xdc\xfe")
    writer.named(long_name, 300, HI, LO, dt.FLOAT, struct.pack("<f", 1.5), 0, STALE)
    writer.named("电压", 301, HI, LO, dt.FLOAT)
    writer.text("Node Info/Version", None, HI, LO, "1.0")
    writer.text("Node Info/Note", 302, HI, LO, "x" * 200, dt.TEXT)
    writer.seq(0)
    expected = [
        Metric(records.BDSEQ, None, NOW_MS, dt.INT64, 255),
        Metric(records.REBIRTH, None, NOW_MS, dt.BOOLEAN, False),
        Metric(records.STORE_ID, None, NOW_MS, dt.UINT64, 0xFEDCBA9876543210),
        Metric(long_name, 300, NOW_MS, dt.FLOAT, 1.5, properties={"Quality": (dt.INT32, STALE)}),
        Metric("电压", 301, NOW_MS, dt.FLOAT, is_null=True),
        Metric("Node Info/Version", None, NOW_MS, dt.STRING, "1.0"),
        Metric("Node Info/Note", 302, NOW_MS, dt.TEXT, "x" * 200),
    ]
    assert bytes(buf[: writer.pos]) == encode_payload(Payload(NOW_MS, expected, 0))


def _fill(writer: Writer, kind: int) -> None:
    writer.reset()
    writer.head(HI, LO)
    while True:
        if kind == 0:
            writer.metric(300, HI, LO, dt.UINT64, b"\xff" * 8, 0, True, STALE)
        elif kind == 1:
            writer.metric(300, HI, LO, dt.FLOAT, b"\0\0\0\0")
        elif kind == 2:
            writer.metric_int(300, HI, LO, 1000, 5)
        elif kind == 3:
            writer.named("name" * 40, 300, HI, LO, dt.DOUBLE, b"\0" * 8)
        elif kind == 4:
            writer.named_int("name", 300, HI, LO, dt.UINT32, 4000000000)
        else:
            writer.text("name", 300, HI, LO, "text" * 20)


def test_a_full_buffer_is_refused_and_the_payload_can_still_be_closed():
    for kind in range(6):
        for size in range(10, 400, 7):
            guard = bytearray(size)
            writer = Writer(guard)
            assert _refusal(_fill, writer, kind) == "encode: buffer full"
            writer.seq(255)
            assert writer.pos <= size
            found = decode_payload(guard[: writer.pos])
            assert (found.timestamp, found.seq) == (NOW_MS, 255)
    assert _refusal(Writer(bytearray(6)).head, HI, LO) == "encode: buffer full"


def test_writer_refuses_what_it_cannot_write():
    writer = Writer(bytearray(20000))
    image = b"\0\0\0"
    short = "encode: image too short"
    assert _refusal(writer.metric, 1, HI, LO, dt.FLOAT, image) == short
    assert _refusal(writer.metric, 1, HI, LO, dt.UINT32, image) == short
    assert _refusal(writer.metric, 1, HI, LO, dt.UINT8, image, 3) == short
    assert _refusal(writer.named, "n", 1, HI, LO, dt.DOUBLE, image) == short
    for datatype in (dt.UNKNOWN, dt.STRING, dt.BYTES, dt.INT8_ARRAY, -1, 99):
        assert _refusal(writer.metric, 1, HI, LO, datatype, bytes(8)).startswith("encode: no image"), datatype
        assert _refusal(writer.named_int, "n", 1, HI, LO, datatype, 1).startswith("encode: no image"), datatype
    for datatype, value in (
        (dt.INT8, 128),
        (dt.UINT8, 256),
        (dt.INT64, 1 << 63),
        (dt.UINT64, 1 << 64),
        (dt.BOOLEAN, 2),
        (dt.FLOAT, 1),
        (dt.INT32, -1),
    ):
        assert "does not fit" in _refusal(writer.named_int, "n", 1, HI, LO, datatype, value), datatype
    assert "no string" in _refusal(writer.text, "n", 1, HI, LO, "x", dt.BYTES)
    assert "above 16383" in _refusal(writer.text, "n", 1, HI, LO, "x" * 17000)
    assert "0..255" in _refusal(writer.seq, 256)
    assert "0..255" in _refusal(writer.seq, -1)
    assert writer.pos == 0


def _fifty(writer: Writer, image: bytes) -> None:
    """A DATA of 50 metrics of every kind that a node sends."""
    writer.reset()
    writer.head(HI, LO)
    alias = 256
    while alias < 256 + 49:
        kind = alias % 7
        if kind == 0:
            writer.metric(alias, HI, LO, 8, image, alias - 256, True, 500)
        elif kind == 1:
            writer.metric(alias, HI, LO, 10, image, alias - 256)
        elif kind == 2:
            writer.metric(alias, HI, LO, 3, image, alias - 256, False, 192)
        elif kind == 3:
            writer.metric(alias, HI, LO, 9, None, 0, True, 0)
        elif kind == 4:
            writer.metric(alias, HI, LO, 11, image, 0)
        else:
            writer.metric(alias, HI, LO, 9, image, alias - 256, True)
        alias += 1
    writer.metric_int(256, HI, LO, 900, 2097151, True)
    writer.seq(255)


def test_fifty_metrics_and_their_packet_head_touch_no_heap():
    """On MicroPython by count and with the heap locked; on CPython the content alone can be shown."""
    topic = b"spBv1.0/jiuniang/DDATA/n01/m-entry"
    image = bytes([255 - i for i in range(60)])
    for buf in (bytearray(2000), memoryview(bytearray(2000))):
        head = bytearray(64)
        writer = Writer(buf)
        _fifty(writer, image)
        publish_head(head, topic, writer.pos, 1, False, 65535)
        if MICROPYTHON:
            micropython: Any = __import__("micropython")
            heap: Any = gc
            gc.collect()
            gc.disable()
            before = heap.mem_alloc()
            _fifty(writer, image)
            publish_head(head, topic, writer.pos, 1, False, 65535)
            after = heap.mem_alloc()
            gc.enable()
            assert after == before, after - before
            micropython.heap_lock()
            try:
                _fifty(writer, image)
                publish_head(head, topic, writer.pos, 1, False, 65535)
            finally:
                micropython.heap_unlock()
        found = decode_payload(buf[: writer.pos])
        assert len(found.metrics) == 50
        assert found.metrics[49].value == 900 * 2097152 + 2097151
