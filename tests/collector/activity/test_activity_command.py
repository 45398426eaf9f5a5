"""`shutan activity`: one line per mistake, history in the ledger, nothing half-imported."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shutan_collector.activity.template_files import documentation
from shutan_collector.commands.activity import app
from shutan_collector.errors import ActivityError, LedgerError
from shutan_collector.ledger.activities import ActivityStore
from shutan_collector.ledger.store import Ledger, open_ledger
from support.activities import CHINA, read, write_csv

BILL = "key,meter,start,end,energy [kWh]"
AT = "2026-01-15T08:00:00.000000Z"
SITE = """
[site]
id = "s"
region = "CN-SC"
[[meter]]
id = "entry"
carrier = "electricity"
role = "entry"
level = 1
node = "n"
device = "d"
"""


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two bills."""
    path = tmp_path / "activity"
    path.mkdir()
    write_csv(path / "bill.csv", BILL, "B1,entry,2025-05-26,2025-06-25,100", "B2,entry,2025-06-26,2025-07-25,200")
    return path


@pytest.fixture
def address(tmp_path: Path) -> str:
    """An empty ledger."""
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    open_ledger(url, create=True).close()
    return url


def _store(ledger: Ledger) -> ActivityStore:
    return ActivityStore(ledger, CHINA)


def test_template_is_written_once(tmp_path: Path) -> None:
    out = tmp_path / "bill.xlsx"
    assert _run("template", "bill", "--out", out).exit_code == 0
    again = _run("template", "电费结算单", "--out", out)
    assert (again.exit_code, "exists; choose another name" in again.stderr) == (2, True)
    assert _run("template", "bills", "--out", tmp_path / "b.csv").exit_code == 2
    assert _run("template", "bill", "--out", tmp_path / "b.pdf").exit_code == 2
    assert _run("template", "bill", "--out", tmp_path / "no" / "b.csv").exit_code == 2


def test_check_tells_files_or_every_mistake(folder: Path) -> None:
    good = _run("check", folder, "--json")
    assert json.loads(good.stdout)["rows"] == {"bill": 2}
    assert "bill.csv" in _run("check", folder).stdout
    write_csv(folder / "bill.csv", BILL, "B1,entry,x,2025-06-25,-1")
    bad = _run("check", folder)
    assert bad.exit_code == 2
    assert bad.stderr.splitlines() == [
        f"shutan activity check: {folder}: bill.csv:2 start (C): found 'x'; accepted: a day such as 2025-06-01",
        f"shutan activity check: {folder}: bill.csv:2 energy (E): found '-1'; accepted: 0 kWh or more",
    ]


def test_import_replaces_by_key_and_keeps_history(folder: Path, address: str) -> None:
    first = json.loads(_run("import", folder, "--ledger", address, "--author", "Li Wei", "--json").stdout)
    assert [row["row"] for row in first["added"]] == ["bill/B1", "bill/B2"]
    write_csv(folder / "bill.csv", BILL, "B1,entry,2025-05-26,2025-06-25,101")
    dry = json.loads(_run("import", folder, "--ledger", address, "--author", "Li Wei", "--dry-run", "--json").stdout)
    assert (dry["written"], [change["fields"] for change in dry["changed"]]) == (False, [["energy_kwh"]])
    second = json.loads(_run("import", folder, "--ledger", address, "--author", "Wang Fang", "--json").stdout)
    assert (second["written"], [row["row"] for row in second["kept"]]) == (True, ["bill/B2"])
    history = json.loads(_run("history", "bill/B1", "--ledger", address, "--json").stdout)
    assert [(item["author"], item["row"]["energy_kwh"]) for item in history["versions"]] == [
        ("Li Wei", "100"),
        ("Wang Fang", "101"),
    ]
    assert all(len(item["sha256"]) == 64 for item in history["versions"])
    with open_ledger(address) as ledger:
        assert [(row.key, row.energy_kwh) for row in _store(ledger).current().bills] == [("B1", 101), ("B2", 200)]
        assert ledger.check_chain() is None


