"""The plant's books: exact, deterministic, balanced at every instant."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_sim.books import OPEN_DAYS, opening_ms
from shutan_sim.errors import SetupError
from shutan_sim.loads import CHANNELS, LOADS, SUNDAY, day_of_distillery
from shutan_sim.local_time import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    MINUTES_A_DAY,
    TARIFF_PERIODS,
    TARIFFS,
    day_of,
    day_start_ms,
    midsummer_distance,
    weekday,
)
from shutan_sim.plant import distillery, workshops

OPENED_MS = 1_774_972_800_000  # 2026-04-01 00:00 in Shanghai
PLANT = distillery(7, OPENED_MS)
WITHIN = st.integers(0, 40 * DAY_MS - 1).map(lambda ms: OPENED_MS + ms)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32), day=st.integers(20_000, 21_500))
def test_entry_is_loads_plus_losses_less_pv_in_every_minute_of_any_seed(seed: int, day: int) -> None:
    rates = day_of_distillery(seed, day)
    assert set(rates) == set(CHANNELS)
    assert {len(minutes) for minutes in rates.values()} == {MINUTES_A_DAY}
    for minute in range(MINUTES_A_DAY):
        drawn = sum(rates[name][minute] for name in LOADS)
        net = rates["grid_import"][minute] - rates["grid_export"][minute]
        assert net == drawn + rates["loss"][minute] - rates["pv"][minute]
        assert min(rates["grid_import"][minute], rates["grid_export"][minute]) == 0
        assert rates["loss"][minute] > 0
    assert min(min(minutes) for minutes in rates.values()) >= 0


@settings(deadline=None)
@given(t_ms=WITHIN)
def test_balance_holds_at_any_millisecond(t_ms: int) -> None:
    grid = PLANT.energy("grid_import", t_ms) - PLANT.energy("grid_export", t_ms)
    drawn = sum(PLANT.energy(name, t_ms) for name in LOADS)
    assert grid == drawn + PLANT.energy("loss", t_ms) - PLANT.energy("pv", t_ms)


@settings(deadline=None)
@given(t_ms=WITHIN, step_ms=st.integers(0, 3 * HOUR_MS), channel=st.sampled_from(CHANNELS))
def test_totals_never_fall_and_grow_by_rate_times_time(t_ms: int, step_ms: int, channel: str) -> None:
    before, after = PLANT.energy(channel, t_ms), PLANT.energy(channel, t_ms + step_ms)
    assert after >= before
    left = MINUTE_MS - 1 - t_ms % MINUTE_MS
    inside = min(step_ms, left)
    assert PLANT.energy(channel, t_ms + inside) == before + PLANT.rate(channel, t_ms) * inside


@settings(deadline=None)
@given(t_ms=WITHIN, channel=st.sampled_from(CHANNELS))
def test_the_four_tariffs_add_up_to_the_total(t_ms: int, channel: str) -> None:
    assert sum(PLANT.tariff_energy(channel, tariff, t_ms) for tariff in TARIFFS) == PLANT.energy(channel, t_ms)


def test_only_the_current_tariff_turns() -> None:
    midnight = day_start_ms(day_of(OPENED_MS) + 3)
    for begin, end, current in TARIFF_PERIODS:
        first, last = midnight + begin * MINUTE_MS, midnight + end * MINUTE_MS
        for tariff in TARIFFS:
            turned = PLANT.tariff_energy("cold", tariff, last) - PLANT.tariff_energy("cold", tariff, first)
            assert (turned > 0) == (tariff == current)


def test_tariff_periods_cover_the_day_once() -> None:
    assert [begin for begin, _, _ in TARIFF_PERIODS] == [0, *(end for _, end, _ in TARIFF_PERIODS[:-1])]
    assert TARIFF_PERIODS[-1][1] == MINUTES_A_DAY


@settings(deadline=None, max_examples=8)
@given(times=st.lists(WITHIN, min_size=2, max_size=6))
def test_the_answer_does_not_depend_on_what_was_asked_before(times: list[int]) -> None:
    fresh = distillery(7, OPENED_MS)
    for t_ms in times:
        assert fresh.energy("grid_import", t_ms) == PLANT.energy("grid_import", t_ms)
        assert fresh.tariff_energy("air", 2, t_ms) == PLANT.tariff_energy("air", 2, t_ms)


def test_another_seed_is_another_plant() -> None:
    t_ms = OPENED_MS + 3 * DAY_MS
    assert (
        distillery(7, OPENED_MS).energy("cold", t_ms)
        == PLANT.energy("cold", t_ms)
        != distillery(8, OPENED_MS).energy("cold", t_ms)
    )


def test_sunday_rests_and_its_sun_is_sold() -> None:
    exported = 0
    for offset in range(61, 61 + 28):
        day = day_of(OPENED_MS) + offset
        rates = day_of_distillery(1, day)
        works = max(rates["dist_1"]) > 20_000
        assert works == (weekday(day) != SUNDAY)
        if weekday(day) == SUNDAY:
            exported += sum(rates["grid_export"])
    assert exported > 0


def test_magnitudes_are_a_distillery() -> None:
    month = 30 * DAY_MS
    wh = {c: (PLANT.energy(c, OPENED_MS + month)) // HOUR_MS for c in CHANNELS}
    assert 80_000_000 < sum(wh[name] for name in LOADS) < 250_000_000
    assert 0.01 < wh["loss"] / sum(wh[name] for name in LOADS) < 0.05
    assert 65 < wh["gas"] * 2670 / wh["steam"] < 95  # litres of gas a kilogram of steam


def test_before_the_first_day_there_is_no_answer() -> None:
    with pytest.raises(SetupError, match="before the plant's first day"):
        PLANT.energy("cold", OPENED_MS - 1)


def test_calendar_against_known_days() -> None:
    monday = 20_605  # 2026-06-01
    assert day_of(1_780_272_000_000) == monday  # 00:00 UTC is 08:00 in Shanghai
    assert weekday(monday) == 0
    assert midsummer_distance(20_625) <= 1  # 2026-06-21
    assert midsummer_distance(20_808) >= 181  # 2026-12-21


def test_workshops_are_independent_of_each_other() -> None:
    few, many = workshops(3, OPENED_MS, 2), workshops(3, OPENED_MS, 5)
    t_ms = OPENED_MS + DAY_MS + 7_654_321
    assert few.energy("load_2", t_ms) == many.energy("load_2", t_ms) > 0
    assert many.energy("load_5", t_ms) != many.energy("load_4", t_ms)


def test_the_books_of_a_folder_are_opened_once(tmp_path: Path) -> None:
    start_ms = OPENED_MS + 70 * DAY_MS + 5_000_000
    opened = opening_ms(tmp_path, 1, start_ms, days=30)
    assert opened == OPENED_MS + (70 - OPEN_DAYS) * DAY_MS
    assert opening_ms(tmp_path, 1, start_ms) == opened
    assert opening_ms(tmp_path, 1, start_ms + 9 * DAY_MS, days=40) == opened
    with pytest.raises(SetupError, match="seed 1"):
        opening_ms(tmp_path, 2, start_ms)
    with pytest.raises(SetupError, match="opened on 2026-04-09"):
        opening_ms(tmp_path, 1, start_ms, days=63)


def test_a_long_history_opens_the_books_earlier(tmp_path: Path) -> None:
    assert opening_ms(tmp_path / "new", 1, OPENED_MS, days=100) == OPENED_MS - 101 * DAY_MS


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seed": 1}', '{"seed": 1, "opening_ms": "x"}'])
def test_damaged_books_are_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "books.json").write_text(text, encoding="utf-8")
    with pytest.raises(SetupError, match="folder of its own"):
        opening_ms(tmp_path, 1, OPENED_MS)
