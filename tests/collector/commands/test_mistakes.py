"""What a person gets wrong: one clear message with place and remedy, exit code 2, no traceback, and nothing changed."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from shutan_collector.commands.account import app as account_app
from shutan_collector.commands.close import app as close_app
from shutan_collector.commands.restate import app as restate_app
from shutan_collector.ledger.closes import state
from shutan_collector.ledger.store import open_ledger
from support.closed_year import AS_OF, MONTHS, Months, make_months


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    return make_months(tmp_path_factory.mktemp("months"))


@dataclass(frozen=True)
class Desk:
    """A person's folder: own copies of site model and activity files, and a ledger with January closed."""

    folder: Path
    series: str

    @property
    def url(self) -> str:
        return f"sqlite:{self.folder / 'ledger.db'}"

    def close(self, month: str, **more: str) -> Result:
        options = {
            "ledger": self.url,
            "site": str(self.folder / "site.toml"),
            "activity": str(self.folder / "activity"),
            "series": self.series,
            "period": month,
            "author": "Li Wei",
            "as-of": AS_OF,
            **more,
        }
        return CliRunner().invoke(close_app, [part for name, value in options.items() for part in (f"--{name}", value)])

    def head(self) -> tuple[int, str]:
        with open_ledger(self.url) as ledger:
            return ledger.head().seq, ledger.head().hash

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        path = self.folder / name
        before = path.read_text(encoding="utf-8")
        after = change(before)
        assert after != before
        path.write_text(after, encoding="utf-8")


@pytest.fixture(scope="module")
def january(months: Months, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("january")
    for name in ("site.toml", "tariff.toml"):
        shutil.copy(months.year.folder / name, folder)
    shutil.copytree(months.year.folder / "activity", folder / "activity")
    desk = Desk(folder, str(months.whole))
    with open_ledger(desk.url, create=True):
        pass
    done = desk.close(MONTHS[0])
    assert done.exit_code == 0, done.output
    return desk


@pytest.fixture
def desk(january: Desk, tmp_path: Path) -> Desk:
    shutil.copytree(january.folder, tmp_path, dirs_exist_ok=True)
    return Desk(tmp_path, january.series)


def refused(desk: Desk, month: str = MONTHS[1], **more: str) -> list[str]:
    """Close; the lines told. The ledger is as it was, and a clean run works afterwards."""
    head = desk.head()
    done = desk.close(month, **more)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    assert desk.head() == head
    lines = done.stderr.splitlines()
    assert all(line.startswith("shutan close: ") for line in lines), lines
    return [line.removeprefix("shutan close: ") for line in lines]


def test_a_missing_factor_is_named(desk: Desk) -> None:
    desk.edit("site.toml", lambda text: text.replace('region = "CN-SC"', 'region = "CN-ZZ"'))
    (line,) = refused(desk)
    assert "CN-ZZ" in line
    assert "co2_average" in line or "grid" in line


def test_a_unit_that_does_not_fit_says_which_do(desk: Desk) -> None:
    def wrong(text: str) -> str:
        head, _, rest = text.partition("\n")
        place = head.split(",").index("unit")
        first, _, others = rest.partition("\n")
        cells = first.split(",")
        cells[place] = "kWh"
        return "\n".join((head, ",".join(cells), others))

    desk.edit("activity/fuel_movement.csv", wrong)
    (line,) = refused(desk)
    assert "fuel_movement.csv:2" in line
    assert "kWh" in line
    assert "t" in line.split("accepted")[-1]


def test_a_closed_period_is_closed(desk: Desk) -> None:
    (line,) = refused(desk, MONTHS[0])
    assert line.startswith("period 2025-01: is closed already (version 1, entry ")
    assert "restate it with a reason" in line


def test_a_certificate_that_january_claimed_is_refused_in_february(desk: Desk) -> None:
    desk.edit("activity/certificate.csv", lambda text: text.replace(",2025-01,", ",2025-02,", 1))
    lines = refused(desk)
    assert any("GEC-2025-01-1" in line and "claimed" in line and "once" in line for line in lines), lines


def test_a_spreadsheet_with_wrong_columns_says_which(desk: Desk) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["key", "meter", "from", "kilowatts"])
    sheet.append(["B-1", "m-entry", "2025-02-01", 5])
    book.save(desk.folder / "activity" / "bill_extra.xlsx")
    lines = refused(desk)
    assert any("bill_extra.xlsx" in line and "kilowatts" in line for line in lines), lines
    assert any("missing" in line or "needed" in line for line in lines), lines


def test_meters_in_a_ring_are_named(desk: Desk) -> None:
    def ring(text: str) -> str:
        return text.replace('parent = "m-entry"', 'parent = "m-dist1"', 1)

    desk.edit("site.toml", ring)
    lines = refused(desk)
    assert any("ring" in line or "m-dist1" in line for line in lines), lines


