"""docs/instruments.md from the meter profiles, the sensor drivers, their golden vectors and their simulators.

A meter is a folder below firmware/shutan_meters/profiles, a sensor a module with a .toml beside it below
firmware/shutan_node/drivers. `.venv/bin/python scripts/instruments_page.py` writes the page; a test holds it against
the tree, and `problems` says what an instrument lacks: vector, simulator, documentation.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

REPO = Path(__file__).resolve().parents[1]
PAGE = "docs/instruments.md"
COMMAND = ".venv/bin/python scripts/instruments_page.py"
PROFILES = "firmware/shutan_meters/profiles"
DRIVERS = "firmware/shutan_node/drivers"
VECTORS = "tests/vectors"
SHEETS = "simulators/shutan_sim/instruments/sheets.py"
ABOUT_METER = {"maker", "models", "measures", "source", "checked", "simulator"}
ABOUT_DRIVER = {"name", "maker", "bus", "metrics", "range", "accuracy", "source", "vectors", "simulator", "doc"}
_SPOKEN = {"dlt645": "DL/T 645-2007", "dlt645_1997": "DL/T 645-1997", "modbus": "Modbus RTU", "cjt188": "CJ/T 188-2004"}

HEAD = f"""\
# Supported instruments 支持的仪表与传感器

Every instrument here has golden vectors, a simulated counterpart and a page; a test fails where one is missing.
"vectors" counts golden exchanges of the profile and, after the +, captured or published frames in `{VECTORS}` that the
profile or its protocol decodes. None was measured on the real instrument by this project: each folder names its
sources.
Written by `{COMMAND}`.

下表每种仪表都有基准报文、仿真仪表与说明文档，缺一则测试不通过。表中内容均依据厂家手册或标准，本项目未对实物逐一验证。
"""
METERS = """
## Meters 表计

Profiles of `{profiles}`; how to add one: [firmware/shutan_meters/README.md](../firmware/shutan_meters/README.md).

| profile | maker, models | 名称 | measures | protocol, line | values | vectors | simulated by |
|---|---|---|---|---|---|---|---|
"""
SENSORS = """
## Sensors on a node's own buses 板载传感器

Drivers of `{drivers}`; wiring and options: the page named in each row.

| driver | maker, sensor | 名称 | bus | metrics | range | accuracy | vectors | simulated by | page |
|---|---|---|---|---|---|---|---|---|---|
"""


class Tree(NamedTuple):
    """What is read of the repository. root: its folder."""

    root: Path

    def text(self, place: str) -> str:
        """A file's text, "" where there is none."""
        path = self.root / place
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def toml(self, place: str) -> dict[str, Any]:
        """A TOML file's content, empty where there is none or it is none."""
        try:
            return tomllib.loads(self.text(place))
        except tomllib.TOMLDecodeError:
            return {}

    def json(self, place: str) -> dict[str, Any]:
        """A JSON object, empty where there is none or it is none."""
        try:
            return dict(json.loads(self.text(place)))
        except ValueError:
            return {}

    def lines(self, place: str) -> list[dict[str, Any]]:
        """The objects of a file of JSON lines."""
        return [json.loads(line) for line in self.text(place).splitlines() if line.strip()]

    def profiles(self) -> list[str]:
        """Names of the meter profiles."""
        folder = self.root / PROFILES
        return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("_"))

    def drivers(self) -> list[str]:
        """Names of the sensor drivers: modules with a constant DRIVER, and descriptions, with or without the other."""
        folder = self.root / DRIVERS
        modules = {path.stem for path in folder.glob("*.py") if "\nDRIVER = " in path.read_text(encoding="utf-8")}
        return sorted(modules | {path.stem for path in folder.glob("*.toml")})


def metrics_of(profile: dict[str, Any]) -> list[str]:
    """Catalogue names that a profile measures, in its order."""
    items = [item for read in profile.get("reads", []) for item in read.get("items", [])]
    return [item["metric"] for item in items if item.get("metric")]


def _cases(tree: Tree, name: str) -> list[dict[str, Any]]:
    folder = tree.root / PROFILES / name / "testcases"
    return [tree.json(str(path.relative_to(tree.root))) for path in sorted(folder.glob("*.json"))]


def _frames(tree: Tree, name: str, protocol: str) -> int:
    """Golden frames that name the profile; of a standard's generic profile, all frames of its edition."""
    vectors = [
        one for path in sorted((tree.root / VECTORS).glob("*.jsonl")) for one in tree.lines(f"{VECTORS}/{path.name}")
    ]
    spoken = _SPOKEN.get(protocol, "")
    if name.startswith("dlt645"):
        return sum(1 for one in vectors if "frame" in one and one["expect"].get("protocol") == spoken)
    return sum(1 for one in vectors if one.get("profile") == name)


