"""`shutan reload`: the running gateway reads its configuration again; a mistake is said and nothing changes."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from shutan_gateway.config import load_config

__all__ = ["app"]

app = typer.Typer(add_completion=False, help="Let the running gateway take over its changed configuration.")

_LONGEST_S = 900.0  # a store may take up to its own timeout to let go


@app.command()
def reload(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).", show_default=False)],
) -> None:
    """Check the configuration, then let the gateway that uses its data folder take it over."""
    from shutan_gateway.control import ask  # noqa: PLC0415 - only after the check

    settings = load_config(config)
    for answer in ask(settings.gateway.data_dir, {"verb": "reload"}, timeout_s=_LONGEST_S):
        typer.echo(answer["text"])