def test_a_ring_through_two_meters_is_told_once(desk: Desk) -> None:
    def ring(text: str) -> str:
        parts = text.split("[[meter]]")
        for number, part in enumerate(parts):
            if 'id = "m-dist1"\n' in part:
                parts[number] = part.replace('parent = "m-entry"', 'parent = "m-dist2"')
            if 'id = "m-dist2"\n' in part:
                parts[number] = part.replace('parent = "m-entry"', 'parent = "m-dist1"')
        return "[[meter]]".join(parts)

    desk.edit("site.toml", ring)
    lines = refused(desk)
    assert sum("parents form a ring: m-dist1 -> m-dist2 -> m-dist1" in line for line in lines) == 1, lines


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"period": "2025-13"}, "is not a month; give 2025-06"),
        ({"as-of": "soon"}, "--as-of: 'soon' is not a date; give 2026-06-01"),
        ({"series": "mongo:x"}, "is not a store address"),
        ({"factor-release": "1999.1"}, "1999.1"),
        ({"site": "nowhere.toml"}, "no such site file"),
        ({"activity": "nowhere"}, "nowhere"),
        ({"ledger": "mysql://x"}, "mysql"),
    ],
)
def test_an_option_that_says_nothing(desk: Desk, more: dict[str, str], said: str) -> None:
    head = desk.head()
    done = desk.close(MONTHS[1], **more)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert desk.head() == head


def test_the_mended_files_are_taken(desk: Desk) -> None:
    done = desk.close(MONTHS[1])
    assert done.exit_code == 0
    assert done.stderr == ""  # the bar is for a terminal
    assert done.stdout.startswith("closed 已关账")


def test_a_restatement_without_a_reason_is_refused(desk: Desk) -> None:
    head = desk.head()
    done = CliRunner().invoke(
        restate_app, ["--ledger", desk.url, "--factor-release", "2026.1", "--period", "2025-01", "--author", "Li Wei"]
    )
    assert done.exit_code == 2
    assert "--author, --reason: a restatement needs both; or give --dry-run" in done.stderr
    assert desk.head() == head


def test_account_prints_tables_and_json_alike(desk: Desk) -> None:
    folder = desk.folder
    options = ["--site", str(folder / "site.toml"), "--activity", str(folder / "activity"), "--series", desk.series]
    options += ["--period", MONTHS[0], "--as-of", AS_OF]
    shown = CliRunner().invoke(account_app, options)
    assert shown.exit_code == 0, shown.output
    assert "market-based" in shown.output
    as_json = CliRunner().invoke(account_app, [*options, "--json"])
    assert as_json.exit_code == 0
    assert '"schema": "shutan.account/1"' in as_json.output


def test_a_corrected_document_is_a_restatement_with_old_and_new(desk: Desk) -> None:
    """A refrigerant charge in January was twice as large: dry run first, then version 2 with author and reason."""
    options = ["--ledger", desk.url, "--period", MONTHS[0], "--site", str(desk.folder / "site.toml")]
    options += ["--series", desk.series, "--activity", str(desk.folder / "activity")]
    same = CliRunner().invoke(restate_app, [*options, "--dry-run", "--json"])
    assert same.exit_code == 0, same.output
    (month,) = json.loads(same.output)["months"]
    assert all(item["difference"] == 0 for item in month["scopes"]), month["scopes"]

    def double(text: str) -> str:
        head, *rows = text.splitlines()
        names = head.split(",")
        place = next(number for number, name in enumerate(names) if name.startswith("cod_removed"))
        cells = rows[0].split(",")
        cells[place] = str(2 * Decimal(cells[place]))
        return "\n".join((head, ",".join(cells), *rows[1:])) + "\n"

    desk.edit("activity/wastewater.csv", double)
    head = desk.head()
    dry = CliRunner().invoke(restate_app, [*options, "--dry-run", "--json"])
    assert desk.head() == head
    (month,) = json.loads(dry.output)["months"]
    changed = {item["name"]: item["difference"] for item in month["scopes"] if item["difference"]}
    assert set(changed) == {"scope1"}
    assert changed["scope1"] > 0
    done = CliRunner().invoke(restate_app, [*options, "--author", "Li Wei", "--reason", "laboratory's correction"])
    assert done.exit_code == 0, done.output
    with open_ledger(desk.url) as ledger:
        assert state(ledger, MONTHS[0]).version == 2


def test_a_restatement_that_says_from_what_it_computes(desk: Desk) -> None:
    done = CliRunner().invoke(restate_app, ["--ledger", desk.url, "--period", MONTHS[0], "--dry-run"])
    assert done.exit_code == 2
    assert "give --factor-release, or --site with --series, or both" in done.stderr
