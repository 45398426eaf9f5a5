"""Accounted months as the actuals of a budget: areas sum to their source."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.accounting.summary import Emission, MeterUse, MonthSummary
from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.carbon.lines import Category, Scope
from shutan_collector.control.summaries import LOCATION_BASED, MARKET_BASED, actuals_of, divide_grams
from shutan_collector.site.file import parse_site

SITE = parse_site(
    """
[site]
id = "s"
region = "CN-SC"
"""
    + "".join(
        f'[[meter]]\nid = "{name}"\ncarrier = "{carrier}"\nrole = "{role}"\nlevel = {level}\n'
        f'node = "n"\ndevice = "{name}"\n{extra}\n'
        for name, carrier, role, level, extra in (
            ("entry", "electricity", "entry", 1, ""),
            ("brew", "electricity", "sub", 2, 'parent = "entry"\narea = "brewing"'),
            ("hall", "electricity", "sub", 2, 'parent = "entry"'),
            ("line1", "electricity", "sub", 3, 'parent = "hall"\narea = "bottling"'),
            ("roof", "pv", "generation", 2, 'parent = "entry"\narea = "roof"'),
        )
    ),
    "site.toml",
)
COUNTED = {"entry": 1000, "brew": 500, "hall": 400, "line1": 300, "roof": 50}


def _month(counted: Mapping[str, int | None], emissions: tuple[tuple[str, Scope, int], ...]) -> MonthSummary:
    uses = tuple(
        MeterUse(
            meter=meter.id,
            name=meter.name,
            name_zh="",
            carrier=meter.carrier,
            role=meter.role,
            level=meter.level,
            parent=meter.parent,
            unit=meter.unit,
            value=counted[meter.id],
            estimated=False,
            exact=True,
            present=1,
            expected=1,
            hours=(),
            first=None,
            last=None,
        )
        for meter in SITE.meters
        if meter.id in counted
    )
    return MonthSummary(
        period="2025-06",
        version=1,
        closed=True,
        site=SITE,
        meters=uses,
        emissions=tuple(
            Emission(source, scope, Category.ELECTRICITY, "co2", grams, grams, provisional=False, estimated=False)
            for source, scope, grams in emissions
        ),
        unvalued=(),
        book=ActivityBook(),
        factors=(),
        as_of=date(2026, 1, 15),
        complete=True,
        provisional=False,
    )


BOTH = (
    ("meter:entry", Scope.SCOPE_2_LOCATION, 10_000),
    ("market:residual", Scope.SCOPE_2_MARKET, 20_000),
    ("activity:fuel_movement", Scope.SCOPE_1, 7),
    ("activity:fermentation", Scope.MEMO_BIOGENIC, 99),
)


def _by_area(month: MonthSummary, scopes: frozenset[Scope]) -> dict[tuple[str, str], int]:
    return {(row.source, row.area): row.co2e_g for row in actuals_of([month], scopes).rows}


def test_carbon_of_the_entry_goes_to_the_areas_of_its_sub_meters() -> None:
    assert _by_area(_month(COUNTED, BOTH), LOCATION_BASED) == {
        ("meter:entry", "brewing"): 5000,
        ("meter:entry", "bottling"): 3000,
        ("meter:entry", ""): 2000,
        ("activity:fuel_movement", ""): 7,
    }


def test_market_based_figures_are_divided_alike_and_memo_items_never_count() -> None:
    assert _by_area(_month(COUNTED, BOTH), MARKET_BASED) == {
        ("market:residual", "brewing"): 10_000,
        ("market:residual", "bottling"): 6000,
        ("market:residual", ""): 4000,
        ("activity:fuel_movement", ""): 7,
    }


def test_sub_meters_that_count_more_than_their_parent_share_what_there_is() -> None:
    found = _by_area(_month({**COUNTED, "brew": 900, "line1": 600}, BOTH[:1]), LOCATION_BASED)
    assert found == {("meter:entry", "brewing"): 6000, ("meter:entry", "bottling"): 4000, ("meter:entry", ""): 0}


@pytest.mark.parametrize("counted", [{}, {"entry": None}, {"entry": 0, "brew": None}])
def test_without_readings_nothing_is_divided(counted: dict[str, int | None]) -> None:
    assert _by_area(_month(counted, BOTH[:1]), LOCATION_BASED) == {("meter:entry", ""): 10_000}


def test_carrier_is_the_meters_or_the_kind_of_activity() -> None:
    found = {row.source: row.carrier for row in actuals_of([_month(COUNTED, BOTH)]).rows}
    assert found == {"meter:entry": "electricity", "activity:fuel_movement": "fuel_movement"}


def test_months_stay_apart() -> None:
    june = _month(COUNTED, BOTH)
    july = replace(june, period="2025-07")
    assert actuals_of([june, july]).by_month() == {"2025-06": 10_007, "2025-07": 10_007}


@given(st.integers(0, 10**15), st.dictionaries(st.text("abc", max_size=3), st.integers(0, 10**15), max_size=9))
def test_divided_grams_sum_to_the_whole_and_are_off_by_less_than_one(total: int, weights: dict[str, int]) -> None:
    parts = divide_grams(total, weights)
    assert sum(parts.values()) == total
    whole = sum(weights.values())
    if whole:
        assert all(abs(parts[name] * whole - total * weight) < whole for name, weight in weights.items())
