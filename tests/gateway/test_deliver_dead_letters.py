"""Dead letters: durable before the position moves, each once, bounded, and readable whatever was refused."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shutan_gateway.deliver.deliverer import Limits
from shutan_gateway.errors import StateUnavailable
from shutan_gateway.spool.log import Position
from shutan_gateway.stores.base import Written
from shutan_gateway.stores.sqlite import SqliteStore
from support.delivery import LIMIT_S, Line, MemoryStore, record, records, refuse_bad
from support.servers import wait_until
from support.store_rows import row, series


def test_a_failed_commit_repeats_the_batch_and_writes_no_letter_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    store.script = refuse_bad
    line = Line(tmp_path, store)
    commit, failures = line.state.commit_delivery, iter(range(3))

    def fail(store: str, position: Position, *, stored: int, dead: int) -> None:
        if next(failures, None) is not None:
            raise StateUnavailable("registry.sqlite: locked")
        commit(store, position, stored=stored, dead=dead)

    monkeypatch.setattr(line.state, "commit_delivery", fail)
    line.append(records([row({"x_s": "bad"}, at=1), row({"x_s": "good"}, at=2), row({"x_s": "bad"}, at=3)]))
    with line:
        line.wait_delivered()
        assert line.totals() == (1, 2, 0)
    assert store.calls == [3, 3, 3, 3]
    assert len(line.letters()) == 2


def test_dead_letters_that_cannot_be_written_hold_the_position(tmp_path: Path) -> None:
    store = MemoryStore()
    store.script = refuse_bad
    line = Line(tmp_path, store)
    line.dead_dir.write_text("a file where the folder should be")
    line.append([record(row({"x_s": "bad"})), *records(series(5))])
    with line:
        wait_until(lambda: "dead letters" in (line.deliverers[0].trouble or ""), LIMIT_S, "trouble shown")
        assert line.totals() == (0, 0, 6)
        line.dead_dir.unlink()
        line.wait_delivered()
        assert line.totals() == (5, 1, 0)
    assert len(line.letters()) == 1


@pytest.mark.parametrize("files", [1, 2, 3])
@pytest.mark.parametrize("group", [3, 30], ids=["often", "many at once"])
def test_dead_letters_are_bounded_and_what_goes_is_counted(tmp_path: Path, files: int, group: int) -> None:
    store = MemoryStore()
    store.script = refuse_bad
    limits = Limits(linger_s=0, dead_file_bytes=3000, dead_files=files)
    with Line(tmp_path, store, limits=limits) as line:
        for start in range(0, 90, group):
            line.append(records([row({"x_s": "bad"}, at=n) for n in range(start, start + group)]))
            line.wait_delivered()
        assert line.totals() == (0, 90, 0)
        dropped = line.counters.get("shutan_store_dead_letters_dropped_total", store="memory")
        letters = line.letters()
    assert dropped > 0
    assert len(letters) + dropped == 90
    assert [letter["row"]["t_ns"] for letter in letters] == sorted(letter["row"]["t_ns"] for letter in letters)  # type: ignore[index]
    older = {f"memory.{age}.jsonl" for age in range(1, files)}
    assert {path.name for path in line.dead_dir.iterdir()} == {"memory.jsonl", *older}
    assert all(path.stat().st_size <= 3000 for path in line.dead_dir.iterdir())


def test_a_torn_or_edited_dead_letter_file_is_continued(tmp_path: Path) -> None:
    store = MemoryStore()
    store.script = refuse_bad
    (tmp_path / "dead").mkdir()
    path = tmp_path / "dead" / "memory.jsonl"
    path.write_bytes(b'a note of mine\n[1, 2]\n{"reason": "x", "row": {"cut')
    with Line(tmp_path, store) as line:
        line.append([record(row({"x_s": "bad"}))])
        line.wait_delivered()
    lines = path.read_text().splitlines()
    assert lines[:2] == ["a note of mine", "[1, 2]"]
    assert json.loads(lines[2])["reason"] == "conflict: it is bad"


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800", 2**64])
def test_any_value_can_be_a_dead_letter(tmp_path: Path, value: float | str) -> None:
    local = SqliteStore("memory", tmp_path / "store.sqlite")
    with Line(tmp_path, local) as line:
        line.append([record(row({"x_s": value}))])
        line.wait_delivered()
        assert line.totals() == (0, 1, 0)
        (letter,) = line.letters()
    body = letter["row"]
    assert isinstance(body, dict)
    assert str(body["metrics"]["x_s"]) == str(value)  # pyright: ignore[reportUnknownArgumentType] # JSON


CHILD = """
import os, signal, sys
from pathlib import Path
from shutan_gateway.deliver.deliverer import Limits
from shutan_gateway.stores.sqlite import SqliteStore
from support.delivery import Line
folder, step, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = SqliteStore("memory", folder / "store.sqlite")
line = Line(folder, store, limits=Limits(linger_s=0, batch_rows=40, batch_bytes=8000))
dead = line.deliverers[0]._dead
steps = {"write": (store, "write"), "letters": (dead, "write"), "commit": (line.state, "commit_delivery")}
owner, name = steps[step.partition(" ")[2]] if left else steps["write"]
original = getattr(owner, name)

def dying(*args, **kwargs):
    global left
    left -= 1
    if left == 0 and step.startswith("before"):
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*args, **kwargs)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(owner, name, dying)
with line:
    line.wait_delivered()
"""
DEATHS = [f"{when} {step}" for when in ("before", "after") for step in ("write", "letters", "commit")]


@pytest.mark.fault
def test_kill_9_at_each_step_of_a_delivery_loses_and_doubles_nothing(tmp_path: Path) -> None:
    rows = [row({"n_i": n if n % 10 else 2**63}, at=n, record=n) for n in range(3000)]
    line = Line(tmp_path, MemoryStore())
    line.append(records(rows), group=20)
    line.__exit__()
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{CHILD}", str(tmp_path)]
    for step in DEATHS:
        for turn in (1, 4):
            assert subprocess.run([*command, step, str(turn)], check=False).returncode == -signal.SIGKILL
    assert subprocess.run([*command, "to the end", "0"], check=False).returncode == 0
    line = Line(tmp_path, MemoryStore())
    assert line.totals() == (2700, 300, 0)
    letters = line.letters()
    line.__exit__()
    assert sorted(letter["row"]["record"] for letter in letters) == list(range(0, 3000, 10))  # type: ignore[index]
    check = SqliteStore("memory", tmp_path / "store.sqlite")
    assert check.write([one for n, one in enumerate(rows) if n % 10]) == Written(2700)
    check.close()
