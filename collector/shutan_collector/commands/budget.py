"""`shutan budget`: carbon budgets, allowance position, deadlines (碳排放双控)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutan_collector.commands.console import told, write_json

if TYPE_CHECKING:
    from fractions import Fraction

    from shutan_collector.control.actuals import Actuals

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Carbon budgets: burn-down, forecast, warning; allowances and deadlines.")

# Everything heavier than typer is imported where it is needed: the command line starts without it.
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
_Tonnes = Annotated[str, typer.Option(metavar="T", help="Tonnes of CO2 equivalent.")]


@app.command()
def status(
    *,
    budget: Annotated[Path, typer.Option("--budget", metavar="FILE", help="Budget, .toml or .csv.")],
    ledger: Annotated[
        str, typer.Option("--ledger", metavar="URL", help="Actuals from the year's closed months: sqlite:PATH ...")
    ] = "",
    actuals: Annotated[
        str, typer.Option("--actuals", metavar="FILE", help="Or monthly grams, JSON shutan.actuals/1.")
    ] = "",
    last_year: Annotated[
        str, typer.Option("--last-year", metavar="FILE", help="The same of the year before: profile and reference.")
    ] = "",
    year: Annotated[int, typer.Option("--year", help="Year of a CSV budget.")] = 0,
    as_json: _Json = False,
) -> None:
    """Where each budget stands, what the year will end with, and where an overrun comes from."""
    with told("shutan budget status"):
        from shutan_collector.control.budget import load_budget  # noqa: PLC0415 - see top
        from shutan_collector.control.status import budget_status  # noqa: PLC0415 - see top
        from shutan_collector.control.view import budget_document, budget_tables  # noqa: PLC0415 - see top
        from shutan_collector.errors import RequestError  # noqa: PLC0415 - see top

        if bool(ledger) == bool(actuals):
            raise RequestError("--ledger", "give either --ledger URL or --actuals FILE: what was emitted so far")
        plan = load_budget(budget, year or None)
        before = _actuals(Path(last_year)) if last_year else None
        done = _closed(ledger, plan.year) if ledger else _actuals(Path(actuals))
        statuses = budget_status(plan, done, before)
        if as_json:
            write_json(budget_document(plan, statuses))
        else:
            _print(*budget_tables(plan, statuses))


@app.command()
def template(*, out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write, .csv.")]) -> None:
    """Write a budget table with its columns and two lines as an example."""
    with told("shutan budget template"):
        from shutan_collector.control.budget import write_template  # noqa: PLC0415 - see top

        write_template(out)
        typer.echo(f"{out}: annual or twelve months; total in t, product in kg per unit, value_added in t per 万元")


@app.command()
def allowance(
    *,
    year: Annotated[int, typer.Option("--year", help="Year of the surrender's emissions.")],
    verified: _Tonnes = "",
    expected: _Tonnes = "",
    prior: _Tonnes = "",
    rate: Annotated[str, typer.Option(metavar="PERCENT", help="Surplus or gap rate as the authority states it.")] = "",
    carried: _Tonnes = "0",
    bought: _Tonnes = "0",
    sold: _Tonnes = "0",
    ccer: _Tonnes = "0",
    as_json: _Json = False,
) -> None:
    """Pre-allocation, allocation, surplus or gap in the national ETS (全国碳市场配额盈缺)."""
    with told("shutan budget allowance"):
        from shutan_collector.control.allowance import Holdings, allowance_position, allowance_rules  # noqa: PLC0415 - see top
        from shutan_collector.control.view import allowance_document, allowance_table  # noqa: PLC0415 - see top
        from shutan_collector.errors import RequestError  # noqa: PLC0415 - see top
        from shutan_collector.factors.table import packaged_factors  # noqa: PLC0415 - see top

        if bool(verified) == bool(expected):
            raise RequestError("--verified", "give either --verified or --expected, the direct emissions of the year")
        holdings = Holdings(
            verified_t=_number("--verified" if verified else "--expected", verified or expected),
            is_verified=bool(verified),
            prior_verified_t=_number("--prior", prior) if prior else None,
            rate=_number("--rate", rate) / 100 if rate else None,
            carried_over_t=_number("--carried", carried),
            bought_t=_number("--bought", bought),
            sold_t=_number("--sold", sold),
            ccer_t=_number("--ccer", ccer),
        )
        position = allowance_position(allowance_rules(packaged_factors(), year), holdings)
        if as_json:
            write_json(allowance_document(position))
        else:
            _print(allowance_table(position))


@app.command()
def deadlines(
    *,
    file: Annotated[
        str, typer.Option("--file", metavar="FILE", help="Own deadlines instead of the packaged ones.")
    ] = "",
    today: Annotated[str, typer.Option("--today", metavar="DATE", help="Count from this day.")] = "",
    as_json: _Json = False,
) -> None:
    """The next date of each deadline, with the days left."""
    with told("shutan budget deadlines"):
        from shutan_collector.control.deadlines import next_due, packaged_deadlines, parse_deadlines  # noqa: PLC0415 - see top
        from shutan_collector.control.reading import read_text  # noqa: PLC0415 - see top
        from shutan_collector.control.view import deadlines_document, deadlines_table  # noqa: PLC0415 - see top

        found = parse_deadlines(read_text(Path(file)), file) if file else packaged_deadlines()
        due = next_due(found, _day(today))
        if as_json:
            write_json(deadlines_document(due))
        else:
            _print(deadlines_table(due))


def _closed(url: str, year: int) -> Actuals:
    """What the closed months of a year say: scope 1, heat, electricity by the location-based method."""
    from shutan_collector.accounting.summary import MonthSummary  # noqa: PLC0415 - see top
    from shutan_collector.control.summaries import actuals_of  # noqa: PLC0415 - see top
    from shutan_collector.errors import RequestError  # noqa: PLC0415 - see top
    from shutan_collector.ledger.closing import current_closes  # noqa: PLC0415 - see top
    from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see top
    from shutan_collector.ledger.summaries import read_summary  # noqa: PLC0415 - see top

    with open_ledger(url) as opened:
        months = sorted(name for name in current_closes(opened) if name.startswith(f"{year}-"))
        if not months:
            raise RequestError(url, f"no month of {year} is closed; close January first (shutan close)")
        found = [read_summary(opened, month) for month in months]
    return actuals_of(month for month in found if isinstance(month, MonthSummary))


def _actuals(path: Path) -> Actuals:
    from shutan_collector.control.actuals import parse_actuals  # noqa: PLC0415 - see top
    from shutan_collector.control.reading import read_text  # noqa: PLC0415 - see top

    return parse_actuals(read_text(path), str(path))


def _number(option: str, text: str) -> Fraction:
    from shutan_collector.activity.cells import CellError, number_of  # noqa: PLC0415 - see top
    from shutan_collector.errors import RequestError  # noqa: PLC0415 - see top

    try:
        return number_of(text)
    except CellError as error:
        raise RequestError(option, f"{text!r}: accepted: {error}") from None


def _day(text: str) -> date:
    from shutan_collector.errors import RequestError  # noqa: PLC0415 - see top

    if not text:
        return datetime.now(UTC).astimezone().date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RequestError("--today", f"{text!r} is not a date; give 2026-06-01") from None


def _print(*parts: object) -> None:
    from rich.console import Console  # noqa: PLC0415 - a start without it is faster

    console = Console()
    for part in parts:
        console.print(part)
