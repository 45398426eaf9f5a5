"""Many real MicroPython nodes on one machine, each with its meter inside its process, and what they must deliver.

A node is one process of the 32-bit port, as in tests/support/nodes.py, with its code in a ROM image that all of them
map. Its meter (simulators/shutan_sim/hal/_instrument.py) answers `readings` times with 1, 2, 3 ... Wh and then falls
silent, so the truth is known before the start: of every node 1..`readings`, each once.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from shutan_sim.fleet import die_with_parent
from shutan_sim.image import Image
from support.places import REPO, tool
from support.servers import HOST

SITE = "swarm"
DEVICE = "m1"
HEAP = "64k"
PROFILE = "pzem_004t_v3"
STOP_LIMIT_S = 20.0
BIRTH = b'"event": "birth"'
MAIN = """\
import _rom
import machine
import _instrument

machine.UART = _instrument.UART
from shutan_node import link, tasks
from shutan_node.main import run

link._IDLE_MS = {idle_ms}
tasks._TICK_MS = {tick_ms}
run()
"""
PLANS = """\
import os, sys
from shutan_node.journal import Files
from shutan_node.plan import make
for folder in sys.stdin.read().split():
    os.chdir(folder)
    mistakes = make(Files())
    if mistakes:
        sys.exit(folder + ": " + "; ".join(mistakes))
"""


class Swarm:
    """`count` nodes below `folder`, clients of the broker on `port`, clocks set by the time server on `time_port`.

    interval_s: between two readings, process time, which runs `rate` times as fast as real time
    readings:   how many the meter gives; keepalive_s: of the MQTT session, real time
    calm:       for a thousand on two cores: a node looks for work every 400 ms instead of 40, and at its timers every
                second instead of four times; nothing else differs from the node on a board
    settings:   further keys of `config.json`
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        time_port: int,
        count: int,
        readings: int,
        interval_s: int = 10,
        rate: int = 1,
        keepalive_s: int = 30,
        calm: bool = False,
        settings: dict[str, object] | None = None,
    ) -> None:
        self.readings = readings
        self.names = [f"n{index:04d}" for index in range(count)]
        self._folder = folder
        self._image = Image.build(folder / "image")
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._read_to: dict[str, int] = {}
        self._births: dict[str, int] = {}
        self._environment = {
            **os.environ,
            **self._image.environment,
            "SHUTAN_SIM_RATE": str(rate),
            "SHUTAN_SIM_READINGS": str(readings),
        }
        for name in self.names:
            config: dict[str, object] = {
                "site": SITE,
                "node": name,
                "broker": {"host": HOST, "port": port, "keepalive_s": keepalive_s},
                "time": {"host": HOST, "port": time_port},
                "buses": [{"id": "b", "uart": 1}],
                "devices": [{"device": DEVICE, "bus": "b", "profile": PROFILE, "address": 1, "interval_s": interval_s}],
                **(settings or {}),
            }
            self._image.install(folder / name, config, {PROFILE})
            (folder / name / "main.py").write_text(
                MAIN.format(idle_ms=400 if calm else 40, tick_ms=1000 if calm else 250), encoding="utf-8"
            )
        self._make_plans()

    def _make_plans(self) -> None:
        """What every board does in its first life, here by the same code in one process."""
        folders = "\n".join(str(self._folder / name) for name in self.names)
        environment = {**os.environ, "PYTHONPATH": str(REPO / "firmware")}
        subprocess.run([sys.executable, "-c", PLANS], input=folders, text=True, check=True, env=environment)

    def start(self, tell: Callable[[int], None] | None = None) -> Self:
        """Start every node; `tell` hears how many run."""
        files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, min(most, 4096)), most))
        command = [str(tool("micropython32")), "-X", f"heapsize={HEAP}", "main.py"]
        for name in self.names:
            with (self._folder / name / "console.jsonl").open("ab") as out:
                self._running[name] = subprocess.Popen(
                    command,
                    cwd=self._folder / name,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
                )
            if tell:
                tell(len(self._running))
        return self

    def dead(self) -> dict[str, int]:
        """Nodes that ended by themselves, with their exit codes."""
        return {name: code for name, process in self._running.items() if (code := process.poll()) is not None}

    def pss_kb(self) -> dict[str, int]:
        """Proportional set size of each node's process: its own memory and its share of what is shared."""
        found: dict[str, int] = {}
        for name, process in self._running.items():
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                if line.startswith("Pss:"):
                    found[name] = int(line.split()[1])
        return found

    def cpu_s(self) -> float:
        """User and system seconds of all nodes together."""
        ticks = 0
        for process in self._running.values():
            fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Every whole line of a node's console."""
        lines = (self._folder / name / "console.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def births(self) -> dict[str, int]:
        """How often each node has said that its births are out, so far."""
        for name in self.names:
            with (self._folder / name / "console.jsonl").open("rb") as file:
                file.seek(self._read_to.get(name, 0))
                lines = file.read()
            whole = lines.rfind(b"\n") + 1
            self._read_to[name] = self._read_to.get(name, 0) + whole
            self._births[name] = self._births.get(name, 0) + lines.count(BIRTH, 0, whole)
        return dict(self._births)

    def says(self, name: str, event: str) -> bool:
        """Whether a node has ever said this event."""
        return b'"event": "%b"' % event.encode() in (self._folder / name / "console.jsonl").read_bytes()

    def flash_bytes(self, name: str) -> int:
        """Bytes of the records that a node keeps on its flash."""
        return sum(path.stat().st_size for path in (self._folder / name / "journal").glob("0*"))

    def last_words(self) -> dict[str, tuple[int, int]]:
        """(newest record, acknowledged record) of each node by its console; exact after `stop`."""
        said = {name: [event for event in self.events(name) if "newest" in event][-1] for name in self.names}
        return {name: (event["newest"], event["acked"]) for name, event in said.items()}

    def stop(self) -> None:
        """A planned stop: Ctrl-C for all, SIGKILL for those that take too long."""
        for process in self._running.values():
            process.send_signal(signal.SIGINT)
        end = time.monotonic() + STOP_LIMIT_S
        for process in self._running.values():
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def signal(self, number: int, names: Iterable[str] | None = None) -> None:
        """Send a signal to some nodes, or all."""
        for name in self.names if names is None else names:
            self._running[name].send_signal(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
