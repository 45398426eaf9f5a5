"""A damaged registry does not stop the gateway: rebuilt from its rows, or put aside together with the spool."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shutan_gateway.counters import Counters
from shutan_gateway.errors import StartError
from shutan_gateway.registry.rescue import open_registry
from support.intake_life import Life
from support.sparkplug_node import SparkplugNode


def filled(folder: Path) -> int:
    """A data folder with 40 nodes' births and records; how many rows a store would get."""
    life = Life(folder)
    for number in range(40):
        node = SparkplugNode(f"n{number:02d}", store=1000 + number)
        assert life.take([*node.births(), node.data(), node.data()])
    life.intake.checkpoint()
    rows = len(life.rows())
    life.close()
    with closing(sqlite3.connect(folder / "registry.sqlite")) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return rows


def damage_index(path: Path) -> None:
    """Overwrite the root page of an index; the tables are whole."""
    with closing(sqlite3.connect(path)) as conn:
        (size,) = conn.execute("PRAGMA page_size").fetchone()
        ((root,),) = conn.execute(
            "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'schema'"
        ).fetchall()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)


def damage_table(path: Path) -> None:
    """Overwrite everything behind the first page."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def damage_head(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)


def test_a_sound_or_absent_registry_is_just_opened(tmp_path: Path) -> None:
    counters = Counters()
    open_registry(tmp_path, counters).close()
    open_registry(tmp_path, counters).close()
    assert counters.total("shutan_registry_damaged_total") == 0
    assert [path.name for path in tmp_path.iterdir() if "damaged" in path.name] == []


def test_what_can_be_read_is_rebuilt_without_loss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = filled(tmp_path / "data")
    damage_index(tmp_path / "data/registry.sqlite")
    counters = Counters()
    open_registry(tmp_path / "data", counters).close()
    assert counters.get("shutan_registry_damaged_total", outcome="rebuilt") == 1
    assert len(caplog.records) == 1
    life = Life(tmp_path / "data")
    assert len(life.rows()) == rows, "every record in the spool still has its birth"
    node = SparkplugNode("n07", store=1007)
    assert life.take([*node.births(), node.data(), node.data(), node.data()])
    assert life.balance() == (83, 2, 0, 81), "watermarks are still known"
    life.close()


@pytest.mark.parametrize("damage", [damage_table, damage_head])
def test_what_cannot_be_read_is_put_aside_with_its_spool(
    tmp_path: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    filled(folder)
    before = {path.name: path.read_bytes() for path in (folder / "spool").iterdir()}
    (damage_table if damage is damage_table else damage_head)(folder / "registry.sqlite")
    counters = Counters()
    open_registry(folder, counters).close()
    assert counters.get("shutan_registry_damaged_total", outcome="lost") == 1
    assert len(caplog.records) == 1
    (aside,) = folder.glob("spool.damaged-*")
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == before
    assert len(list(folder.glob("registry.sqlite.damaged-*"))) == 1
    life = Life(folder)
    node = SparkplugNode("n07", store=1007, first=3)  # it holds what was not acknowledged: from record 3 on
    assert life.take([*node.births(), node.data(record=3), node.data(record=4)])
    assert (life.balance(), life.broker.acked) == ((2, 0, 0, 2), 4)
    assert len(life.rows()) == 2, "no old record is explained by a new birth"
    life.close()


def test_other_faults_still_stop_the_start(tmp_path: Path) -> None:
    open_registry(tmp_path, Counters()).close()
    with closing(sqlite3.connect(tmp_path / "registry.sqlite")) as conn:
        conn.execute("PRAGMA user_version = 99")
    with pytest.raises(StartError, match="newer version"):
        open_registry(tmp_path, Counters())
