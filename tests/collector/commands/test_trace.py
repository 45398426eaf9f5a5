"""`shutan trace` prints what the ledger holds, from the gram to the register."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from shutan_collector.commands.trace import app
from shutan_collector.ledger.operations import close_period
from shutan_collector.ledger.store import open_ledger
from support.closed_year import AT, MONTHS, Months, make_months

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    return make_months(tmp_path_factory.mktemp("months"))


@pytest.fixture(scope="module")
def run(months: Months, tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    with open_ledger(f"sqlite:{path}", create=True) as ledger, months.basis() as basis:
        close_period(ledger, basis, MONTHS[0], "Li Wei", AT)
    return lambda *more: CliRunner().invoke(app, ["--ledger", f"sqlite:{path}", "--period", MONTHS[0], *more])


def test_a_metered_line_opens_to_two_registers(run: Run, months: Months) -> None:
    listed = json.loads(run("--source", "meter:m-entry", "--limit", "1", "--json").output)
    (line,) = listed["lines"]
    found = json.loads(run("--line", line["id"], "--json").output)
    registers = [reading["register_value"] for reading in found["flow"]["readings"]]
    assert registers[-1] - registers[0] == found["flow"]["value"] == months.year.hours("m-entry")[0]
    text = run("--line", line["id"]).output
    for said in (f"{line['co2e_g']} g CO₂e", "GRID-SC-2023", f"{registers[0]} Wh", f"{registers[1]} Wh", "n01/m-entry"):
        assert said in text


def test_a_line_of_documents_opens_to_its_rows(run: Run) -> None:
    listed = json.loads(run("--limit", "1000", "--source", "market:GEC-2025-01-1", "--json").output)
    text = run("--line", listed["lines"][0]["id"]).output
    assert "document 单据    certificate/GEC-2025-01-1" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--line", "x"), "has no line 'x'"), (("--source", "meter:nobody"), "has no lines of source 'meter:nobody'")],
)
def test_what_is_not_there_is_one_line(run: Run, options: tuple[str, ...], said: str) -> None:
    done = run(*options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
