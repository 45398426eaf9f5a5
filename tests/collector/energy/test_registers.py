"""The one function that tells rollover, reset and error apart."""

import pytest

from shutan_collector.energy.registers import CONFIRM, EventKind, RegisterRule, classify_drop, track
from shutan_collector.samples import Samples
from support.accounting import SECOND

HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("drop", "elapsed_ns", "rule", "kind", "counted"),
    [
        # span 10 MWh: without a stated maximum at most 100 kWh an hour, and no rollover from below 9 MWh
        ((9_999_990, 5), 10 * SECOND, RegisterRule(10_000_000, None), EventKind.ROLLOVER, 15),
        ((9_950_000, 50_000), HOUR, RegisterRule(10_000_000, None), EventKind.ROLLOVER, 100_000),
        ((9_950_000, 50_001), HOUR, RegisterRule(10_000_000, None), EventKind.RESET, 50_001),
        ((8_900_000, 10), 1000 * HOUR, RegisterRule(10_000_000, None), EventKind.RESET, 10),
        # a stated maximum decides alone, down to half the span
        ((9_999_990, 5), HOUR, RegisterRule(10_000_000, 15), EventKind.ROLLOVER, 15),
        ((9_999_990, 5), HOUR, RegisterRule(10_000_000, 14), EventKind.RESET, 5),
        ((6_000_000, 0), HOUR, RegisterRule(10_000_000, 4_000_000), EventKind.ROLLOVER, 4_000_000),
        ((4_999_999, 0), 100 * HOUR, RegisterRule(10_000_000, 4_000_000), EventKind.RESET, 0),
        # a reset starts near zero: at most half of what was, and no more than the meter can count
        ((500, 250), HOUR, RegisterRule(None, None), EventKind.RESET, 250),
        ((500, 251), HOUR, RegisterRule(None, None), EventKind.NEGATIVE_STEP, 0),
        ((500_000, 1_000), HOUR, RegisterRule(None, 1_000), EventKind.RESET, 1_000),
        ((500_000, 1_001), HOUR, RegisterRule(None, 1_000), EventKind.NEGATIVE_STEP, 0),
        # a pulse may fall into the first second: a step is judged over a minute at least
        ((9_999_990, 5), SECOND, RegisterRule(10_000_000, 900), EventKind.ROLLOVER, 15),
    ],
)
def test_a_confirmed_drop(
    drop: tuple[int, int], elapsed_ns: int, rule: RegisterRule, kind: EventKind, counted: int
) -> None:
    before, after = drop
    assert classify_drop(before, after, elapsed_ns, rule) == (kind, counted)


def _values(values: list[int], span: int | None = None) -> tuple[list[int], list[str]]:
    samples = Samples([number * 600 * SECOND for number in range(len(values))], values)
    found = track(samples, RegisterRule(span))
    return list(found.values), [event.kind.value for event in found.events]


@pytest.mark.parametrize("wrong", range(1, CONFIRM + 1))
def test_a_few_wrong_readings_in_a_row_are_left_out(wrong: int) -> None:
    assert _values([1000, 1010, *[3] * wrong, 1020]) == ([1000, 1010, 1020], ["dip"])
    assert _values([1000, 1010, *[90_000] * wrong, 1020, 1030, 1040, 1050]) == (
        [1000, 1010, 1020, 1030, 1040, 1050],
        ["spike"],
    )


def test_a_level_that_lasts_is_believed() -> None:
    low = [3, 4, 5, 6]
    assert len(low) > CONFIRM
    assert _values([1000, 1010, *low, 1020]) == ([1000, 1010, *low, 1020], ["reset"])


def test_a_high_level_that_lasts_is_believed() -> None:
    high = [90_000] * (CONFIRM + 1)
    assert _values([1000, *high, 1020, 1030, 1040, 1050]) == ([1000, *high, 1020, 1030, 1040, 1050], ["reset"])


def test_a_register_that_turns_over_quickly_is_no_spike() -> None:
    samples = Samples(range(0, 7 * 600 * SECOND, 600 * SECOND), [100, 400, 700, 100, 400, 500, 600])
    found = track(samples, RegisterRule(1000, max_per_hour=3000))
    assert [event.kind for event in found.events] == [EventKind.ROLLOVER]
    assert list(found.values) == list(samples.values)


def _interleaved(left: list[int], right: list[int]) -> list[int]:
    return [value for pair in zip(left, right, strict=True) for value in pair]


@pytest.mark.parametrize("honest_first", [True, False])
def test_a_clock_that_ran_ahead_leaves_low_readings_among_the_honest(honest_first: bool) -> None:
    """For a while readings were stamped a day ahead; when that day comes, its own readings are believed."""
    honest, stray = list(range(5000, 5100, 10)), list(range(1000, 1100, 10))
    mixed = _interleaved(honest, stray) if honest_first else _interleaved(stray, honest)
    kept, events = _values([4980, 4990, *mixed, 5100, 5110])
    assert kept == [4980, 4990, *honest, 5100, 5110]
    assert set(events) == {"dip"}


def test_a_clock_that_stepped_back_keeps_the_energy() -> None:
    """Later registers under earlier times: the count reaches the same end, and nothing is counted twice."""
    honest, stray = list(range(1000, 1100, 10)), list(range(1100, 1200, 10))
    samples = Samples(range(0, 24 * 600 * SECOND, 600 * SECOND), [*_interleaved(honest, stray), 1200, 1210, 1220, 1230])
    found = track(samples, RegisterRule(10_000))
    assert found.breaks == ()
    assert (found.values[0], found.values[-1]) == (1000, 1230)
    assert {event.kind for event in found.events} == {EventKind.DIP}


def test_every_reading_left_out_is_counted_in_an_event() -> None:
    samples = Samples(range(0, 10 * SECOND, SECOND), [5, 6, -1, 99, 98, 7, 8, 2, 9, 10])
    found = track(samples, RegisterRule(50))
    assert list(found.values) == [5, 6, 7, 8, 9, 10]
    assert {(event.kind.value, event.readings) for event in found.events} == {("out_of_range", 3), ("dip", 1)}
    assert sum(event.readings for event in found.events) + len(found.values) == len(samples.values)
