"""A real node under MicroPython: its folder, its instruments on a pseudo-terminal, its time server."""

import functools
import json
import os
import pty
import select
import socket
import struct
import subprocess
import threading
import time
import tty
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from pymodbus.framer import FramerRTU

import build_node
import build_rom
from support.places import REPO, tool
from support.servers import HOST, wait_until

HAL = REPO / "simulators/shutan_sim/hal"
PROFILES = REPO / "firmware/shutan_meters/profiles"
STOP_LIMIT_S = 10.0
START_LIMIT_S = 20.0
RESET = 3  # exit code of machine.reset()


# What the firmware of an ESP32 does at boot with its `romfs` partition, here with a file outside of the Python heap.
MOUNT = """\
import ffi, os, sys, uctypes, vfs

libc = ffi.open(None)
size = os.stat("rom.img")[6]
address = libc.func("p", "mmap", "pLiiiL")(None, size, 1, 2, libc.func("i", "open", "si")("rom.img", 0), 0)
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), "/rom")
sys.path.insert(1, "/rom")
"""


class Lines:
    """A thread that serves something until it is left."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.step()

    def step(self) -> None:
        """Wait a little for something to do, and do it."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join(STOP_LIMIT_S)


class TimeServer(Lines):
    """SNTP on a free port; `offset_s` shifts what it says, `speed` makes it run faster from now on."""

    def __init__(self, speed: int = 1) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.settimeout(0.05)
        self.port = int(self._socket.getsockname()[1])
        self.offset_s = 0.0
        self.mute = False
        self._speed = speed
        self._epoch = time.time()
        self._start = time.monotonic()

    def now(self) -> float:
        """UTC seconds that this server teaches."""
        return self._epoch + (time.monotonic() - self._start) * self._speed + self.offset_s

    def step(self) -> None:
        try:
            data, address = self._socket.recvfrom(512)
        except TimeoutError:
            return
        if not self.mute and len(data) >= 48:
            stamp = struct.pack(">II", int(self.now()) + 2208988800 & 0xFFFFFFFF, int(self.now() % 1 * 2**32))
            self._socket.sendto(b"\x24\x02" + bytes(22) + data[40:48] + stamp + stamp, address)

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._socket.close()


class ModbusBus(Lines):
    """SDM630-like instruments on a pseudo-terminal: every register pair a float, the import register grows by reading.

    silent: units that do not answer; reads: answered requests a unit.
    """

    def __init__(self, units: Sequence[int]) -> None:
        super().__init__()
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self.silent: set[int] = set()
        self.reads = dict.fromkeys(units, 0)

    def step(self) -> None:
        if not select.select([self._master], [], [], 0.05)[0]:
            return
        request = os.read(self._master, 256)
        if len(request) != 8 or request[0] not in self.reads or request[0] in self.silent:
            return
        unit, function, start, count = struct.unpack(">BBHH", request[:6])
        self.reads[unit] += 1
        data = b"".join(self._value(unit, register) for register in range(start, start + count, 2))
        reply = struct.pack(">BBB", unit, function, len(data)) + data
        os.write(self._master, reply + FramerRTU.compute_CRC(reply).to_bytes(2, "big"))

    def _value(self, unit: int, register: int) -> bytes:
        if register == 0x46:
            return struct.pack(">f", 50.0)
        if register in (0x1E, 0x20, 0x22, 0x3E):
            return struct.pack(">f", 0.75)
        return struct.pack(">f", unit * 100 + self.reads[unit] / 4)

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        os.close(self._master)
        os.close(self._slave)


class UartChip(Lines):
    """A chip of shutan_sim.chips on a pseudo-terminal."""

    def __init__(self, chip: Any) -> None:
        super().__init__()
        self.chip = chip
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)

    def step(self) -> None:
        if select.select([self._master], [], [], 0.05)[0]:
            self.chip.receive(os.read(self._master, 256))
        answer = self.chip.send()
        if answer:
            os.write(self._master, answer)

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        os.close(self._master)
        os.close(self._slave)


