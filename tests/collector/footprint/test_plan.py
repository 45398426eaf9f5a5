"""The plan file: every mistake at once, each with its place."""

from pathlib import Path

import pytest

from shutan_collector.errors import FootprintError
from shutan_collector.footprint.plan import Boundary, IdleRule, Key, Window
from shutan_collector.footprint.plan_file import load_plan, parse_plan
from shutan_collector.site.file import parse_site
from support.footprint import PLAN, SITE

MODEL = parse_site(SITE, "site.toml")


def _problems(text: str) -> list[str]:
    with pytest.raises(FootprintError) as caught:
        parse_plan(text, "footprint.toml", MODEL)
    return [str(problem) for problem in caught.value.problems]


def test_the_plan_of_the_small_factory() -> None:
    plan = parse_plan(PLAN, "footprint.toml", MODEL)
    assert (plan.gwp, plan.boundary, plan.window) == ("AR6", Boundary.CRADLE_TO_GATE, Window.MONTH)
    assert [product.id for product in plan.products] == ["A", "B"]
    assert (plan.assets[0].idle, plan.shared[0].key, plan.shared[1].key) == (
        IdleRule.NEXT_BATCH, Key.MACHINE_HOURS, Key.MASS,
    )  # fmt: skip


def test_a_missing_file_says_where_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(FootprintError, match=r"write footprint.toml beside site.toml, or give --plan FILE"):
        load_plan(tmp_path / "footprint.toml", MODEL)


def test_a_plan_that_is_no_toml() -> None:
    assert _problems("[[product")[0].startswith("TOML: ")


def test_all_mistakes_are_told_at_once() -> None:
    text = PLAN.replace('idle = "next_batch"', 'idle = "sometimes"').replace("mass_kg = 2", "mass_kg = -2")
    text = text.replace('key = "mass"', 'key = "guess"') + "\ncolour = 1\n[extra]\n"
    found = _problems(text)
    assert "extra: unknown key; accepted: footprint, product, asset, shared" in found
    for start in ("product[1] A.mass_kg: must be above zero", "asset[1] press.idle: ", "shared[2] boiler.key: "):
        assert any(line.startswith(start) for line in found), found
    assert "shared[2] boiler.colour: unknown key" in found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "B"', 'id = "A"', "product A: stands twice"),
        ('id = "B"', 'id = "B"\nmade_of = { C = 1 }', "product B made_of: no [[product]] 'C'"),
        ('id = "B"', 'id = "B"\nmade_of = { B = 1 }', "product B made_of: is made of itself"),
        ('["m-press"]', '["m-lost"]', "asset press meters: no meter 'm-lost' in the site model"),
        ('["m-press"]', '["g-boiler"]', "asset press meters: g-boiler does not count electricity that is used"),
        ('["m-air"]', '["m-press"]', "asset press meters: m-press is taken in twice"),
        ('["m-air"]', '["m-entry"]', "asset press meters: m-press stands behind m-entry, which shared air takes in"),
        ('meters = ["m-air"]\n', "", "shared air: takes in nothing: give meters or activities"),
        ('["m-air"]', '["m-lost"]', "shared air meters: no meter 'm-lost' in the site model"),
        ('key = "mass"', 'key = "submeter"', "shared boiler submeters: is needed for key = submeter"),
        ('key = "mass"', 'key = "mass"\nassets = ["lathe"]', "shared boiler: no [[asset]] 'lathe'"),
        ('key = "mass"', 'key = "mass"\nactivities = ["bill"]', "shared boiler activities: 'bill' has no emission"),
        ('key = "mass"', 'key = "mass"\nminus = ["m-press"]', "shared boiler minus: m-press does not stand behind"),
        ("attributable = 0.9", "attributable = 1.1", "shared air attributable: is a share, at most 1"),
        ('"next_batch"', '"by_key"', "asset press idle_key: is needed for idle = by_key, and only there"),
    ],
)
def test_a_contradiction_is_named(old: str, new: str, said: str) -> None:
    assert any(line.startswith(said) for line in _problems(PLAN.replace(old, new, 1)))


def test_a_gwp_set_that_does_not_exist() -> None:
    assert _problems('[footprint]\ngwp = "AR9"\n' + PLAN) == [
        "footprint.gwp: no set 'AR9'; accepted: AR2, AR4, AR5, AR6"
    ]


def test_the_rest_behind_a_meter_is_taken_by_minus() -> None:
    text = PLAN.replace('["m-air"]', '["m-entry"]\nminus = ["m-press"]')
    assert parse_plan(text, "footprint.toml", MODEL).shared[0].minus == ("m-press",)


def test_documents_belong_to_months() -> None:
    text = '[footprint]\nwindow = "day"\n' + PLAN + 'activities = ["fermentation"]\n'
    assert any("documents belong to months" in line for line in _problems(text))
