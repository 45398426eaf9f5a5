"""docs/accounting.md is executed: its site file loads, its example comes out as printed, its options exist."""

import re
import shlex
import subprocess
import sys
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from shutan_collector.carbon.drafts import fuel_rows
from shutan_collector.carbon.formulas import FORMULAS, evaluate
from shutan_collector.carbon.lines import Input, quantise_g
from shutan_collector.commands.report import app
from shutan_collector.energy.registers import EventKind
from shutan_collector.factors.table import packaged_factors
from shutan_collector.ledger.closing import current
from shutan_collector.ledger.store import open_ledger
from shutan_collector.periods import Kind
from shutan_collector.reports.energy.build import build_energy_report
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Site
from support.accounting import MemoryReader, at


@pytest.fixture(scope="module")
def text(repo: Path) -> str:
    return (repo / "docs" / "accounting.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(text: str) -> Site:
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    return parse_site(block, "docs/accounting.md")


def _printed(number: int) -> str:
    return f"**{number:,}".replace(",", " ")


def test_the_site_file_loads(site: Site) -> None:
    assert [meter.id for meter in site.meters] == ["entry", "bottling", "boiler-gas"]
    assert len(site.meters[1].installations) == 2


def test_the_electricity_example(text: str, site: Site) -> None:
    rows = re.findall(r"^\| (\d\d:\d\d) \| ([\d ]+) \|", text, re.MULTILINE)
    readings = [(at(f"2026-06-01T{time}"), int(register.replace(" ", ""))) for time, register in rows]
    assert len(readings) == 5
    reader = MemoryReader({("n01", "m-entry", "active_energy_import_wh"): readings})
    start, end = at("2026-06-01T08:00"), at("2026-06-01T09:00")
    report = build_energy_report(site, reader, start, end, Kind.HOUR, as_of=date(2026, 6, 30))
    entry = report.meter("entry")
    assert [event.kind for event in entry.energy.events] == [EventKind.ROLLOVER]
    (flow,) = entry.energy.periods
    assert flow.value is not None
    assert f"{_printed(flow.value)} Wh**" in text
    (line,) = entry.lines
    assert f"{_printed(line.co2e_g)} g**" in text
    assert line.provisional


def test_the_gas_example(text: str, site: Site) -> None:
    reference = site.meters[2].gas_reference
    assert reference is not None
    fuel = packaged_factors().gas_fuel(site.fuel_family, "natural_gas", date(2026, 6, 30))
    inputs = (
        Input("volume", Fraction(100_000), "L"),
        Input("temperature", reference.temperature_c, "Cel"),
        Input("pressure", reference.pressure_kpa, "kPa"),
    )
    emission = evaluate("combustion.metered_gas/1", inputs, dict(fuel_rows(fuel)))
    assert f"{_printed(quantise_g(emission.co2e_kg))} g**" in text
    assert f"{float(fuel.t_co2_per_1e4_nm3)} t CO2" in text


def test_the_options_of_the_energy_report_exist(text: str) -> None:
    help_text = CliRunner().invoke(app, ["energy", "--help"], env={"COLUMNS": "160"}).stdout
    section = text[text.index("## 7. The energy report") :]
    named = set(re.findall(r"--[a-z][a-z-]+", section))
    assert named >= {"--from", "--to", "--site", "--store", "--json", "--period", "--estimate", "--as-of"}
    assert [option for option in named if option not in help_text] == []


def test_the_formulas_are_those_of_the_registry(text: str) -> None:
    section = text[text.index("## 3. Carbon") : text.index("## 4. One number")]
    assert set(re.findall(r"`([a-z]+\.[a-z0-9_]+/\d+)`", section)) == set(FORMULAS)


def test_one_number_from_the_page_down_to_the_register(text: str, tmp_path: Path) -> None:
    """Section 4 as written: the commands run, and every figure of it comes out."""
    section = text[text.index("## 4. One number") : text.index("## 5. ")]
    blocks = re.findall(r"^ *```\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)
    commands = [shlex.split(line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    assert [command[1] for command in commands] == ["sim", "close", "report", "trace"]
    printed = [_run(command, tmp_path) for command in commands]
    with open_ledger(f"sqlite:{tmp_path / 'may.db'}") as ledger:
        documents = current(ledger, "2025-05")
    totals: Any = documents.find("totals")
    lines: Any = documents.find("lines/meter:m-entry")
    assert totals is not None
    assert lines is not None
    grams = totals["by_source"]["meter:m-entry|scope2_location"]
    rows = [row for row in lines["lines"] if row["scope"] == "scope2_location"]
    assert grams == sum(row["co2e_g"] for row in rows)
    page = "\n".join(part.extract_text() for part in PdfReader(tmp_path / "may.pdf").pages)
    tonnes = f"{grams // 10**6}.{grams % 10**6}"
    assert tonnes in page
    total_wh = totals["energy"]["m-entry"][0]
    for said in (
        f"**{tonnes} t**",
        f"{len(rows)} ledger lines",
        _spaced(grams),
        f"{_spaced(total_wh // 1000)} kWh × 0.1564",
    ):
        assert said in section, said
    assert f"{_spaced(total_wh // 1000)} kWh × 0.1564 = {_kilograms(total_wh)} kg" in section
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert _run(["python", "-c", program], tmp_path).split() == [str(grams), "True"]
    trace = printed[-1]
    for said in ("32531 g", "208000 Wh", "GRID-SC-2023", "n01/m-entry #57616862", "4102424000 Wh", "4102632000 Wh"):
        assert said in trace, said
        assert said in section, said


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _kilograms(energy_wh: int) -> str:
    kilograms = Fraction(energy_wh, 1000) * Fraction("0.1564")
    whole, rest = divmod(kilograms.numerator * 10_000 // kilograms.denominator, 10_000)
    return f"{_spaced(whole)}.{rest:04d}"


def _run(command: list[str], folder: Path) -> str:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
