"""``shutan demo``: a factory in a minute, and whether its figures are right."""

import json
import platform
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from shutan_collector.site.file import load_site
from shutan_collector.site.model import Site
from shutan_demo.broker import BrokerKind
from shutan_demo.chaos import Chaos
from shutan_demo.errors import DemoError, PartFailedError
from shutan_demo.evidence import TRUTH_FILE, NodeStory, Truth, read_story, read_truth
from shutan_demo.factory import DATABASE, SETTLE_LIMIT_S, Factory, Plan
from shutan_demo.hourly import judge_hours, report
from shutan_demo.parts import wait_until
from shutan_demo.readback import read_influx, read_sqlite
from shutan_demo.tools import not_run, shutan
from shutan_demo.verify import judge
from shutan_demo.view import Newest, draw

app = typer.Typer(help="Run a simulated factory end to end and check its figures. 运行模拟工厂并核对数据")
console = Console(stderr=True)
HISTORY_LIMIT_S = 600
FRAME_S = 0.25
REACH_REAL_S = 5  # a meter that has to be asked three times answers this long after the sample's stamp, at the most


def duration_s(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``2m`` or ``1h``. Raises typer.BadParameter on anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if not found:
        raise typer.BadParameter(f"{text!r} is no duration: 60s, 2m or 1h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


@app.callback(invoke_without_command=True)
def demo(
    *,
    run_for: Annotated[
        str | None, typer.Option("--for", help="stop after this time and judge: 60s, 2m; without it until Ctrl-C")
    ] = None,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="kill gateway, broker and nodes with SIGKILL at random moments")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result to this file")] = None,
    broker: Annotated[BrokerKind, typer.Option(help="which MQTT broker")] = BrokerKind.AUTO,
    speed: Annotated[int, typer.Option(min=1, max=60, help="plant seconds per real second")] = 10,
    days: Annotated[int, typer.Option(min=0, max=366, help="days of history to back-fill first")] = 2,
    seed: Annotated[int, typer.Option(help="seed of plant and chaos")] = 1,
    keep: Annotated[Path | None, typer.Option(help="build the factory in this empty folder and leave it there")] = None,
) -> None:
    """Run a simulated factory end to end and check its figures."""
    limit = duration_s(run_for) if run_for is not None else None
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job is started with Ctrl-C ignored
        signal.signal(number, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="shutan-demo-") as temporary:
            folder = keep.resolve() if keep is not None else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            plan = Plan(folder, broker, speed, seed, _start(days, speed, limit), days)
            result = _run(plan, limit, chaos=chaos)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except DemoError as error:
        console.print(f"[red]demo: {error}[/red]")
        raise typer.Exit(2) from error
    text = json.dumps(result, ensure_ascii=False, indent=2)
    if json_file is not None:
        json_file.write_text(text + "\n", encoding="utf-8")
    _say(result, json_file)
    raise typer.Exit(0 if result["sound"] else 1)


def _start(days: int, speed: int, limit_s: float | None) -> datetime:
    """Plant time of the live start: on a full hour, so far back that the plant does not overtake the real clock."""
    ahead = timedelta(seconds=(limit_s or 86_400.0) * speed) + timedelta(hours=2)
    return (datetime.now(UTC) - ahead).replace(minute=0, second=0, microsecond=0) if days >= 0 else datetime.now(UTC)


def _run(plan: Plan, limit_s: float | None, *, chaos: bool) -> dict[str, Any]:
    with Factory(plan) as factory:
        console.print("starting broker, stores and gateway …")
        factory.start()
        if plan.days:
            console.print(f"back-filling {plan.days} days of history …")
            _back_fill(factory)
        factory.plant.start(60)
        site = load_site(factory.site_toml)
        _say_where_to_look(factory)
        kills = _live(factory, site, limit_s, chaos=chaos)
        console.print("stopping the plant, waiting until everything has arrived …")
        stories = _settle(factory, site)
        return _judge(factory, site, stories, kills)


def _say_where_to_look(factory: Factory) -> None:
    """The doors of the running factory, for another terminal."""
    start = (factory.plan.start - timedelta(days=factory.plan.days)).strftime("%Y-%m-%d")
    end = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    console.print("while it runs, in another terminal 运行时可在另一个终端查看:")
    series = f"sqlite:{factory.store_file}"
    places = [
        f"curl http://127.0.0.1:{factory.http_port}/metrics",
        f"{shutan()} report energy --from {start} --to {end} --site {factory.site_toml} --store {series}",
    ]
    if factory.influx is not None:
        query = f"--data-urlencode db={DATABASE} --data-urlencode 'q=SHOW SERIES'"
        places.append(f"curl -G {factory.influx_url}/query {query}")
    for place in places:
        console.print(f"  {place}", soft_wrap=True, markup=False, highlight=False)


def _back_fill(factory: Factory) -> None:
    log = factory.folder / "history.log"
    with log.open("wb") as out:
        try:
            done = subprocess.run(  # noqa: S603 - the demo's own command
                factory.history_command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=HISTORY_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PartFailedError("history", f"not done after {HISTORY_LIMIT_S} s", log) from error
    if done.returncode:
        raise PartFailedError("history", f"ended with code {done.returncode}", log)


def _live(factory: Factory, site: Site, limit_s: float | None, *, chaos: bool) -> dict[str, int]:
    """Show the factory until the time is up or Ctrl-C; returns the kills by kind."""
    newest = Newest(factory.store_file)
    killer = None
    if chaos:
        killer = Chaos(
            gateway=factory.gateway,
            broker=factory.broker,
            nodes=factory.plant_folder / "nodes",
            names=factory.nodes,
            duration_s=limit_s,
            seed=factory.plan.seed,
        )
    end = time.monotonic() + limit_s if limit_s is not None else None
    try:
        with Live(console=console, refresh_per_second=2, transient=False) as live:
            while end is None or time.monotonic() < end:
                factory.plant.check()
                if killer is not None:
                    killer.tick()
                live.update(draw(factory, site, newest, dict(killer.kills) if killer else None))
                time.sleep(FRAME_S)
    except KeyboardInterrupt:
        console.print("Ctrl-C: finishing; once more to leave without a verdict")
    if killer is not None:
        killer.end()
    return dict(killer.kills) if killer else {}


def _settle(factory: Factory, site: Site) -> list[NodeStory]:
    """Freeze the plant, wait until the stores have what the nodes keep, stop the nodes; the stories to judge by.

    What a node puts into its journal while it is being stopped belongs to its next life and is not asked for.
    """
    factory.freeze()
    truth = read_truth(factory.plant_folder / TRUTH_FILE)
    journaled = {story.node: story.journaled for story in _stories(factory)}
    newest = Newest(factory.store_file)
    places = {meter.id: meter.installations[-1] for meter in site.meters}

    def arrived() -> bool:
        newest.look()
        return all(
            newest.values.get((places[meter].node, places[meter].device, metric)) == value
            for (meter, metric), value in truth.final.items()
            if meter in places
        ) and all(story.acked >= journaled[story.node] for story in _stories(factory))

    if not wait_until(arrived, SETTLE_LIMIT_S):
        console.print("[yellow]some registers have not arrived; judging what is there[/yellow]")
    factory.plant.stop(20)
    factory.drained()
    stories = _stories(factory)
    for story in stories:
        story.journaled = journaled[story.node]
    return stories


def _stories(factory: Factory) -> list[NodeStory]:
    return [read_story(node, factory.plant_folder / "nodes" / node / "console.jsonl") for node in factory.nodes]


def _judge(factory: Factory, site: Site, stories: list[NodeStory], kills: dict[str, int]) -> dict[str, Any]:
    truth = read_truth(factory.plant_folder / TRUTH_FILE)
    reach = timedelta(seconds=REACH_REAL_S * factory.plan.speed)
    reach_ms = int(reach.total_seconds() * 1000)
    judged = partial(judge, site=site, truth=truth, stories=stories, reach_ms=reach_ms)
    verdicts = [judged("sqlite", read_sqlite(factory.store_file))]
    if factory.influx is not None:
        verdicts.append(judged("influxdb", read_influx(factory.influx_url, DATABASE)))
    hours = judge_hours(_report(factory, truth), site, truth, reach)
    errors = sum(verdict.energy_error_wh for verdict in verdicts) + hours.error_wh
    return {
        "sound": all(verdict.sound for verdict in verdicts) and not (errors or hours.error_other),
        "runtime": next((story.runtime for story in stories if story.runtime), ""),
        "nodes": len(stories),
        "samples_sent": sum(story.samples for story in stories),
        "samples_stored": verdicts[0].samples_stored,
        "lost": sum(verdict.lost for verdict in verdicts),
        "duplicated": sum(verdict.duplicated for verdict in verdicts),
        "unsaved": verdicts[0].unsaved,
        "energy_error_wh": errors,
        "hours_checked": hours.checked,
        "kills": sum(kills.values()),
        "kills_by_part": kills,
        "node_heap_peak_b": max((story.heap_peak_b for story in stories), default=0),
        "stores": {
            verdict.store: {name: value for name, value in asdict(verdict).items() if name != "store"}
            for verdict in verdicts
        },
        "gateway": {name: value for name, value in factory.metrics().items() if value},
        "carbon": hours.carbon,
        "hourly": hours.meters,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "not_run": not_run(),
    }


def _report(factory: Factory, truth: Truth) -> dict[str, Any]:
    start = factory.plan.start - timedelta(days=factory.plan.days)
    newest_ms = max((times[-1] for times, _ in truth.served.values()), default=0)
    last = datetime.fromtimestamp(newest_ms / 1000, UTC).replace(minute=0, second=0, microsecond=0)
    end = max(last, factory.plan.start) + timedelta(hours=1)
    return report(factory.site_toml, f"sqlite:{factory.store_file}", start, end)


def _say(result: dict[str, Any], json_file: Path | None) -> None:
    colour = "green" if result["sound"] else "red"
    keys = ("nodes", "samples_stored", "lost", "duplicated", "unsaved", "energy_error_wh", "kills")
    console.print(f"[{colour}]" + " · ".join(f"{key} {result[key]}" for key in keys) + f"[/{colour}]")
    for store, verdict in result["stores"].items():
        for line in verdict["detail"]:
            console.print(f"  {store}: {line}")
    for line in result["not_run"]:
        console.print(f"[yellow]{line}[/yellow]")
    console.print(
        f"result: {json_file}"
        if json_file
        else "--json FILE keeps the result; shutan report energy reads a kept factory (--keep DIR)"
    )
