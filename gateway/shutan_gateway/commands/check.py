"""`shutan check`: say everything that is wrong with a gateway configuration, without starting anything."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from shutan_gateway.config import load_config
from shutan_gateway.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(add_completion=False, help="Check a gateway configuration and say every mistake in it.")


@app.command()
def check(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the mistakes as JSON.")] = False,
) -> None:
    """Check a configuration: one line per mistake with file, key, what was found and what is accepted."""
    problems = ()
    buses: list[str] = []
    try:
        loaded = load_config(config)
        if loaded.serial:
            from shutan_gateway.serial.budget import budget_of  # noqa: PLC0415 - only where meters are wired

            buses = [budget_of(bus).text for bus in loaded.serial]
    except ConfigError as error:
        problems = error.problems
    if as_json:
        found = {"file": str(config), "problems": [p._asdict() for p in problems]} | ({"buses": buses} if buses else {})
        typer.echo(json.dumps(found, ensure_ascii=False))
    elif not problems:
        typer.echo("\n".join([f"{config}: ok", *buses]))
    else:
        for problem in problems:
            typer.echo(problem.line(), file=sys.stderr)
    if problems:
        raise typer.Exit(1)
