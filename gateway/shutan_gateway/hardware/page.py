"""The page of a board (hardware/boards/NAME/README.md): pins, configuration, parts, power, barriers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shutan_gateway.hardware.bom import bom, bom_csv
from shutan_gateway.hardware.pinout import pinout
from shutan_gateway.hardware.power import budget
from shutan_gateway.hardware.wiring import wiring

if TYPE_CHECKING:
    from shutan_gateway.hardware.board import Board, Bus

__all__ = ["artefacts", "buses_for_config", "page"]

_LINES = {"uart": ("tx", "rx", "de"), "i2c": ("scl", "sda"), "spi": ("sck", "mosi", "miso"), "onewire": ("data",)}


def _bus(board: Board, bus: Bus) -> dict[str, object]:
    """One bus as a node's configuration has it (docs/node.md)."""
    gpio = {line: pins[0].gpio for line, pins in board.lines_of(bus.id).items()}
    lines = {name: gpio[name] for name in _LINES[bus.kind] if name in gpio}
    if bus.kind == "uart":
        return {"id": bus.id, "uart": bus.unit, "baud": 9600, "format": "8N1", **lines}
    if bus.kind == "onewire":
        return {"id": bus.id, "kind": "onewire", "pin": gpio["data"]}
    return {"id": bus.id, "kind": bus.kind, bus.kind: bus.unit, **lines}


def buses_for_config(board: Board) -> list[dict[str, object]]:
    """`buses` of a node's config.json for the board, all but the one that leads to the network."""
    network = {part.ref for part in board.part if part.kind == "ethernet_chip"}
    found: list[dict[str, object]] = []
    for bus in board.bus:
        ends = {pin.to.split(".")[0] for pins in board.lines_of(bus.id).values() for pin in pins}
        if not ends & network:
            found.append(_bus(board, bus))
    return found


def _config(buses: list[dict[str, object]]) -> str:
    """`buses` as JSON, a line for each."""
    return '{"buses": [\n' + ",\n".join(f" {json.dumps(bus)}" for bus in buses) + "\n]}"


def _table(head: str, rows: list[list[str]]) -> list[str]:
    columns = head.count("|") + 1
    return [f"| {head} |", "|" + "---|" * columns, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _pins(board: Board) -> list[str]:
    rows: list[list[str]] = []
    for pin in sorted(board.pin, key=lambda one: one.gpio):
        pads = board.module_data.pads
        pad = pads.index(pin.gpio) + 1 if pin.gpio in pads else "none"
        fixed = {"up": "10 k up", "down": "10 k down", "": ""}[pin.pull]
        bus = f"{pin.bus} {pin.line}".strip()
        rows.append([str(pad), str(pin.gpio), f"`{pin.signal}`", pin.direction, bus, pin.to.removeprefix("~"), fixed])
    rule = "I2C and 1-Wire: 2.2 k to 4.7 k instead of 10 k. 表中电阻为板上外接；I2C 与单总线用 2.2–4.7 kΩ。"
    return [
        "## Pins 引脚",
        "",
        *_table("pad 焊盘 | GPIO | signal | direction | bus | to | resistor 电阻", rows),
        rule,
        "",
    ]


def _power(board: Board) -> list[str]:
    rows: list[list[str]] = []
    for one in budget(board):
        heat = f"{one.heat_mw} of {one.heat_limit_mw}" if one.heat_limit_mw else ""
        used = f"{100 * one.peak_ma // one.limit_ma} %" if one.limit_ma else "none"
        cells = [one.rail, f"{one.volts_mv / 1000:g}", str(one.typical_ma), str(one.peak_ma), str(one.limit_ma), used]
        rows.append([*cells, one.regulator or "outside", heat])
    head = "rail 电源 | V | typical mA | peak mA | limit mA | peak/limit | by | heat mW"
    words = "Computed from the allowances of [parts.toml](../../catalogue/parts.toml), not measured."
    return ["## Power 功耗预算", "", *_table(head, rows), words, "由器件余量计算，未经实测。", ""]


def _parts(board: Board) -> list[str]:
    rows: list[list[str]] = []
    for line in bom(board):
        barrier = f"{line.insulation}, {line.clearance_mm}/{line.creepage_mm} mm" if line.insulation else ""
        name = f"{line.title} {line.title_zh}"
        value = "; ".join(filter(None, (line.value, line.note)))
        rated = f"{line.rated_v} V" if line.rated_v else ""
        rows.append([line.ref, str(line.quantity), name, value, line.examples, barrier, rated])
    head = "ref | qty | class 类别 | value | for example | barrier 隔离 (clearance/creepage 间隙/爬电) | rated"
    return ["## Parts 器件", "", "As a table for ordering: [bom.csv](bom.csv).", "", *_table(head, rows)]


def page(board: Board) -> str:
    """The page as Markdown."""
    mains = any(one.kind == "mains" for one in board.domain)
    warning = [
        "**Mains: read [SAFETY](../../SAFETY.md) before anything else.**", "",
        "**市电危险：先读[安全须知](../../SAFETY.zh-CN.md)。**", "",
    ] if mains else []  # fmt: skip
    buses = buses_for_config(board)
    config = [
        "## In the node's `config.json`", "", "```json", _config(buses), "```", "",
        "Speed and format are those of the meters. 速率与格式以表计为准。", "",
    ] if buses else []  # fmt: skip
    facts = (
        f"Module 模组: {board.module} · link 联网: {board.link} · flashing 烧录: {board.flashing} · "
        f"up to {board.altitude_m} m above the sea 海拔"
    )
    lines = [
        f"# {board.name}: {board.title} {board.title_zh}", "",
        "Written from board.toml by `.venv/bin/python scripts/hardware_pages.py`: change the profile.", "",
        *warning,
        board.purpose, "", board.purpose_zh, "",
        facts, "",
        "![pin-out](pinout.svg)", "", "![wiring](wiring.svg)", "",
        *_pins(board), *config, *_parts(board), *_power(board),
        "No board of this profile has been built and measured yet. 本板型尚未制作与实测。", "",
    ]  # fmt: skip
    return "\n".join(lines)


def artefacts(board: Board) -> dict[str, str]:
    """Everything that is made of a board: file name to text."""
    return {
        "README.md": page(board),
        "bom.csv": bom_csv(board),
        "pinout.svg": pinout(board),
        "wiring.svg": wiring(board),
    }  # fmt: skip
