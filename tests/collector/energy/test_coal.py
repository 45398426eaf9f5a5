"""Standard coal: each carrier in its unit, by one edition and one basis, and where each coefficient is from."""

from datetime import date
from fractions import Fraction

import pytest

from shutan_collector.energy.coal import (
    Basis,
    CoalKind,
    CoalTotal,
    Coefficients,
    Edition,
    OwnNcv,
    add_up,
    coal_equivalent,
)
from shutan_collector.errors import FactorError, RequestError
from shutan_collector.factors.rows import Factor
from shutan_collector.factors.table import packaged_factors
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Carrier, Site
from support.energy import Known

TABLE: Coefficients = packaged_factors()
DAY = date(2025, 6, 30)
OLD_DAY = date(2020, 6, 30)
GAS = 'metric = "gas_volume_l"\ngas_reference = { temperature_c = 20, pressure_kpa = 101.325 }'


def site_of(*meters: tuple[str, str, str], keys: str = "") -> Site:
    """A site of (carrier, role, further keys); a meter is named by carrier and role."""
    tables = [
        f'[[meter]]\nid = "{carrier}-{role}"\ncarrier = "{carrier}"\nrole = "{role}"\nlevel = 1\n'
        f'node = "n"\ndevice = "{carrier}-{role}"\n{more}\n'
        for carrier, role, more in meters
    ]
    return parse_site(f'[site]\nid = "s"\nregion = "CN-SC"\n{keys}\n' + "".join(tables), "site.toml")


def one(
    carrier: str, value: int, more: str = "", keys: str = "", edition: Edition = Edition.GBT_2589_2020
) -> CoalTotal:
    """Standard coal of one entry meter."""
    site = site_of((carrier, "entry", more), keys=keys)
    day = OLD_DAY if edition is Edition.GBT_2589_2008 else DAY
    return coal_equivalent(site, {f"{carrier}-entry": Known(value)}, TABLE, day, edition=edition)


@pytest.mark.parametrize(
    ("carrier", "value", "more", "kgce", "source"),
    [
        ("electricity", 1_000_000, "", "122.9", "TCE-ELEC-EQ"),
        ("heat", 1_000_000, 'metric = "heat_kj"', "34.12", "TCE-HEAT-EQ"),
        # 1 t at 2763 kJ/kg: 2763 MJ x 0.03412
        ("steam", 1_000_000, 'metric = "steam_mass_g"\nenthalpy_kj_per_kg = 2763', "94.27356", "TCE-HEAT-EQ"),
        ("steam", 2_763_000, 'metric = "steam_heat_kj"', "94.27356", "TCE-HEAT-EQ"),
        ("diesel", 1000, 'metric = "diesel_volume_l"\ndensity_kg_per_l = 0.84', "1223.964", "TCE-DIESEL"),
        ("coal", 1_000_000, 'metric = "coal_mass_g"', "714.3", "TCE-RAWCOAL"),
        ("water", 1_000_000, 'metric = "water_volume_l"', "257.1", "MED-WATER"),
        ("compressed_air", 1_000_000, 'metric = "compressed_air_volume_l"', "40", "MED-AIR"),
    ],
)
def test_a_carrier(carrier: str, value: int, more: str, kgce: str, source: str) -> None:
    (line,) = one(carrier, value, more).lines
    assert (line.kgce, line.source) == (Fraction(kgce), source)


def test_gas_counts_at_normal_conditions_and_by_the_chosen_row() -> None:
    """293 150 L at 20 °C are 273.15 m3 at 0 °C."""
    with pytest.raises(FactorError, match="choose one by its id: TCE-NG-LO"):
        one("natural_gas", 293_150, GAS)
    (line,) = one("natural_gas", 293_150, GAS, 'coal_rows = { natural_gas = "TCE-NG-HI" }').lines
    assert (line.quantity, line.unit, line.kgce) == (Fraction("273.15"), "m3", Fraction("363.2895"))
    wrong = 'coal_rows = { natural_gas = "TCE-RAWCOAL" }'
    with pytest.raises(FactorError, match=r"TCE-RAWCOAL: is in kgce/kg; meter natural_gas-entry needs kgce/m3"):
        one("natural_gas", 293_150, GAS, wrong)


def test_a_measured_calorific_value_beats_the_table() -> None:
    site = site_of(("natural_gas", "entry", GAS))
    own = OwnNcv(Carrier.NATURAL_GAS, Fraction("38.979"), "m3", "laboratory report 7")
    total = coal_equivalent(site, {"natural_gas-entry": Known(293_150)}, TABLE, DAY, own=[own])
    (line,) = total.lines
    assert line.coefficient == Fraction("38.979") / Fraction("29.3076")
    assert line.source == "laboratory report 7 / TCE-SC-NCV"
    per_kg = OwnNcv(Carrier.NATURAL_GAS, Fraction(50), "kg", "report 8")
    with pytest.raises(FactorError, match="measured calorific value is per kg, its quantity in m3"):
        coal_equivalent(site, {"natural_gas-entry": Known(1)}, TABLE, DAY, own=[per_kg])


