"""`shutan budget` and the actuals it reads."""

import json
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shutan_collector.activity.kinds import ActivityBook, LandArea, Production, ValueAdded
from shutan_collector.commands.budget import app
from shutan_collector.control.actuals import Basis, actuals_from, parse_actuals, volumes_of
from shutan_collector.errors import ControlError
from shutan_collector.periods import to_ns
from support.activities import CHINA
from support.budgets import actuals

BUDGET = """
[budget]
year = 2025
covers = "scope 1"
[[line]]
key = "site"
basis = "total"
annual = 1200
volume = { basis = "product", product = "p", annual = 1200 }
[[line]]
key = "boiler"
area = "boiler"
basis = "total"
annual = 600
[[line]]
key = "per piece"
basis = "product"
product = "p"
annual = 900
"""


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _actuals(path: Path, year: int, months: int, grams: int) -> Path:
    rows = [
        {"month": f"{year}-{month:02}", "source": source, "area": area, "carrier": "gas", "co2e_g": grams}
        for month in range(1, months + 1)
        for source, area in (("meter:g", "boiler"), ("meter:e", "press"))
    ]
    volumes = [
        {"month": f"{year}-{month:02}", "basis": "product", "name": "p", "value": "110.5"}
        for month in range(1, months + 1)
    ]
    path.write_text(json.dumps({"schema": "shutan.actuals/1", "rows": rows, "volumes": volumes}), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Budget, actuals of five months, actuals of last year."""
    budget = tmp_path / "budget.toml"
    budget.write_text(BUDGET, encoding="utf-8")
    this = _actuals(tmp_path / "this.json", 2025, 5, 60_000_000)
    return budget, this, _actuals(tmp_path / "last.json", 2024, 12, 50_000_000)


def test_status_as_json_adds_up(files: tuple[Path, Path, Path]) -> None:
    budget, this, last = files
    done = _run("status", "--budget", budget, "--actuals", this, "--last-year", last, "--json")
    assert done.exit_code == 0, done.stderr
    site, boiler, per_piece = json.loads(done.stdout)["lines"]
    assert (site["level"], site["actual_g"], site["finished_months"]) == ("expected overrun", 600_000_000, 5)
    assert site["forecast"]["expected_g"] == "1440000000"
    assert [view["by"] for view in site["attribution"]] == ["area", "source", "carrier"]
    for line in (site, boiler, per_piece):
        for view in line["attribution"]:
            total = sum(Fraction(part["difference_g"]) for part in view["contributions"])
            assert total == Fraction(line["difference_g"])
    split = sum(Fraction(site["effects"][name]) for name in ("volume_g", "intensity_g", "unsplit_g"))
    assert split == Fraction(site["difference_g"])
    assert (per_piece["level"], per_piece["unit"]) == ("overrun", "kg/unit")
    assert sum(Fraction(month["plan_g"]) for month in site["months"]) == 1_200_000_000


def test_status_for_a_person(files: tuple[Path, Path, Path]) -> None:
    budget, this, last = files
    text = _run("status", "--budget", budget, "--actuals", this, "--last-year", last).stdout
    assert all(part in text for part in ("预计超支", "用尽于", "meter:g", "volume 产量", "已超支"))
    without = _run("status", "--budget", budget, "--actuals", this)
    assert (without.exit_code, "by area" in without.stdout, "meter:g" in without.stdout) == (0, True, False)


def test_mistakes_are_lines_with_exit_code_two(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    budget, this, _ = files
    missing = _run("status", "--budget", budget, "--actuals", tmp_path / "nowhere.json")
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    broken = tmp_path / "broken.json"
    broken.write_text('{"schema": "shutan.actuals/1", "rows": [{"month": "2025-1x", "co2e_g": "5"}]}', encoding="utf-8")
    told = _run("status", "--budget", budget, "--actuals", broken)
    assert told.exit_code == 2
    assert [text.split(": ", 2)[2].partition(":")[0] for text in told.stderr.splitlines()] == [
        "rows[1].month",
        "rows[1].co2e_g",
        "rows[1].source",
    ]
    assert _run("status", "--budget", this, "--actuals", this).exit_code == 2


def test_template_deadlines_and_allowance(tmp_path: Path) -> None:
    out = tmp_path / "budget.csv"
    assert _run("template", "--out", out).exit_code == 0
    assert _run("template", "--out", out).exit_code == 2
    due = json.loads(_run("deadlines", "--today", "2026-02-01", "--json").stdout)["deadlines"]
    assert (due[0]["id"], due[0]["days_left"]) == ("ets-monthly-archive", 8)
    assert "2026-03-31" in _run("deadlines", "--today", "2026-02-01").stdout
    assert _run("deadlines", "--today", "soon").exit_code == 2
    assert _run("deadlines", "--file", out).exit_code == 2
    arguments = ("allowance", "--year", "2025", "--expected", "30,000", "--prior", "29000", "--ccer", "2000")
    found = json.loads(_run(*arguments, "--json").stdout)
    assert (found["pre_allocated_t"], found["balance_low_t"], found["verified"]) == ("20300", "600", False)
    assert "预分配" in _run(*arguments).stdout
    for wrong in (("--year", "2025"), ("--year", "2025", "--expected", "x"), ("--year", "2030", "--expected", "1")):
        assert _run("allowance", *wrong).exit_code == 2
    both = _run("allowance", "--year", "2025", "--expected", "1", "--verified", "1")
    assert (both.exit_code, "give either --verified or --expected" in both.stderr) == (2, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"schema": "other/1"}',
        '{"schema": "shutan.actuals/1"}',
        '{"schema": "shutan.actuals/1", "rows": [{"month": "2025-06", "source": "m", "co2e_g": 1.5}]}',
        '{"schema": "shutan.actuals/1", "rows": [5]}',
        '{"schema": "shutan.actuals/1", "rows": [], "volumes": [{"month": "2025-06", "basis": "total", "value": 1}]}',
        '{"schema": "shutan.actuals/1", "rows": [], "volumes": [{"month": "2025-6", "basis": "product", "value": -1}]}',
        '{"schema": "shutan.actuals/1", "rows": [], "more": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_not_a_file_of_actuals(text: str) -> None:
    with pytest.raises(ControlError):
        parse_actuals(text, "a.json")


def _batch(product: str, day: str, good: int) -> Production:
    end_ns = to_ns(datetime.fromisoformat(f"{day}T18:00").replace(tzinfo=CHINA))
    return Production(
        key=f"{product}{day}",
        product=product,
        batch="b",
        start_ns=end_ns - 1,
        end_ns=end_ns,
        asset="a",
        line="l",
        good=Fraction(good),
        scrap=Fraction(99),
        unit="kg",
    )


def test_volumes_of_a_month_come_from_the_book() -> None:
    book = ActivityBook(
        productions=(
            _batch("p", "2025-06-01", 5),
            _batch("p", "2025-06-30", 7),
            _batch("q", "2025-06-02", 1),
            _batch("p", "2025-07-01", 100),
        ),
        values_added=(ValueAdded(key="v", month="2025-06", wan_yuan=Fraction("860.5")),),
        land_areas=(
            LandArea(key="1", start=date(2024, 1, 1), area_m2=Fraction(300)),
            LandArea(key="2", start=date(2025, 6, 11), area_m2=Fraction(600)),
        ),
    )
    found = {(item.basis, item.name): item.value for item in volumes_of(book, "2025-06")}
    assert found == {
        (Basis.PRODUCT, "p"): 12,
        (Basis.PRODUCT, "q"): 1,
        (Basis.VALUE_ADDED, ""): Fraction("860.5"),
        (Basis.LAND_AREA, ""): 300 * Fraction(10, 30) + 600 * Fraction(20, 30),
    }
    year = actuals_from(actuals([1]).rows, book, "2025")
    assert year.volume(Basis.PRODUCT, "p", ("2025-06", "2025-07")) == 112
    assert year.volume(Basis.LAND_AREA, "", ("2025-01",)) == 300
