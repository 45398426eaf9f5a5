"""`shutan account`: a month or a year from plain files, without a running service and without a ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from shutan_collector.commands.console import told, write_json

__all__ = ["app"]

app = typer.Typer(help="Energy and carbon of a month or year, from site model, activity files and readings.")


@app.command()
def account(
    *,
    site: Annotated[str, typer.Option("--site", metavar="FILE", help="Site model, site.toml.")],
    series: Annotated[str, typer.Option("--series", metavar="STORE", help="sqlite:PATH, influxdb1:URL or a .csv.")],
    period: Annotated[str, typer.Option("--period", metavar="P", help="Month 2025-06 or year 2025.")],
    activity: Annotated[
        str, typer.Option("--activity", metavar="DIR", help="Folder of activity files (CSV, XLSX).")
    ] = "",
    release: Annotated[
        str, typer.Option("--factor-release", metavar="R", help="Factor release: a packaged name or a path.")
    ] = "2026.1",
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="DATE", help="Report date that decides which factors were issued.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
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
