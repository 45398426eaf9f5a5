"""`shutan ledger` as a user runs it: one clear line for everything that is wrong, JSON for programs."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shutan_collector.commands.ledger import app
from shutan_collector.ledger.closing import close_month, close_year, months_of_year, restate_month
from shutan_collector.ledger.store import Ledger, open_ledger
from support.ledgers import AT, behind_its_back, month

Run = Callable[..., Result]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """Two months, one of them restated."""
    with open_ledger(url, create=True) as opened:
        close_month(opened, month(), "曾工", AT)
        close_month(opened, month(period="2025-07", claims=("GEC-1",)), "曾工", AT)
        restate_month(opened, month(energy_wh=3_000_000), "审核员", "late samples", "2026-02-01T00:00:00.000000Z")
        yield opened


@pytest.fixture
def run(url: str) -> Run:
    def run_with(command: str, *extra: str) -> Result:
        return CliRunner().invoke(app, [command, "--ledger", url, *extra], env={"COLUMNS": "180"})

    return run_with


def mistake(result: Result, said: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("shutan ledger: ")
    assert said in result.stderr


def test_create(run: Run, url: str) -> None:
    result = run("create")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{url}: 0 entries 条目\n"
    assert run("create").exit_code == 0
    assert run("head").stdout == "0:" + "0" * 64 + "\n"


def test_head(run: Run, ledger: Ledger) -> None:
    end = ledger.head()
    assert run("head").stdout == f"{end.seq}:{end.hash}\n"
    assert json.loads(run("head", "--json").stdout) == {"schema": "shutan.head/1", "seq": end.seq, "hash": end.hash}


def test_entries(run: Run, ledger: Ledger) -> None:
    headers = list(ledger.headers(kind="close"))
    shown = json.loads(run("entries", "--kind", "close", "--json").stdout)
    assert [item["seq"] for item in shown] == [header.seq for header in headers]
    assert shown[0]["hash"] == headers[0].hash
    assert "body" not in shown[0]
    full = json.loads(run("entries", "--period", "2025-06", "--key", "totals", "--bodies", "--json").stdout)
    assert [item["body"]["by_scope"]["scope2_location"] for item in full] == [13_918_350, 14_076_000]
    assert len(json.loads(run("entries", "--limit", "3", "--after", "2", "--json").stdout)) == 3
    table = run("entries", "--kind", "close").stdout
    for said in ("曾工", "审核员", "2025-07", headers[0].hash[:16], "2026-02-01 00:00:00"):
        assert said in table


def test_periods(run: Run, ledger: Ledger) -> None:
    close_all = [name for name in months_of_year("2025") if name not in {"2025-06", "2025-07"}]
    for name in close_all:
        close_month(ledger, month(period=name), "me", AT)
    close_year(ledger, "2025", "me", AT)
    restate_month(ledger, month(period="2025-07"), "me", "certificate withdrawn", AT)
    shown = {item["period"]: item for item in json.loads(run("periods", "--json").stdout)}
    assert len(shown) == 13
    assert (shown["2025-06"]["version"], shown["2025-06"]["reason"]) == (2, "late samples")
    assert shown["2025"]["stale"] == ["2025-07"]
    assert shown["2025"]["by_scope"]["scope2_location"] > shown["2025-06"]["by_scope"]["scope2_location"]
    table = run("periods").stdout
    assert "stale 待重关: 2025-07" in table
    assert "certificate withdrawn" in table


def test_compare(run: Run, ledger: Ledger) -> None:
    del ledger
    shown = json.loads(run("compare", "--period", "2025-06", "--json").stdout)
    expected = {"name": "scope2_location", "old": 13_918_350, "new": 14_076_000, "difference": 157_650, "unit": "g"}
    assert shown["scopes"] == [expected]
    assert shown["documents"] == ["lines/meter:m-entry", "readings/m-entry", "totals"]
    back = json.loads(run("compare", "--period", "2025-06", "--old", "2", "--new", "1", "--json").stdout)
    assert back["scopes"][0]["difference"] == -157_650
    table = run("compare", "--period", "2025-06").stdout
    for said in ("scope2_location", "13918.350", "14076.000", "157.650", "kg CO₂e", "m-entry", "Wh"):
        assert said in table
    assert "m-sub" not in table
    assert "m-sub" in run("compare", "--period", "2025-06", "--all").stdout


def test_compare_a_version_that_is_not_there(run: Run, ledger: Ledger) -> None:
    del ledger
    mistake(run("compare", "--period", "2025-07"), "period 2025-07: has one version only: it was never restated")
    mistake(run("compare", "--period", "2025-07", "--new", "1"), "period 2025-07: has no version 0; it has 1")
    mistake(run("compare", "--period", "2025-06", "--old", "5"), "period 2025-06: has no version 5; it has 2")
    mistake(run("compare", "--period", "2025-01"), "period 2025-01: has never been closed")


def test_a_kind_that_no_entry_has(run: Run, ledger: Ledger) -> None:
    del ledger
    said = "--kind: 'closes' is not one of document, close, proposal, rejection, activity"
    mistake(run("entries", "--kind", "closes"), said)


def test_a_time_is_whole_on_a_narrow_terminal(url: str, ledger: Ledger) -> None:
    del ledger
    for command in (("entries", "--kind", "close"), ("periods",)):
        shown = CliRunner().invoke(app, [*command, "--ledger", url], env={"COLUMNS": "80"}).stdout
        assert "2026-02-01" in shown
        assert "00:00:00" in shown
        assert "…" not in shown


def test_verify(run: Run, ledger: Ledger) -> None:
    end = ledger.head()
    result = run("verify")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"whole 完整: {end.seq} entries, 3 closes, head {end.hash}\n"
    assert run("verify", "--head", f"{end.seq}:{end.hash}").exit_code == 0
    shown = json.loads(run("verify", "--json").stdout)
    assert shown["whole"] is True
    assert shown["closes"] == 3
    assert shown["fault"] is None


def test_verify_names_the_first_bad_entry(run: Run, ledger: Ledger, url: str) -> None:
    del ledger
    with behind_its_back(url) as connection:
        connection.execute("UPDATE ledger_entry SET author = 'x' WHERE seq = 5")
    result = run("verify", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["fault"] == {
        "seq": 5,
        "reason": "its fields or its hash are not what was written",
    }
    mistake(run("verify"), f"{url}: entry 5: its fields or its hash are not what was written")


def test_verify_against_a_head_noted_before(run: Run, ledger: Ledger) -> None:
    end = ledger.head()
    mistake(run("verify", "--head", f"{end.seq + 2}:{end.hash}"), f"entry {end.seq + 1}: is missing")
    mistake(run("verify", "--head", f"{end.seq}:{'0' * 64}"), "has another hash than was noted")
    mistake(run("verify", "--head", "x"), "--head: 'x' is not a head; give NUMBER:HASH")


@pytest.mark.parametrize("command", ["head", "entries", "periods", "verify"])
def test_a_ledger_that_is_not_there(run: Run, command: str, tmp_path: Path) -> None:
    mistake(run(command), "no such ledger; check the path, or make a new ledger with `shutan ledger create`")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["head", "--ledger", f"postgresql:///ledger?host={tmp_path}"])
    assert result.exit_code == 75
    assert result.stderr.count("\n") == 1
