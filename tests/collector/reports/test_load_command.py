"""`shutan report load`: bands sum to what was measured, and the peak is the plant's own."""

import json
from datetime import date
from typing import Any

import pytest
from typer.testing import CliRunner

from shutan_collector.commands.report import app
from support.year import Year, make_year


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Year:
    return make_year(tmp_path_factory.mktemp("week"), date(2025, 6, 2), 7, 4, kinds=())


def run(week: Year, *more: str) -> Any:
    options = ["load", "--site", str(week.folder / "site.toml"), "--store", str(week.readings)]
    return CliRunner().invoke(app, [*options, "--from", "2025-06-02", "--to", "2025-06-09", *more])


def test_bands_sum_to_what_passed(week: Year) -> None:
    done = run(week, "--meter", "m-entry", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    use = found["time_of_use"]
    assert sum(line["energy_wh"] for line in use["lines"]) + use["unallocated_wh"] == sum(week.hours("m-entry"))
    assert {line["band"] for line in use["lines"]} >= {"peak", "flat", "valley"}
    (month,) = found["demand"]
    assert month["quarters"] == month["quarters_known"] == 7 * 96
    assert max(week.hours("m-entry")) <= float(month["kw"]) * 1000


def test_the_tables_say_the_same(week: Year) -> None:
    done = run(week, "--meter", "m-entry")
    assert done.exit_code == 0, done.output
    assert "time of use" in done.output
    assert "maximum demand" in done.output


@pytest.mark.parametrize(
    ("meter", "said"), [("nobody", "is no meter of"), ("g-boiler", "bands and demand are of electricity")]
)
def test_another_meter_is_refused_in_one_line(week: Year, meter: str, said: str) -> None:
    done = run(week, "--meter", meter)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
