"""docs/accounting.md is executed: its site file loads, its example comes out as printed, its options exist."""

import re
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shutan_collector.carbon.drafts import fuel_rows
from shutan_collector.carbon.formulas import evaluate
from shutan_collector.carbon.lines import Input, quantise_g
from shutan_collector.commands.report import app
from shutan_collector.energy.registers import EventKind
from shutan_collector.factors.table import packaged_factors
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


def test_the_options_exist(text: str) -> None:
    help_text = CliRunner().invoke(app, ["energy", "--help"], env={"COLUMNS": "160"}).stdout
    named = set(re.findall(r"--[a-z][a-z-]+", text))
    assert named >= {"--from", "--to", "--site", "--store", "--json", "--period", "--estimate", "--as-of"}
    assert [option for option in named if option not in help_text] == []
