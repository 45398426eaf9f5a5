"""Totals are sums of lines: side by side, in any order, of one GWP set, and honest about what is missing."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.activity.rows import Refrigerant, RefrigerantMethod
from shutan_collector.carbon.activities import activity_lines
from shutan_collector.carbon.lines import Category, Line, Scope, Unvalued
from shutan_collector.carbon.totals import gwp_set_of, missing_of, total_of
from shutan_collector.errors import FactorError
from shutan_collector.factors.table import packaged_factors
from shutan_collector.site.file import parse_site
from support.accounting import SITE


def line(scope: str, category: str, gas: str, gas_g: int, co2e_g: int) -> Line:
    return Line(
        id="x",
        source="meter:x",
        scope=Scope(scope),
        category=Category(category),
        gas=gas,
        start_ns=0,
        end_ns=1,
        inputs=(),
        factors=(),
        formula="electricity.average/1",
        flow=None,
        activities=(),
        provisional=False,
        estimated=False,
        exact=True,
        gas_g=gas_g,
        co2e_g=co2e_g,
    )


A_MONTH = [
    line("scope1", "combustion", "co2", 100, 100),
    line("scope1", "combustion", "co2", 11, 11),
    line("scope1", "wastewater", "ch4", 2, 56),
    line("scope2_location", "electricity", "co2", 1_000, 1_000),
    line("scope2_market", "electricity", "co2", 3_000, 3_000),
    line("scope2_reporting", "electricity", "co2", 2_000, 2_000),
    line("scope2_heat", "heat", "co2", 50, 50),
    line("memo_biogenic", "fermentation", "co2", 999, 999),
    line("memo_outside", "fugitive", "hcfc-22", 1, 1_760),
    line("memo_export", "electricity", "co2", 70, 70),
]


def test_three_methods_side_by_side_and_memo_items_apart() -> None:
    totals = total_of(A_MONTH)
    assert totals.direct_g == 167
    assert (totals.location_g, totals.market_g, totals.reporting_g) == (1_217, 3_217, 2_217)
    assert totals.scope_g(Scope.MEMO_BIOGENIC) == 999
    assert totals.scope_g(Scope.MEMO_EXPORT_REPORTING) == 0
    gases = {(item.scope.value, item.category.value, item.gas): (item.gas_g, item.co2e_g) for item in totals.gases}
    assert gases["scope1", "combustion", "co2"] == (111, 111)
    assert gases["scope1", "wastewater", "ch4"] == (2, 56)
    assert totals.complete


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(A_MONTH), st.integers(0, 10**12), st.integers(0, 10**12)), max_size=30),
    st.integers(0, 30),
    st.randoms(use_true_random=False),
)
def test_totals_do_not_depend_on_order_and_add_up_over_parts(
    drawn: list[tuple[Line, int, int]], cut: int, random: Random
) -> None:
    lines = [replace(item, gas_g=gas_g, co2e_g=co2e_g) for item, gas_g, co2e_g in drawn]
    whole = total_of(lines)
    shuffled = lines[:]
    random.shuffle(shuffled)
    assert total_of(shuffled) == whole
    first, second = total_of(lines[:cut]), total_of(lines[cut:])
    for scope in Scope:
        assert first.scope_g(scope) + second.scope_g(scope) == whole.scope_g(scope)
        assert whole.scope_g(scope) == sum(item.co2e_g for item in lines if item.scope is scope)
    assert first.market_g + second.market_g == whole.market_g


@pytest.mark.parametrize("mark", ["provisional", "estimated"])
def test_one_mark_marks_the_total(mark: str) -> None:
    totals = total_of([*A_MONTH, replace(A_MONTH[0], **{mark: True})])
    assert getattr(totals, mark) is True
    assert totals.complete


def test_what_makes_a_total_incomplete() -> None:
    left = Unvalued("meter:x", 0, 1, Fraction(5), "Wh", "the grid factor changes within this stretch")
    assert not total_of(A_MONTH, [left]).complete
    assert not total_of(A_MONTH, (), ["steam: not accounted"]).complete
    assert not total_of([replace(A_MONTH[0], exact=False)]).complete


def test_a_bought_carrier_that_is_not_accounted_is_named() -> None:
    coal = (
        '\n[[meter]]\nid = "scale"\ncarrier = "coal"\nrole = "entry"\nlevel = 1\n'
        'metric = "coal_mass_g"\nnode = "n"\ndevice = "d"\n'
    )
    assert missing_of(parse_site(SITE, "site.toml")) == ()
    (found,) = missing_of(parse_site(SITE + coal, "site.toml"))
    assert found.startswith("scale: bought coal is measured")


def gases(gwp: str) -> tuple[Line, ...]:
    row = Refrigerant(
        key="1",
        gas="hfc-32",
        equipment="e",
        start=date(2025, 6, 1),
        end=date(2025, 6, 30),
        method=RefrigerantMethod.TOP_UP,
        opening_kg=Fraction(0),
        bought_kg=Fraction(0),
        closing_kg=Fraction(0),
        recovered_kg=Fraction(0),
        topped_up_kg=Fraction(1),
    )
    site = replace(parse_site(SITE, "site.toml"), gwp=gwp)
    book = ActivityBook(refrigerants=(row,))
    return activity_lines(site, book, "2025-06", packaged_factors(), date(2026, 1, 15))[0]


def test_gwp_sets_are_never_mixed() -> None:
    factors = packaged_factors()
    assert gwp_set_of(A_MONTH, factors) == ""
    for name in ("AR2", "AR4", "AR5", "AR6"):
        assert gwp_set_of((*A_MONTH, *gases(name)), factors) == f"gwp100_{name.lower()}"
    with pytest.raises(FactorError, match="GWP-HFC-32-AR4 and GWP-HFC-32-AR5: one total uses one GWP set"):
        gwp_set_of((*gases("AR5"), *gases("AR4")), factors)
