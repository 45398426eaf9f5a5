"""What stands in a site file beside the meters: the organisation, shifts, virtual meters, plates and calibration."""

from datetime import date, time
from fractions import Fraction

import pytest

from shutan_collector.errors import SiteError
from shutan_collector.periods import Kind, Shift
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Carrier, PrimaryElectricity, Role, VirtualMeter
from support.accounting import SITE, at

STEAM = """
[[meter]]
id = "steam"
carrier = "steam"
role = "entry"
level = 1
metric = "steam_mass_g"
node = "n"
device = "s"
enthalpy_kj_per_kg = 2763.2
"""
EXPORT = """
[[meter]]
id = "to-grid"
carrier = "electricity"
role = "export"
level = 1
node = "n01"
device = "m-entry"
"""
SHIFTS = """
[[shift]]
name = "late"
start = 14:00:00
end = "22:00"

[[shift]]
name = "early"
start = "06:00"
end = "14:00"

[[shift]]
name = "night"
start = "22:00"
end = "06:00"
"""
VIRTUALS = """
[[virtual]]
id = "rest"
name = "Everything but bottling"
name_zh = "其他"
terms = { entry = 1, bottling = -1 }

[[virtual]]
id = "third"
terms = { rest = "1/3" }
"""


def _problems(text: str) -> list[str]:
    with pytest.raises(SiteError) as caught:
        parse_site(text, "site.toml")
    return [str(problem) for problem in caught.value.problems]


def _site_keys(keys: str) -> str:
    return SITE.replace('region = "CN-SC"\n', f'region = "CN-SC"\n{keys}\n')


def test_defaults() -> None:
    site = parse_site(SITE, "site.toml")
    assert (site.sector, site.gwp, site.organisation, site.credit_code) == ("general", "AR5", "", "")
    assert (site.balance_limit_pct, site.shifts, site.virtuals, site.tariff) == (5, (), (), None)
    assert (site.electricity_primary_kgce_per_kwh, site.coal_rows) == (None, ())
    meter = site.meter("entry")
    assert (meter.stuck_after_s, meter.enthalpy_kj_per_kg, meter.mandatory, meter.calibrated) == (
        None,
        None,
        False,
        None,
    )
    with pytest.raises(KeyError):
        site.meter("nothing")


def test_the_organisation_and_its_choices() -> None:
    site = parse_site(
        _site_keys(
            'sector = "food_beverage"\ngwp = "AR6"\norganisation = "九酿酒业有限公司"\n'
            'credit_code = "91510000000000000A"\nbalance_limit_pct = 2.5\n'
            'electricity_primary_kgce_per_kwh = { value = 0.3015, source = "statistics of 2024" }\n'
            'coal_rows = { natural_gas = "TCE-NG-HI" }'
        ),
        "site.toml",
    )
    assert (site.sector, site.gwp, site.organisation) == ("food_beverage", "AR6", "九酿酒业有限公司")
    assert site.credit_code == "91510000000000000A"
    assert site.balance_limit_pct == Fraction("2.5")
    assert site.electricity_primary_kgce_per_kwh == PrimaryElectricity(Fraction("0.3015"), "statistics of 2024")
    assert site.coal_rows == ((Carrier.NATURAL_GAS, "TCE-NG-HI"),)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ('gwp = "AR3"', "site.gwp"),
        ('credit_code = "91510000000000000I"', "site.credit_code"),
        ("balance_limit_pct = 0", "site.balance_limit_pct: must be above zero"),
        (
            "electricity_primary_kgce_per_kwh = { value = 0.3 }",
            "site.electricity_primary_kgce_per_kwh.source: is needed",
        ),
        ('coal_rows = { wood = "X" }', "site.coal_rows.wood"),
        ('tariff = ""', "site.tariff"),
    ],
)
def test_a_wrong_key_of_the_site(keys: str, problem: str) -> None:
    assert [found for found in _problems(_site_keys(keys)) if problem in found]


