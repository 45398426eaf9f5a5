"""The whole simulated side with the real firmware: what nodes deliver is what the instruments showed."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from bisect import bisect_right
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from shutan_sim.distillery.layout import DEVICES, LAYOUT
from support.ack_host import AckHost, ack_host
from support.servers import Server

LIMIT_S = 90.0
SPEED = 30
REACH_MS = 4_000 * SPEED  # a sample's stamp and the reading of its register lie within 4 s of real time
METER_OF = {("p-boiler", "gas_volume_l"): "g-boiler", ("p-boiler", "steam_heat_kj"): "h-boiler"}
COUNTERS = {
    (device.id, metric)
    for device in DEVICES
    for metric in device.metrics
    if metric.endswith(("_wh", "_varh", "_l", "_kj"))
}

Key = tuple[str, str]  # meter, metric


def truth(folder: Path) -> tuple[dict[Key, list[tuple[int, int]]], dict[Key, int]]:
    served: defaultdict[Key, list[tuple[int, int]]] = defaultdict(list)
    with closing(sqlite3.connect(f"file:{folder / 'truth.sqlite'}?mode=ro", uri=True)) as db:
        for meter, metric, ms, value in db.execute("SELECT meter, metric, plant_ms, value FROM served ORDER BY rowid"):
            served[meter, metric].append((ms, value))
        final = {(meter, metric): value for meter, metric, value in db.execute("SELECT * FROM final")}
    return served, final


def samples(host: AckHost) -> list[tuple[Key, int, int]]:
    """(register, sample time, value) of every counter that came."""
    return [
        ((METER_OF.get((device, metric), device), metric), ms, value)
        for held in host.records.values()
        for device, ms, values, _ in held.values()
        for metric, value in values.items()
        if (device, metric) in COUNTERS and isinstance(value, int)
    ]


async def until(process: "asyncio.subprocess.Process", condition: object, what: str) -> None:
    assert callable(condition)
    try:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                assert process.returncode is None, "the plant ended"
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"not within {LIMIT_S:g} s: {what}")


async def play(server: Server, folder: Path) -> AckHost:
    """Run the plant until every node has delivered, freeze it, and wait for the frozen registers."""
    async with ack_host(server.port) as host:
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from shutan_sim.commands.sim import app; app()", "plant",
                "--broker", f"{server.host}:{server.port}", "--dir", str(folder), "--speed", str(SPEED),
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            await until(process, lambda: {key for key, _, _ in samples(host)} >= wanted(), "a sample of every register")
            process.send_signal(signal.SIGUSR1)
            await until(process, lambda: (folder / "truth.sqlite").is_file() and truth(folder)[1], "final registers")
            final = truth(folder)[1]
            await until(process, lambda: last(host).items() >= final.items(), "the frozen registers from every node")
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
        return host


def wanted() -> set[Key]:
    return {(METER_OF.get(key, key[0]), key[1]) for key in COUNTERS}


def last(host: AckHost) -> dict[Key, int]:
    """Newest value of each register by sample time."""
    return {key: value for key, _, value in sorted(samples(host), key=lambda sample: sample[1])}


@pytest.mark.flow
def test_nodes_deliver_every_register_as_it_was_shown(mosquitto: Server, tmp_path: Path) -> None:
    host = asyncio.run(play(mosquitto, tmp_path))
    served, final = truth(tmp_path)
    assert set(final) == wanted()
    clock = json.loads((tmp_path / "plant.json").read_text(encoding="utf-8"))["clock"]
    assert clock["speed"] == SPEED
    for key, ms, value in samples(host):
        assert ms >= clock["epoch0_ms"]
        times = [at for at, _ in served[key]]
        near = served[key][max(0, bisect_right(times, ms - REACH_MS) - 1) : bisect_right(times, ms + REACH_MS)]
        assert value in {shown for _, shown in near}, (key, ms, value)
    assert {node for node, _ in host.records} == set(LAYOUT.nodes)
