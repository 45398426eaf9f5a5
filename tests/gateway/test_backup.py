"""A backup beside the running gateway holds everything that was acknowledged before it, and shows any change."""

import shutil
import sqlite3
import tarfile
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

from shutan_gateway.adapters.memory import Memory, Place, Settled
from shutan_gateway.adapters.registers import advance
from shutan_gateway.backup import backup, restore
from shutan_gateway.config import load_config
from shutan_gateway.counters import Counters
from shutan_gateway.errors import TellPerson
from shutan_gateway.quarantine import FOLDER as QUARANTINE
from shutan_gateway.quarantine import Quarantine, load
from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.field_nodes import Field
from support.gateway_process import SQLITE, gateway_process
from support.servers import Server, wait_until
from support.sparkplug_node import T0_MS

SMALL = "[spool]\nsegment_bytes = 65536\nmax_bytes = 400000000\n"
INSIDE = SQLITE.replace('"series.sqlite"', '"data/series.sqlite"')


def stored(path: Path) -> set[tuple[str, int]]:
    with closing(open_readonly(path)) as conn:
        return {
            (series.node, (int(str(t_ns)) // 1_000_000 - T0_MS) // 1000)
            for series in list_series(conn)
            if series.family == "energy"
            for (t_ns, _) in read_series(conn, series, ("active_power_w",), 0, 2**63 - 1)
        }


@pytest.mark.flow
def test_a_restored_gateway_has_all_that_was_acknowledged_before_the_backup(mosquitto: Server, tmp_path: Path) -> None:
    home, new = tmp_path / "home", tmp_path / "new"
    home.mkdir()
    with Field(mosquitto.port, count=3, rate=300) as field:
        with gateway_process(home, mosquitto.port, SMALL + INSIDE) as gateway:
            wait_until(lambda: field.acked > 600, 60, "acknowledgements flow")
            before = {name: node.acked for name, node in field.nodes.items()}
            backup(load_config(home / "gateway.toml"), home / "gateway.toml", tmp_path / "b.tar", tell=lambda _: None)
            seen = field.acked
            wait_until(lambda: field.acked > seen + 100, 60, "the gateway went on meanwhile")
            gateway.kill()
        contents = restore(tmp_path / "b.tar", new, tell=lambda _: None)
        assert {"data/registry.sqlite", "data/series.sqlite", "config/gateway.toml"} <= contents.members.keys()
        with gateway_process(new, mosquitto.port, SMALL + INSIDE) as gateway:
            wait_until(lambda: gateway.number('shutan_nodes{state="online"}') == 3, 60, "the nodes are back")
            field.finish(60)
            name = 'shutan_store_pending{store="local"}'
            wait_until(lambda: gateway.numbers().get(name) == 0, 60, "everything delivered")
            assert gateway.number('shutan_store_dead_total{store="local"}') == 0
            found = stored(new / "data/series.sqlite")
            assert {(node, n) for node, upto in before.items() for n in range(1, upto + 1)} - found == set()
            newest = {name: node.newest for name, node in field.nodes.items()}
            lost = sum(newest.values()) - len(found)
            # Nothing is missing in silence; a store may have been ahead of the spool's copy.
            assert 0 < lost <= gateway.number("shutan_gap_overwritten_total")


def small_home(folder: Path) -> Path:
    """A data folder with one database, one segment and a password beside it."""
    (folder / "data/spool").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "data/registry.sqlite")) as conn:
        conn.executescript(
            "CREATE TABLE schema (a); CREATE TABLE session (a); CREATE TABLE store (name TEXT PRIMARY KEY, segment)"
        )
    (folder / "data/spool/0000000001.seg").write_bytes(b"a group")
    (folder / "data/lock").touch()
    (folder / "secret").write_text("hush\n")
    path = folder / "gateway.toml"
    path.write_text('[gateway]\ndata_dir = "data"\n[mqtt]\nusername = "gw"\npassword_file = "secret"\n')
    return path


def test_secrets_go_in_only_when_asked_for(tmp_path: Path) -> None:
    path = small_home(tmp_path)
    without = backup(load_config(path), path, tmp_path / "a.tar", tell=lambda _: None)
    with_them = backup(load_config(path), path, tmp_path / "b.tar", secrets=True, tell=lambda _: None)
    assert set(with_them.members) - set(without.members) == {"config/files/secret"}
    assert set(without.members) == {"data/registry.sqlite", "data/spool/0000000001.seg", "config/gateway.toml"}
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600


def test_what_sources_watch_and_quarantine_keep_goes_along(tmp_path: Path) -> None:
    """All that is in the data folder, also what a running gateway holds in a write-ahead log only."""
    path = small_home(tmp_path)
    data = tmp_path / "data"
    place, register = (
        Place("plant", "plugs", "p1", "active_energy_import_wh"),
        advance(None, Fraction(62_758), 1).register,
    )
    quarantine = Quarantine(data / QUARANTINE, Counters())
    quarantine.keep("mqtt", "truncated", "ends early", b"\x0a\x07half", topic="spBv1.0/plant/DDATA/n01/m1")
    assert quarantine.flush(10)
    for name in ("serial.json", "watch.json"):
        (data / name).write_text(f'{{"of": "{name}"}}', encoding="utf-8")
    with closing(Memory.open(data / "adapters.sqlite")) as memory:
        memory.commit([Settled(b"digest", ((place, register),), (("plugs", "tele/p1", "{}"),))])
        assert (data / "adapters.sqlite-wal").stat().st_size > 0
        backup(load_config(path), path, tmp_path / "a.tar", tell=lambda _: None)
    quarantine.close()
    restore(tmp_path / "a.tar", tmp_path / "to", tell=lambda _: None)
    again = tmp_path / "to/data"
    with closing(Memory.open(again / "adapters.sqlite")) as memory:
        assert memory.registers() == {place: register}
        assert (memory.notes("plugs"), memory.seen()) == ({"tele/p1": "{}"}, [b"digest"])
    for name in ("serial.json", "watch.json"):
        assert (again / name).read_text(encoding="utf-8") == f'{{"of": "{name}"}}'
    item, raw = load(again / QUARANTINE, 1)
    assert (item.reason, item.detail, raw) == ("truncated", "ends early", b"\x0a\x07half")


def test_a_changed_or_cut_backup_is_not_restored(tmp_path: Path) -> None:
    path = small_home(tmp_path)
    backup(load_config(path), path, tmp_path / "a.tar", tell=lambda _: None)
    data = (tmp_path / "a.tar").read_bytes()
    at = data.index(b"a group")
    for number, (broken, words) in enumerate(
        (
            (data[:at] + b"S" + data[at + 1 :], "0000000001.seg is not what the manifest says"),
            (data[: len(data) // 3 // 512 * 512], "no manifest|cannot be read"),
            (b"no tar at all", "cannot be read"),
        )
    ):
        (tmp_path / "x.tar").write_bytes(broken)
        with pytest.raises(TellPerson, match=words):
            restore(tmp_path / "x.tar", tmp_path / f"to{number}", tell=lambda _: None)
        assert not (tmp_path / f"to{number}").exists()


def test_nothing_is_written_outside_the_new_folder(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(small_home(tmp_path / "h"), "data/../../evil")
    with pytest.raises(TellPerson, match="does not belong"):
        restore(tmp_path / "evil.tar", tmp_path / "to", tell=lambda _: None)
    shutil.rmtree(tmp_path / "h")
    (tmp_path / "to").mkdir()
    (tmp_path / "to/mine").touch()
    with pytest.raises(TellPerson, match="something already"):
        restore(tmp_path / "evil.tar", tmp_path / "to", tell=lambda _: None)
