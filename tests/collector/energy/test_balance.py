"""Balance: supplied against used, the unaccounted share and its alarm, and what the site consumes."""

from fractions import Fraction

import pytest

from shutan_collector.energy.balance import NodeBalance, node_balances, site_consumption
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Carrier, Site
from shutan_collector.units import Unit
from support.energy import Known

METER = '[[meter]]\nid = "{0}"\ncarrier = "{1}"\nrole = "{2}"\nlevel = {3}\nnode = "n"\ndevice = "{0}"\n{4}\n'


def site_of(*meters: tuple[str, str, str, str], keys: str = "") -> Site:
    """A site of (id, carrier, role, further keys)."""
    tables = [
        METER.format(name, carrier, role, 1 if role == "entry" else 2, more) for name, carrier, role, more in meters
    ]
    return parse_site(f'[site]\nid = "s"\nregion = "CN-SC"\n{keys}\n' + "".join(tables), "site.toml")


POWER = site_of(
    ("entry", "electricity", "entry", ""),
    ("roof", "pv", "generation", 'parent = "entry"'),
    ("string", "pv", "generation", 'parent = "roof"'),
    ("grid", "electricity", "export", 'parent = "entry"'),
    ("kiln", "electricity", "sub", 'parent = "entry"'),
    ("neighbour", "electricity", "boundary", 'parent = "entry"'),
)
FIGURES = {
    "entry": Known(1_000_000),
    "roof": Known(200_000),
    "string": Known(80_000),
    "grid": Known(50_000),
    "kiln": Known(1_000_000),
    "neighbour": Known(90_000),
}


def _entry(limit_pct: str, figures: dict[str, Known]) -> NodeBalance:
    site = site_of(
        ("entry", "electricity", "entry", ""),
        ("kiln", "electricity", "sub", 'parent = "entry"'),
        keys=f"balance_limit_pct = {limit_pct}",
    )
    (found,) = node_balances(site, figures)
    return found


def test_generation_feeds_in_and_export_leaves() -> None:
    found = node_balances(POWER, FIGURES)
    assert [item.meter for item in found] == ["entry", "roof"]
    entry, roof = found
    assert (entry.supplied, entry.used, entry.unaccounted) == (1_200_000, 1_140_000, 60_000)
    assert (entry.share_pct, entry.alarm, entry.exact, entry.missing) == (5, False, True, ())
    assert (roof.supplied, roof.used) == (280_000, 0)  # a string below an inverter feeds it


def test_the_limit_itself_is_no_alarm() -> None:
    figures = {"entry": Known(1000), "kiln": Known(950)}
    assert not _entry("5", figures).alarm
    assert _entry("4.99", figures).alarm


def test_more_use_than_supply_is_an_alarm_too() -> None:
    found = _entry("5", {"entry": Known(1000), "kiln": Known(1060)})
    assert (found.unaccounted, found.share_pct, found.alarm) == (-60, -6, True)
    nothing = _entry("5", {"entry": Known(0), "kiln": Known(1)})
    assert (nothing.share_pct, nothing.alarm) == (None, True)
    rest = _entry("5", {"entry": Known(0), "kiln": Known(0)})
    assert (rest.share_pct, rest.alarm, rest.unaccounted) == (None, False, 0)


@pytest.mark.parametrize("kiln", [{}, {"kiln": Known(None)}])
def test_a_figure_that_is_missing_gives_no_balance_and_no_alarm(kiln: dict[str, Known]) -> None:
    found = _entry("5", {"entry": Known(1000), **kiln})
    assert (found.supplied, found.unaccounted, found.share_pct, found.alarm) == (None, None, None, False)
    assert (found.missing, found.exact) == (("kiln",), False)


def test_estimates_and_unknown_amounts_are_told() -> None:
    found = _entry("5", {"entry": Known(1000, estimated=True), "kiln": Known(1000, exact=False)})
    assert (found.estimated, found.exact) == (True, False)


def test_a_share_is_exact() -> None:
    assert _entry("5", {"entry": Known(3000), "kiln": Known(2999)}).share_pct == Fraction(1, 30)


def test_the_site_consumes_what_it_buys_and_makes_and_does_not_export() -> None:
    (found,) = site_consumption(POWER, FIGURES)
    assert (found.carrier, found.unit) == (Carrier.ELECTRICITY, Unit.WH)
    assert (found.bought, found.generated, found.exported) == (1_000_000, 200_000, 50_000)
    assert (found.consumed, found.exact, found.missing) == (1_150_000, True, ())
    (gap,) = site_consumption(POWER, FIGURES | {"roof": Known(None)})
    assert (gap.consumed, gap.missing) == (None, ("roof",))


def test_carriers_are_apart() -> None:
    site = site_of(
        ("entry", "electricity", "entry", ""),
        ("water", "water", "entry", 'metric = "water_volume_l"'),
    )
    found = site_consumption(site, {"entry": Known(5), "water": Known(7)})
    assert [(item.carrier.value, item.consumed) for item in found] == [("electricity", 5), ("water", 7)]


STEAM = site_of(
    ("boiler", "steam", "generation", 'metric = "steam_mass_g"\nenthalpy_kj_per_kg = 2800'),
    ("mash", "steam", "sub", 'metric = "steam_heat_kj"\nparent = "boiler"'),
    ("wash", "steam", "sub", 'metric = "steam_mass_g"\nenthalpy_kj_per_kg = 2700\nparent = "boiler"'),
)


def test_steam_by_mass_is_compared_with_steam_by_heat() -> None:
    (found,) = node_balances(STEAM, {"boiler": Known(10_000), "mash": Known(14_000), "wash": Known(4_000)})
    assert (found.supplied, found.used, found.unit) == (10_000, 5_000 + 4_000, Unit.GRAM)


def test_what_cannot_be_compared_is_missing() -> None:
    site = site_of(
        ("boiler", "steam", "generation", 'metric = "steam_mass_g"'),
        ("mash", "steam", "sub", 'metric = "steam_heat_kj"\nparent = "boiler"'),
    )
    (found,) = node_balances(site, {"boiler": Known(10_000), "mash": Known(14_000)})
    assert (found.unaccounted, found.missing) == (None, ("mash",))


def test_gas_at_two_conditions_is_compared_by_the_gas_law() -> None:
    gas = 'metric = "gas_volume_l"\ngas_reference = {{ temperature_c = {}, pressure_kpa = 101.325 }}'
    site = site_of(
        ("in", "natural_gas", "entry", gas.format("20")),
        ("boiler", "natural_gas", "sub", gas.format("0") + '\nparent = "in"'),
    )
    (found,) = node_balances(site, {"in": Known(29_315), "boiler": Known(27_315)})
    assert (found.unaccounted, found.alarm) == (0, False)
