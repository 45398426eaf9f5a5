"""Finding bad items by halves: right, in order, and within the promised number of requests."""

from collections.abc import Sequence
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.stores.isolate import isolate


class Batches:
    """A call that refuses any part with a bad number in it, and counts."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.requests = 0
        self.accepted: set[int] = set()
        self.refused_alone: set[int] = set()

    def attempt(self, part: Sequence[int]) -> str | None:
        self.requests += 1
        if self.bad.isdisjoint(part):
            self.accepted.update(part)
            return None
        if len(part) == 1:
            self.refused_alone.update(part)
        return f"refused {len(part)}"


def found(count: int, bad: set[int]) -> tuple[list[int], Batches]:
    batches = Batches(bad)
    items = range(count)
    reason = batches.attempt(items)
    assert reason is not None
    return [item for item, _ in isolate(items, reason, batches.attempt)], batches


@pytest.mark.parametrize("count", [*range(1, 130), 1000, 4095, 4096, 4097])
def test_one_bad_item_anywhere_within_the_promised_requests(count: int) -> None:
    step = max(1, count // 97)
    for bad in {*range(0, count, step), count - 1}:
        names, batches = found(count, {bad})
        assert names == [bad]
        assert batches.requests <= 2 * log2(count) + 1
        assert batches.accepted == set(range(count)) - {bad}


def test_one_bad_item_of_5000_at_each_place() -> None:
    worst = 0
    for bad in range(5000):
        names, batches = found(5000, {bad})
        assert names == [bad]
        worst = max(worst, batches.requests)
    assert worst <= 2 * log2(5000) + 1


@settings(max_examples=200)
@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=1))))
def test_any_bad_items_are_found_in_order_and_the_others_accepted(drawn: tuple[int, set[int]]) -> None:
    count, bad = drawn
    names, batches = found(count, bad)
    assert names == sorted(bad)
    assert batches.accepted == set(range(count)) - bad
    assert batches.refused_alone == bad, "an item is bad only when it was refused alone"


def test_a_part_that_is_taken_the_second_time_is_not_bad() -> None:
    """A server that has come to its senses in between: nothing is dead-lettered on an old verdict."""
    assert isolate(range(8), "refused before", lambda _part: None) == []
