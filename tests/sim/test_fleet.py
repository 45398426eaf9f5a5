"""The supervisor: nodes live again, planned stops are planned, and nothing outlives it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from shutan_sim import fleet
from shutan_sim.fleet import DEEP_SLEEP, HARD_RESET, POWER_ON, SOFT_RESET, WATCHDOG, Board, Fleet, make_board
from support.places import tool
from support.servers import wait_until

LIMIT_S = 20.0
HAL = Path(fleet.__file__).parent / "hal"
BOOT = "import machine\nprint('{\"cause\": %d}' % machine.reset_cause())\n"
SAVE = """\
import time
print('{"up": 1}')
try:
    while True:
        time.sleep_ms(20)
except KeyboardInterrupt:
    print('{"saved": 1}')
"""
DEAF = """\
import time
print('{"up": 1}')
while True:
    try:
        while True:
            time.sleep_ms(1)
    except KeyboardInterrupt:
        pass
"""
WAIT = "import time\nwhile True:\n    time.sleep_ms(50)\n"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "RESTART_S", 0.01)
    monkeypatch.setattr(fleet, "LONGEST_PAUSE_S", 0.05)


def make(folder: Path, name: str, script: str) -> Board:
    (folder / name).mkdir()
    (folder / name / "main.py").write_text(script, encoding="utf-8")
    image = {"MICROPYPATH": os.pathsep.join((str(HAL), ".frozen"))}
    return make_board(name, folder / name, tool("micropython"), image, uart="/dev/null", rate=1)


def said(board: Board) -> list[dict[str, object]]:
    if not board.console.is_file():
        return []
    lines = board.console.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


async def until(condition: object, what: str) -> None:
    """Wait inside a loop for a condition (a callable)."""
    assert callable(condition)
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - a process writes a file; nothing here could set an event
            await asyncio.sleep(0.01)
    assert condition(), what


def run_fleet(boards: list[Board], condition: object, what: str) -> None:
    async def run() -> None:
        nodes = Fleet(boards)
        await nodes.start()
        try:
            await until(condition, what)
        finally:
            await nodes.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("machine.reset()", HARD_RESET),
        ("machine.soft_reset()", SOFT_RESET),
        ("machine.deepsleep(1)", DEEP_SLEEP),
        ("machine.WDT(timeout=50)\nwhile True:\n    pass", WATCHDOG),
        ("raise SystemExit(0)", POWER_ON),
    ],
    ids=["reset", "soft", "sleep", "watchdog", "end"],
)
def test_a_node_lives_again_and_knows_why(tmp_path: Path, end: str, cause: int) -> None:
    board = make(tmp_path, "n1", BOOT + end + "\n")
    run_fleet([board], lambda: len(said(board)) >= 3, "three lives")
    assert [one["cause"] for one in said(board)[:3]] == [POWER_ON, cause, cause]
    assert board.lives >= 3


def test_a_killed_node_starts_from_power_on_with_whole_console_lines(tmp_path: Path) -> None:
    cut = "import sys\nsys.stdout.write('{\"cut')\n"
    board = make(tmp_path, "n1", BOOT + cut + WAIT)

    async def run() -> None:
        nodes = Fleet([board])
        await nodes.start()
        for life in (1, 2, 3):
            await until(lambda life=life: len(said(board)) >= life, f"life {life}")
            await until(lambda: board.console.read_bytes().endswith(b"cut"), "cut line")
            os.kill(int(board.pid_file.read_text()), signal.SIGKILL)
            await until(lambda life=life: board.lives > life, f"life {life} ended")
        await nodes.stop()

    asyncio.run(run())
    assert [one["cause"] for one in said(board)[:3]] == [POWER_ON] * 3
    assert board.causes[-signal.SIGKILL] >= 3


def test_a_planned_stop_interrupts_the_node_so_that_it_can_save(tmp_path: Path) -> None:
    boards = [make(tmp_path, f"n{i}", SAVE) for i in range(3)]
    run_fleet(boards, lambda: all(said(board) for board in boards), "all up")
    assert [said(board)[-1] for board in boards] == [{"saved": 1}] * 3
    assert not any(board.pid_file.exists() for board in boards)


def test_a_node_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "STOP_LIMIT_S", 0.2)
    board = make(tmp_path, "n1", DEAF)
    run_fleet([board], lambda: len(said(board)) == 1, "up")
    assert board.causes == {-signal.SIGKILL: 1}


def test_a_node_that_always_fails_at_once_is_given_up_with_a_word(tmp_path: Path) -> None:
    board = make(tmp_path, "n1", "raise SystemExit(1)\n")
    run_fleet([board], lambda: board.gave_up, "given up")
    assert board.lives == board.causes[1] == fleet.SHORT_LIVES_MAX + 1
    assert said(board)[-1]["event"] == "supervisor"


SUPERVISOR = """\
    import asyncio, sys
    from pathlib import Path
    from shutan_sim.fleet import Fleet, make_board

    async def main():
        boards = [
            make_board(path.name, path, Path(sys.argv[2]), {"MICROPYPATH": ".frozen"}, uart="/dev/null", rate=1)
            for path in sorted(Path(sys.argv[1]).iterdir())
        ]
        await Fleet(boards).start()
        await asyncio.sleep(3600)

    asyncio.run(main())
"""


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    boards = tmp_path / "boards"
    boards.mkdir()
    for i in range(4):
        (boards / f"n{i}").mkdir()
        (boards / f"n{i}" / "main.py").write_text(WAIT, encoding="utf-8")
    script = tmp_path / "supervisor.py"
    script.write_text(textwrap.dedent(SUPERVISOR), encoding="utf-8")
    with subprocess.Popen([sys.executable, script, boards, tool("micropython32")]) as supervisor:
        files = [boards / f"n{i}" / "pid" for i in range(4)]
        wait_until(lambda: all(file.is_file() for file in files), LIMIT_S, "four nodes")
        nodes = [psutil.Process(int(file.read_text())) for file in files]
        wait_until(lambda: all("main.py" in node.cmdline() for node in nodes), LIMIT_S, "four interpreters")
        supervisor.kill()
    gone, alive = psutil.wait_procs(nodes, timeout=LIMIT_S)
    assert (len(gone), alive) == (4, [])
