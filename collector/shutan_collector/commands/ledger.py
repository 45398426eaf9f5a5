"""`shutan ledger`: make a ledger, look into it, check it from the first entry to the last."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from shutan_collector.commands.console import EXIT_MISTAKE, told, write_json

if TYPE_CHECKING:
    from shutan_collector.ledger.entries import Head

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="The carbon ledger 碳台账: create, head, entries, periods, compare, verify."
)

_Ledger = Annotated[str, typer.Option("--ledger", metavar="URL", help="sqlite:PATH or postgresql://USER@HOST/DATABASE")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
_KINDS = ("document", "close", "proposal", "rejection", "activity")
_HEAD = re.compile(r"(\d+):([0-9a-f]{64})")


@app.command()
def create(*, ledger: _Ledger) -> None:
    """Make an empty ledger, or bring an older one up to date."""
    with told("shutan ledger"):
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - loads the database

        with open_ledger(ledger, create=True) as opened:
            typer.echo(f"{opened.where}: {opened.head().seq} entries 条目")


@app.command()
def head(*, ledger: _Ledger, as_json: _Json = False) -> None:
    """Number and hash of the last entry: what to note outside the ledger, so that a rewritten one shows."""
    with told("shutan ledger"):
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.view import head_object  # noqa: PLC0415 - loads rich

        with open_ledger(ledger) as opened:
            found = opened.head()
        if as_json:
            write_json(head_object(found))
        else:
            typer.echo(f"{found.seq}:{found.hash}")


@app.command()
def entries(
    *,
    ledger: _Ledger,
    kind: Annotated[
        str, typer.Option("--kind", help="Only this kind: document, close, proposal, rejection or activity.")
    ] = "",
    key: Annotated[str, typer.Option("--key", help="Only this key, such as readings/m-entry.")] = "",
    period: Annotated[str, typer.Option("--period", metavar="P", help="Only this month or year.")] = "",
    after: Annotated[int, typer.Option("--after", metavar="N", help="Only entries with a higher number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    bodies: Annotated[bool, typer.Option("--bodies", help="With --json: the bodies as well.")] = False,
    as_json: _Json = False,
) -> None:
    """Entries by number."""
    with told("shutan ledger"):
        from shutan_collector.errors import RequestError  # noqa: PLC0415 - loaded by every command anyway
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.view import entries_table, header_object  # noqa: PLC0415 - loads rich

        if kind and kind not in _KINDS:
            raise RequestError("--kind", f"{kind!r} is not one of {', '.join(_KINDS)}")
        chosen = {"kind": kind or None, "key": key or None, "period": period or None}
        with open_ledger(ledger) as opened:
            if as_json and bodies:
                full = islice(opened.entries(**chosen, after=after), limit)
                write_json([{**header_object(entry), "body": entry.body} for entry in full])
                return
            headers = list(islice(opened.headers(**chosen, after=after), limit))
        if as_json:
            write_json([header_object(header) for header in headers])
            return
        from rich.console import Console  # noqa: PLC0415 - see above

        Console().print(entries_table(headers))


@app.command()
def periods(*, ledger: _Ledger, as_json: _Json = False) -> None:
    """Closed months and years with their current version; a year whose months have been restated since is stale."""
    with told("shutan ledger"):
        from shutan_collector.ledger.closing import current_closes, state  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above
        from shutan_collector.ledger.view import period_object, periods_table  # noqa: PLC0415 - loads rich

        with open_ledger(ledger) as opened:
            found = [(state(opened, period), close) for period, close in current_closes(opened).items()]
        if as_json:
            write_json([period_object(*item) for item in found])
            return
        from rich.console import Console  # noqa: PLC0415 - see above

        Console().print(periods_table(found))


@app.command()
def compare(
    *,
    ledger: _Ledger,
    period: Annotated[str, typer.Option("--period", metavar="P", help="Month 2025-06 or year 2025.")],
    old: Annotated[int, typer.Option("--old", metavar="VERSION", help="Default: the one before the current.")] = 0,
    new: Annotated[int, typer.Option("--new", metavar="VERSION", help="Default: the current one.")] = 0,
    everything: Annotated[bool, typer.Option("--all", help="Show what is equal, too.")] = False,
    as_json: _Json = False,
) -> None:
    """Two versions of a closed period side by side."""
    with told("shutan ledger"):
        from shutan_collector.ledger.closing import compare_versions  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above
        from shutan_collector.ledger.view import difference_table  # noqa: PLC0415 - loads rich

        with open_ledger(ledger) as opened:
            difference = compare_versions(opened, period, old, new)
        if as_json:
            write_json(difference.to_object())
            return
        from rich.console import Console  # noqa: PLC0415 - see above

        Console().print(difference_table(difference, everything=everything))


@app.command()
def verify(
    *,
    ledger: _Ledger,
    noted: Annotated[
        str, typer.Option("--head", metavar="SEQ:HASH", help="A head noted earlier, from a report or a label.")
    ] = "",
    as_json: _Json = False,
) -> None:
    """Read everything: each hash, and each close from its documents. The first bad entry is named."""
    with told("shutan ledger"):
        from shutan_collector.ledger.audit import audit  # noqa: PLC0415 - loads the database
        from shutan_collector.ledger.store import open_ledger  # noqa: PLC0415 - see above
        from shutan_collector.ledger.view import audit_object  # noqa: PLC0415 - loads rich

        with open_ledger(ledger) as opened:
            found = audit(opened, _head(noted) if noted else None)
        if as_json:
            write_json(audit_object(found))
        elif found.fault is None:
            typer.echo(f"whole 完整: {found.head.seq} entries, {found.closes} closes, head {found.head.hash}")
        if found.fault is not None:
            typer.echo(f"shutan ledger: {opened.where}: {found.fault}", err=True)
            raise typer.Exit(EXIT_MISTAKE)


def _head(text: str) -> Head:
    from shutan_collector.errors import RequestError  # noqa: PLC0415 - loaded by every command anyway
    from shutan_collector.ledger.entries import Head  # noqa: PLC0415 - see above

    match = _HEAD.fullmatch(text.strip())
    if match is None:
        raise RequestError("--head", f"{text!r} is not a head; give NUMBER:HASH as `shutan ledger head` prints it")
    return Head(int(match[1]), match[2])
