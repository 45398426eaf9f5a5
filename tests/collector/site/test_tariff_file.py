"""A tariff says exactly one thing at any minute; every mistake of its file comes out at once, with its key."""

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.errors import RequestError, SiteError
from shutan_collector.periods import NS_PER_S
from shutan_collector.site.file import load_site, parse_site, tariff_path
from shutan_collector.site.tariff import Band, BandCalendar, DayType, Window
from shutan_collector.site.tariff_file import parse_tariff
from support.accounting import SHANGHAI, SITE, at
from support.tariff import TARIFF


def _problems(text: str) -> list[str]:
    with pytest.raises(SiteError) as caught:
        parse_tariff(text, "tariff.toml")
    return [str(problem) for problem in caught.value.problems]


def _changed(old: str, new: str) -> str:
    assert old in TARIFF
    return TARIFF.replace(old, new)


def test_a_good_file() -> None:
    tariff = parse_tariff(TARIFF, "tariff.toml")
    assert [tariff.day_type(date(2025, 10, day)) for day in (1, 2, 11, 12)] == [
        DayType.HOLIDAY,
        DayType.WORKDAY,
        DayType.WORKDAY,  # a Saturday that is worked
        DayType.WEEKEND,
    ]
    assert [window.band.value for window in tariff.windows(date(2025, 7, 1))] == [
        "valley", "flat", "peak", "flat", "sharp", "peak", "flat", "valley",
    ]  # fmt: skip
    assert tariff.windows(date(2025, 10, 1)) == (Window(0, 1440, Band.DEEP_VALLEY),)
    price = tariff.price(date(2025, 6, 30))
    assert price is not None
    assert (price.of(Band.PEAK), price.of(Band.DEEP_VALLEY)) == (Fraction("1.0412"), None)
    assert tariff.price(date(2027, 1, 1)) is None


def test_a_window_over_midnight_is_its_two_parts() -> None:
    windows = parse_tariff(TARIFF, "tariff.toml").windows(date(2025, 6, 2))
    assert (windows[0], windows[-1]) == (Window(0, 420, Band.VALLEY), Window(1380, 1440, Band.VALLEY))


def test_every_day_of_a_validity_is_tiled() -> None:
    tariff = parse_tariff(TARIFF, "tariff.toml")
    for number in range(date(2025, 1, 1).toordinal(), date(2026, 12, 31).toordinal() + 1):
        windows = tariff.windows(date.fromordinal(number))
        assert [window.start_min for window in windows] == [0, *(window.end_min for window in windows[:-1])]
        assert windows[-1].end_min == 1440


def test_a_day_without_tariff_is_named() -> None:
    with pytest.raises(RequestError, match="none is in force on 2027-01-01"):
        parse_tariff(TARIFF, "tariff.toml").windows(date(2027, 1, 1))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"18:00-23:00" = "flat"', '"19:00-23:00" = "flat"', "windows: nothing is said about 18:00-19:00"),
        ('"18:00-23:00" = "flat"', '"17:00-23:00" = "flat"', "windows: two windows claim 17:00-18:00"),
        (
            '"18:00-23:00" = "flat"',
            '"18:00-23:10" = "flat"',
            "windows.'18:00-23:10': windows begin and end on a quarter",
        ),
        ('"18:00-23:00" = "flat"', '"18-23" = "flat"', "windows.'18-23': is not a window"),
        ('"18:00-23:00" = "flat"', '"18:00-23:00" = "noon"', "period[1].day[1].windows.18:00-23:00: "),
        (
            '"18:00-23:00" = "flat"',
            '"18:00-24:15" = "flat"',
            "windows begin and end on a quarter of an hour, up to 24:00",
        ),
        (
            'days = ["workday"]',
            'days = ["workday", "holiday"]',
            "day[1] and day[2] speak of a holiday in month 1, 2, 3,",
        ),
        ('days = ["workday"]', 'days = ["weekend"]', "nothing is said about a workday in month 1, 2, 3,"),
        ("to = 2025-12-31", "to = 2024-12-31", "period[1]: 'to' 2024-12-31 is before 'from' 2025-01-01"),
        ("from = 2026-01-01\nto = 2026-12-31", "from = 2025-12-31\nto = 2026-12-31", "period[2]: overlaps period[1]"),
        ("from = 2025-07-01", "from = 2025-06-30", "price[2]: overlaps price[1]; a day has one"),
        ("workdays = [2025-10-11]", "workdays = [2025-10-01]", "workdays: 2025-10-01 is listed as a holiday too"),
        ("\nflat_yuan_per_kwh = 0.6508\n", "\n", "price[2]: gives no price"),
        ("flat_yuan_per_kwh = 0.6508\n", "flat_yuan_per_kwh = true\n", "price[2].flat_yuan_per_kwh: must be a number"),
        ("holidays = [2025-10-01]", "feiertage = []", "feiertage: unknown key"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, problem: str) -> None:
    assert any(problem in found for found in _problems(_changed(old, new)))


