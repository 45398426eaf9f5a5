"""`shutan sim year` for its user: files where they are asked for, one clear line for a mistake."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shutan_sim.commands.sim import app


def run(folder: Path, *more: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["year", "--out", str(folder), "--days", "4", "--meters", "5", *more])
    return result.exit_code, result.stderr.strip().splitlines()


def test_the_files_are_written_and_counted(tmp_path: Path) -> None:
    code, said = run(tmp_path, "--start", "2025-12-30", "--seed", "9")
    assert code == 0
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert said[-1] == f"{truth['rows']} readings of 5 meters in {tmp_path}, {truth['late_rows']} in late.csv"
    assert (truth["seed"], truth["hours"], len(truth["meters"])) == (9, 96, 5)
    assert (tmp_path / "readings.csv").read_text(encoding="utf-8").count("\n") == truth["rows"] + 1
    lines = (tmp_path / "readings.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith("2025-12-29T23:00:00+08:00,n01,m-entry,active_energy_import_wh,")
    assert any(line.startswith("2026-01-03T01:00:00+08:00,") for line in lines)


def test_a_file_gets_no_bar(tmp_path: Path) -> None:
    _, said = run(tmp_path)
    assert len(said) == 1


def test_a_shorter_run_into_the_same_folder_leaves_no_documents_of_the_longer_one(tmp_path: Path) -> None:
    run(tmp_path, "--days", "31")
    assert (tmp_path / "activity" / "green_power.csv").exists()
    run(tmp_path, "--start", "2025-01-05", "--days", "1")
    assert not (tmp_path / "activity" / "green_power.csv").exists()


def test_kinds_and_days_are_chosen_by_name(tmp_path: Path) -> None:
    code, _ = run(tmp_path / "a", "--events", "duplicates", "--only-days", "2025-01-02..2025-01-03,2025-01-01")
    assert code == 0
    truth = json.loads((tmp_path / "a" / "truth.json").read_text(encoding="utf-8"))
    assert {event["kind"] for event in truth["events"]} <= {"duplicates"}
    lines = (tmp_path / "a" / "readings.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert {line[:10] for line in lines} == {"2025-01-01", "2025-01-02", "2025-01-03"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--start", "soon"], "--start: 'soon' is not a date; write for example 2025-01-01"),
        (["--interval", "5min"], "--interval: '5min' is not known; give 15min, 30min, 1h"),
        (["--events", "flood"], "--events: 'flood' is not known; give all, none or some of rollover, swap"),
        (["--only-days", "2025-01-02..2025-01-01"], "--only-days: '2025-01-02..2025-01-01' does not rise"),
        (["--only-days", "x"], "--only-days: 'x' is not a date"),
    ],
)
def test_mistakes_are_one_line_and_a_code(tmp_path: Path, arguments: list[str], said: str) -> None:
    code, told = run(tmp_path / "year", *arguments)
    assert code == 1
    assert said in " ".join(told)
    assert "Traceback" not in " ".join(told)
    assert not (tmp_path / "year").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    code, told = run(tmp_path / "file")
    assert code == 1
    assert "give --out a folder that can be written" in " ".join(told)
