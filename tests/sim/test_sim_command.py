"""`shutan sim` for its user: one clear line for a mistake, nothing left running, a plant that can be frozen."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from shutan_sim.commands import sim
from shutan_sim.commands.sim import app
from shutan_sim.distillery.layout import LAYOUT
from support.servers import Server, free_port, wait_until

LIMIT_S = 60.0
COMMAND = [sys.executable, "-c", "from shutan_sim.commands.sim import app; app()"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plant", "--broker", "nowhere", "--dir", "x"], "--broker: 'nowhere' is not HOST:PORT"),
        (["plant", "--broker", "h:1", "--dir", "x", "--start", "soon"], "--start: 'soon' is no ISO 8601 time"),
        (["history", "--broker", ":1", "--dir", "x"], "--broker: ':1' is not HOST:PORT"),
        (["nodes", "--broker", "h:99999"], "--broker: 'h:99999' is not HOST:PORT"),
    ],
)
def test_mistakes_are_one_line_and_a_code(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_history_without_a_broker_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["history", "--broker", f"127.0.0.1:{free_port()}", "--dir", str(tmp_path), "--days", "1"]
    )
    assert result.exit_code == 1
    assert "start the broker first" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x", encoding="utf-8")
    result = CliRunner().invoke(app, ["plant", "--broker", "127.0.0.1:1", "--dir", str(blocked)])
    assert result.exit_code == 1
    assert "give --dir a folder that can be written" in " ".join(result.stderr.split())


def test_start_is_local_time_of_the_site_unless_it_says_otherwise() -> None:
    assert sim.parse_start("2026-06-01T08:00") == sim.parse_start("2026-06-01T00:00+00:00") == 1_780_272_000_000


def nodes_of(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def start(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([*COMMAND, *arguments], stdout=log, stderr=log)


def runs(process: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """True, or a failure with what the process said last."""
    log = (folder / "log").read_text(encoding="utf-8")
    assert process.poll() is None, f"ended with {process.returncode}: {log[-2000:]}"
    return True


@pytest.mark.flow
def test_plant_runs_its_nodes_freezes_and_leaves_nothing_behind(mosquitto: Server, tmp_path: Path) -> None:
    broker = f"127.0.0.1:{mosquitto.port}"
    process = start(tmp_path, "plant", "--broker", broker, "--dir", str(tmp_path), "--speed", "60")
    try:
        wait_until(lambda: runs(process, tmp_path) and (tmp_path / "plant.json").is_file(), LIMIT_S, "plant.json")
        described = json.loads((tmp_path / "plant.json").read_text(encoding="utf-8"))
        assert [node["node"] for node in described["nodes"]] == list(LAYOUT.nodes)
        assert (tmp_path / "site.toml").is_file()
        wait_until(lambda: len(nodes_of(process)) == len(LAYOUT.nodes), LIMIT_S, "all nodes run")
        children = nodes_of(process)
        pids = {int((tmp_path / "nodes" / name / "pid").read_text(encoding="ascii")) for name in LAYOUT.nodes}
        assert pids == {child.pid for child in children}
        wait_until(lambda: len(shown(tmp_path)) >= 10, LIMIT_S, "registers shown")
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: len(final(tmp_path)) >= 10, LIMIT_S, "final registers")
        finals, last = final(tmp_path), shown(tmp_path)
        assert all(finals[key] >= last[key] for key in finals)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
        assert not any(child.is_running() for child in children)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.flow
def test_ctrl_c_while_starting_leaves_nothing_behind(tmp_path: Path) -> None:
    process = start(tmp_path, "plant", "--broker", f"127.0.0.1:{free_port()}", "--dir", str(tmp_path))
    try:
        wait_until(
            lambda: runs(process, tmp_path) and (tmp_path / "nodes" / "n01" / "pid").is_file(), LIMIT_S, "a node"
        )
        node = psutil.Process(int((tmp_path / "nodes" / "n01" / "pid").read_text(encoding="ascii")))
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
        assert not node.is_running()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def rows(folder: Path, query: str) -> dict[tuple[str, str], int]:
    with closing(sqlite3.connect(f"file:{folder / 'truth.sqlite'}?mode=ro", uri=True)) as db:
        return {(meter, metric): value for meter, metric, value in db.execute(query)}


def shown(folder: Path) -> dict[tuple[str, str], int]:
    """Last value shown of each register."""
    return rows(folder, "SELECT meter, metric, value FROM served ORDER BY rowid")


def final(folder: Path) -> dict[tuple[str, str], int]:
    return rows(folder, "SELECT meter, metric, value FROM final")


@pytest.mark.flow
def test_nodes_end_by_themselves_after_the_time_given(mosquitto: Server, tmp_path: Path) -> None:
    broker = f"127.0.0.1:{mosquitto.port}"
    process = start(
        tmp_path, "nodes", "--broker", broker, "--count", "3", "--dir", str(tmp_path / "fleet"), "--for", "2"
    )
    try:
        assert process.wait(LIMIT_S) == 0
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    assert sorted(path.name for path in (tmp_path / "fleet" / "nodes").iterdir()) == ["s001", "s002", "s003"]
    assert "3 nodes run at 1x" in (tmp_path / "log").read_text(encoding="utf-8")
    assert not (tmp_path / "fleet" / "site.toml").exists()