@pytest.mark.parametrize(
    "row",
    [row for row in packaged_factors() if row.parameter == "ncv_reference" and row.unit in {"kJ/kg", "kJ/m3"}],
    ids=lambda row: row.id,
)
def test_own_calorific_values_repeat_the_pairs_that_the_standard_prints(row: Factor) -> None:
    """GB/T 2589 Annex A prints NCV and coefficient side by side: p = NCV / 29.3076, to within its rounding."""
    printed = TABLE.by_id(row.id.removesuffix("-NCV"))
    assert abs(row.value / 1000 / Fraction("29.3076") - printed.value) <= Fraction("0.002")


def test_editions_differ_in_coefficient_and_in_method() -> None:
    steam = 'metric = "steam_mass_g"\nenthalpy_kj_per_kg = 2763'
    assert one("steam", 1_000_000, steam, edition=Edition.GBT_2589_2008).kgce == Fraction("128.6")
    assert one("water", 1_000_000, 'metric = "water_volume_l"', edition=Edition.GBT_2589_2008).kgce == Fraction("85.7")
    assert one("steam", 1_000_000, steam).kgce == Fraction("94.27356")


def test_editions_and_bases_are_not_mixed_in_one_total() -> None:
    water = 'metric = "water_volume_l"'
    new, old = one("water", 1_000_000, water), one("water", 1_000_000, water, edition=Edition.GBT_2589_2008)
    with pytest.raises(RequestError, match=r"found GB/T 2589-2008 calorific, GB/T 2589-2020 calorific"):
        add_up([new, old])
    with pytest.raises(RequestError, match="found nothing"):
        add_up([])
    assert add_up([new, new]).kgce == 2 * new.kgce
    assert add_up([new, new]).tce == Fraction("0.5142")


def test_the_primary_equivalent_has_no_default() -> None:
    figures = {"electricity-entry": Known(1_000_000)}
    with pytest.raises(FactorError, match="等价值 is asked for and has no default"):
        coal_equivalent(site_of(("electricity", "entry", "")), figures, TABLE, DAY, basis=Basis.PRIMARY)
    site = site_of(
        ("electricity", "entry", ""),
        keys='electricity_primary_kgce_per_kwh = { value = 0.3015, source = "statistics of 2024" }',
    )
    primary = coal_equivalent(site, figures, TABLE, DAY, basis=Basis.PRIMARY)
    assert (primary.kgce, primary.lines[0].source) == (Fraction("301.5"), "statistics of 2024")
    with pytest.raises(RequestError, match="one edition and one basis"):
        add_up([primary, coal_equivalent(site, figures, TABLE, DAY)])


WHOLE = site_of(
    ("electricity", "entry", ""),
    ("electricity", "sub", 'parent = "electricity-entry"'),
    ("electricity", "export", ""),
    ("pv", "generation", ""),
    ("heat", "generation", 'metric = "heat_kj"'),
    ("heat", "export", 'metric = "heat_kj"'),
    ("water", "entry", 'metric = "water_volume_l"'),
    ("compressed_air", "generation", 'metric = "compressed_air_volume_l"'),
    ("steam", "boundary", 'metric = "steam_heat_kj"'),
)
FIGURES = {meter.id: Known(1_000_000) for meter in WHOLE.meters}


def test_what_is_in_the_total() -> None:
    """Bought energy and media, own photovoltaic power, less exports; nothing that is made of energy already counted."""
    total = coal_equivalent(WHOLE, FIGURES, TABLE, DAY)
    assert [(line.meter, line.kind) for line in total.lines] == [
        ("electricity-entry", CoalKind.BOUGHT),
        ("electricity-export", CoalKind.EXPORTED),
        ("pv-generation", CoalKind.RENEWABLE),
        ("heat-export", CoalKind.EXPORTED),
        ("water-entry", CoalKind.MEDIUM),
    ]
    assert total.kgce == Fraction("122.9") + Fraction("122.9") + Fraction("257.1") - Fraction("122.9") - Fraction(
        "34.12"
    )
    assert total.without_renewable_kgce == total.kgce - Fraction("122.9")
    assert total.of(CoalKind.EXPORTED) == Fraction("157.02")


def test_a_meter_behind_one_of_its_role_is_in_that_one() -> None:
    text = """
[site]
id = "s"
region = "CN-SC"
[[meter]]
id = "roof"
carrier = "pv"
role = "generation"
level = 2
node = "n"
device = "roof"
[[meter]]
id = "string"
carrier = "pv"
role = "generation"
level = 3
parent = "roof"
node = "n"
device = "string"
"""
    site = parse_site(text, "site.toml")
    total = coal_equivalent(site, {"roof": Known(1_000_000), "string": Known(400_000)}, TABLE, DAY)
    assert [line.meter for line in total.lines] == ["roof"]


def test_a_meter_without_figure_is_named() -> None:
    total = coal_equivalent(WHOLE, FIGURES | {"water-entry": Known(None)}, TABLE, DAY)
    assert total.missing == ("water-entry",)
    assert add_up([total, total]).missing == ("water-entry",)


@pytest.mark.parametrize(
    ("carrier", "more", "problem"),
    [
        ("steam", 'metric = "steam_mass_g"', "meter steam-entry: steam by mass needs enthalpy_kj_per_kg"),
        ("diesel", 'metric = "diesel_volume_l"', "meter diesel-entry: diesel by volume needs density_kg_per_l"),
    ],
)
def test_what_the_site_model_lacks_is_named(carrier: str, more: str, problem: str) -> None:
    with pytest.raises(FactorError, match=problem):
        one(carrier, 1, more)
