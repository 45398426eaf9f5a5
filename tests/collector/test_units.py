"""Exact conversions."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.units import (
    GasReference,
    decimal_text,
    gj_from_kj,
    kg_from_litres,
    kj_from_steam,
    kwh_from_wh,
    nm3_from_litres,
    tonnes_from_grams,
)

AT_20_C = GasReference(Fraction(20), Fraction("101.325"))
NORMAL = GasReference(Fraction(0), Fraction("101.325"))


def test_a_cubic_metre_at_20_degrees_is_less_than_a_normal_one() -> None:
    assert nm3_from_litres(1000, AT_20_C) == Fraction(27315, 29315)
    assert nm3_from_litres(29_315, AT_20_C) == Fraction("27.315")


def test_pressure_counts_in_proportion() -> None:
    assert nm3_from_litres(1000, NORMAL) == 1
    assert nm3_from_litres(1000, GasReference(Fraction(0), Fraction("202.65"))) == 2


def test_simple_steps() -> None:
    assert kwh_from_wh(1) == Fraction(1, 1000)
    assert gj_from_kj(1) == Fraction(1, 1_000_000)
    assert tonnes_from_grams(2_500_000) == Fraction(5, 2)


def test_steam_and_liquids() -> None:
    assert kj_from_steam(1_000_000, Fraction(2763)) == 2_763_000
    assert kj_from_steam(1, Fraction("2763.2")) == Fraction("2.7632")
    assert kg_from_litres(1000, Fraction("0.84")) == 840


def test_display_rounds_half_to_even() -> None:
    assert [decimal_text(Fraction(value, 8), 2) for value in (1, 3, 5, -1, 8)] == [
        "0.12",
        "0.38",
        "0.62",
        "-0.12",
        "1.00",
    ]
    assert decimal_text(Fraction(5, 2), 0) == "2"


@settings(deadline=None)  # shared machines stall
@given(st.integers(-(10**30), 10**30), st.integers(0, 9))
def test_display_of_what_fits_is_exact(value: int, places: int) -> None:
    assert Fraction(decimal_text(Fraction(value, 10**places), places)) == Fraction(value, 10**places)
