"""Options that several commands share: one name, one place holder, one sentence each."""

from __future__ import annotations

from typing import Annotated, Final

import typer

__all__ = ["DEFAULT_RELEASE", "AsOf", "Author", "Json", "Ledger", "Period", "Release", "Series", "SiteFile"]

DEFAULT_RELEASE: Final = "2026.1"

SiteFile = Annotated[str, typer.Option("--site", metavar="FILE", help="Site model, site.toml.")]
Series = Annotated[str, typer.Option("--series", metavar="STORE", help="sqlite:PATH, influxdb1:URL or a .csv.")]
Period = Annotated[str, typer.Option("--period", metavar="P", help="Month 2025-06 or year 2025.")]
Ledger = Annotated[str, typer.Option("--ledger", metavar="URL", help="sqlite:PATH or postgresql://...")]
Author = Annotated[str, typer.Option("--author", metavar="NAME", help="Who answers for it.")]
Release = Annotated[
    str, typer.Option("--factor-release", metavar="R", help="Factor release: a packaged name or a path.")
]
AsOf = Annotated[
    str, typer.Option("--as-of", metavar="DATE", help="Report date that decides which factors were issued.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