def test_the_plate_of_a_meter() -> None:
    plate = (
        'accuracy_class = "0.5S"\nmodel = "DTSD341"\nmaker = "made up"\nlocation = "room 1"\n'
        'measuring_range = "1.5(6) A"\nrated_kw = 55.5\nmandatory = true\nstuck_after_s = 7200\n'
        "calibrated = 2025-03-01\ncalibration_due = '2027-02-28'\n"
    )
    meter = parse_site(SITE.replace('device = "m-entry"\n', f'device = "m-entry"\n{plate}'), "site.toml").meter("entry")
    assert (meter.accuracy_class, meter.model, meter.maker, meter.location) == ("0.5S", "DTSD341", "made up", "room 1")
    assert (meter.measuring_range, meter.rated_kw, meter.mandatory) == ("1.5(6) A", Fraction("55.5"), True)
    assert (meter.calibrated, meter.calibration_due) == (date(2025, 3, 1), date(2027, 2, 28))
    assert meter.stuck_after_s == 7200


def test_steam_and_exported_power() -> None:
    site = parse_site(SITE + STEAM + EXPORT, "site.toml")
    assert site.meter("steam").enthalpy_kj_per_kg == Fraction("2763.2")
    assert (site.meter("to-grid").role, site.meter("to-grid").metric) == (Role.EXPORT, "active_energy_export_wh")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (STEAM.replace("2763.2", "99"), "meter[4] steam.enthalpy_kj_per_kg: is kilojoules per kilogram"),
        (STEAM.replace("steam_mass_g", "steam_heat_kj"), "meter[4] steam.enthalpy_kj_per_kg: belongs to steam_mass_g"),
        (
            STEAM.replace("enthalpy_kj_per_kg = 2763.2", "density_kg_per_l = 1"),
            "density_kg_per_l: has no meaning for steam",
        ),
        (
            STEAM.replace("enthalpy_kj_per_kg = 2763.2", "calibrated = 2025-01-01\ncalibration_due = 2024-01-01"),
            "calibration_due: 2024-01-01 is not after calibrated 2025-01-01",
        ),
        (
            STEAM.replace("enthalpy_kj_per_kg = 2763.2", "calibrated = 'yesterday'"),
            "calibrated: must be a date such as",
        ),
        (
            STEAM.replace('"steam"\nr', '"diesel"\nr')
            .replace("steam_mass_g", "diesel_volume_l")
            .replace("enthalpy_kj_per_kg = 2763.2", "density_kg_per_l = 840"),
            "density_kg_per_l: is kilograms per litre",
        ),
        (
            EXPORT.replace('"electricity"', '"natural_gas"'),
            "role: natural_gas is not exported; electricity, heat, steam are",
        ),
        (EXPORT + 'metric = "active_energy_import_wh"\n', "is read by meter[1] entry at the same time"),
    ],
)
def test_what_does_not_fit_a_meter(text: str, problem: str) -> None:
    assert [found for found in _problems(SITE + text) if problem in found]


def test_shifts_stand_in_order_of_their_start() -> None:
    site = parse_site(SITE + SHIFTS, "site.toml")
    assert site.shifts == (
        Shift("early", time(6), time(14)),
        Shift("late", time(14), time(22)),
        Shift("night", time(22), time(6)),
    )
    assert [shift.overnight for shift in site.shifts] == [False, False, True]
    names = [span.name for span in site.spans(at("2026-06-01T06:00"), at("2026-06-02T06:00"), Kind.SHIFT)]
    assert names == ["early", "late", "night"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"early"', '"late"', "shift[1].name: 'late' stands 2 times; names are unique"),
        ('start = "22:00"', 'start = "21:45"', "shift[3]: overlaps shift[1]; a moment belongs to one shift"),
        ('start = "22:00"', 'start = "05:50"', "shift[3]: lasts 10 min; a shift has at least 15"),
        ('start = "22:00"', 'start = "22:00:30"', "shift[3].start: must be a local time in whole minutes"),
        ('start = "22:00"', 'start = "ten"', "shift[3].start: must be a local time in whole minutes"),
        ('start = "22:00"', 'begin = "22:00"', "shift[3].start: is needed"),
        ("[[shift]]", "[shift]", "TOML"),
    ],
)
def test_a_shift_calendar_that_cannot_be(old: str, new: str, problem: str) -> None:
    assert [found for found in _problems(SITE + SHIFTS.replace(old, new)) if problem in found]


