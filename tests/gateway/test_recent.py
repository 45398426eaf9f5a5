"""The newest samples in memory: bounded for payloads of any size, gone when every delivery is past them."""

import pytest

from shutan_gateway.payload.decode import Group
from shutan_gateway.payload.recent import Recent
from shutan_gateway.spool.log import DATA, Position, SpoolRecord


def fill(recent: Recent, count: int, size: int) -> list[Position]:
    """One group for each record; the position before each."""
    starts: list[Position] = []
    for number in range(count):
        starts.append(Position(1, 64 * number, number))
        record = SpoolRecord(DATA, 1, 1, number, 0, 0, bytes(size))
        recent.put(number, Position(1, 64 * (number + 1), number + 1), [record], [[]], 0.0)
    return starts


@pytest.mark.parametrize("size", [1, 60, 5000])
def test_memory_is_bounded_however_small_the_payloads_are(size: int) -> None:
    recent = Recent(most_bytes=100_000)
    recent.passed("store", 0)
    starts = fill(recent, 1000, size)
    held = [start for start in starts if recent.after(start, 10**9) is not None]
    assert held == starts[-len(held) :], "the newest stay"
    assert 100_000 / (size + 600) < len(held) < 100_000 / (size + 250)


def test_decoded_samples_count_by_their_values() -> None:
    recent = Recent(most_bytes=100_000)
    recent.passed("store", 0)
    wide = [Group("energy", 1, tuple(map(str, range(50))), tuple(map(float, range(50))), ())]
    for number in range(1000):
        record = SpoolRecord(DATA, 1, 1, number, 0, 0, b"")
        recent.put(number, Position(1, 64 * (number + 1), number + 1), [record], [wide], 0.0)
    held = [number for number in range(1000) if recent.after(Position(1, 64 * number, number), 10**9) is not None]
    assert 100_000 / 5000 < len(held) < 100_000 / 2500


def test_what_every_delivery_has_passed_is_given_up() -> None:
    recent = Recent()
    recent.passed("quick", 0)
    recent.passed("slow", 0)
    starts = fill(recent, 10, 60)
    recent.passed("quick", 10)
    assert recent.after(starts[0], 10**9) is not None, "the slow one needs it"
    recent.passed("slow", 4)
    assert recent.after(starts[3], 10**9) is None
    taken = recent.after(starts[4], 10**9)
    assert taken is not None
    assert [record.record for record in taken.records] == [4, 5, 6, 7, 8, 9]
    recent.leave("slow")
    assert recent.after(starts[9], 10**9) is None


def test_without_a_delivery_nothing_is_kept() -> None:
    recent = Recent()
    starts = fill(recent, 3, 60)
    assert recent.after(starts[0], 10**9) is None
