"""The conflict rule: other values at a known time are kept beside the first, the same values are known."""

import pytest
from hypothesis import given, settings
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


FAMILIES = [("e", "ab"), ("e", "bc"), ("n", "d"), ("n", "df"), ("v", "g"), ("e", "a"), ("e", "b")]
Step = tuple[int, list[tuple[tuple[str, str], int]], bool]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.lists(
                st.tuples(st.sampled_from(FAMILIES), st.integers(0, 2)),
                min_size=1,
                max_size=3,
                unique_by=lambda drawn: drawn[0][0],
            ),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_records_of_several_families_never_share_a_key_with_other_values(steps: list[Step]) -> None:
    """Parts of a record are known and others new, some come the short way; a repeat of a whole record is told."""
    window = Window(1000)
    store: dict[tuple[str, int, int], int] = {}
    taken: set[tuple[Group, ...]] = set()
    for time, members, short in steps:
        groups = [
            Group(family, T + time, tuple(names), tuple(value + place for place in range(len(names))), ())
            for (family, names), value in members
        ]
        content = hash(("short", *groups))
        verdict = Verdict(0, repeat=False, conflict=False)
        if not (short and window.goes_on(T + time, [group.metrics for group in groups], content)):
            verdict = window.judge(groups, lambda content=content: content)
        assert verdict.repeat or tuple(groups) not in taken
        for group in groups:  # a numbered record is stored even when its samples are known
            for name, value in zip(group.metrics, group.values, strict=True):
                assert isinstance(value, int)
                assert store.setdefault((name, time, verdict.sub_ns), value) == value
        taken.add(tuple(groups))


def test_a_clock_that_stands_still_never_gets_digits_twice() -> None:
    """The window forgets entries of the one time there is, but not which digits are free, for no set of names."""
    window = Window(16)
    seen: dict[str, set[int]] = {"a": set(), "b": set(), "c": set()}
    for step in range(300):
        name = "c" if step % 60 == 0 else "ab"[step % 2]
        verdict = window.judge([Group("energy", T, (name,), (step,), ())])
        assert not verdict.repeat
        assert verdict.sub_ns not in seen[name]
        seen[name].add(verdict.sub_ns)


def test_names_beyond_those_that_have_a_number_are_never_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known which names they are: equal values of other metrics would be lost."""

    def overflow(_names: tuple[str, ...]) -> int:
        return 0

    monkeypatch.setattr("shutan_gateway.intake.window._NAMES.number", overflow)
    window = Window(100)
    assert window.judge([group(T, a=1)]) == NEW
    assert window.judge([group(T, b=1)]) == Verdict(1, repeat=False, conflict=True)
