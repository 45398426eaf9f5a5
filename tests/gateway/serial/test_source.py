"""The serial source against simulated buses: readings, lost meters, lost adapters, full offers, gaps."""

import contextlib
import json
import logging
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from shutan_gateway.config.serial import SerialBus
from shutan_gateway.intake.offers import Offer
from shutan_gateway.serial.backfill import DAY_MS, Request, days_back, frozen_ms, leave_request, take_request
from shutan_gateway.serial.bus import utc_ms
from shutan_gateway.serial.source import STATE, SerialSource
from shutan_sim.instruments.cjt188_meters import Cjt188Meter, Cjt188Meters
from shutan_wire import quality
from support.servers import wait_until
from support.wired_rig import BABBLE, DEAD, STRANGER, SimBus, Taken, bus_config, dlt_bus, modbus_bus, running

FEW = ["active_energy_import_wh", "active_power_w"]
FAST = 115200


@contextlib.contextmanager
def source_of(taken: Taken, *buses: SerialBus) -> Generator[SerialSource]:
    source = SerialSource(buses, taken.tools)
    source.start()
    try:
        yield source
    finally:
        source.stop()
        taken.close()


def meters(profile: str, addresses: Sequence[str], **keys: object) -> list[dict[str, object]]:
    return [
        {"id": f"m{n}", "profile": profile, "address": address, "metrics": FEW, **keys}
        for n, address in enumerate(addresses, 1)
    ]


def values(offer: Offer) -> dict[str, object]:
    return {str(metric.name): metric.value for metric in offer.metrics}


def codes(offer: Offer) -> set[int]:
    found = [metric.properties[quality.PROPERTY][1] if metric.properties else quality.GOOD for metric in offer.metrics]
    return {code for code in found if isinstance(code, int)}


def latest(offers: Sequence[Offer]) -> dict[str, tuple[object, int]]:
    """Each metric's last value and quality."""
    found: dict[str, tuple[object, int]] = {}
    for offer in offers:
        for metric in offer.metrics:
            one = offer._replace(metrics=(metric,))
            found[str(metric.name)] = (metric.value, codes(one).pop())
    return found


def test_three_protocols_on_three_buses_and_what_is_durable_is_remembered(tmp_path: Path) -> None:
    taken = Taken(tmp_path)
    dlt, dlt_addresses = dlt_bus(2, FAST)
    modbus, modbus_addresses = modbus_bus(2, FAST)
    water = SimBus(Cjt188Meters([Cjt188Meter(0x10, "00000805000001", lambda _: 12300, True)]), lambda _: b"w", FAST)
    wet = {"id": "w", "profile": "cjt188_water", "address": "00000805000001", "di_order": "1F90"}
    buses = [
        bus_config(device=dlt.path, interval_s=2, meter=meters("dlt645_three_phase", dlt_addresses, ct=[40, 1])),
        bus_config(
            name="b2", device=modbus.path, node="gw2", interval_s=1, meter=meters("eastron_sdm630", modbus_addresses)
        ),
        bus_config(name="b3", device=water.path, node="gw3", interval_s=1, meter=[wet]),
    ]
    with running([dlt, modbus, water]), source_of(taken, *buses) as source:
        wanted = [("gw1", "m1"), ("gw1", "m2"), ("gw2", "m1"), ("gw2", "m2"), ("gw3", "w")]
        seen = lambda: [(offer.node, offer.device) for offer in taken.take()]  # noqa: E731 - named for its use
        wait_until(lambda: all(seen().count(one) >= 2 for one in wanted), 20, "two readings of each")
        assert source.trouble is None
    by_meter = {one: [o for o in taken.all if (o.node, o.device) == one] for one in wanted}
    for offers in by_meter.values():
        times = [offer.metrics[0].timestamp or 0 for offer in offers]
        assert times == sorted(set(times))
        assert all(offer.metrics[0].timestamp <= offer.received_ms for offer in offers if offer.metrics[0].timestamp)
        assert all(codes(offer) == {quality.GOOD} for offer in offers)
    first, second = (values(offer)["active_energy_import_wh"] for offer in by_meter["gw1", "m1"][:2])
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert first % 400 == 0, "steps of 10 Wh times the ratio"
    assert first <= second
    assert values(by_meter["gw3", "w"][0]) == {"water_volume_l": 123000, "valve_state": 1, "alarm_code": 0}
    saved = json.loads((tmp_path / STATE).read_text(encoding="utf-8"))["meters"]
    assert saved["plant/gw3/w"] == by_meter["gw3", "w"][-1].metrics[0].timestamp
    assert taken.counters.get("shutan_serial_bus_up", bus="b2") == 1
    assert taken.counters.get("shutan_serial_reads_total", bus="b2", meter="m1") >= 2
    assert taken.counters.get("shutan_serial_duty_percent", bus="bus1") > 0


