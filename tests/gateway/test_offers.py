"""Offers of wired meters and adapters become records like any other, and are settled when they are durable."""

import errno
import threading
from pathlib import Path

from shutan_gateway.intake.offers import Offer, Offers, sample
from shutan_gateway.rows import Row
from shutan_wire import datatypes as dt
from shutan_wire import quality, records
from support.intake_life import FailingDisk, Life
from support.servers import wait_until

T_MS = 1_780_000_000_000


def energy(wh: int, t_ms: int = T_MS) -> Offer:
    return Offer("plant", "bus1", "m1", (sample("active_energy_import_wh", dt.UINT64, wh, t_ms),), t_ms + 5)


def values(rows: list[Row]) -> list[dict[str, object]]:
    return [dict(zip(row.metrics, row.values, strict=True)) for row in rows]


def test_an_offer_becomes_a_row_of_its_family(tmp_path: Path) -> None:
    life = Life(tmp_path / "a")
    metrics = (
        sample("active_energy_import_wh", dt.UINT64, 123_456, T_MS),
        sample("voltage_l1_v", dt.FLOAT, None, T_MS, quality.STALE),
        sample("Wifi.RSSI", dt.INT64, -61, T_MS),
    )
    assert life.intake.tick([], [Offer("plant", "bus1", "m1", metrics, T_MS + 5)])
    energy_row, own = life.rows()
    assert energy_row[:5] == ("energy", "plant", "bus1", "m1", T_MS * 1_000_000)
    assert values([energy_row]) == [{"active_energy_import_wh": 123_456}]
    assert energy_row.qualities == (("voltage_l1_v", quality.STALE),)
    assert (own.family, values([own])) == ("unmapped", [{"Wifi_RSSI_i": -61}])
    assert life.balance() == (1, 0, 0, 1)
    life.close()


def test_an_exact_repeat_is_a_duplicate_also_after_a_restart(tmp_path: Path) -> None:
    life = Life(tmp_path / "a")
    settled: list[str] = []
    for name in ("first", "again"):
        life.intake.tick([], [energy(7)._replace(settled=lambda name=name: settled.append(name))])
    assert life.balance() == (2, 1, 0, 1)
    life = Life(life.die(1))
    life.intake.tick([], [energy(7)._replace(settled=lambda: settled.append("after"))])
    assert settled == ["first", "again", "after"]
    assert values(life.rows()) == [{"active_energy_import_wh": 7}]
    life.close()


def test_new_metrics_of_a_device_leave_the_old_readable(tmp_path: Path) -> None:
    life = Life(tmp_path / "a")
    life.intake.tick([], [energy(1)])
    more = (sample("frequency_hz", dt.FLOAT, 50.0, T_MS + 1000), sample("x", dt.STRING, "up", T_MS + 1000))
    life.intake.tick([], [Offer("plant", "bus1", "m1", more, T_MS + 1000), energy(2, T_MS + 2000)])
    found = values(life.rows())
    assert found == [
        {"active_energy_import_wh": 1},
        {"frequency_hz": 50.0},
        {"x_s": "up"},
        {"active_energy_import_wh": 2},
    ]
    life.close()


def test_nothing_is_settled_before_it_is_durable(tmp_path: Path) -> None:
    disk = FailingDisk()
    life = Life(tmp_path / "a", disk)
    settled = threading.Event()
    disk.broken["sync"] = errno.EIO
    offer = energy(9)._replace(settled=settled.set)
    ticking = threading.Thread(target=life.intake.tick, args=([], [offer]))
    ticking.start()
    wait_until(lambda: life.counters.get("shutan_spool_blocked") == 1, 10, "blocked")
    assert not settled.is_set()
    disk.broken.clear()
    ticking.join(10)
    assert settled.is_set()
    assert values(life.rows()) == [{"active_energy_import_wh": 9}]
    life.close()


def test_what_cannot_be_a_sample_is_refused_and_counted(tmp_path: Path) -> None:
    life = Life(tmp_path / "a")
    for name in (records.RECORD, records.GAP_FROM, "bdSeq", "Node Control/Rebirth"):
        life.intake.tick([], [Offer("p", "n", "d", (sample(name, dt.UINT64, 1, T_MS),), T_MS)])
    life.intake.tick([], [Offer("p", "n", "d", (), T_MS)])
    life.intake.tick([], [Offer("p", "n", "d", (sample("big", dt.INT64, 2**70, T_MS),), T_MS)])
    many = tuple(sample(f"m{number}", dt.INT64, number, T_MS) for number in range(501))
    life.intake.tick([], [Offer("p", "n", "d", many, T_MS)])
    assert life.balance() == (7, 0, 7, 0)
    life.close()


def test_a_full_queue_makes_the_producer_keep_its_samples() -> None:
    woken = threading.Event()
    offers = Offers(2, woken.set)
    assert offers.put(energy(1), 0)
    assert offers.put(energy(2), 0)
    assert not offers.put(energy(3), 0.01)
    assert (len(offers), offers.refused) == (2, 1)
    assert woken.is_set()
    assert [offer.metrics[0].value for offer in offers.drain(1)] == [1]
    assert offers.put(energy(3), 0)
    offers.close()
    assert not offers.put(energy(4), 5)
    assert [offer.metrics[0].value for offer in offers.drain(10)] == [2, 3]