def test_a_shift_may_last_all_day() -> None:
    site = parse_site(SITE + '[[shift]]\nname = "all"\nstart = "07:00"\nend = "07:00"\n', "site.toml")
    assert site.shifts == (Shift("all", time(7), time(7)),)


def test_shifts_are_an_array() -> None:
    assert _problems(SITE + "[shift]\nname = 'x'\n") == ["shift: is an array of tables: write [[shift]]"]


def test_virtual_meters() -> None:
    site = parse_site(SITE + VIRTUALS, "site.toml")
    assert site.virtuals == (
        VirtualMeter("rest", "Everything but bottling", "其他", (("entry", Fraction(1)), ("bottling", Fraction(-1)))),
        VirtualMeter("third", "third", "", (("rest", Fraction(1, 3)),)),
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "entry = 1,",
            "third = 1,",
            "virtual: virtual meters are computed from each other in a ring: rest -> third -> rest",
        ),
        ("entry = 1,", "rest = 1,", "virtual: virtual meters are computed from each other in a ring: rest -> rest"),
        ("entry = 1,", "nobody = 1,", "virtual[1] rest.terms.nobody: no meter and no virtual meter has this id"),
        (
            "entry = 1,",
            "boiler-gas = 1,",
            "virtual[1] rest.terms: mix electricity and natural_gas; terms are of one carrier",
        ),
        ("entry = 1,", "boiler-gas = 1,", "virtual[2] third.terms: mix electricity and natural_gas"),
        ("entry = 1,", "entry = 0,", "virtual[1] rest.terms.entry: must not be zero"),
        ('"1/3"', '"1/0"', "virtual[2] third.terms.rest: must be a number such as 0.25 or a ratio"),
        ('id = "third"', 'id = "rest"', "virtual[1] rest.id: 'rest' stands more than once; ids are unique"),
        ('id = "third"', 'id = "entry"', "virtual[2] entry.id: 'entry' stands more than once; ids are unique"),
        ("{ entry = 1, bottling = -1 }", "{}", "virtual[1] rest.terms: "),
    ],
)
def test_a_virtual_meter_that_cannot_be_computed(old: str, new: str, problem: str) -> None:
    assert [found for found in _problems(SITE + VIRTUALS.replace(old, new)) if problem in found]


def test_units_and_gas_conditions_are_not_mixed() -> None:
    heat = STEAM.replace('"steam"\nc', '"heat"\nc').replace("steam_mass_g", "steam_heat_kj").replace('"s"', '"h"')
    heat = heat.replace("enthalpy_kj_per_kg = 2763.2\n", "")
    text = SITE + STEAM + heat + '[[virtual]]\nid = "both"\nterms = { steam = 1, heat = 1 }\n'
    assert _problems(text) == ["virtual[1] both.terms: mix g and kj; terms are in one unit"]
    gas = SITE[SITE.index('[[meter]]\nid = "boiler-gas"') :].replace("boiler-gas", "gas-2").replace("g-boiler", "g2")
    gas = gas.replace("temperature_c = 20", "temperature_c = 0")
    text = SITE + gas + '[[virtual]]\nid = "both"\nterms = { boiler-gas = 1, gas-2 = 1 }\n'
    (problem,) = _problems(text)
    assert "different gas_reference" in problem