def _meter_problems(tree: Tree, name: str) -> list[str]:
    where = f"{PROFILES}/{name}"
    profile, about, readme = (
        tree.json(f"{where}/profile.json"),
        tree.toml(f"{where}/instrument.toml"),
        tree.text(f"{where}/README.md"),
    )
    cases = _cases(tree, name)
    found: list[str] = []
    if not metrics_of(profile):
        found.append("profile.json: measures nothing")
    if not profile.get("title_zh"):
        found.append("profile.json: no title_zh")
    found += [f"instrument.toml: no {key}" for key in sorted(ABOUT_METER) if not about.get(key)]
    if not cases or not all(case.get("source") and case.get("exchanges") and case.get("expect") for case in cases):
        found.append("testcases: no golden exchange with its source")
    if not about.get("simulator") or not tree.text(about["simulator"]):
        found.append("simulator: there is no such file")
    if profile.get("protocol") == "modbus":
        sheet = {entry.get("metric") for entry in about.get("register", [])}
        found += [f"instrument.toml: no register for {metric}" for metric in metrics_of(profile) if metric not in sheet]
    if not readme.startswith(f"# {name}\n") or "Test cases: `testcases/`" not in readme:
        found.append("README.md: no page about it")
    return [f"{where}: {one}" for one in found]


def _driver_problems(tree: Tree, name: str) -> list[str]:
    about = tree.toml(f"{DRIVERS}/{name}.toml")
    found = [f"no {key}" for key in sorted(ABOUT_DRIVER) if key not in about or (not about[key] and key != "metrics")]
    if "\nDRIVER = " not in tree.text(f"{DRIVERS}/{name}.py"):
        found.append("no module with a constant DRIVER")
    if not any(one.get("driver") == name for one in tree.lines(about.get("vectors", ""))):
        found.append("no golden vector")
    if not tree.text(about.get("simulator", "")):
        found.append("simulator: there is no such file")
    if f"`{name}`" not in tree.text(about.get("doc", "")):
        found.append("no page names it")
    return [f"{DRIVERS}/{name}: {one}" for one in found]


def problems(root: Path = REPO) -> list[str]:
    """What any instrument of a tree lacks, one line each."""
    tree = Tree(root)
    found = [one for name in tree.profiles() for one in _meter_problems(tree, name)]
    return found + [one for name in tree.drivers() for one in _driver_problems(tree, name)]


def _link(place: str) -> str:
    name = place.rpartition("/")[2]
    return f"[{name}](../{place})"


def _meter_row(tree: Tree, name: str) -> str:
    where = f"{PROFILES}/{name}"
    profile, about = tree.json(f"{where}/profile.json"), tree.toml(f"{where}/instrument.toml")
    protocol, serial = profile["protocol"], profile["serial"]
    frames = _frames(tree, name, protocol)
    simulated = f"`{about['simulator']}`"
    if about["simulator"] == SHEETS:
        simulated += f", {len(about['register'])} registers of its list"
    cells = (
        f"[{name}](../{where}/README.md)",
        f"{about['maker']}: {', '.join(about['models'])}",
        profile["title_zh"],
        about["measures"],
        f"{_SPOKEN[protocol]}, {serial['baud']} {serial['format']}",
        str(len(metrics_of(profile))),
        f"{len(_cases(tree, name))}" + (f" + {frames}" if frames else ""),
        simulated,
    )
    return "| " + " | ".join(cells) + " |"


def _driver_row(tree: Tree, name: str) -> str:
    about = tree.toml(f"{DRIVERS}/{name}.toml")
    count = sum(1 for one in tree.lines(about["vectors"]) if one.get("driver") == name)
    cells = (
        f"`{name}`",
        f"{about['maker']}: {about['name']}",
        about.get("name_zh", ""),
        about["bus"],
        ", ".join(f"`{metric}`" for metric in about["metrics"]) or "any gauge",
        about["range"],
        about["accuracy"],
        str(count),
        f"`{about['simulator']}`",
        _link(about["doc"]),
    )
    return "| " + " | ".join(cells) + " |"


def page(root: Path = REPO) -> str:
    """The whole page."""
    tree = Tree(root)
    meters = [_meter_row(tree, name) for name in tree.profiles()]
    sensors = [_driver_row(tree, name) for name in tree.drivers()]
    text = HEAD + METERS.format(profiles=PROFILES) + "\n".join(meters) + "\n"
    if sensors:
        text += SENSORS.format(drivers=DRIVERS) + "\n".join(sensors) + "\n"
    return text


def main() -> int:
    """Write the page; nothing is written while an instrument lacks a part."""
    lacking = problems()
    if lacking:
        sys.stderr.write("\n".join(lacking) + "\n")
        return 1
    text = page()
    (REPO / PAGE).write_text(text, encoding="utf-8")
    tree = Tree(REPO)
    sys.stdout.write(f"{PAGE}: {len(tree.profiles())} meter profiles, {len(tree.drivers())} sensor drivers\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
