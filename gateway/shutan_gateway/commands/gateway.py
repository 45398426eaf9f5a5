"""`shutan gateway`: run the gateway service in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import gc
import logging
import signal
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import TYPE_CHECKING, Annotated

import typer

from shutan_gateway.config import load_config

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["app"]

app = typer.Typer(add_completion=False, help="Run the gateway service: MQTT in, spool, series stores out.")

log = logging.getLogger("shutan")


@app.command()
def gateway(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration (TOML).", show_default=False)],
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. Logs one line per change of state to standard error."""
    settings = load_config(config)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from shutan_gateway.service import Service  # noqa: PLC0415 - a bad configuration is told before anything is loaded

    service = Service(settings)

    def end(_signal: int, _frame: FrameType | None) -> None:
        service.ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    # What is alive now stays; without this every collection walks all modules again.
    gc.collect()
    gc.freeze()
    try:
        service.start()
        log.info("gateway is running: metrics on http://%s:%d/metrics", settings.http.host, service.http.port)
        while not service.ended.wait(3600):
            pass
    finally:
        service.stop()
    if service.failed is not None:
        log.error("stopped: the thread %s failed again and again (see above)", service.failed)
        raise typer.Exit(1)
    log.info("gateway stopped")
