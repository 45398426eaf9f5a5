"""`shutan budget status` on closed months: the simulated budget is read, and its actuals are the ledger's totals."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shutan_collector.commands.budget import app
from shutan_collector.ledger.closing import current_closes
from shutan_collector.ledger.operations import close_period
from shutan_collector.ledger.store import open_ledger
from support.closed_year import AT, MONTHS, Months, make_months


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    return make_months(tmp_path_factory.mktemp("months"))


def status(months: Months, *options: str) -> Result:
    return CliRunner().invoke(app, ["status", "--budget", str(months.year.folder / "budget.toml"), *options])


def test_actuals_are_those_of_the_closed_months(months: Months, tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    with open_ledger(url, create=True) as ledger, months.basis() as basis:
        empty = status(months, "--ledger", url)
        assert (empty.exit_code, "no month of 2025 is closed" in empty.stderr) == (2, True)
        for month in MONTHS:
            close_period(ledger, basis, month, "Li Wei", AT)
        closes = [current_closes(ledger)[month] for month in MONTHS]
    counted = ("scope1", "scope2_heat", "scope2_location")
    grams = sum(close.totals.by_scope.get(scope, 0) for close in closes for scope in counted)
    done = status(months, "--ledger", url, "--json")
    assert done.exit_code == 0, done.output
    site = json.loads(done.stdout)["lines"][0]
    assert site["actual_g"] == grams > 0
    assert "per bottle" in status(months, "--ledger", url).stdout


def test_one_source_of_actuals(months: Months) -> None:
    for options in ((), ("--ledger", "sqlite:l.db", "--actuals", "a.json")):
        done = status(months, *options)
        assert done.exit_code == 2
        assert "give either --ledger URL or --actuals FILE" in done.stderr