def test_every_mistake_comes_out_at_once() -> None:
    text = _changed('"18:00-23:00" = "flat"', '"19:00-23:00" = "flat"').replace("to = 2025-12-31", "to = 2024-12-31")
    text = text.replace("workdays = [2025-10-11]", "workdays = [2025-10-01]")
    assert len(_problems(text)) == 3


def test_text_that_is_not_toml() -> None:
    assert _problems("[[period]")[0].startswith("TOML: ")


def test_the_site_loads_the_tariff_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    text = SITE.replace('region = "CN-SC"\n', 'region = "CN-SC"\ntariff = "tariff.toml"\n')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SiteError, match=r"site\.tariff: no such file: .*tariff\.toml"):
        load_site(path)
    (tmp_path / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    assert load_site(path).tariff == parse_tariff(TARIFF, "tariff.toml")
    assert tariff_path(text, path) == tmp_path / "tariff.toml"
    assert parse_site(text, "site.toml", TARIFF).tariff == load_site(path).tariff
    with pytest.raises(SiteError, match=r"site\.tariff: tariff\.toml is not at hand"):
        parse_site(text, "site.toml")
    with pytest.raises(SiteError, match=r"tariff\.toml\.period: is needed"):
        parse_site(text, "site.toml", "")


def test_the_tariff_may_stand_in_the_site_file() -> None:
    inline = (
        TARIFF.replace("holidays", "[tariff]\nholidays", 1)
        .replace("[[p", "[[tariff.p")
        .replace("[period", "[tariff.period")
    )
    site = parse_site(SITE + inline, "site.toml")
    assert site.tariff == parse_tariff(TARIFF, "tariff.toml")
    both = SITE.replace('region = "CN-SC"\n', 'region = "CN-SC"\ntariff = "tariff.toml"\n') + inline
    with pytest.raises(SiteError, match="stands here and in tariff"):
        parse_site(both, "site.toml", TARIFF)


def test_a_site_file_that_names_no_tariff_has_none() -> None:
    assert tariff_path(SITE, Path("site.toml")) is None
    assert tariff_path("[[", Path("site.toml")) is None
    assert tariff_path("site = 1", Path("site.toml")) is None


@settings(deadline=None)  # shared machines stall
@given(st.integers(0, 700 * 96), st.integers(1, 200))
def test_a_slot_is_found_where_one_band_rules_all_along(first: int, quarters: int) -> None:
    """Against the plain way: the band of each quarter, one after the other."""
    tariff = parse_tariff(TARIFF, "tariff.toml")
    start_ns = at("2025-01-01") + first * 900 * NS_PER_S
    end_ns = start_ns + quarters * 900 * NS_PER_S
    plain: set[tuple[Band, date | None]] = set()
    for number in range(first, first + quarters):
        day = date.fromordinal(date(2025, 1, 1).toordinal() + number // 96)
        minute = number % 96 * 15
        (band,) = {window.band for window in tariff.windows(day) if window.start_min <= minute < window.end_min}
        price = tariff.price(day)
        plain.add((band, price.start if price else None))
    slot = BandCalendar(tariff, start_ns, end_ns, SHANGHAI).slot(start_ns, end_ns)
    if len(plain) == 1:
        assert slot is not None
        assert (slot.band, slot.price.start if slot.price else None) in plain
    else:
        assert slot is None
