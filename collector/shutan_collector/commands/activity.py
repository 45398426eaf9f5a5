"""`shutan activity`: templates, check, import with history, bills against the meter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutan_collector.commands.console import told, write_json

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from shutan_collector.activity.book import Imported
    from shutan_collector.site.model import Site

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Activities that no meter counts: bills, fuels, certificates, output ...")

# Everything heavier than typer is imported where it is needed: the command line starts without it.
_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of activity files (CSV, XLSX).")]
_SiteFile = Annotated[str, typer.Option("--site", metavar="FILE", help="Site model: meters are checked against it.")]
_Ledger = Annotated[str, typer.Option("--ledger", metavar="URL", help="sqlite:PATH or postgresql://...")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@app.command()
def template(
    *,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="bill, fuel_movement, certificate ...")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write, .xlsx or .csv.")],
) -> None:
    """Write an empty table for one kind of document, with headings, notes and an example."""
    with told("shutan activity template"):
        from shutan_collector.activity.template_files import write_template  # noqa: PLC0415 - see top
        from shutan_collector.activity.templates import template_of  # noqa: PLC0415 - see top

        found = template_of(kind)
        write_template(found, out)
        typer.echo(f"{out}: {found.en} {found.zh}; delete the example's row, keep the name starting with {found.kind}")


@app.command()
def check(*, directory: _Folder, site: _SiteFile = "", as_json: _Json = False) -> None:
    """Read every activity file and tell every mistake; nothing is kept."""
    with told("shutan activity check"):
        from shutan_collector.activity.view import check_document, check_table  # noqa: PLC0415 - see top

        imported, _ = _read(directory, site)
        if as_json:
            write_json(check_document(imported))
        else:
            _print(check_table(imported))


@app.command("import")
def import_(
    *,
    directory: _Folder,
    ledger: _Ledger,
    author: Annotated[str, typer.Option("--author", metavar="NAME", help="Who answers for these rows.")],
    site: _SiteFile = "",
    remove: Annotated[
        bool, typer.Option("--remove", help="Rows in force whose key is not in the files go out of force.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, write nothing.")] = False,
    as_json: _Json = False,
) -> None:
    """Put the rows of the files in force, by key; what a row said before stays in the ledger's history."""
    with told("shutan activity import"):
        from shutan_collector.activity.view import changes_document, changes_tables  # noqa: PLC0415 - see top
        from shutan_collector.ledger.activities import ActivityStore  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.entries import now  # noqa: PLC0415 - see top
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - loads the database

        imported, zone = _read(directory, site)
        with open_ledger(ledger) as opened:
            store = ActivityStore(opened, zone)
            changes = (
                store.preview(imported, remove=remove)
                if dry_run
                else store.replace(imported, author, now(), remove=remove)
            )
        if as_json:
            write_json(changes_document(changes, written=not dry_run, removed=remove))
        else:
            _print(*changes_tables(changes, written=not dry_run, removed=remove))


@app.command()
def history(
    *,
    key: Annotated[str, typer.Argument(metavar="KEY", help="<kind>/<key>, for example bill/INV-0625.")],
    ledger: _Ledger,
    as_json: _Json = False,
) -> None:
    """Every state of one row: when, by whom, from which file."""
    with told("shutan activity history"):
        from shutan_collector.activity.view import CHINA  # noqa: PLC0415 - see top
        from shutan_collector.ledger.activities import ActivityStore  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.activity_view import history_document, history_table  # noqa: PLC0415 - see top
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - loads the database

        with open_ledger(ledger) as opened:
            versions = ActivityStore(opened, CHINA).history(key)
        if as_json:
            write_json(history_document(key, versions))
        else:
            _print(history_table(key, versions))


@app.command()
def reconcile(
    *,
    directory: _Folder,
    site: _SiteFile,
    series: Annotated[str, typer.Option("--series", metavar="STORE", help="sqlite:PATH, influxdb1:URL or a .csv.")],
    prevails: Annotated[str, typer.Option("--prevails", metavar="meter|bill", help="Whose figure counts.")],
    tolerance: Annotated[
        str, typer.Option("--tolerance", metavar="PERCENT", help="Largest difference, percent.")
    ] = "2",
    as_json: _Json = False,
) -> None:
    """Compare each electricity bill with what its meter counted over the bill's own dates."""
    with told("shutan activity reconcile"):
        from shutan_collector.activity.reconcile import bill_rule, reconcile_from  # noqa: PLC0415 - see top
        from shutan_collector.activity.view import reconcile_document, reconcile_table  # noqa: PLC0415 - see top
        from shutan_collector.series import open_reader  # noqa: PLC0415 - see top
        from shutan_collector.site.file import load_site  # noqa: PLC0415 - see top

        rule = bill_rule(prevails, tolerance)
        model = load_site(Path(site))
        imported, _ = _read(directory, site, model)
        with open_reader(series, "--series") as reader:
            results = reconcile_from(imported.book.bills, model, reader, rule)
        if as_json:
            write_json(reconcile_document(results))
        else:
            _print(reconcile_table(results))


def _read(directory: Path, site_file: str, model: Site | None = None) -> tuple[Imported, ZoneInfo]:
    from shutan_collector.activity.book import read_activities  # noqa: PLC0415 - see top
    from shutan_collector.activity.view import CHINA  # noqa: PLC0415 - see top
    from shutan_collector.site.file import load_site  # noqa: PLC0415 - see top

    if model is None and site_file:
        model = load_site(Path(site_file))
    zone = model.zone if model else CHINA
    return read_activities(directory, zone, model), zone


def _print(*parts: object) -> None:
    from rich.console import Console  # noqa: PLC0415 - a start without it is faster

    console = Console()
    for part in parts:
        console.print(part)
