"""`shutan gateway`: run the gateway service in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import signal
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from shutan_gateway.config import load_config
from shutan_gateway.memory import settle
from shutan_gateway.operation.journal import set_up_logging

__all__ = ["app"]

app = typer.Typer(add_completion=False, help="Run the gateway service: MQTT in, spool, series stores out.")

log = logging.getLogger("shutan")


@app.command()
def gateway(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).", show_default=False)],
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; SIGHUP reads the configuration again, checks it, and takes it over.

    Logs one line per change of state to standard error, or with fields to the journal.
    """
    settings = load_config(config)
    handler = set_up_logging()
    from shutan_gateway.runner import Runner  # noqa: PLC0415 - a bad configuration is told before anything is loaded

    runner = Runner(config, settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: runner.stop())
    signal.signal(signal.SIGHUP, lambda _signal, _frame: runner.reload())
    settle()
    try:
        failed = runner.run()
        if failed is not None:
            log.error("stopped: the thread %s failed again and again (see above)", failed)
            raise typer.Exit(1)
        log.info("gateway stopped")
    finally:
        handler.close()
