"""`shutan sim`: a simulated factory with real firmware, many simulated nodes, or a month of history."""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Coroutine, Generator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shutan_sim import history
from shutan_sim.books import opening_ms
from shutan_sim.distillery.layout import LAYOUT, workshops_layout
from shutan_sim.errors import SetupError, SimError
from shutan_sim.instruments.instrument import Instrument
from shutan_sim.instruments.line import SILENT, Noise
from shutan_sim.local_time import ZONE
from shutan_sim.plant import distillery, workshops
from shutan_sim.records_of_history import NodeHistory, Span
from shutan_sim.simulation import Options, Simulation
from shutan_sim.truth import Truth
from shutan_sim.year.files import write_year
from shutan_sim.year.options import MOST_DAYS, MOST_METERS, make_order

app = typer.Typer(no_args_is_help=True, help="Simulated factory: plant, instruments, nodes with the real firmware.")

DEFAULT_START = "2026-06-01T07:40"
MAX_SPEED = 60
MAX_NODES = 999
_MS = 1000

Broker = Annotated[str, typer.Option(help="MQTT broker, HOST:PORT.")]
Folder = Annotated[Path, typer.Option("--dir", help="Folder for everything that the simulation writes.")]
Speed = Annotated[int, typer.Option(min=1, max=MAX_SPEED, help="Plant seconds a real second.")]
Seed = Annotated[int, typer.Option(help="The same seed is the same plant.")]
Start = Annotated[str, typer.Option(help="Plant time at the start, ISO 8601; local time of the site without offset.")]
Quiet = Annotated[bool, typer.Option("--clean-lines", help="No junk, lost or damaged answers on the buses.")]
For = Annotated[float | None, typer.Option("--for", min=1, help="Stop after so many real seconds.")]


def parse_broker(text: str) -> tuple[str, int]:
    """(host, port) of HOST:PORT; SetupError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SetupError("--broker", f"{text!r} is not HOST:PORT", "write for example 127.0.0.1:1883")
    return host, int(port)


def parse_start(text: str) -> int:
    """Ms since 1970 of an ISO 8601 time; SetupError for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SetupError("--start", f"{text!r} is no ISO 8601 time", f"write for example {DEFAULT_START}") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=ZONE)
    return round(moment.timestamp()) * _MS


@contextlib.contextmanager
def _one_line_errors() -> Generator[None]:
    """A user sees one line and a code, never a traceback."""
    try:
        yield
    except (SimError, OSError) as error:
        _complain(str(error))
        raise typer.Exit(1) from None


def _complain(line: str) -> None:
    Console(stderr=True).print(f"[red]error:[/red] {line}", soft_wrap=True, highlight=False)


def _bar() -> Progress:
    """A bar for a person: a file that stderr is written to gets the result only."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(), console=console, disable=not console.is_terminal,
    )  # fmt: skip


async def _run(simulation: Simulation, limit_s: float | None) -> None:
    """Start with a bar, run, stop."""
    tasks: dict[str, Any] = {}
    try:
        with _bar() as bar:

            def step(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(what, total=total, note="")
                bar.update(tasks[what], completed=done, total=total)

            await simulation.start(step)
        if limit_s is not None:
            asyncio.get_running_loop().call_later(limit_s, simulation.stop_soon)
        count = len(simulation.fleet.boards)
        typer.echo(
            f"{count} nodes run at {simulation.options.speed}x; Ctrl-C stops, SIGUSR1 freezes the registers", err=True
        )
        await simulation.run(_complain)
    finally:
        await simulation.stop()


def _asyncio(main: Coroutine[Any, Any, None]) -> None:
    with _one_line_errors():
        asyncio.run(main)


@app.command()
def plant(
    *,
    broker: Broker,
    folder: Folder,
    speed: Speed = 1,
    seed: Seed = 1,
    start: Start = DEFAULT_START,
    clean_lines: Quiet = False,
    limit: For = None,
) -> None:
    """Run the distillery: plant, instruments, time server, and its nodes in the real MicroPython."""
    with _one_line_errors():
        start_ms = parse_start(start)
        options = Options(
            folder.resolve(), parse_broker(broker), start_ms, speed, SILENT if clean_lines else Noise()
        )  # fmt: skip
        simulation = Simulation(options, LAYOUT, distillery(seed, opening_ms(folder, seed, start_ms)))
    _asyncio(_run(simulation, limit))


@app.command()
def nodes(
    *,
    broker: Broker,
    count: Annotated[int, typer.Option(min=1, max=MAX_NODES, help="How many nodes, one meter each.")] = 10,
    folder: Annotated[Path | None, typer.Option("--dir", help="Folder; a temporary one without it.")] = None,
    site: Annotated[str, typer.Option(help="Sparkplug group.")] = "lab",
    interval: Annotated[int, typer.Option(min=1, max=3600, help="Plant seconds between samples.")] = 10,
    speed: Speed = 1,
    seed: Seed = 1,
    start: Start = DEFAULT_START,
    clean_lines: Quiet = False,
    limit: For = None,
) -> None:
    """Run many nodes with one simulated meter each."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_one_line_errors())
        home = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shutan-nodes-")))
        start_ms = parse_start(start)
        options = Options(
            home.resolve(), parse_broker(broker), start_ms, speed,
            SILENT if clean_lines else Noise(), site_toml=False,
        )  # fmt: skip
        simulation = Simulation(options, workshops_layout(count, site, interval), workshops(seed, start_ms, count))
        _asyncio(_run(simulation, limit))


