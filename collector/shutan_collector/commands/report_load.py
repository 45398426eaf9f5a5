"""`shutan report load`: time of use, maximum demand and power factor of one electricity meter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shutan_collector.commands.console import told, write_json

__all__ = ["add_load_report"]


def add_load_report(app: typer.Typer) -> None:
    """Add the subcommand to `shutan report`."""
    app.command("load")(load)


def load(
    *,
    meter: Annotated[str, typer.Option("--meter", metavar="ID", help="An electricity meter of the site model.")],
    start: Annotated[str, typer.Option("--from", metavar="DATE", help="First instant, local unless it has an offset.")],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="First instant after the report.")],
    site: Annotated[str, typer.Option("--site", metavar="FILE", help="Site model, site.toml.")],
    store: Annotated[str, typer.Option("--store", metavar="ADDRESS", help="sqlite:PATH, influxdb1:URL or a .csv.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """What a power bill is made of (尖峰平谷、最大需量、功率因数), from 15-minute registers."""
    with told("shutan report load"):
        from rich.console import Console  # noqa: PLC0415 - a start without it is faster

        from shutan_collector.energy.profile import load_profile  # noqa: PLC0415 - loads the collector
        from shutan_collector.errors import RequestError  # noqa: PLC0415 - see above
        from shutan_collector.periods import parse_instant  # noqa: PLC0415 - see above
        from shutan_collector.reports.energy.load import render, to_document  # noqa: PLC0415 - see above
        from shutan_collector.series import open_reader  # noqa: PLC0415 - see above
        from shutan_collector.site.file import load_site  # noqa: PLC0415 - see above

        model = load_site(Path(site))
        found = next((item for item in model.meters if item.id == meter), None)
        if found is None:
            known = ", ".join(item.id for item in model.meters)
            raise RequestError("--meter", f"{meter!r} is no meter of {site}; it has {known}")
        stretch = (parse_instant(start, model.zone, "--from"), parse_instant(end, model.zone, "--to"))
        with open_reader(store) as reader:
            profile = load_profile(model, found, reader, *stretch)
        if as_json:
            write_json(to_document(model, profile))
            return
        console = Console()
        for part in render(model, profile):
            console.print(part)
