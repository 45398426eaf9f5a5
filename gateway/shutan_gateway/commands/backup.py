"""`shutan backup` and `shutan restore`: a gateway's data beside the running gateway, and back into a new folder."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from shutan_gateway.config import load_config

__all__ = ["app", "restore_app"]

app = typer.Typer(add_completion=False, help="Save a gateway's data and configuration into one file.")
restore_app = typer.Typer(add_completion=False, help="Unpack and check a backup into a new folder.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _tell(name: str) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r\033[K{name}", file=sys.stderr, nl=False)


def _end() -> None:
    if sys.stderr.isatty():
        typer.echo("\r\033[K", file=sys.stderr, nl=False)


@app.command()
def backup(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write (tar).", show_default=False)],
    *,
    secrets: Annotated[bool, typer.Option("--secrets", help="Passwords and keys too: keep the file safe.")] = False,
    as_json: _Json = False,
) -> None:
    """Write a backup while the gateway runs or rests; the file appears only when it is whole."""
    from shutan_gateway.backup import backup as write  # noqa: PLC0415 - not for --help

    contents = write(load_config(config), config, out, secrets=secrets, tell=_tell)
    _end()
    if as_json:
        typer.echo(json.dumps({"file": str(out), "begun_ms": contents.begun_ms, "members": contents.members}))
    else:
        typer.echo(f"{out}: {len(contents.members)} files, {contents.size:,} bytes")


@restore_app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="A folder that does not exist yet.", show_default=False)],
    *,
    as_json: _Json = False,
) -> None:
    """Unpack a backup, check every byte, and say what is left to do."""
    from shutan_gateway.backup import restore as unpack  # noqa: PLC0415 - not for --help

    contents = unpack(file, to, tell=_tell)
    _end()
    if as_json:
        typer.echo(json.dumps({"folder": str(to), "begun_ms": contents.begun_ms, "members": contents.members}))
        return
    begun = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(contents.begun_ms / 1000))
    typer.echo(f"{to}: {len(contents.members)} files as of {begun}, every byte checked")
    typer.echo(f"next: set gateway.data_dir to {to / 'data'} (or move it there), give the gateway's user the folder,")
    typer.echo("      put the files of config/ and stores/ back to their places, then: shutan check, and start it")