def test_remove_takes_rows_out_of_force_and_they_can_come_back(folder: Path, address: str) -> None:
    _run("import", folder, "--ledger", address, "--author", "Li")
    write_csv(folder / "bill.csv", BILL, "B2,entry,2025-06-26,2025-07-25,200")
    gone = json.loads(_run("import", folder, "--ledger", address, "--author", "Li", "--remove", "--json").stdout)
    assert [row["row"] for row in gone["removed"]] == ["bill/B1"]
    write_csv(folder / "bill.csv", BILL, "B1,entry,2025-05-26,2025-06-25,7")
    _run("import", folder, "--ledger", address, "--author", "Li")
    with open_ledger(address) as ledger:
        versions = _store(ledger).history("bill/B1")
        assert [None if version.row is None else getattr(version.row, "energy_kwh", None) for version in versions] == [
            100,
            None,
            7,
        ]
        assert [row.key for row in _store(ledger).current().bills] == ["B2", "B1"]


def test_importing_the_same_again_writes_nothing(folder: Path, address: str) -> None:
    _run("import", folder, "--ledger", address, "--author", "Li")
    with open_ledger(address) as ledger:
        head = ledger.head()
    again = _run("import", folder, "--ledger", address, "--author", "Li")
    assert "nothing changes" in again.stdout
    with open_ledger(address) as ledger:
        assert ledger.head() == head


def test_mistake_imports_nothing(folder: Path, address: str) -> None:
    write_csv(folder / "land_area.csv", "key,start,area [m2]", "L1,2024-01-01,-5")
    assert _run("import", folder, "--ledger", address, "--author", "Li").exit_code == 2
    with open_ledger(address) as ledger:
        assert ledger.head().seq == 0


def test_rows_that_stay_in_force_must_fit_the_new_ones(folder: Path, address: str) -> None:
    _run("import", folder, "--ledger", address, "--author", "Li")
    write_csv(folder / "bill.csv", BILL, "B3,entry,2025-07-20,2025-08-25,5")
    bad = _run("import", folder, "--ledger", address, "--author", "Li")
    assert (bad.exit_code, "lies within the bill 'B2' of the same meter" in bad.stderr) == (2, True)
    with open_ledger(address) as ledger:
        with pytest.raises(ActivityError, match="with the rows in force"):
            _store(ledger).replace(read(folder), "Li", AT)
        assert len(_store(ledger).current()) == 2
    assert _run("import", folder, "--ledger", address, "--author", "Li", "--remove").exit_code == 0


def test_history_of_a_row_that_never_was(address: str) -> None:
    found = _run("history", "bill/B9", "--ledger", address)
    assert (found.exit_code, found.stderr.startswith("shutan activity history: bill/B9: no such activity row")) == (
        2,
        True,
    )
    with open_ledger(address) as ledger, pytest.raises(LedgerError):
        _store(ledger).history("bill/B9")


def test_tables_for_a_person(folder: Path, address: str) -> None:
    assert "bill 电费结算单" in _run("import", folder, "--ledger", address, "--author", "Li").stdout
    write_csv(folder / "bill.csv", BILL, "B1,entry,2025-05-26,2025-06-25,101")
    changed = _run("import", folder, "--ledger", address, "--author", "Li").stdout
    assert all(part in changed for part in ("energy_kwh", "100", "101", "kept 保留"))
    assert "bill/B1" in _run("history", "bill/B1", "--ledger", address).stdout


def test_bills_against_a_readings_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE, encoding="utf-8")
    readings = ["time,node,device,metric,register"]
    for at, register in (("2025-05-26", 0), ("2025-06-26", 99_000), ("2025-07-26", 199_000)):
        readings.append(f"{at}T00:00:00+08:00,n,d,active_energy_import_wh,{register}")
    write_csv(tmp_path / "readings.csv", *readings)
    options = ("--site", tmp_path / "site.toml", "--series", tmp_path / "readings.csv", "--prevails", "meter")
    found = _run("reconcile", folder, *options, "--json")
    assert found.exit_code == 0, found.stderr
    assert [(bill["metered_kwh"], bill["verdict"]) for bill in json.loads(found.stdout)["bills"]] == [
        ("99", "agrees"),
        ("100", "differs"),
    ]
    assert "differs" in _run("reconcile", folder, *options).stdout
    assert _run("reconcile", folder, *options[:-1], "nobody").exit_code == 2


def test_documentation_has_the_table_of_every_template(repo: Path) -> None:
    text = (repo / "docs" / "activities.md").read_text(encoding="utf-8")
    assert documentation() in text
