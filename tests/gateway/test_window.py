"""The conflict rule: other values at a known time are kept beside the first, the same values are known."""

from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.intake.window import Verdict, Window
from shutan_gateway.payload.decode import Group

T = 1_780_000_000_000
NEW = Verdict(0, repeat=False, conflict=False)


def group(t_ms: int, family: str = "energy", **values: float) -> Group:
    return Group(family, t_ms, tuple(values), tuple(values.values()), ())


def test_new_times_need_no_digits_also_when_they_come_late() -> None:
    window = Window(100)
    assert [window.judge([group(T + t, a=1)]) for t in (5, 6, 1, 9, 2)] == [NEW] * 5


def test_other_values_get_the_next_free_digits_and_repeats_keep_theirs() -> None:
    window = Window(100)
    values = (1.0, 2.0, 3.0, 2.0, 1.0)
    verdicts = [window.judge([group(T, a=value)]) for value in values]
    assert [v.sub_ns for v in verdicts] == [0, 1, 2, 1, 0]
    assert [v.repeat for v in verdicts] == [False, False, False, True, True]
    assert [v.conflict for v in verdicts] == [False, True, True, False, False]


def test_parts_of_one_sample_time_are_no_conflict() -> None:
    window = Window(100)
    assert window.judge([group(T, a=1)]) == NEW
    assert window.judge([group(T, b=1)]) == NEW
    assert window.judge([group(T, "node", c=1), group(T, d=1)]) == NEW
    assert window.judge([group(T, b=2)]).sub_ns == 1


def test_a_quality_is_a_value_too() -> None:
    window = Window(100)
    window.judge([group(T, a=1)])
    assert window.judge([group(T, a=1)._replace(qualities=(("a", 0),))]).conflict


def test_all_times_of_a_record_share_their_digits() -> None:
    window = Window(100)
    window.judge([group(T, a=1)])
    window.judge([group(T, a=2)])
    verdict = window.judge([group(T - 5, a=9), group(T, a=3)])
    assert verdict == Verdict(2, repeat=False, conflict=True)
    assert window.judge([group(T - 5, a=9), group(T, a=3)]) == Verdict(2, repeat=True, conflict=False)


def test_the_window_forgets_the_oldest_times() -> None:
    window = Window(16)
    for t in range(20):
        window.judge([group(T + t, a=t)])
    assert window.judge([group(T, a=99)]) == NEW, "too old to be known"
    assert window.judge([group(T + 19, a=99)]).conflict


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 2)), max_size=40))
def test_no_two_records_ever_share_a_key_with_other_values(steps: list[tuple[int, str, int]]) -> None:
    """The store's key is (metric, time with digits): what is written there once is never written otherwise."""
    window = Window(1000)
    store: dict[tuple[str, int, int], int] = {}
    for time, name, value in steps:
        known = (name, time, value) in {(n, t, v) for (n, t, _), v in store.items()}
        verdict = window.judge([Group("energy", T + time, (name,), (value,), ())])
        assert verdict.repeat == known
        assert store.setdefault((name, time, verdict.sub_ns), value) == value
