"""`shutan restate` and `shutan proposal`: how a closed figure changes, and who said so."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from shutan_collector.commands.console import told, write_json
from shutan_collector.commands.options import Author, Json, Ledger, Period, Series

if TYPE_CHECKING:
    from datetime import date

    from shutan_collector.ledger.operations import Restatement

__all__ = ["app", "proposal_app"]

_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
_Seq = Annotated[int, typer.Argument(metavar="ENTRY", help="Number of the proposal's entry.")]

app = typer.Typer(help="Closed months once more: with other factors, or with corrected documents.")
proposal_app = typer.Typer(no_args_is_help=True, help="Restatement proposals 重述提案 from late samples.")


@app.command()
def restate(
    *,
    ledger: Ledger,
    period: Period,
    release: Annotated[
        str, typer.Option("--factor-release", metavar="R", help="Value what the ledger keeps with this release.")
    ] = "",
    site: Annotated[
        str, typer.Option("--site", metavar="FILE", help="Account once more from this site model and --series.")
    ] = "",
    series: Annotated[str, typer.Option("--series", metavar="STORE", help="Series store; with --site.")] = "",
    activity: Annotated[
        str, typer.Option("--activity", metavar="DIR", help="Activity files; with --site; default: the ledger's rows.")
    ] = "",
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="DATE", help="Report date; default: the one of each closing.")
    ] = "",
    author: Author = "",
    reason: _Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Old and new side by side; without --dry-run changed months get a new version (author and reason needed).

    With --factor-release alone nothing but the ledger is read. With --site and --series documents and readings are
    read once more: for a bill that was corrected, a row that was forgotten.
    """
    with told("shutan restate"):
        from shutan_collector.accounting.inputs import parse_day  # noqa: PLC0415 - loads the collector
        from shutan_collector.errors import RequestError  # noqa: PLC0415 - see above
        from shutan_collector.ledger import operations_view  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.entries import now  # noqa: PLC0415 - see above

        if bool(site) != bool(series) or not (release or site) or (activity and not site):
            raise RequestError("--factor-release, --site", "give --factor-release, or --site with --series, or both")
        if not dry_run and not (author.strip() and reason.strip()):
            raise RequestError("--author, --reason", "a restatement needs both; or give --dry-run")
        commit = None if dry_run else (author, reason, now())
        day = parse_day(as_of, "--as-of") if as_of else None
        places = (site, activity, series) if site else None
        found = _restate(ledger, period, release, places, (day, commit))
        if as_json:
            write_json(operations_view.restatement_document(found))
            return
        from rich.console import Console  # noqa: PLC0415 - see above

        Console().print(operations_view.restatement_table(found))


def _restate(
    ledger: str,
    period: str,
    release: str,
    places: tuple[str, str, str] | None,
    how: tuple["date | None", tuple[str, str, str] | None],
) -> "tuple[Restatement, ...]":
    """From the ledger alone, or from site model, activity folder and series."""
    from shutan_collector.accounting.inputs import DEFAULT_RELEASE, Places, open_basis  # noqa: PLC0415 - see above
    from shutan_collector.factors.release import load_release  # noqa: PLC0415 - see above
    from shutan_collector.ledger import operations  # noqa: PLC0415 - see above
    from shutan_collector.ledger.activities import ActivityStore  # noqa: PLC0415 - see above
    from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above

    as_of, commit = how
    with open_ledger(ledger) as opened:
        if places is None:
            return tuple(operations.restate(opened, period, load_release(release), as_of=as_of, commit=commit))
        with open_basis(Places(*places, release=release or DEFAULT_RELEASE), period) as basis:
            used = basis if places[1] else replace(basis, book=ActivityStore(opened, basis.site.zone).current())
            return tuple(operations.recompute(opened, used, period, as_of=as_of, commit=commit))


@proposal_app.command()
def find(
    *,
    ledger: Ledger,
    series: Series,
    period: Annotated[str, typer.Option("--period", metavar="P", help="Month or year; default: all closed.")] = "",
    as_json: Json = False,
) -> None:
    """Look for samples that came after a closing; each month that would change gets a proposal, no figure changes."""
    with told("shutan proposal find"):
        from shutan_collector.ledger import operations, operations_view  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.entries import now  # noqa: PLC0415 - see above
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above
        from shutan_collector.series import open_reader  # noqa: PLC0415 - see above

        with open_ledger(ledger) as opened, open_reader(series, "--series") as reader:
            found = tuple(operations.find_late(opened, reader, now(), period))
        if as_json:
            write_json(operations_view.late_document(found))
            return
        from rich.console import Console  # noqa: PLC0415 - see above

        Console().print(operations_view.late_table(found) if found else "no late samples 无迟到数据")


@proposal_app.command("list")
def list_(*, ledger: Ledger, as_json: Json = False) -> None:
    """All proposals and what became of them."""
    with told("shutan proposal list"):
        from shutan_collector.ledger import operations_view  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.proposals import proposals  # noqa: PLC0415 - see above
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above

        with open_ledger(ledger) as opened:
            found = proposals(opened)
        if as_json:
            write_json(operations_view.proposals_document(found))
            return
        from rich.console import Console  # noqa: PLC0415 - see above

        Console().print(operations_view.proposals_table(found))


@proposal_app.command()
def accept(*, seq: _Seq, ledger: Ledger, author: Author, reason: _Reason) -> None:
    """Make a proposal the next version of its month."""
    with told("shutan proposal accept"):
        from shutan_collector.ledger.entries import now  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.proposals import accept_proposal  # noqa: PLC0415 - see above
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above

        with open_ledger(ledger) as opened:
            close = accept_proposal(opened, seq, author, reason, now())
        typer.echo(f"{close.period} is version {close.version} now (entry {close.seq}) 已重述")


@proposal_app.command()
def reject(*, seq: _Seq, ledger: Ledger, author: Author, reason: _Reason) -> None:
    """Put a proposal aside, with the reason."""
    with told("shutan proposal reject"):
        from shutan_collector.ledger.entries import now  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.proposals import reject_proposal  # noqa: PLC0415 - see above
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above

        with open_ledger(ledger) as opened:
            entry = reject_proposal(opened, seq, author, reason, now())
        typer.echo(f"proposal {seq} is rejected (entry {entry.seq}) 已驳回")
