"""Sector forms: every folder is whole and registered, its test cases come out, and no line is ever lost."""

import json
import re
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.carbon.lines import Category, Scope
from shutan_collector.carbon.sectors import SECTORS, Kind, Method, check_site, fill_form, load_sector, parse_sector
from shutan_collector.errors import SectorError
from shutan_collector.site.file import parse_site
from support.accounting import SITE
from support.places import REPO

FOLDER = REPO / "collector" / "shutan_collector" / "carbon" / "sectors"
PARTS = ("README.md", "form.toml", "testcases/*.json")


def folders(under: Path) -> list[Path]:
    return [path for path in sorted(under.iterdir()) if path.is_dir() and not path.name.startswith("_")]


def lacking(under: Path) -> list[str]:
    """Parts that folders below `under` lack."""
    return [f"{path.name}: {part}" for path in folders(under) for part in PARTS if not any(path.glob(part))]


def test_every_folder_has_its_parts_and_is_registered() -> None:
    assert lacking(FOLDER) == []
    assert sorted(path.name for path in folders(FOLDER)) == sorted(SECTORS)


def test_a_missing_part_is_found(tmp_path: Path) -> None:
    (tmp_path / "glass" / "testcases").mkdir(parents=True)
    (tmp_path / "glass" / "form.toml").touch()
    assert lacking(tmp_path) == ["glass: README.md", "glass: testcases/*.json"]


def test_the_guide_names_every_key_and_every_folder() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`\[?\[?([a-z_0-9]+)\]?\]?`", text))
    written = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*/form.toml"))
    keys = set(re.findall(r"^(\w+) =", written, re.MULTILINE)) | {"row", "gas"}
    assert keys | set(SECTORS) | set(Method) | set(Kind) <= named


@pytest.mark.parametrize("name", SECTORS)
def test_a_readme_tells_what_the_form_does(name: str) -> None:
    text = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Standards", "Rows", "Rules", "Test cases"]
    sector = load_sector(name)
    assert sector.title_en
    named = set(re.findall(r"\d\.\d|\b\d\b|\bT\b|M\d", text))
    assert {row.code for row in sector.rows} <= named | {row.code for row in sector.rows if row.parts}
    for row in sector.rows:
        assert row.title_en
        assert any("一" <= sign <= "鿿" for sign in row.title_zh)


@dataclass(frozen=True, slots=True)
class Emitted:
    source: str
    scope: Scope
    category: Category
    gas: str
    gas_g: int
    co2e_g: int


def emitted(values: dict[str, Any]) -> Emitted:
    return Emitted(
        values["source"],
        Scope(values["scope"]),
        Category(values["category"]),
        values["gas"],
        values["gas_g"],
        values["co2e_g"],
    )


