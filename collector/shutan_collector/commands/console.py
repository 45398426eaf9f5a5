"""What every command of the collector does alike: one line per mistake, and an exit code that says what to do."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer

from shutan_collector.errors import CollectorError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["EXIT_MISTAKE", "EXIT_RETRY", "told", "write_json"]

EXIT_MISTAKE: Final = 2  # a person has to change something
EXIT_RETRY: Final = 75  # a store does not answer: EX_TEMPFAIL of sysexits.h

# What a bare installation lacks -> the extra that brings it (pyproject.toml).
_EXTRAS: Final = {
    "cryptography": "ledger", "openpyxl": "ledger", "sqlalchemy": "ledger", "psycopg": "postgresql",
    "segno": "reports", "typst": "reports", "xlsxwriter": "reports", "fastapi": "web", "uvicorn": "web",
}  # fmt: skip


@contextmanager
def told(command: str) -> Generator[None]:
    """Turn every error of the collector, and a missing extra, into lines on stderr and an exit code."""
    try:
        yield
    except CollectorError as error:
        for line in error.lines():
            typer.echo(f"{command}: {line}", err=True)
        raise typer.Exit(EXIT_RETRY if isinstance(error, StoreUnavailableError) else EXIT_MISTAKE) from None
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        typer.echo(f"{command}: {error.name} is not installed: pip install 'shutan[{extra}]'", err=True)
        raise typer.Exit(EXIT_MISTAKE) from None


def write_json(value: object) -> None:
    """A document on stdout: UTF-8, two spaces, a newline at the end."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
