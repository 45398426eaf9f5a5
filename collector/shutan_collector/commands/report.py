"""`shutan report`: figures from the series store, for a person or for a program."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from shutan_collector.commands.report_load import add_load_report
from shutan_collector.commands.report_period import add_period_reports
from shutan_collector.energy.measure import Estimate
from shutan_collector.errors import CollectorError, RequestError, SiteError, StoreUnavailableError
from shutan_collector.factors.table import packaged_factors
from shutan_collector.periods import Kind, parse_instant
from shutan_collector.reports.energy.build import Report, build_energy_report
from shutan_collector.reports.energy.document import to_json
from shutan_collector.reports.energy.table import render
from shutan_collector.series import open_reader
from shutan_collector.site.file import load_site

__all__ = ["app"]

EXIT_MISTAKE = 2  # the request, the site file or a factor: a person has to change something
EXIT_RETRY = 75  # the store does not answer: EX_TEMPFAIL of sysexits.h

app = typer.Typer(no_args_is_help=True, help="Energy and carbon: figures from the series store, reports of the ledger.")
add_period_reports(app)
add_load_report(app)


@app.callback()
def report() -> None:
    """Energy and carbon: figures from the series store, reports of the ledger."""


@app.command()
def energy(
    *,
    start: Annotated[str, typer.Option("--from", metavar="DATE", help="First instant, local unless it has an offset.")],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="First instant after the report.")],
    site: Annotated[str, typer.Option("--site", metavar="FILE", help="Site model, site.toml.")],
    store: Annotated[
        str, typer.Option("--store", metavar="ADDRESS", help="sqlite:PATH or influxdb1:http://HOST:PORT/DATABASE.")
    ],
    period: Annotated[Kind, typer.Option("--period", help="Length of a period.")] = Kind.HOUR,
    estimate: Annotated[
        Estimate, typer.Option("--estimate", help="Fill boundaries without a reading (估算), marked.")
    ] = Estimate.NONE,
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="DATE", help="Report date that decides which factors were issued.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Consumption per meter and period from register readings, with its carbon: scope 1 gas, scope 2 location-based."""
    try:
        result = _report(start, end, site, store, (period, estimate, as_of))
        if as_json:
            sys.stdout.write(to_json(result, packaged_factors()))
            return
    except CollectorError as error:
        lines = error.lines() if isinstance(error, SiteError) else [str(error)]
        for line in lines:
            typer.echo(f"shutan report: {line}", err=True)
        raise typer.Exit(EXIT_RETRY if isinstance(error, StoreUnavailableError) else EXIT_MISTAKE) from None
    console = Console()
    for part in render(result):
        console.print(part, soft_wrap=isinstance(part, Text))


def _report(start: str, end: str, site: str, store: str, options: tuple[Kind, Estimate, str]) -> Report:
    model = load_site(Path(site))
    period, estimate, as_of = options
    start_ns = parse_instant(start, model.zone, "--from")
    end_ns = parse_instant(end, model.zone, "--to")
    day = _day(as_of) if as_of else None
    with open_reader(store) as reader:
        return build_energy_report(model, reader, start_ns, end_ns, period, estimate=estimate, as_of=day)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RequestError("--as-of", f"{text!r} is not a date; give 2026-06-01") from None