CASES = [path for name in SECTORS for path in sorted((FOLDER / name / "testcases").glob("*.json"))]


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_case_of_a_folder(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    form = fill_form(load_sector(path.parts[-3]), map(emitted, case["lines"]), Method(case["method"]))
    assert {row.code: row.co2e_g for row in form.rows} == case["rows"]
    for code, gases in case["gases"].items():
        assert dict(form.row(code).gases) == gases
    assert {item.scope.value: item.co2e_g for item in form.beside} == case["beside"]
    assert [
        [item.source, item.scope.value, item.category.value, item.gas, item.co2e_g] for item in form.refused
    ] == case["refused"]
    assert form.total_g == case["rows"]["T"]


lines = st.lists(
    st.builds(
        Emitted,
        st.sampled_from(["meter:m", "activity:clinker", "activity:process_input", "market:residual"]),
        st.sampled_from(list(Scope)),
        st.sampled_from(list(Category)),
        st.sampled_from(["co2", "ch4", "sf6"]),
        st.integers(0, 10**9),
        st.integers(0, 10**9),
    ),
    max_size=12,
)


@pytest.mark.parametrize("name", SECTORS)
@settings(deadline=None)
@given(lines=lines, number=st.integers(0, 2))
def test_every_line_ends_in_exactly_one_place(name: str, lines: list[Emitted], number: int) -> None:
    sector = load_sector(name)
    form = fill_form(sector, lines, sector.methods[number % len(sector.methods)])
    leaves = [row for row in form.rows if row.kind not in {Kind.SUM, Kind.TOTAL}]
    placed = sum(-row.co2e_g if row.kind is Kind.NET else row.co2e_g for row in leaves)
    assert placed + sum(item.co2e_g for item in (*form.beside, *form.refused)) == sum(line.co2e_g for line in lines)
    assert form.total_g == sum(row.co2e_g for row in leaves if row.kind is not Kind.MEMO)
    if not form.refused and form.method is not Method.MARKET:
        exports = {Scope.MEMO_EXPORT, form.method.exported}
        counted = {Scope.SCOPE_1, Scope.SCOPE_2_HEAT, form.method.bought}
        others = {line for line in lines if line.scope in exports and line.category is Category.ELECTRICITY}
        netted = sum(
            line.co2e_g
            for line in lines
            if line.scope in exports and (line not in others or line.scope is form.method.exported)
        )
        assert form.total_g == sum(line.co2e_g for line in lines if line.scope in counted) - netted


def test_the_order_of_lines_does_not_matter() -> None:
    case = json.loads((FOLDER / "cement" / "testcases" / "refuses_refrigerants.json").read_text(encoding="utf-8"))
    given_lines = [emitted(values) for values in case["lines"]]
    sector = load_sector("cement")
    assert len({repr(fill_form(sector, order)) for order in permutations(given_lines)}) == 1


def test_an_unknown_sector_and_a_method_that_is_not_taken() -> None:
    with pytest.raises(SectorError, match="is not registered; accepted: general, food_drink, cement"):
        load_sector("glass")
    with pytest.raises(SectorError, match="market is not taken; accepted: reporting, location"):
        fill_form(load_sector("cement"), (), Method.MARKET)
    assert fill_form(load_sector("cement"), ()).method is Method.REPORTING
    with pytest.raises(KeyError):
        fill_form(load_sector("cement"), ()).row("99")


def test_choices_of_a_site_that_the_guideline_does_not_take() -> None:
    site = parse_site(SITE, "site.toml")
    sector = replace(load_sector("general"), gwp=("AR2",), fuel_families=("FUELA",))
    assert [str(problem) for problem in check_site(sector, site)] == [
        "gwp: AR5 is not used in general; accepted: AR2",
        "fuel_family: FUELB is not used in general; accepted: FUELA",
    ]
    assert check_site(load_sector("general"), site) == ()


BROKEN = """
title_en = "x"
standards = "one"
methods = ["location", "average"]
gwp = []
fuel_families = ["FUELB"]
colour = "red"
[[row]]
code = "1"
title_en = "a"
title_zh = "甲"
scope = "scope9"
category = ["combusting"]
kind = "plus"
[[row]]
code = "T"
title_en = "t"
title_zh = "合计"
kind = "total"
sum = ["2"]
"""


def test_all_mistakes_of_a_form_are_told_at_once() -> None:
    with pytest.raises(SectorError) as caught:
        parse_sector(BROKEN, "sectors/broken/form.toml")
    told = {str(problem).split(" is not one of")[0].split("; accepted")[0] for problem in caught.value.problems}
    scopes = "electricity, export, memo_biogenic, memo_outside, scope1, scope2_heat"
    assert told == {
        "file: unknown key colour",
        "file: title_zh has to be a text",
        "file: methods: average",
        "file: gwp has to be a list of texts",
        "row 1: kind plus",
        "row 1: category: combusting",
        f"row 1: a sum names its rows in `sum`, any other row its scope: {scopes}",
        "row 2: is summed twice, is no row, or stands outside the total",
    }


def good(rows: str) -> str:
    head = 'title_en = "x"\ntitle_zh = "甲"\nstandards = ["s"]\nmethods = ["location"]\ngwp = ["AR5"]\n'
    return head + 'fuel_families = ["FUELB"]\n' + rows


def one(code: str, rest: str) -> str:
    return f'[[row]]\ncode = "{code}"\ntitle_en = "a"\ntitle_zh = "甲"\n{rest}\n'


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "one row has to be the total, found 0"),
        (one("1", 'scope = "scope1"') + one("T", 'kind = "total"\nsum = ["1", "1"]'), "is summed twice"),
        (
            one("1", 'scope = "scope1"') + one("2", 'scope = "scope1"') + one("T", 'kind = "total"\nsum = ["1"]'),
            "row 2: is in no sum: the total would miss its lines",
        ),
        (
            one("1", 'scope = "scope1"') + one("1", 'scope = "scope1"') + one("T", 'kind = "total"\nsum = ["1"]'),
            "a code stands twice",
        ),
        (one("1", 'scope = "memo_biogenic"\nkind = "memo"') + one("T", 'kind = "total"\nsum = ["1"]'), "outside the"),
        ("title_en =", "is not TOML"),
    ],
)
def test_a_form_whose_total_could_miss_lines_is_refused(rows: str, said: str) -> None:
    with pytest.raises(SectorError, match=re.escape(said)):
        parse_sector(good(rows), "sectors/x/form.toml")