def test_dead_babbling_and_strange_meters_hold_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="shutan.serial")
    taken = Taken(tmp_path)
    bus, addresses = modbus_bus(6, FAST, babble_s=0.15)
    config = bus_config(device=bus.path, interval_s=1, meter=meters("eastron_sdm630", addresses, timeout_ms=100))

    def up(n: int) -> bool:
        return taken.counters.get("shutan_serial_meter_up", bus="bus1", meter=f"m{n}") == 1

    with running([bus]), source_of(taken, config) as source:
        wait_until(lambda: all(up(n) for n in range(1, 7)), 20, "all meters are read")
        bus.faults.update({b"\x01": DEAD, b"\x03": BABBLE, b"\x05": STRANGER})
        wait_until(lambda: not (up(1) or up(3) or up(5)), 30, "three meters are lost")
        assert source.trouble == "bus bus1: no answer from m1, m3, m5"
        before = {n: len(taken.of(f"m{n}")) for n in (2, 4, 6)}
        wait_until(lambda: all(len(taken.of(f"m{n}")) >= before[n] + 2 for n in before), 20, "the others go on")
        assert latest(taken.of("m1")) == dict.fromkeys(FEW, (None, quality.STALE))
        bus.faults.clear()
        wait_until(lambda: up(1) and up(3) and up(5), 40, "the three are back")
        assert source.trouble is None
        assert codes(taken.of("m1")[-1]) == {quality.GOOD}
    said = [record.getMessage() for record in caplog.records]
    for name in ("m1", "m3", "m5"):
        assert len([line for line in said if f"meter {name} lost" in line]) == 1
        assert len([line for line in said if f"meter {name} back" in line]) == 1
    assert taken.counters.get("shutan_serial_silent_total", bus="bus1", meter="m1") >= 2
    assert taken.counters.get("shutan_serial_damaged_total", bus="bus1", meter="m3") >= 1


def test_an_adapter_that_is_unplugged_is_opened_again_under_its_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="shutan.serial")
    taken = Taken(tmp_path)
    path = tmp_path / "usb-adapter"
    first, addresses = modbus_bus(1, FAST)
    second, _ = modbus_bus(1, FAST)
    path.symlink_to(first.path)
    config = bus_config(device=str(path), interval_s=1, meter=meters("eastron_sdm630", addresses))
    with source_of(taken, config) as source:
        with running([first]):
            taken.wait_for("m1", 2)
        wait_until(lambda: source.trouble is not None, 10, "the loss is noticed")
        path.unlink()
        assert str(path) in str(source.trouble)
        stale = taken.of("m1")
        assert codes(stale[-1]) == {quality.STALE}
        path.symlink_to(second.path)
        with running([second]):
            taken.wait_for("m1", len(stale) + 2)
            assert source.trouble is None
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "bus bus1 lost" in line]) == 1
    assert len([line for line in said if "bus bus1 back" in line]) == 1
    assert taken.counters.get("shutan_serial_reopened_total", bus="bus1") == 1


def test_a_bus_without_its_adapter_is_waited_for(tmp_path: Path) -> None:
    taken = Taken(tmp_path)
    config = bus_config(device=str(tmp_path / "none"), meter=meters("eastron_sdm630", ["1"]))
    with source_of(taken, config) as source:
        wait_until(lambda: source.trouble is not None, 10, "trouble is told")
        assert "No such file" in str(source.trouble)
    assert taken.take() == []


def test_while_intake_takes_nothing_the_newest_reading_is_kept(tmp_path: Path) -> None:
    taken = Taken(tmp_path, limit=1)
    bus, addresses = modbus_bus(2, FAST)
    config = bus_config(device=bus.path, interval_s=1, meter=meters("eastron_sdm630", addresses))
    dropped = lambda: taken.counters.total("shutan_serial_dropped_total")  # noqa: E731 - named for its use
    with running([bus]), source_of(taken, config):
        wait_until(lambda: dropped() >= 2, 20, "readings are given up")
        reads = taken.counters.total("shutan_serial_reads_total")
        oldest = taken.offers.drain(1)[0]
        wait_until(lambda: len(taken.take()) >= 2, 20, "the newest of both")
        assert len(taken.all) < reads
        assert all(offer.received_ms >= oldest.received_ms for offer in taken.all)


# A meter with daily freezes, put together byte by byte.
METER = "202611230001"


