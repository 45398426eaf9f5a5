"""Bands, demand and power factor of one meter from a store, as a bill has them."""

import pytest

from shutan_collector.energy.power_factor import PowerFactor
from shutan_collector.energy.profile import load_profile
from shutan_collector.errors import RequestError
from shutan_collector.site.file import parse_site
from support.accounting import SITE, MemoryReader, at, steady
from support.tariff import TARIFF

ACTIVE = ("n01", "m-entry", "active_energy_import_wh")
LAGGING = ("n01", "m-entry", "reactive_energy_import_varh")
LEADING = ("n01", "m-entry", "reactive_energy_export_varh")
START, END = at("2025-06-02"), at("2025-06-03")
WITH_TARIFF = parse_site(
    SITE.replace('region = "CN-SC"\n', 'region = "CN-SC"\ntariff = "tariff.toml"\n'), "site.toml", TARIFF
)
DAY = steady("2025-06-02", 24, 4000, interval_s=900)


def test_a_day_of_even_load() -> None:
    reader = MemoryReader(
        {
            ACTIVE: DAY,
            LAGGING: steady("2025-06-02", 24, 2000, interval_s=900),
            LEADING: steady("2025-06-02", 24, 1000, interval_s=900),
        }
    )
    found = load_profile(WITH_TARIFF, WITH_TARIFF.meters[0], reader, START, END)
    assert found.meter == "entry"
    assert found.split is not None
    assert {line.band.value: line.energy_wh for line in found.split.lines} == dict.fromkeys(
        ("valley", "flat", "peak"), 32_000
    )
    (month,) = found.demand
    assert (month.month, month.peak and month.peak.kw, month.known) == ("2025-06", 4, 96)
    assert found.power_factor == PowerFactor(96_000, 72_000)
    assert found.power_factor is not None
    assert found.power_factor.text() == "0.800"


def test_what_is_not_there_is_none() -> None:
    plain = parse_site(SITE, "site.toml")
    found = load_profile(plain, plain.meters[0], MemoryReader({ACTIVE: DAY}), START, END)
    assert (found.split, found.power_factor) == (None, None)
    one = MemoryReader({ACTIVE: DAY, LAGGING: steady("2025-06-02", 24, 3000, interval_s=900)})
    assert load_profile(plain, plain.meters[0], one, START, END).power_factor == PowerFactor(96_000, 72_000)
    empty = load_profile(plain, plain.meters[0], MemoryReader({}), START, END)
    assert (empty.demand[0].peak, empty.demand[0].known, empty.power_factor) == (None, 0, None)


def test_only_electricity_has_bands() -> None:
    gas = WITH_TARIFF.meter("boiler-gas")
    with pytest.raises(RequestError, match="meter boiler-gas: measures natural_gas"):
        load_profile(WITH_TARIFF, gas, MemoryReader({}), START, END)
