"""`shutan account`: a month or a year from plain files, without a running service and without a ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from shutan_collector.commands.console import told, write_json
from shutan_collector.commands.options import DEFAULT_RELEASE, AsOf, Json, Period, Release, Series, SiteFile

__all__ = ["app"]

app = typer.Typer(help="Energy and carbon of a month or year, from site model, activity files and readings.")


@app.command()
def account(
    *,
    site: SiteFile,
    series: Series,
    period: Period,
    activity: Annotated[
        str, typer.Option("--activity", metavar="DIR", help="Folder of activity files (CSV, XLSX).")
    ] = "",
    release: Release = DEFAULT_RELEASE,
    as_of: AsOf = "",
    as_json: Json = False,
) -> None:
    """Compute and show; nothing is kept. `shutan close` keeps it."""
    with told("shutan account"):
        from rich.console import Console  # noqa: PLC0415 - a start without it is faster
        from rich.text import Text  # noqa: PLC0415 - see above

        from shutan_collector.accounting.inputs import Places, open_basis  # noqa: PLC0415 - loads the collector
        from shutan_collector.accounting.run import account_period  # noqa: PLC0415 - see above
        from shutan_collector.accounting.view import render, to_document  # noqa: PLC0415 - see above

        places = Places(site, activity, series, release=release, as_of=as_of)
        with open_basis(places, period) as basis:
            months = account_period(basis, period)
        if as_json:
            write_json(to_document(period, months))
            return
        console = Console()
        for part in render(basis.site, period, months):
            console.print(part, soft_wrap=isinstance(part, Text))
