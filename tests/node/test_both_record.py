"""Bodies of records: what goes in comes out, on every runtime."""

import gc
from struct import pack

from shutan_node import gaps, record
from shutan_node.clock import Clock
from shutan_node.columns import Columns
from shutan_node.journal import Files, Journal
from shutan_node.store import Ring, Store
from shutan_wire.encode import Writer
from shutan_wire.quality import GOOD

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    Taken = tuple[int, int, int, bytes, bool, int]

FLOAT = 9
DOUBLE = 10
UINT64 = 8
INT32 = 3


class Taker(Writer):
    """Takes what `record.emit` writes."""

    def __init__(self) -> None:
        super().__init__(bytearray(8))
        self.metrics: list[Taken] = []

    def metric(  # noqa: PLR0917 - as Writer has it
        self,
        alias: int,
        ts_hi: int,
        ts_lo: int,
        datatype: int,
        image: bytes | bytearray | memoryview | None,
        offset: int = 0,
        historical: bool = False,
        quality: int = GOOD,
    ) -> None:
        assert image is not None
        value = bytes(image[offset : offset + 8])
        self.metrics.append((alias, (ts_hi << 21) + ts_lo, datatype, value, historical, quality))


def some_columns() -> Columns:
    columns = Columns(2, "m", "a b c d e", bytes((1, 46, 56, 142, 30)), bytes((UINT64, FLOAT, DOUBLE, INT32, FLOAT)))
    columns.set(0, 123456789012345)
    columns.set(1, 230.5)
    columns.set(2, 50.01)
    columns.set(3, -2)
    columns.set(4, -1500.25)
    return columns


def emitted(body: memoryview, columns: Columns, historical: bool = False) -> "list[Taken]":
    writer = Taker()
    record.emit(body, columns, writer, historical)
    return writer.metrics


def test_all_values_come_back() -> None:
    columns = some_columns()
    columns.time_ms = 1780000000123
    columns.relative = False
    columns.select(None, 0, 0)
    out = bytearray(100)
    size = record.encode(out, columns)
    body = memoryview(out)[:size]
    assert record.time_of(body) == 1780000000123
    metrics = emitted(body, columns, True)
    assert [m[0] for m in metrics] == [2 * 256 + number for number in (1, 46, 56, 142, 30)]
    assert [m[3] for m in metrics] == [
        pack("<Q", 123456789012345),
        pack("<f", 230.5) + bytes(4),
        pack("<d", 50.01),
        pack("<q", -2),
        pack("<f", -1500.25) + bytes(4),
    ]
    for metric in metrics:
        assert metric[1] == 1780000000123
        assert metric[4] is True
        assert metric[5] == 192


def test_only_due_columns_and_their_qualities() -> None:
    columns = some_columns()
    columns.time_ms = 5
    columns.select(bytearray((0, 1, 0, 0, 1)), 0, 0)
    columns.quality[4] = 500
    out = bytearray(100)
    size = record.encode(out, columns)
    metrics = emitted(memoryview(out)[:size], columns)
    assert [(m[0] & 255, m[5]) for m in metrics] == [(46, 192), (30, 500)]


def test_zero_and_largest_counter() -> None:
    columns = Columns(1, "m", "a b", bytes((1, 2)), bytes((UINT64, UINT64)))
    columns.set(0, 0)
    columns.set(1, 2**64 - 1)
    columns.select(None, 0, 0)
    out = bytearray(40)
    size = record.encode(out, columns)
    assert [m[3] for m in emitted(memoryview(out)[:size], columns)] == [bytes(8), b"\xff" * 8]


def test_uptime_is_stamped_once() -> None:
    columns = some_columns()
    columns.time_ms = 7000
    columns.relative = True
    columns.select(None, 0, 0)
    body = bytearray(100)
    record.encode(body, columns)
    assert body[0] & record.RELATIVE
    record.stamp(body, 1780000000000)
    record.stamp(body, 99)
    assert record.time_of(body) == 1780000007000
    assert not body[0] & record.RELATIVE


def test_times_up_to_the_year_3000() -> None:
    body = bytearray(8)
    for time_ms in (0, 1, 2**21 - 1, 2**21, 2**30, 2**31, 2**32 + 5, 1780000000000, 32503680000000):
        record.put_time(body, time_ms)
        assert record.time_of(body) == time_ms


def test_a_value_that_cannot_be_is_refused_and_changes_nothing() -> None:
    columns = some_columns()
    before = bytes(columns.image)
    for column, value in ((0, 2**64), (0, -(2**63) - 1), (1, float("nan")), (1, float("inf"))):
        try:
            columns.set(column, value)
        except ValueError:
            continue
        raise AssertionError((column, value))
    assert bytes(columns.image) == before


def test_a_small_buffer_is_an_error_not_an_overflow() -> None:
    columns = some_columns()
    columns.select(None, 0, 0)
    try:
        record.encode(bytearray(20), columns)
    except (IndexError, ValueError):
        return
    raise AssertionError


class Keeper(Store):
    """A store whose clock stands still before the first sync; it keeps what it is given, and nothing else."""

    def __init__(self) -> None:
        super().__init__(Files(), Journal(Files(), 65536, 1), Ring(1, 1), 1, Clock(lambda: 1000))
        self.bodies: list[bytes] = []

    def add(self, body: bytearray | memoryview) -> int:
        self.bodies.append(bytes(body))
        return len(self.bodies)


def test_gap_bodies() -> None:
    keeper = Keeper()
    gaps.declare(keeper, 5, 2**40, True, 0, 1780000000123)
    gaps.declare(keeper, 7, 7, False, 1, 2)
    first, second = keeper.bodies
    assert gaps.numbers(memoryview(first)) == [5, 2**40, 0, 1780000000123]
    assert first[0] == record.GAP | record.UNSAVED | record.RELATIVE
    assert second[0] == record.GAP | record.RELATIVE
    assert record.time_of(second) == record.time_of(first) + 1  # two gaps never share their time
    assert keeper.holes == [(5, 2**40), (7, 7)]


def test_emitting_50_metrics_allocates_nothing() -> None:
    columns = Columns(1, "m", " ".join(["x"] * 50), bytes(range(1, 51)), bytes([FLOAT] * 25 + [UINT64] * 25))
    for column in range(50):
        columns.set(column, 1000 + column)
    columns.relative = False
    columns.time_ms = 1780000000123
    columns.select(None, 0, 0)
    buffer = memoryview(bytearray(600))
    body = buffer[: record.encode(buffer, columns)]
    writer = Writer(bytearray(2000))
    used = getattr(gc, "mem_alloc", int)  # CPython has no such figure: 0
    record.emit(body, columns, writer, True)
    writer.reset()
    gc.collect()
    gc.disable()
    before = used()
    record.emit(body, columns, writer, True)
    after = used()
    gc.enable()
    assert after == before
    assert writer.pos > 800
