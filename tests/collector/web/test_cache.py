"""The cache holds what it may, makes each thing once, and passes errors on."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.web.cache import Cache


def test_a_value_is_made_once() -> None:
    cache: Cache[str] = Cache(10)
    made: list[int] = []
    for _ in range(3):
        assert cache.get("a", lambda: (made.append(1) or "value", 1)) == "value"
    assert (len(made), cache.hits, cache.misses) == (1, 2, 1)


def test_many_threads_wait_for_the_one_that_makes_it() -> None:
    cache: Cache[int] = Cache(10)
    begun, go_on = threading.Event(), threading.Event()
    made: list[int] = []
    got: list[int] = []

    def make() -> tuple[int, int]:
        made.append(1)
        begun.set()
        assert go_on.wait(30)
        return 7, 1

    threads = [threading.Thread(target=lambda: got.append(cache.get("a", make))) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert begun.wait(30)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert (got, len(made)) == ([7] * 20, 1)


def test_an_error_goes_to_the_caller_and_the_next_one_tries_again() -> None:
    cache: Cache[int] = Cache(10)

    def fail() -> tuple[int, int]:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            cache.get("a", fail)
    assert cache.get("a", lambda: (1, 1)) == 1


def test_what_is_too_heavy_is_given_but_not_kept() -> None:
    cache: Cache[int] = Cache(10)
    assert [cache.get("a", lambda: (1, 11)) for _ in range(2)] == [1, 1]
    assert (cache.weight, cache.misses) == (0, 2)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 12)), max_size=60))
def test_it_never_weighs_more_than_it_may_and_never_gives_a_wrong_value(asked: list[tuple[int, int]]) -> None:
    cache: Cache[int] = Cache(20)
    for key, weight in asked:
        assert cache.get(key, lambda key=key, weight=weight: (key * 10, weight)) == key * 10
        assert 0 <= cache.weight <= 20
    assert cache.hits + cache.misses == len(asked)


def test_the_one_not_asked_for_longest_goes_first() -> None:
    cache: Cache[str] = Cache(3)
    for key in "abcad":
        cache.get(key, lambda key=key: (key, 1))
    for key in "acd":
        cache.get(key, lambda: pytest.fail("it was kept"))
    assert cache.get("b", lambda: ("again", 1)) == "again"
