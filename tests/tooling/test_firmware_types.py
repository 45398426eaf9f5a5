"""The second type check sees the board's modules: a wrong call is found before a board runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

RIGHT = """\
import asyncio
import time

import machine
import network


async def start() -> int:
    uart = machine.UART(1, baudrate=9600, tx=17, rx=16)
    machine.Pin(2, machine.Pin.OUT).value(1)
    network.WLAN(network.STA_IF).active(True)
    await asyncio.sleep_ms(10)
    return time.ticks_diff(time.ticks_ms(), 0) + len(uart.read() or b"")
"""
WRONG = {
    "time.ticks_ms()": ("time.tick_ms()", "reportAttributeAccessIssue"),
    "network.STA_IF": ("network.STATION", "reportAttributeAccessIssue"),
    "machine.Pin(2, machine.Pin.OUT).value(1)": (
        "machine.Pin(2, machine.Pin.OUT).set_level(1)",
        "reportAttributeAccessIssue",
    ),
    "baudrate=9600": ("baud_rate=9600", "reportCallIssue"),
    'len(uart.read() or b"")': ("len(uart.read())", "reportArgumentType"),
}


def _check(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "-p", folder / "firmware", "--outputjson"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return cast("list[dict[str, Any]]", json.loads(done.stdout)["generalDiagnostics"])


@pytest.fixture
def copy(repo: Path, tmp_path: Path) -> Path:
    """A repository of one module with the real configuration and stubs."""
    (tmp_path / "firmware/shutan_node").mkdir(parents=True)
    (tmp_path / ".tools").symlink_to(repo / ".tools")
    shutil.copy(repo / "firmware/pyrightconfig.json", tmp_path / "firmware")
    return tmp_path


def test_planted_errors_are_found_and_nothing_else(copy: Path) -> None:
    node = copy / "firmware/shutan_node"
    (node / "right.py").write_text(RIGHT)
    for number, (good, (bad, _)) in enumerate(WRONG.items()):
        assert good in RIGHT
        (node / f"wrong{number}.py").write_text(RIGHT.replace(good, bad))
    found: dict[str, set[str]] = {}
    for entry in _check(copy):
        found.setdefault(Path(entry["file"]).stem, set()).add(entry["rule"])
    assert sorted(found) == [f"wrong{number}" for number in range(len(WRONG))]
    for number, (_, rule) in enumerate(WRONG.values()):
        assert rule in found[f"wrong{number}"]
