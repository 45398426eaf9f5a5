"""`shutan report monthly|ghg|...` as a user runs it: files, JSON, and one clear line for everything that is wrong."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from shutan_collector.accounting.summary import LedgerMark, MonthSummary, YearSummary
from shutan_collector.commands.console import EXIT_MISTAKE, EXIT_RETRY
from shutan_collector.commands.report import app
from shutan_collector.errors import LedgerError, StoreUnavailableError
from shutan_collector.evidence.keys import create_key
from shutan_collector.ledger import summaries
from support.summary_year import BUDGET, MARK, month, site_text, year

LEDGER = "sqlite:ledger.db"
CLOSED = {"2025-05", "2025-06", "2025"}


@pytest.fixture(autouse=True)
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A ledger with two closed months and their year; returns what was asked of it."""
    asked: list[str] = []

    def load(url: str, period: str, fingerprint: str = "") -> MonthSummary | YearSummary:
        asked.append(period)
        if url != LEDGER:
            raise StoreUnavailableError(url, "does not answer")
        if period not in CLOSED:
            raise LedgerError(period, "is not in the ledger")
        found = year(period) if len(period) == 4 else month(period)
        return replace(found, mark=LedgerMark(4711, MARK.head_hash, fingerprint))

    monkeypatch.setattr(summaries, "load_summary", load)
    monkeypatch.chdir(tmp_path)
    return asked


def run(*arguments: str, ledger_url: str = LEDGER) -> Result:
    return CliRunner().invoke(app, [*arguments, "--ledger", ledger_url], env={"COLUMNS": "160"})


def test_three_files_at_once(tmp_path: Path) -> None:
    result = run("monthly", "--period", "2025-06", "--out", "a.pdf", "--out", "a.xlsx", "--out", "a.json")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    assert (tmp_path / "a.xlsx").read_bytes().startswith(b"PK")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["schema"] == "shutan.report.monthly/1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.pdf", "a.xlsx"]


@pytest.mark.parametrize("name", ["ghg", "energy-form", "zero-carbon", "metering"])
def test_json_on_the_terminal(name: str) -> None:
    result = run(name, "--period", "2025", "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    assert document["heading"]["period"] == "2025"
    assert document["heading"]["mark"]["head_seq"] == 4711
    assert result.stderr == ""


def test_the_month_before_stands_beside(ledger: list[str]) -> None:
    document = json.loads(run("monthly", "--period", "2025-06", "--json").stdout)
    assert ledger == ["2025-06", "2025-05"]
    assert document["before"] == "2025-05"
    first = json.loads(run("monthly", "--period", "2025-05", "--json").stdout)
    assert (first["before"], first["changes"]) == ("", [])


def test_january_is_compared_with_december(ledger: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "CLOSED", {"2025-01"})
    assert run("monthly", "--period", "2025-01", "--json").exit_code == 0
    assert ledger == ["2025-01", "2024-12"]


def test_a_month_of_comparison_by_name() -> None:
    document = json.loads(run("monthly", "--period", "2025-05", "--compare", "2025-06", "--json").stdout)
    assert document["before"] == "2025-06"


def test_a_budget_burns_down(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(BUDGET, encoding="utf-8")
    result = run("ghg", "--period", "2025", "--method", "location", "--budget", "b.toml", "--out", "g.json")
    assert result.exit_code == 0, result.output
    budget = json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))["budget"]
    assert budget["method"] == "scope2_location"
    (line,) = budget["lines"]
    assert line["burn"]["line"]["annual"] == "3000500000"
    assert line["burn"]["finished"] == 12
    assert sum(point["actual_g"] for point in line["burn"]["points"]) == 3_098_704_740
    assert line["level"] == "overrun"


