"""The site model: what a good file means, and that every mistake of a bad one comes out at once with its key."""

from fractions import Fraction
from pathlib import Path

import pytest

from shutan_collector.errors import SiteError
from shutan_collector.site.file import load_site, parse_site
from shutan_collector.site.model import Carrier, Role, Site
from shutan_collector.units import GasReference, Unit
from support.accounting import SHANGHAI, SITE, at


def _problems(text: str) -> list[str]:
    with pytest.raises(SiteError) as caught:
        parse_site(text, "site.toml")
    return [str(problem) for problem in caught.value.problems]


def _changed(old: str, new: str) -> str:
    assert old in SITE
    return SITE.replace(old, new)


def _meter(**keys: str) -> str:
    table = {
        "id": '"x"',
        "carrier": '"electricity"',
        "role": '"sub"',
        "level": "2",
        "node": '"n"',
        "device": '"d"',
    } | keys
    return "\n[[meter]]\n" + "\n".join(f"{key} = {value}" for key, value in table.items() if value) + "\n"


def test_a_good_file() -> None:
    site = parse_site(SITE, "site.toml")
    assert (site.id, site.region, site.zone, site.tolerance_s) == ("jiuniang", "CN-SC", SHANGHAI, 900)
    assert site.fuel_family == "FUELB"
    entry, bottling, gas = site.meters
    assert (entry.carrier, entry.role, entry.level, entry.unit) == (Carrier.ELECTRICITY, Role.ENTRY, 1, Unit.WH)
    assert entry.installations[0].ct == 40
    assert entry.installations[0].span == 40_000_000_000
    assert (bottling.parent, bottling.name_zh) == ("entry", "灌装线")
    assert (gas.unit, gas.gas_reference) == (Unit.LITRE, GasReference(Fraction(20), Fraction("101.325")))
    assert [meter.id for meter in site.tree()] == ["entry", "bottling", "boiler-gas"]
    assert [site.depth(meter) for meter in site.tree()] == [0, 1, 0]


def test_a_swapped_meter_is_two_intervals() -> None:
    text = (
        SITE
        + _meter(node="", device="")
        + (
            "[[meter.installation]]\nnode = 'n'\ndevice = 'old'\nserial = 'A1'\n"
            "to = 2026-06-15T10:30:00\nend_register = 99\n"
            "[[meter.installation]]\nnode = 'n'\ndevice = 'new'\nfrom = '2026-06-15T10:30'\nstart_register = 0\n"
            "rollover_wh = 1000000000\nct = [150, 5]\nmax_per_hour = 100000\n"
        )
    )
    old, new = parse_site(text, "site.toml").meters[-1].installations
    assert (old.source, old.start_ns, old.end_ns, old.end_register) == ("n/old #A1", None, at("2026-06-15T10:30"), 99)
    assert (new.source, new.start_ns, new.end_ns, new.ct) == ("n/new", at("2026-06-15T10:30"), None, 30)
    assert not old.overlaps(new)


def test_numbers_are_read_exactly() -> None:
    site = parse_site(_changed("temperature_c = 20,", "temperature_c = 15.6,"), "site.toml")
    reference = site.meters[2].gas_reference
    assert reference is not None
    assert reference.temperature_c == Fraction(156, 10)


def test_dates_are_local_midnight() -> None:
    site = parse_site(
        SITE
        + _meter(node="", device="")
        + ("[[meter.installation]]\nnode = 'n'\ndevice = 'd'\nfrom = 2026-03-01\nto = 2026-04-01T00:00:00Z\n"),
        "site.toml",
    )
    item = site.meters[-1].installations[0]
    assert (item.start_ns, item.end_ns) == (at("2026-03-01"), at("2026-04-01T08:00"))


BAD = """
[site]
id = "jiu niang"
timezone = "Asia/Chengdu"
region = "Sichuan"
tolerance_s = 1800
[[meter]]
id = "a"
carrier = "elec"
role = "entry"
level = 4
node = "n"
device = "d"
colour = "red"
[[meter]]
id = "b"
carrier = "natural_gas"
role = "sub"
level = 2
parent = "z"
metric = "active_energy_import_wh"
node = "n"
ct = 0
[[meter]]
id = "c"
carrier = "pv"
role = "entry"
level = 2
parent = "a"
node = "n"
device = "d"
[extra]
"""


def test_every_mistake_comes_out_at_once() -> None:
    problems = _problems(BAD)
    keys = [problem.split(":")[0] for problem in problems]
    assert keys == [
        "extra",
        "site.id",
        "site.timezone",
        "site.region",
        "site.tolerance_s",
        "meter[1] a.carrier",
        "meter[1] a.level",
        "meter[1] a.colour",
        "meter[2] b.device",
        "meter[2] b.ct",
        "meter[3] c.parent",
        "meter[3] c.level",
        "meter[3] c.role",
    ]
    assert "meter[2] b.device: is needed" in problems
    assert "meter[1] a.colour: unknown key" in problems


