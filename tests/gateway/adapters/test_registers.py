"""Registers that devices lose: monotone, exact, nothing lost beyond what the table says, nothing twice."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.adapters.registers import Register, advance, from_text, to_text

MINUTE_MS = 60_000


def play(*contents: float | str | Fraction, start_ms: int = 1_700_000_000_000) -> tuple[list[Fraction], list[str]]:
    """Repaired contents and events of raw contents at one sample a minute."""
    register: Register | None = None
    repaired: list[Fraction] = []
    events: list[str] = []
    for number, content in enumerate(contents):
        step = advance(register, Fraction(content), start_ms + number * MINUTE_MS)
        assert from_text(to_text(step.register)) == step.register
        register = step.register
        repaired.append(step.repaired)
        events += [step.event] if step.event else []
    return repaired, events


def test_a_register_that_grows_is_left_alone() -> None:
    assert play(5, 5, 7, "7.25", 1000) == ([5, 5, 7, Fraction("7.25"), 1000], [])


def test_a_reset_to_zero_goes_on_where_it_was() -> None:
    repaired, events = play(1000, 1100, 0, 3, 10)
    assert repaired == [1000, 1100, 1100, 1103, 1110]
    assert events == ["reset"]


def test_what_was_used_before_the_first_report_after_a_reset_counts() -> None:
    repaired, events = play(1000, 40, 45)
    assert repaired == [1000, 1000, 1045]
    assert events == ["reset"]


def test_a_plug_that_stays_at_zero_is_believed_after_three_reports() -> None:
    repaired, events = play(1000, 0, 0, 0, 0, 8)
    assert repaired == [1000, 1000, 1000, 1000, 1000, 1008]
    assert events == ["reset"]


def test_two_resets_add_up() -> None:
    repaired, events = play(1000, 0, 500, 0, 20, 30)
    assert repaired == [1000, 1000, 1500, 1500, 1520, 1530]
    assert events == ["reset", "reset"]


def test_a_fall_to_an_older_content_counts_from_there() -> None:
    """Tasmota keeps its total once a day: after a power cut the day's energy is gone from it (its issue 12683)."""
    repaired, events = play(47_000, 45_000, 45_100, 45_300)
    assert repaired == [47_000, 47_000, 47_100, 47_300]
    assert events == ["rewrite"]


def test_rounding_is_no_reset() -> None:
    assert play(1000, 999, 998, 1001) == ([1000, 1000, 1000, 1001], [])
    assert play(50_000_000, 49_999_960, 50_000_100) == ([50_000_000, 50_000_000, 50_000_100], [])


def test_one_wrong_reading_is_as_if_it_had_not_been() -> None:
    assert play(1000, 0, 1005, 1010) == ([1000, 1000, 1005, 1010], [])
    assert play(1000, 0, 0, 1005) == ([1000, 1000, 1000, 1005], [])


def test_a_device_that_gets_its_count_back_is_not_counted_twice() -> None:
    repaired, events = play(1000, 0, 0, 0, 1003, 1010)
    assert repaired == [1000, 1000, 1000, 1000, 1003, 1010]
    assert events == ["reset", "restored"]


def test_the_register_of_a_long_absence_is_no_restored_one() -> None:
    repaired, events = play(1000, 0, 5, 5000)
    assert repaired == [1000, 1000, 1005, 6000]
    assert events == ["reset"]


def test_a_late_or_repeated_sample_changes_nothing() -> None:
    first = advance(None, Fraction(1000), 10).register
    second = advance(first, Fraction(1100), 20).register
    lost = advance(advance(second, Fraction(0), 30).register, Fraction(4), 40).register
    assert advance(lost, Fraction(1100), 20) == (lost, 1100, "")
    assert advance(lost, Fraction(1000), 10) == (lost, 1000, "")
    assert advance(lost, Fraction(1050), 15) == (lost, 1050, "")
    assert advance(lost, Fraction(2), 35) == (lost, 1102, "")
    assert advance(lost, Fraction(900), 5) == (lost, 900, "")


contents = st.lists(st.integers(0, 50), min_size=1, max_size=40)


@given(lives=st.lists(contents, min_size=1, max_size=5), fraction=st.integers(1, 1000))
def test_it_never_falls_and_no_growth_is_lost(lives: list[list[int]], fraction: int) -> None:
    """Whatever a device loses: the repaired register never falls, and grows by at least what each life grows from its
    second report on, less what one lost count may hide (two steps)."""
    raw: list[Fraction] = []
    used = Fraction(0)
    top = Fraction(0)
    for life in lives:
        content = Fraction(0)
        for growth in life:
            content += Fraction(growth * 997, fraction)
            raw.append(content)
        used += content
        top = max(top, content)
    repaired, _ = play(*raw)
    assert repaired == sorted(repaired)
    assert repaired[-1] <= used
    assert repaired[-1] >= top
