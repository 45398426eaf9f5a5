"""Bodies of records: what goes in comes out, on every runtime."""

from struct import pack

from shutan_node import gaps, record
from shutan_node.columns import Columns

FLOAT = 9
DOUBLE = 10
UINT64 = 8
INT32 = 3


class Writer:
    """Takes what `record.emit` writes."""

    def __init__(self):
        self.metrics = []

    def metric(self, alias, hi, lo, datatype, image, offset, historical, quality):
        value = bytes(image[offset : offset + 8])
        self.metrics.append((alias, (hi << 21) + lo, datatype, value, historical, quality))


def some_columns():
    columns = Columns(2, "m", "a b c d e", bytes((1, 46, 56, 142, 30)), bytes((UINT64, FLOAT, DOUBLE, INT32, FLOAT)))
    columns.set(0, 123456789012345)
    columns.set(1, 230.5)
    columns.set(2, 50.01)
    columns.set(3, -2)
    columns.set(4, -1500.25)
    return columns


def emitted(body, columns, historical=False):
    writer = Writer()
    record.emit(body, columns, writer, historical)
    return writer.metrics


def test_all_values_come_back():
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


def test_only_due_columns_and_their_qualities():
    columns = some_columns()
    columns.time_ms = 5
    columns.select(bytearray((0, 1, 0, 0, 1)), 0, 0)
    columns.quality[4] = 500
    out = bytearray(100)
    size = record.encode(out, columns)
    metrics = emitted(memoryview(out)[:size], columns)
    assert [(m[0] & 255, m[5]) for m in metrics] == [(46, 192), (30, 500)]


def test_zero_and_largest_counter():
    columns = Columns(1, "m", "a b", bytes((1, 2)), bytes((UINT64, UINT64)))
    columns.set(0, 0)
    columns.set(1, 2**64 - 1)
    columns.select(None, 0, 0)
    out = bytearray(40)
    size = record.encode(out, columns)
    assert [m[3] for m in emitted(memoryview(out)[:size], columns)] == [bytes(8), b"\xff" * 8]


def test_uptime_is_stamped_once():
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


def test_times_up_to_the_year_3000():
    body = bytearray(8)
    for time_ms in (0, 1, 2**21 - 1, 2**21, 2**30, 2**31, 2**32 + 5, 1780000000000, 32503680000000):
        record.put_time(body, time_ms)
        assert record.time_of(body) == time_ms


def test_a_value_that_cannot_be_is_refused_and_changes_nothing():
    columns = some_columns()
    before = bytes(columns.image)
    for column, value in ((0, 2**64), (0, -(2**63) - 1), (1, float("nan")), (1, float("inf"))):
        try:
            columns.set(column, value)
        except ValueError:
            continue
        raise AssertionError((column, value))
    assert bytes(columns.image) == before


def test_a_small_buffer_is_an_error_not_an_overflow():
    columns = some_columns()
    columns.select(None, 0, 0)
    try:
        record.encode(bytearray(20), columns)
    except (IndexError, ValueError):
        return
    raise AssertionError


class Keeper:
    """As much of a store as `gaps.declare` needs."""

    def __init__(self):
        self.lost = 0
        self.holes = []
        self.gap_ms = -1
        self.bodies = []
        self.clock = self

    def now(self):
        return 1000, True

    def add(self, body):
        self.bodies.append(bytes(body))


def test_gap_bodies():
    keeper = Keeper()
    gaps.declare(keeper, 5, 2**40, True, 0, 1780000000123)
    gaps.declare(keeper, 7, 7, False, 1, 2)
    first, second = keeper.bodies
    assert gaps.numbers(memoryview(first)) == [5, 2**40, 0, 1780000000123]
    assert first[0] == record.GAP | record.UNSAVED | record.RELATIVE
    assert second[0] == record.GAP | record.RELATIVE
    assert record.time_of(second) == record.time_of(first) + 1  # two gaps never share their time
    assert keeper.holes == [(5, 2**40), (7, 7)]