@app.command("history")
def backfill(
    *,
    broker: Broker,
    folder: Folder,
    days: Annotated[int, typer.Option(min=1, max=400, help="Days before --start.")] = 30,
    interval: Annotated[int, typer.Option(min=60, max=3600, help="Seconds between samples.")] = 900,
    seed: Seed = 1,
    start: Start = DEFAULT_START,
) -> None:
    """Send the days before --start as historical records of the distillery's nodes. Run it before `plant`."""
    with _one_line_errors():
        host, port = parse_broker(broker)
        start_ms = parse_start(start)
        span = Span.before(start_ms, days, interval)
        factory = distillery(seed, opening_ms(folder, seed, start_ms, days), days + 2)
        truth = Truth(folder)
        try:
            histories = [
                NodeHistory(LAYOUT.site, node, [Instrument(d, factory) for d in LAYOUT.of_node(node)], span, seed)
                for node in LAYOUT.nodes
            ]
            total = sum(one.total for one in histories)
            with _bar() as bar:
                days_task = bar.add_task("plant days", total=None, note="")
                factory.prepare(start_ms, lambda done, of: bar.update(days_task, completed=done, total=of))
                task = bar.add_task("records", total=total, note="acknowledged")
                target = history.Target(host, port, LAYOUT.site)
                asyncio.run(history.send(target, histories, truth, lambda more: bar.advance(task, more)))
        finally:
            truth.close()
    print(f"{total} records of {len(histories)} nodes acknowledged", file=sys.stderr)  # noqa: T201 - the result


@app.command()
def year(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    start: Annotated[str, typer.Option(help="First day, local.")] = "2025-01-01",
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How many days.")] = 365,
    meters: Annotated[int, typer.Option(min=1, max=MOST_METERS, help="How many metering points.")] = MOST_METERS,
    interval: Annotated[str, typer.Option(help="Between two readings of a meter: 15min, 30min or 1h.")] = "15min",
    seed: Seed = 1,
    events: Annotated[str, typer.Option(help="What is planted: all, none, or kinds with commas.")] = "all",
    only_days: Annotated[
        str, typer.Option(help="Rows of these local days only, with commas; A..B is a stretch of days.")
    ] = "",
) -> None:
    """Write a year of the distillery as files: site model, readings, activities, and what really passed."""
    with _one_line_errors(), _bar() as bar:
        order = make_order(
            start=start, days=days, meters=meters, interval=interval, seed=seed, events=events, only_days=only_days
        )
        task = bar.add_task("days", total=None, note="")
        outcome = write_year(order, out, lambda done, of: bar.update(task, completed=done, total=of))
        bar.update(task, note=f"{outcome.rows} readings")
    typer.echo(f"{outcome.rows} readings of {meters} meters in {out}, {outcome.late_rows} in late.csv", err=True)
