"""`shutan close`: a month or year from readings and documents into the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from shutan_collector.commands.console import told, write_json
from shutan_collector.commands.options import (
    DEFAULT_RELEASE,
    AsOf,
    Author,
    Json,
    Ledger,
    Period,
    Release,
    Series,
    SiteFile,
)

__all__ = ["app"]

app = typer.Typer(help="Close a month, or a year of months, in the ledger.")


@app.command()
def close(
    *,
    ledger: Ledger,
    site: SiteFile,
    series: Series,
    period: Period,
    author: Author,
    activity: Annotated[
        str, typer.Option("--activity", metavar="DIR", help="Folder of activity files; default: the ledger's rows.")
    ] = "",
    release: Release = DEFAULT_RELEASE,
    as_of: AsOf = "",
    create: Annotated[bool, typer.Option("--create", help="Make the ledger if there is none.")] = False,
    as_json: Json = False,
) -> None:
    """Account a period and close it: from then on its figures change by restatement only.

    A year closes its open months in order, then itself. What was closed before a mistake stays closed.
    """
    with told("shutan close"):
        from shutan_collector.accounting.inputs import Places, open_basis  # noqa: PLC0415 - loads the collector
        from shutan_collector.accounting.month import months_of  # noqa: PLC0415 - see above
        from shutan_collector.ledger.activities import ActivityStore  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.entries import now  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.operations import close_period  # noqa: PLC0415 - see above
        from shutan_collector.ledger.operations_view import closes_document, closes_table  # noqa: PLC0415 - rich
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above

        places = Places(site, activity, series, release=release, as_of=as_of)
        with open_ledger(ledger, create=create) as opened, open_basis(places, period) as basis:
            from rich.console import Console  # noqa: PLC0415 - see above
            from rich.progress import Progress  # noqa: PLC0415 - see above

            used = basis if activity else replace(basis, book=ActivityStore(opened, basis.site.zone).current())
            screen = Console(stderr=True)
            with Progress(console=screen, disable=not screen.is_terminal, transient=True) as progress:
                task = progress.add_task("months 月", total=len(months_of(period)))
                closes = close_period(opened, used, period, author, now(), done=lambda _: progress.advance(task))
        if as_json:
            write_json(closes_document(closes))
        else:
            Console().print(closes_table(closes))
