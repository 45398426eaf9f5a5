"""C3: one bit of the spool's files turns, anywhere; the gateway starts on them and delivers what is left."""

import random
import shutil
from pathlib import Path

import pytest

from faults.harness import Fault
from shutan_gateway.deliver.deliverer import Deliverer, Limits
from shutan_gateway.rows import Row, RowReader
from shutan_wire import datatypes as dt
from support.delivery import MemoryStore
from support.intake_life import Life
from support.servers import wait_until
from support.sparkplug_node import ENERGY, Scalar, SparkplugNode

pytestmark = pytest.mark.fault


def write(folder: Path) -> tuple[dict[str, bytes], list[Row]]:
    """A spool of several segments behind a checkpoint: its files, and the rows in it."""
    life = Life(folder)
    node = SparkplugNode(devices={"m1": {**ENERGY, "note": dt.STRING}})
    life.take(node.births())
    for _ in range(20):
        values: dict[str, Scalar] = {"active_energy_import_wh": node.record, "note": "x" * 300}
        life.take([node.data(values=dict(values)) for _ in range(15)])
    life.intake.checkpoint()
    rows = life.rows()
    life.close()
    return {path.name: path.read_bytes() for path in (folder / "spool").iterdir()}, rows


def delivered(folder: Path) -> tuple[list[Row], dict[str, int]]:
    """What a gateway on this folder gives to a store, and what it counted."""
    life, store = Life(folder), MemoryStore("local")
    life.state.add_store("local", life.spool.first)
    deliverer = Deliverer(
        store,
        spool=life.spool,
        reader=RowReader(life.state),
        state=life.state,
        counters=life.counters,
        dead_dir=folder / "dead",
        limits=Limits(linger_s=0),
    )
    deliverer.start()
    wait_until(lambda: deliverer.position.ordinal == life.spool.end.ordinal, 30, "everything delivered", step_s=0.002)
    assert deliverer.stop()
    received, duplicates, rejected, accepted = life.balance()
    assert received == duplicates + rejected + accepted
    progress = life.state.progress()["local"]
    counted = {
        "accepted": life.spool.end.ordinal,
        "stored": progress.stored,
        "dead": progress.dead,
        "damaged": int(life.counters.get("shutan_spool_damaged_total")),
    }
    life.close()
    return list(store.rows.values()), counted


def test_c03_bit_rot(fault: Fault, tmp_path: Path) -> None:
    """Each flipped bit costs at most the record that it hit, which is counted; a wrong value never comes out."""
    places = fault.size(short=8, long=1000)
    files, rows = write(tmp_path / "whole")
    assert len(files) > 1
    names = sorted(files, key=lambda name: len(files[name]))
    chance = random.Random(7)  # noqa: S311 - the same places each time
    cost_nothing = most = uncounted = unbalanced = wrong = 0
    for number in range(places):
        name = chance.choices(names, [len(files[name]) for name in names])[0]
        place = chance.randrange(len(files[name]) * 8)
        folder = tmp_path / "flipped"
        shutil.copytree(tmp_path / "whole", folder)
        flipped = bytearray(files[name])
        flipped[place // 8] ^= 1 << place % 8
        (folder / "spool" / name).write_bytes(flipped)
        found, counted = delivered(folder)
        lost = len({row.record for row in rows} - {row.record for row in found})
        cost_nothing += lost == 0
        most = max(most, lost)
        uncounted += abs(counted["damaged"] - lost)
        unbalanced += counted["accepted"] != counted["stored"] + counted["dead"] or counted["dead"] != lost
        wrong += found != [row for row in rows if row in found]
        shutil.rmtree(folder)
        fault.progress(f"{number + 1} of {places} bits, {cost_nothing} cost nothing")
    fault.record(
        "C3",
        measured={
            "bits": places,
            "records_each": len({row.record for row in rows}),
            "bits_in_what_stands_twice": cost_nothing,
            "most_records_lost_by_a_bit": most,
            "lost_without_being_counted": uncounted,
            "wrong_values_delivered": wrong,
            "out_of_balance": unbalanced,
        },
        bar={
            "most_records_lost_by_a_bit": "<= 1",
            "lost_without_being_counted": "== 0",
            "wrong_values_delivered": "== 0",
            "out_of_balance": "== 0",
        },
        long_bar={"bits": ">= 1000"},
        note="bits of the spool's files; heads, lengths and counts stand twice, so a bit in one of them costs nothing",
    )