def test_a_budget_after_half_a_year(ledger: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(BUDGET, encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "CLOSED", {f"2025-{number:02}" for number in range(1, 7)})
    result = run("monthly", "--period", "2025-06", "--budget", "b.toml", "--out", "m.pdf", "--json")
    assert result.exit_code == 0, result.output
    (line,) = json.loads(result.stdout)["budget"]["lines"]
    assert line["burn"]["finished"] == 6
    assert line["forecast"]["profile"] == "plan"
    assert sorted(set(ledger)) == [f"2025-{number:02}" for number in range(1, 7)]
    assert (tmp_path / "m.pdf").exists()


def test_a_budget_needs_every_month(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(BUDGET, encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "CLOSED", {"2025-01", "2025-03"})
    result = run("monthly", "--period", "2025-03", "--budget", "b.toml", "--json")
    assert result.exit_code == EXIT_MISTAKE
    assert result.stderr == "shutan report monthly: 2025-02: is not in the ledger\n"


def test_the_fingerprint_of_the_public_key_is_printed(tmp_path: Path) -> None:
    key = create_key(tmp_path / "site.key")
    document = json.loads(run("metering", "--period", "2025-06", "--key", "site.key.pub", "--json").stdout)
    assert document["heading"]["mark"]["key_fingerprint"] == key.fingerprint
    result = run("metering", "--period", "2025-06", "--key", "site.key", "--json")
    assert result.exit_code == EXIT_MISTAKE
    assert result.stderr == (
        "shutan report metering: site.key: is not a public key in PEM; give the site's key with .pub at its end\n"
    )


def test_a_ledger_of_the_named_site(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(site_text(), encoding="utf-8")
    assert run("metering", "--period", "2025-06", "--site", "site.toml", "--json").exit_code == 0
    other = site_text().replace('id = "jiuniang"', 'id = "elsewhere"', 1)
    (tmp_path / "other.toml").write_text(other, encoding="utf-8")
    result = run("metering", "--period", "2025-06", "--site", "other.toml", "--json")
    assert result.exit_code == EXIT_MISTAKE
    assert result.stderr == (
        "shutan report metering: --site: other.toml is of 'elsewhere', the ledger is of 'jiuniang'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("monthly", "--period", "2025", "--json"), "--period: '2025' is a year; this report is of a month (2025-06)"),
        (("ghg", "--period", "2025-06", "--json"), "--period: '2025-06' is a month; this report is of a year (2025)"),
        (("metering", "--period", "2025-09", "--json"), "2025-09: is not in the ledger"),
        (
            ("metering", "--period", "2025-06"),
            "--out: give --out FILE (.pdf, .xlsx, .json), or --json for the terminal",
        ),
        (
            ("metering", "--period", "2025-06", "--out", "a.json", "--out", "b.doc"),
            "--out: b.doc: the name ends in .pdf, .xlsx or .json",
        ),
        (
            ("metering", "--period", "2025-06", "--out", "absent/a.json"),
            "--out: absent/a.json cannot be written: No such file or directory",
        ),
        (("ghg", "--period", "2025", "--method", "best", "--json"), "--method: 'best' is not one of location"),
        (("ghg", "--period", "2025", "--budget", "none.toml", "--json"), "none.toml: "),
        (("metering", "--period", "2025-06", "--key", "none.pub", "--json"), "none.pub: cannot be read: No such"),
        (("zero-carbon", "--period", "2025", "--installed-kw", "-1", "--json"), "--installed-kw: '-1' is below zero"),
        (("zero-carbon", "--period", "2025", "--efficient-kw", "1/0", "--json"), "--efficient-kw: '1/0' is not a"),
        (
            ("monthly", "--period", "2025-06", "--compare", "2025", "--json"),
            "--compare: '2025' is a year; give a month",
        ),
        (("metering", "--period", "2025-06", "--out", "a.pdf", "--fonts", "none"), "--fonts: none is not a folder"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(arguments: tuple[str, ...], line: str, tmp_path: Path) -> None:
    result = run(*arguments)
    assert result.exit_code == EXIT_MISTAKE
    assert result.stderr.startswith(f"shutan report {arguments[0]}: {line}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_does_not_answer_is_tried_again() -> None:
    result = run("metering", "--period", "2025-06", "--json", ledger_url="postgresql://127.0.0.1/none")
    assert result.exit_code == EXIT_RETRY
    assert result.stderr == "shutan report metering: postgresql://127.0.0.1/none: does not answer\n"


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; from shutan_collector.commands import report; "
        "print(sorted({'typst', 'xlsxwriter', 'openpyxl', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
