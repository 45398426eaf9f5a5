"""Waits before another try: doubling, spread, bounded, and never earlier than the other side asked."""

import random

from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.backoff import Backoff


def backoff(seed: int = 1) -> Backoff:
    return Backoff(first_s=0.5, cap_s=60, longest_wish_s=900, rng=random.Random(seed))  # noqa: S311 - test data


@given(st.integers(0, 1000))
def test_waits_double_up_to_the_cap_and_keep_jitter(seed: int) -> None:
    waits = backoff(seed)
    for step in [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]:
        assert step / 2 <= waits.next_s() <= step
    waits.reset()
    assert waits.next_s() <= 0.5


def test_gateways_that_lost_the_same_store_come_back_at_different_times() -> None:
    firsts = {round(backoff(seed).next_s(), 3) for seed in range(100)}
    assert len(firsts) > 50


@given(st.floats(0, 1e9), st.integers(0, 1000))
def test_a_wish_is_respected_but_not_beyond_reason(wish_s: float, seed: int) -> None:
    wait_s = backoff(seed).next_s(wish_s)
    assert min(wish_s, 900) <= wait_s <= 900.5


def test_thousands_of_failures_make_no_overflow() -> None:
    waits = backoff()
    assert max(waits.next_s() for _ in range(5000)) <= 60
