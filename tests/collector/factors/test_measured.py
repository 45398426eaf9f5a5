"""Own measured values of a fuel: weighted exactly, parameter by parameter."""

from datetime import date
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.activity.kinds import FuelQuality
from shutan_collector.errors import FactorError
from shutan_collector.factors.measured import FuelValues, fuel_values
from shutan_collector.factors.table import CARBON_TO_CO2, packaged_factors

JUNE = (date(2025, 6, 1), date(2025, 6, 30))


def _batch(key: str, quantity: str, ncv: str, *, cc: str = "", of: str = "", **other: object) -> FuelQuality:
    fields: dict[str, object] = {
        "key": key, "place": "coal.xlsx:Sheet1:2", "source": "lab", "note": "", "fuel": "bituminous", "unit": "t",
        "start": JUNE[0], "end": JUNE[1], "batch": key, "quantity": Fraction(quantity), "ncv": Fraction(ncv),
        "carbon_content": Fraction(cc) if cc else None, "oxidation_rate": Fraction(of) if of else None,
    }  # fmt: skip
    return FuelQuality(**{**fields, **other})  # pyright: ignore[reportArgumentType] - fields by name, for short tests


def _values(*batches: FuelQuality, fuel: str = "bituminous") -> FuelValues:
    return fuel_values(packaged_factors(), "FUELB", fuel, JUNE, batches)


def test_the_mean_is_weighted_by_mass_exactly() -> None:
    found = _values(_batch("B1", "100", "20.5", cc="26.0"), _batch("B2", "200", "19.0", cc="26.3"))
    assert found.ncv.value == Fraction(100 * 205 + 200 * 190, 10 * 300)
    assert found.carbon_content.value == Fraction(100 * 260 + 200 * 263, 10 * 300)
    assert (found.ncv.batches, found.ncv.unit, found.ncv.measured) == (("B1", "B2"), "GJ/t", True)
    assert found.oxidation_rate.row is not None
    assert found.oxidation_rate.row.id == "FUELB-BITUMINOUS-OF"
    assert found.notes == ("of: FUELB-BITUMINOUS-OF, not stated for B1, B2",)
    expected = found.ncv.value * found.carbon_content.value / 1000 * Fraction(93, 100) * CARBON_TO_CO2
    assert found.t_co2_per_unit == expected


def test_one_silent_batch_makes_the_parameter_fall_back_and_is_named() -> None:
    found = _values(_batch("B1", "100", "20.5", cc="26.0", of="95"), _batch("B2", "200", "19.0", of="96"))
    assert found.carbon_content.value == Fraction("26.1")
    assert found.notes == ("cc: FUELB-BITUMINOUS-CC, not stated for B2",)
    assert found.oxidation_rate.value == Fraction(100 * 95 + 200 * 96, 300)


def test_without_a_batch_the_defaults_serve_and_say_so() -> None:
    found = _values(_batch("B1", "1", "20", start=date(2025, 7, 1), end=date(2025, 7, 31)))
    assert found.t_co2_per_unit == packaged_factors().fuel("FUELB", "bituminous", JUNE[1]).t_co2_per_unit
    assert [note.split(", ")[1] for note in found.notes] == ["no batch of this fuel was analysed"] * 3


def test_a_batch_over_a_months_end_counts_with_its_days() -> None:
    across = _batch("B1", "200", "24", start=date(2025, 6, 21), end=date(2025, 7, 10))  # 10 of 20 days: 100 t
    assert _values(across, _batch("B2", "300", "20")).ncv.value == Fraction(100 * 24 + 300 * 20, 400)


def test_a_fuel_that_no_family_has_needs_all_three_measured() -> None:
    own = {"fuel": "spent_grain_pellet"}
    whole = _values(_batch("B1", "10", "15", cc="27", of="97", **own), fuel="spent_grain_pellet")
    assert (whole.per, whole.notes) == ("t", ())
    with pytest.raises(FactorError, match="FUELB spent_grain_pellet oxidation_rate: no such factor"):
        _values(_batch("B1", "10", "15", cc="27", **own), fuel="spent_grain_pellet")


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (_batch("B9", "1", "20", cc="260"), "fuel_quality/B9: carbon_content 260 tC/TJ is not above 11 and up to 71"),
        (_batch("B9", "1", "20", of="101"), "fuel_quality/B9: oxidation_rate 101 % is not above 0 and up to 100"),
        (_batch("B9", "1", "20000"), "fuel_quality/B9: ncv 20000 GJ is not above 0 and up to 600"),
        (_batch("B9", "1", "20", unit="1e4Nm3"), "fuel_quality/B9: unit is 1e4Nm3, others of bituminous are per t"),
    ],
)
def test_a_value_out_of_range_is_named(batch: FuelQuality, said: str) -> None:
    with pytest.raises(FactorError, match=said):
        _values(_batch("B1", "1", "20", cc="26", of="95"), batch)


def test_batches_without_mass_are_refused() -> None:
    with pytest.raises(FactorError, match="the batches from 2025-06-01 to 2025-06-30 weigh nothing"):
        _values(_batch("B1", "0", "20"))


_AMOUNTS = st.tuples(st.fractions(1, 500, max_denominator=100), st.fractions(10, 30, max_denominator=100))


@given(st.lists(_AMOUNTS, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_splitting_and_reordering_batches_keeps_the_mean(
    amounts: list[tuple[Fraction, Fraction]], random: Random
) -> None:
    whole = [_batch(f"B{at}", str(mass), str(ncv)) for at, (mass, ncv) in enumerate(amounts)]
    halves = [
        _batch(f"B{at}{half}", str(mass * share), str(ncv))
        for at, (mass, ncv) in enumerate(amounts)
        for half, share in (("a", Fraction(1, 3)), ("b", Fraction(2, 3)))
    ]
    random.shuffle(halves)
    mean = _values(*whole).ncv.value
    assert _values(*halves).ncv.value == mean
    assert min(ncv for _, ncv in amounts) <= mean <= max(ncv for _, ncv in amounts)
