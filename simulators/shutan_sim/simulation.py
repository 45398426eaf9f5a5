"""A running site: plant, instruments on pseudo-terminals, time server, nodes. One asyncio loop, no threads."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from shutan_sim import sntp
from shutan_sim.clock import PlantClock
from shutan_sim.devices import Kind, Layout
from shutan_sim.errors import SetupError
from shutan_sim.fleet import Fleet, make_board
from shutan_sim.image import Image, interpreter, node_config
from shutan_sim.instruments.dlt645_meters import Dlt645Meters
from shutan_sim.instruments.instrument import Instrument
from shutan_sim.instruments.line import Line, Noise
from shutan_sim.instruments.modbus_meters import ModbusMeters
from shutan_sim.local_time import DAY_MS
from shutan_sim.plant import Plant
from shutan_sim.truth import Truth

SITE_TOML = Path(__file__).resolve().parent / "distillery" / "site.toml"
_FLUSH_S = 0.5
_AHEAD_MS = DAY_MS // 4  # the next day is made before it begins: no bus waits for it


@dataclass(frozen=True, slots=True)
class Options:
    """What to run. folder: everything is written below it; broker: host and port; start_ms: plant time at the start."""

    folder: Path
    broker: tuple[str, int]
    start_ms: int
    speed: int
    noise: Noise
    site_toml: bool = True


Progress = Callable[[str, int, int], None]  # what, done, total


class Simulation:
    """Everything that runs in the process of the plant."""

    def __init__(self, options: Options, layout: Layout, plant: Plant) -> None:
        self.options = options
        self.layout = layout
        self.plant = plant
        self.truth = Truth(options.folder)
        self.instruments = {
            node: [Instrument(device, plant, self.truth) for device in layout.of_node(node)] for node in layout.nodes
        }
        self.clock = PlantClock.starting(options.start_ms, options.speed)
        self.fleet = Fleet([])
        self.lines: list[Line] = []
        self._time_server: asyncio.DatagramTransport | None = None
        self._stopping = asyncio.Event()

    async def start(self, progress: Progress) -> None:
        """Bring everything up; plant.json is written last. Raises SetupError. A signal is heard from here on."""
        options, layout = self.options, self.layout
        self._hear_signals()
        self.plant.prepare(options.start_ms + _AHEAD_MS, lambda done, total: progress("plant days", done, total))
        image = Image.build(options.folder / "image")
        python, runtime = interpreter()
        self.clock = PlantClock.starting(options.start_ms, options.speed)
        self._time_server, port = await sntp.serve(self.clock.now_ms)
        if options.site_toml:
            shutil.copyfile(SITE_TOML, options.folder / "site.toml")
        for done, node in enumerate(layout.nodes, 1):
            line = self._line(node)
            folder = options.folder / "nodes" / node
            kinds = {device.kind.value for device in layout.of_node(node)}
            image.install(folder, node_config(layout, node, options.broker, (sntp.HOST, port)), kinds)
            board = make_board(node, folder, python, image.environment, uart=line.path, rate=options.speed)
            self.fleet.boards.append(board)
            progress("nodes", done, len(layout.nodes))
        await self.fleet.start()
        self._describe(port, runtime)

    async def run(self, tell: Callable[[str], None]) -> None:
        """Until SIGINT or SIGTERM; SIGUSR1 freezes the registers. tell: gets a line about a node that is given up."""
        while not self._stopping.is_set():
            self.truth.flush()
            self.plant.prepare(self.clock.register_ms() + _AHEAD_MS)
            for board in self.fleet.lost():
                tell(f"node {board.name}: ends right after its start, again and again; see {board.console}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _FLUSH_S)

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGUSR1, self.freeze)

    def stop_soon(self) -> None:
        """Let `run` return."""
        self._stopping.set()

    def freeze(self) -> None:
        """Stop the registers and write where they stand; nodes go on reading them."""
        t_ms = self.clock.freeze()
        shown = self.truth.shown
        registers = [
            register
            for instruments in self.instruments.values()
            for instrument in instruments
            for register in instrument.registers.values()
            if (register.meter, register.metric) in shown
        ]
        self.truth.finish((register.meter, register.metric, register.value(t_ms)) for register in registers)

    async def stop(self) -> None:
        """Stop the nodes, then hang up the lines."""
        await self.fleet.stop()
        for line in self.lines:
            line.close()
        if self._time_server is not None:
            self._time_server.close()
        self.truth.close()

    def _line(self, node: str) -> Line:
        instruments = self.instruments[node]
        spoken = {instrument.device.kind is Kind.DLT645 for instrument in instruments}
        if len(spoken) != 1:
            raise SetupError(f"node {node}", "two protocols on one bus", "give it devices of one protocol")
        responder = Dlt645Meters(instruments) if spoken == {True} else ModbusMeters(instruments)
        line = Line(node, responder, self.clock, baud=self.layout.baud, noise=self.options.noise)
        self.lines.append(line)
        return line

    def _describe(self, port: int, runtime: str) -> None:
        """Write plant.json: clock, ports, nodes, meters."""
        clock = self.clock
        described = {
            "pid": os.getpid(),
            "site": self.layout.site,
            "seed": self.plant.seed,
            "runtime": runtime,
            "clock": {"epoch0_ms": clock.epoch0_ms, "monotonic0_ns": clock.monotonic0_ns, "speed": clock.speed},
            "sntp": {"host": sntp.HOST, "port": port},
            "broker": {"host": self.options.broker[0], "port": self.options.broker[1]},
            "nodes": [
                {"node": board.name, "folder": str(board.folder), "uart": board.environment["SHUTAN_SIM_UART1"]}
                for board in self.fleet.boards
            ],
            "meters": [
                {**asdict(device), "kind": device.kind.value, "interval_s": self.layout.interval_s}
                for device in self.layout.devices
            ],
        }
        temporary = self.options.folder / "plant.json.new"
        temporary.write_text(json.dumps(described, indent=1), encoding="utf-8")
        temporary.replace(self.options.folder / "plant.json")
