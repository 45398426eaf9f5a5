"""`shutan factors`: the factor table as it was known on a day, and its signed releases."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutan_collector.commands.console import told, write_json
from shutan_collector.errors import RequestError

if TYPE_CHECKING:
    from shutan_collector.factors.table import Factor

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Emission factors (排放因子): list, show, verify, diff and sign releases.")

_Release = Annotated[str, typer.Option("--release", metavar="R", help="Factor release: a packaged name or a path.")]
_Keys = Annotated[
    list[Path] | None, typer.Option("--key", metavar="FILE", help="Trusted public key (PEM); repeatable.")
]
_CURRENT = "2026.1"


@app.command(name="list")
def list_rows(
    *,
    region: Annotated[str, typer.Option("--region", help="Exactly this region: CN, CN-SC, CN-GRID-SW, WORLD.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="Exactly this fuel, energy, gas or material.")] = "",
    year: Annotated[int, typer.Option("--year", help="Only rows that describe a day of this year.")] = 0,
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="Only rows issued by this day.")] = "",
    release: _Release = _CURRENT,
    keys: _Keys = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Rows of a release: id, value, unit, validity, day of issue, name."""
    with told("shutan factors"):
        from shutan_collector.factors.release import load_release  # noqa: PLC0415 - loads cryptography

        day = _day(as_of) if as_of else None
        rows = [
            row
            for row in load_release(release, keys or ()).table
            if region in {"", row.region}
            and subject in {"", row.subject}
            and (not year or row.years[0] <= year <= row.years[1])
            and (day is None or row.known(day))
        ]
        if as_json:
            write_json([dict(row.cells()) for row in rows])
            return
        for row in rows:
            typer.echo(_line(row))


@app.command()
def show(
    factor_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a row, such as GRID-SC-2023.")],
    *,
    release: _Release = _CURRENT,
    keys: _Keys = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """All columns of one row, and which release and key it comes from."""
    with told("shutan factors"):
        from shutan_collector.factors.release import load_release  # noqa: PLC0415 - loads cryptography

        found = load_release(release, keys or ())
        row = found.table.by_id(factor_id)
        if as_json:
            write_json({"release": {"name": found.name, "sha256": found.sha256}, **dict(row.cells())})
            return
        for name, text in row.cells():
            typer.echo(f"{name:16} {text}")
        typer.echo(f"{'release':16} {found.name}, sha256 {found.sha256}")


@app.command()
def verify(
    path: Annotated[str, typer.Argument(metavar="[PATH]", help="Name or folder of a release.")] = _CURRENT,
    *,
    keys: _Keys = None,
) -> None:
    """Check the signature and every byte of a release."""
    with told("shutan factors"):
        from shutan_collector.factors.release import load_release  # noqa: PLC0415 - loads cryptography

        found = load_release(path, keys or ())
        typer.echo(f"release {found.name} of {found.issued}: {found.rows} rows, sha256 {found.sha256}")
        typer.echo(f"signed by key {found.key}")


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="Name or folder of the older release.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Name or folder of the newer release.")],
    *,
    keys: _Keys = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Rows that came, went or changed from A to B."""
    with told("shutan factors"):
        from shutan_collector.factors.difference import compare  # noqa: PLC0415 - only here
        from shutan_collector.factors.release import load_release  # noqa: PLC0415 - loads cryptography

        found = compare(load_release(before, keys or ()).table, load_release(after, keys or ()).table)
        if as_json:
            changed = [[item.id, item.column, item.before, item.after] for item in found.changed]
            write_json(
                {
                    "added": [dict(row.cells()) for row in found.added],
                    "removed": [dict(row.cells()) for row in found.removed],
                    "changed": changed,
                }
            )
            return
        for mark, rows in (("-", found.removed), ("+", found.added)):
            for row in rows:
                typer.echo(f"{mark} {_line(row)}")
        for item in found.changed:
            typer.echo(f"~ {item.id} {item.column}: {item.before or '(empty)'} -> {item.after or '(empty)'}")
        if not found:
            typer.echo("no difference")


@app.command()
def sign(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with emission_factors.csv.")],
    *,
    key: Annotated[Path, typer.Option("--key", metavar="KEYFILE", help="Private key (PEM, Ed25519).")],
    name: Annotated[str, typer.Option("--name", help="Name of the release; default: name of the folder.")] = "",
    issued: Annotated[str, typer.Option("--issued", metavar="DATE", help="Day of issue; default: today.")] = "",
    previous: Annotated[
        str, typer.Option("--previous", metavar="R", help="Release that this one follows; 'none' for the first.")
    ] = _CURRENT,
    trusted: Annotated[
        list[Path] | None, typer.Option("--trust", metavar="FILE", help="Public key of the previous release's issuer.")
    ] = None,
    passphrase: Annotated[
        Path | None, typer.Option("--passphrase-file", metavar="FILE", help="First line: passphrase of the key.")
    ] = None,
) -> None:
    """Make a site's own release: manifest.json and manifest.sig beside the rows."""
    with told("shutan factors"):
        from shutan_collector.evidence.keys import load_key, read_passphrase  # noqa: PLC0415 - loads cryptography
        from shutan_collector.factors.release import load_release, write_release  # noqa: PLC0415 - loads cryptography

        secret = load_key(key, read_passphrase(passphrase) if passphrase else None)
        day = _day(issued, "--issued") if issued else datetime.now(UTC).date()
        before = None if previous == "none" else load_release(previous, trusted or ())
        done = write_release(folder, name or folder.resolve().name, day, before, secret.sign)
        typer.echo(f"release {done.name} of {done.issued}: {done.rows} rows, sha256 {done.sha256}")
        typer.echo(f"signed by key {secret.fingerprint}")


def _line(row: Factor) -> str:
    span = f"{row.valid_from or '…'}..{row.valid_to or '…'}"
    issued = f"issued {row.known_from}" if row.known_from else "-"
    return f"{row.id:32} {row.text:>12} {row.unit:11} {row.region:11} {span:23} {issued:17} {row.name_zh}"


def _day(text: str, option: str = "--as-of") -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RequestError(option, f"{text!r} is not a date; give 2026-06-01") from None