@functools.cache
def _built() -> TemporaryDirectory[str]:
    """The packages and the stand-ins of the chip's modules, compiled once a session; the packages also as an image."""
    folder = TemporaryDirectory(prefix="shutan-node-")
    top = Path(folder.name)
    build_node.build(top / "lib")
    for source in HAL.glob("*.py"):
        build_node.compile_file(source, source.name, top / "hal" / f"{source.stem}.mpy")
    for source in (HAL.parent / "chips").glob("*.py"):
        build_node.compile_file(source, source.name, top / "hal/shutan_sim/chips" / f"{source.stem}.mpy")
    (top / "rom.img").write_bytes(build_rom.image(top / "lib"))
    return folder


class Node:
    """One node in its folder: start, kill, start again; everything that it said is in `events`.

    rom: its modules run in place out of a ROM image instead of being loaded into the heap.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, object],
        *,
        runtime: str = "micropython32",
        heap: str = "100k",
        rom: bool = False,
    ) -> None:
        self.folder = folder
        self.console = folder / "console.jsonl"
        self._command = [str(tool(runtime)), "-X", f"heapsize={heap}", "main.py"]
        built = Path(_built().name)
        path = (built / "hal", *(() if rom else (built / "lib",)), ".frozen")
        self._environment = {**os.environ, "MICROPYPATH": os.pathsep.join(str(part) for part in path)}
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if rom:
            (folder / "rom.img").write_bytes((built / "rom.img").read_bytes())
        main = (MOUNT if rom else "") + "from shutan_node.main import run\n\nrun()\n"
        (folder / "main.py").write_text(main, encoding="utf-8")
        self.configure(config)

    def configure(self, config: Mapping[str, object]) -> None:
        """Write config.json and the profiles that it names."""
        (self.folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        profiles = self.folder / "profiles"
        profiles.mkdir(exist_ok=True)
        for source in PROFILES.glob("*/profile.json"):
            (profiles / f"{source.parent.name}.json").write_bytes(source.read_bytes())

    def uart(self, number: int, path: str, rate: int = 1) -> None:
        """Where UART `number` leads, and the speed of process time."""
        self._environment[f"SHUTAN_SIM_UART{number}"] = path
        self.rate(rate)

    def rate(self, rate: int) -> None:
        """The speed of process time."""
        self._environment["SHUTAN_SIM_RATE"] = str(rate)

    def start(self) -> Self:
        """Start the interpreter and wait until it has booted; a reset, as after a new configuration, is a new life."""
        boots = len(self.said("boot"))
        for _ in range(3):
            self.launch()
            wait_until(
                lambda: self.process.poll() is not None or len(self.said("boot")) > boots, START_LIMIT_S, "a boot"
            )
            if self.process.poll() != RESET:
                break
        assert self.process.poll() is None, self.console.read_text(encoding="utf-8", errors="replace")
        return self

    def launch(self) -> None:
        """Start the interpreter."""
        with self.console.open("ab") as out:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """SIGKILL: to a process what a power cut is to a board."""
        self.process.kill()
        self.process.wait(STOP_LIMIT_S)

    def stop(self, signal: int) -> int:
        """Send a signal and wait for the end; its exit code."""
        self.process.send_signal(signal)
        return self.process.wait(STOP_LIMIT_S)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every whole line of the console that is JSON."""
        found: list[dict[str, Any]] = []
        if not self.console.is_file():
            return found
        for line in self.console.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    @property
    def last(self) -> dict[str, Any]:
        """The newest event of the node."""
        return [event for event in self.events if "newest" in event][-1]

    def said(self, event: str) -> list[dict[str, Any]]:
        """The events of one kind so far."""
        return [said for said in self.events if said.get("event") == event]

    def wait(self, event: str, count: int = 1, limit_s: float = 20.0) -> dict[str, Any]:
        """Wait for the count-th event of a kind."""
        wait_until(lambda: len(self.said(event)) >= count, limit_s, f"{count} x {event} on {self.console}")
        return self.said(event)[count - 1]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
