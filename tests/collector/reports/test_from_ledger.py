"""Reports of two really closed months: what the page says is what the ledger's documents say."""

import json
from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner

from shutan_collector.commands.report import app
from shutan_collector.evidence.keys import create_key
from shutan_collector.ledger.closing import current
from shutan_collector.ledger.operations import close_period
from shutan_collector.ledger.store import open_ledger
from shutan_collector.reports.table import grouped
from support.closed_year import AT, MONTHS, make_months
from support.report_files import missing_glyphs, pdf_texts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with two closed months of the simulated distillery, and the site's key."""
    path = tmp_path_factory.mktemp("closed")
    months = make_months(path)
    with open_ledger(f"sqlite:{path / 'ledger.db'}", create=True) as ledger, months.basis() as basis:
        for month in MONTHS:
            close_period(ledger, basis, month, "Li Wei", AT)
    create_key(path / "site.key")
    return path


def publish(folder: Path, name: str, *extra: str) -> tuple[dict[str, object], list[str]]:
    """The JSON of a report and the pages of its PDF."""
    out = folder / f"{name}.pdf"
    arguments = [name, "--ledger", f"sqlite:{folder / 'ledger.db'}", "--period", MONTHS[1], *extra]
    result = CliRunner().invoke(app, [*arguments, "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert missing_glyphs(out.read_bytes()) == 0
    return json.loads(result.stdout), pdf_texts(out.read_bytes())


def test_totals_of_the_page_are_those_of_the_ledger(folder: Path) -> None:
    document, pages = publish(folder, "monthly")
    with open_ledger(f"sqlite:{folder / 'ledger.db'}") as ledger:
        totals = current(ledger, MONTHS[1]).find("totals")
        head = ledger.head()
    assert totals is not None
    by_scope = cast("dict[str, int]", totals["by_scope"])
    assert dict(cast("list[tuple[str, int]]", document["scope_g"])) == by_scope
    text = " ".join(pages)
    for grams in by_scope.values():
        whole, rest = divmod(grams, 1_000_000)
        assert f"{whole:,}.{rest:06}" in text
    values = {item["meter"]: item["value"] for item in cast("list[dict[str, object]]", document["meters"])}
    energy = cast("dict[str, list[int | str]]", totals["energy"])
    assert values == {meter: figure[0] for meter, figure in energy.items()}
    assert all(grouped(cast("int", figure[0]), 0).split(",")[0] in text for figure in energy.values())
    assert all(f"#{head.seq} " in page for page in pages)
    assert all(head.hash in page.replace(" ", "") for page in pages)


def test_the_month_before_is_found_in_the_ledger(folder: Path) -> None:
    document, _ = publish(folder, "monthly", "--site", str(folder / "site.toml"))
    assert document["before"] == MONTHS[0]


@pytest.mark.parametrize("name", ["energy-form", "zero-carbon", "metering"])
def test_other_reports_of_the_month(folder: Path, name: str) -> None:
    document, pages = publish(folder, name, "--key", str(folder / "site.key.pub"))
    heading = cast("dict[str, dict[str, str]]", document)["heading"]
    mark = cast("dict[str, str]", heading["mark"])
    assert len(mark["key_fingerprint"]) == 64
    assert all(mark["key_fingerprint"] in page.replace(" ", "") for page in pages)


def test_an_open_month_is_refused_by_the_ledger(folder: Path) -> None:
    result = CliRunner().invoke(
        app, ["metering", "--ledger", f"sqlite:{folder / 'ledger.db'}", "--period", "2025-03", "--json"]
    )
    assert result.exit_code == 2
    assert result.stderr == "shutan report metering: period 2025-03: is open: close it first (shutan close)\n"