def test_the_lines_for_a_person_name_the_file() -> None:
    with pytest.raises(SiteError) as caught:
        parse_site(BAD, "site.toml")
    assert len(caught.value.lines()) == len(caught.value.problems)
    assert all(line.startswith("site.toml: ") for line in caught.value.lines())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at least one [[meter]]"),
        ("[site", "TOML"),
        ("[site]\nid='a'\nregion='CN'\nmeter=1", "at least one [[meter]]"),
        (SITE + _meter(id='"entry"'), "'entry' stands 2 times"),
        (SITE + _meter(parent='"nobody"'), "no meter has the id 'nobody'"),
        (SITE + _meter(parent='"x"'), "x -> x"),
        (SITE + _meter(parent='"y"') + _meter(id='"y"', parent='"x"', device='"e"'), "ring: x -> y -> x"),
        (SITE + _meter(role='"entry"', level="1", parent='"entry"'), "an entry meter has none"),
        (SITE + _meter(level="1", parent='"bottling"'), "1 stands below 'bottling' of level 2"),
        (SITE + _meter(parent='"boiler-gas"'), "'boiler-gas' measures natural_gas, this one electricity"),
        (SITE + _meter(metric='"active_power_w"'), "is a gauge; consumption needs a counter"),
        (SITE + _meter(metric='"gas_volume_l"'), "is gas volume; electricity needs active energy"),
        (SITE + _meter(metric='"magic_wh"'), "not in the metric catalogue"),
        (SITE + _meter(carrier='"water"', metric='"water_volume_l"', role='"generation"'), "water is not made on site"),
        (SITE + _meter(gas_reference="{ temperature_c = 20, pressure_kpa = 101 }"), "no meaning for electricity"),
        (_changed("gas_reference =", "# gas_reference ="), "state it, for example"),
        (_changed("temperature_c = 20", "temperature_c = 293"), "degrees Celsius"),
        (_changed("pressure_kpa = 101.325", "pressure_kpa = 101325"), "absolute kilopascals"),
        (_changed("temperature_c = 20", "temperature_c = nan"), "must be a number"),
        (_changed("rollover_l", "rollover_m3"), "the metric counts in l: write rollover_l"),
        (_changed("rollover_wh = 1000000000", "rollover_wh = 1000000000.5"), "valid integer"),
        (_changed("rollover_wh = 1000000000", "rollover_wh = 0"), "greater than 0"),
        (_changed("ct = [200, 5]", "ct = [200, 5, 1]"), "must be a ratio"),
        (_changed("ct = [200, 5]", "ct = true"), "must be a number"),
        (
            _changed('device = "m-bottling"', 'device = "m-entry"').replace('"n02"', '"n01"'),
            "is read by meter[1] entry",
        ),
        (_changed('node = "n02"', "installation = []"), "at least 1 item"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    assert any(said in problem for problem in _problems(text)), _problems(text)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("from = 2026-02-01\nto = 2026-01-01", "from = 2026-02-01", "'from' is not before 'to'"),
        ("to = 2026-02-01", "from = 2026-01-31", "installations stand in order"),
        ("", "from = 2026-01-31", "installations stand in order"),
        ("to = 2026-02-01", "from = '2026-02-31'", "must be a date"),
        ("end_register = 5", "from = 2026-02-01", "end_register needs 'to'"),
        ("start_register = 5\nto = 2026-02-01", "from = 2026-02-01", "start_register needs 'from'"),
        ("to = 2026-02-01\nend_register = 70\nrollover = 70", "from = 2026-02-01", "are below rollover (70)"),
    ],
)
def test_a_mistake_in_a_swap_is_named(first: str, second: str, said: str) -> None:
    text = SITE + _meter(node="", device="")
    for device, keys in (("old", first), ("new", second)):
        text += f"[[meter.installation]]\nnode = 'n'\ndevice = '{device}'\n{keys}\n"
    assert any(said in problem for problem in _problems(text)), _problems(text)


def test_keys_of_an_instrument_stand_in_one_place() -> None:
    text = SITE + _meter() + "[[meter.installation]]\nnode = 'n'\ndevice = 'd'\n"
    assert any("node, device: belongs into [[meter.installation]]" in problem for problem in _problems(text))


def test_a_parent_that_could_not_be_read_is_not_reported_twice() -> None:
    text = SITE + _meter(id='"p"', level='"two"') + _meter(id='"q"', parent='"p"', device='"e"')
    assert [problem.split(":")[0] for problem in _problems(text)] == ["meter[4] p.level"]


def test_a_register_may_be_read_by_two_points_one_after_the_other() -> None:
    text = SITE + "".join(
        _meter(id=f'"{name}"', node="", device="") + f"[[meter.installation]]\nnode = 'n'\ndevice = 'd'\n{keys}\n"
        for name, keys in (("p", "to = 2026-02-01"), ("q", "from = 2026-02-01"))
    )
    assert isinstance(parse_site(text, "site.toml"), Site)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"no such site file"):
        load_site(tmp_path / "site.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(SiteError, match="is not text in UTF-8"):
        load_site(tmp_path / "bad.toml")
    with pytest.raises(SiteError, match="cannot be read: Is a directory"):
        load_site(tmp_path)


def test_a_file_in_utf8(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE, encoding="utf-8")
    assert load_site(tmp_path / "site.toml").name_zh == "九酿酒厂"


def test_the_simulated_factory_has_a_good_site_file(repo: Path) -> None:
    site = load_site(repo / "simulators" / "shutan_sim" / "distillery" / "site.toml")
    assert {meter.carrier for meter in site.meters} >= {Carrier.ELECTRICITY, Carrier.PV, Carrier.NATURAL_GAS}
    assert all(item.span for meter in site.meters for item in meter.installations)