class Freezer:
    """Answers 050600NN, 050601NN for NN = 1..30, 00010000, and refuses everything else."""

    def __init__(self, offset_h: int = 8) -> None:
        self._offset_ms = offset_h * 3_600_000
        self.asked: list[int] = []

    def forget(self) -> None:
        """Every request comes whole."""

    def feed(self, data: bytes, t_ms: int) -> list[bytes]:
        del t_ms
        body = data[data.find(b"\x68") :]
        di = bytes((byte - 0x33) & 0xFF for byte in body[10:14])
        number = int.from_bytes(di, "little")
        self.asked.append(number)
        control, payload = 0xD1, b"\x02"
        if number == 0x00010000:
            control, payload = 0x91, di + bcd(900_000)
        elif number >> 16 == 0x0506 and 1 <= di[0] <= 30:
            control, payload = 0x91, di + (self._time(di[0]) if di[1] == 0 else bcd(800_000 - di[0]) + bcd(di[0]) * 4)
            if di[1] == 2:
                control, payload = 0xD1, b"\x02"
        head = b"\x68" + bytes.fromhex(METER)[::-1] + b"\x68"
        frame = head + bytes([control, len(payload)]) + bytes((byte + 0x33) & 0xFF for byte in payload)
        return [frame + bytes([sum(frame) & 0xFF, 0x16])]

    def _time(self, back: int) -> bytes:
        """mm hh DD MM YY of the local day that began `back` - 1 days ago."""
        import datetime as dt

        day = dt.date(1970, 1, 1) + dt.timedelta(days=(utc_ms() + self._offset_ms) // DAY_MS - back + 1)
        return bytes.fromhex(f"0000{day.day:02d}{day.month:02d}{day.year % 100:02d}")


def bcd(number: int) -> bytes:
    return bytes.fromhex(f"{number:08d}")[::-1]


def freezer_bus() -> tuple[SimBus, SerialBus]:
    sim = SimBus(Freezer(), lambda _: b"f", FAST)
    entry = {
        "id": "m",
        "profile": "dlt645_three_phase",
        "address": METER,
        "metrics": ["active_energy_import_wh"],
        "ct": [2, 1],
    }
    return sim, bus_config(device=sim.path, interval_s=2, meter=[{**entry, "timeout_ms": 200}])


def test_a_gap_of_days_is_filled_from_daily_freezes_after_the_start(tmp_path: Path) -> None:
    now = utc_ms()
    last = now - 3 * DAY_MS - 1000
    (tmp_path / STATE).write_text(json.dumps({"version": 1, "meters": {"plant/gw1/m": last}}), encoding="utf-8")
    taken = Taken(tmp_path)
    sim, config = freezer_bus()
    filled = lambda: taken.counters.get("shutan_serial_backfilled_total", bus="bus1", meter="m")  # noqa: E731 - as above
    with running([sim]), source_of(taken, config):
        wait_until(lambda: filled() >= 3, 20, "three freezes")
    frozen = [
        offer for offer in taken.take() if (offer.metrics[0].timestamp or 0) < now - 60_000 and offer.settled is None
    ]
    times = [offer.metrics[0].timestamp or 0 for offer in frozen]
    assert times == sorted(times)
    assert all(last <= t <= now and (t + 8 * 3_600_000) % DAY_MS == 0 for t in times)
    found = [values(offer)["active_energy_import_wh"] for offer in frozen]
    backs = [(now + 8 * 3_600_000) // DAY_MS - (t + 8 * 3_600_000) // DAY_MS + 1 for t in times]
    assert found == [(800_000 - back) * 10 * 2 for back in backs]


def test_a_person_asks_for_days(tmp_path: Path) -> None:
    taken = Taken(tmp_path)
    sim, config = freezer_bus()
    day = utc_ms() // DAY_MS * DAY_MS
    leave_request(tmp_path, Request(day - 3 * DAY_MS, day - DAY_MS, ("plant/gw1/m",)))
    filled = lambda: taken.counters.get("shutan_serial_backfilled_total", bus="bus1", meter="m")  # noqa: E731 - as above
    with running([sim]), source_of(taken, config):
        wait_until(lambda: filled() == 2, 20, "two freezes lie inside")
        assert take_request(tmp_path) is None


def test_requests_that_are_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("", "{", "[]", '{"from_ms": 1}', '{"from_ms": "1", "to_ms": 2, "keys": []}'):
        (tmp_path / "serial-backfill.json").write_text(text, encoding="utf-8")
        assert take_request(tmp_path) is None
    assert len(caplog.records) == 5
    assert list(tmp_path.iterdir()) == []


def test_which_freezes_can_lie_in_a_span() -> None:
    noon = 20_000 * DAY_MS + DAY_MS // 2
    assert days_back(noon - 2 * DAY_MS, noon, noon, 0) == [4, 3, 2, 1]
    assert days_back(noon - 5 * DAY_MS, noon - 4 * DAY_MS, noon, 0) == [7, 6, 5, 4]
    assert days_back(noon - 100 * DAY_MS, noon, noon, 0)[0] == 62
    assert days_back(noon, noon - 1, noon, 0) == []
    assert frozen_ms((2026, 11, 23, 0, 0), 8) == 1_795_363_200_000
    assert frozen_ms((2026, 2, 30, 0, 0), 8) == 0


def test_no_thread_is_left(tmp_path: Path) -> None:
    taken = Taken(tmp_path)
    with source_of(taken, bus_config(device="/dev/none", meter=meters("eastron_sdm630", ["1"]))):
        assert "shutan-serial" in {thread.name for thread in threading.enumerate()}
    assert "shutan-serial" not in {thread.name for thread in threading.enumerate()}
