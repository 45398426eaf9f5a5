"""Every profile reads its instrument: a simulated meter made from the maker's list, which knows nothing of the profile.

The instruments are pymodbus over `instrument.toml`, the library `dlt645`, and the simulator's own DL/T 645-1997 and
CJ/T 188 meters. Values are drawn by a seed; counters must come out exactly, gauges to float32.
"""

import asyncio
import json
import math
import random
import struct
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from dlt645.protocol.protocol import DLT645Protocol

from shutan_meters import dlt645
from shutan_meters.commission import broadcast_time, discover, read_address, read_address_request, send_time
from shutan_meters.errors import NoAnswer, Refused
from shutan_meters.freeze import read_daily_freeze
from shutan_meters.master import Device
from shutan_meters.profile import CJT188, DLT645, DLT645_1997, MODBUS, Profile, load_profile
from shutan_sim.devices import Kind
from shutan_sim.distillery.layout import DEVICES
from shutan_sim.instruments.cjt188_meters import Cjt188Meter, Cjt188Meters
from shutan_sim.instruments.dlt645_1997_meters import ITEMS, Dlt645Meters1997, Meter1997
from shutan_sim.instruments.dlt645_2007_meters import ITEMS as TABLE_2007
from shutan_sim.instruments.dlt645_2007_meters import Dlt645Meters2007, Meter2007
from shutan_sim.instruments.dlt645_meters import Dlt645Meters
from shutan_sim.instruments.instrument import Instrument
from shutan_sim.instruments.line import Responder
from shutan_sim.instruments.sheets import Cell, Sheet, SheetMeter, read_sheet
from shutan_sim.plant import distillery
from shutan_wire import catalogue
from shutan_wire.quality import BAD, GOOD

PROFILES = Path(__file__).resolve().parents[2] / "firmware/shutan_meters/profiles"
OPENED_MS = 1_774_972_800_000
ADDRESS = "000000000161"

Expected = dict[str, Fraction | int | None]


def profile(name: str) -> Profile:
    return load_profile((PROFILES / name / "profile.json").read_text(encoding="utf-8"))


def protocol(name: str) -> str:
    return str(json.loads((PROFILES / name / "profile.json").read_text(encoding="utf-8"))["protocol"])


NAMES = sorted(path.name for path in PROFILES.iterdir() if path.is_dir())
MODBUS_NAMES = [name for name in NAMES if protocol(name) == MODBUS]


class Bus:
    """The transport contract, straight into a simulated bus; what is left of a request is forgotten after it."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    async def transact(self, request: bytes, complete: Callable[[bytes | bytearray], int], timeout_ms: int) -> bytes:
        assert timeout_ms
        answers = self.responder.feed(request, OPENED_MS)
        self.responder.forget()
        if not answers:
            raise NoAnswer("bus", "nothing came")
        received = b"".join(answers)
        complete(received)
        return received


def read(responder: Responder, name: str, address: str) -> dict[str, tuple[int | float | None, int]]:
    device = Device(profile(name), address)
    asyncio.run(device.read(Bus(responder)))
    of = device.profile
    return {of.metric(i): (device.values[i], device.qualities[i]) for i in range(len(of))}


def check(found: Mapping[str, tuple[int | float | None, int]], expected: Expected) -> None:
    assert set(found) <= set(expected)
    for metric, (value, quality) in found.items():
        wanted = expected[metric]
        if wanted is None:
            assert (value, quality) == (None, BAD), metric
            continue
        assert quality == GOOD, metric
        kind = catalogue.by_name(metric)
        assert kind is not None
        if kind.kind == "gauge":
            assert value == pytest.approx(float(wanted), rel=1e-6, abs=1e-9), metric
        else:
            assert (value, type(value)) == (round(wanted), int), metric


def drawn(cell: Cell, dice: random.Random) -> Fraction:
    """A value that the register can hold and the catalogue finds plausible."""
    metric = catalogue.by_name(cell.metric)
    assert metric is not None
    reach = (
        Fraction(metric.high) - Fraction(metric.low)
    ) / 100  # not up to the bounds, which the node keeps as float32
    low, high = (Fraction(metric.low) + reach) / cell.step, (Fraction(metric.high) - reach) / cell.step
    if metric.low == 0:
        low = Fraction(0)
    if cell.kind == "f":
        most = Fraction(2**24 if metric.kind == "counter" else 60_000)
        number = dice.uniform(float(max(low, -most)), float(min(high, most)))
        return cell.shown(struct.unpack(">f", struct.pack(">f", number))[0])
    bits = 8 * struct.calcsize(cell.kind)
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if cell.kind.islower() else (0, 2**bits - 1)
    least, last = max(ends[0], math.ceil(low)), min(ends[1], math.floor(high))
    return cell.shown(dice.choice((least, last, dice.randint(least, last), dice.randint(least, last))))


def sheet_of(name: str) -> Sheet:
    return read_sheet(PROFILES / name / "instrument.toml")


@pytest.mark.parametrize("name", MODBUS_NAMES)
@pytest.mark.parametrize("seed", range(8))
def test_modbus_profiles_read_what_the_makers_list_says(name: str, seed: int) -> None:
    sheet, dice = sheet_of(name), random.Random(f"{name} {seed}")  # noqa: S311 - the same values each time
    shown = {cell.metric: drawn(cell, dice) for cell in sheet.cells if cell.metric}
    found = read(SheetMeter(sheet, 7, lambda metric, _: shown[metric]), name, "7")
    check(found, dict(shown))


@pytest.mark.parametrize("name", MODBUS_NAMES)
def test_a_register_that_is_moved_or_scaled_otherwise_is_noticed(name: str) -> None:
    """The comparison above can fail: each single register, one count off its list or of ten times its unit."""
    sheet = sheet_of(name)
    wanted = {profile(name).metric(i) for i in range(len(profile(name)))}
    cells = [cell for cell in sheet.cells if cell.metric in wanted]
    shown = {cell.metric: cell.shown(40 + 3 * at) for at, cell in enumerate(cells)}
    shown.update({metric: Fraction(1, 2) for metric in shown if metric.startswith("power_factor")})
    shown.update({metric: Fraction(50) for metric in shown if metric == "frequency_hz"})
    full: Expected = {**dict.fromkeys(sheet.metrics, Fraction(0)), **shown}
    check(read(SheetMeter(sheet, 1, lambda metric, _: shown.get(metric)), name, "1"), full)
    for cell in cells:
        wrong = Cell(cell.metric, cell.at, cell.kind, cell.step / 10, cell.low_first)
        other = Sheet(tuple(wrong if one == cell else one for one in sheet.cells), sheet.functions)
        found = read(SheetMeter(other, 1, lambda metric, _: shown.get(metric)), name, "1")
        with pytest.raises(AssertionError):
            check(found, full)


def test_values_that_a_meter_lacks_are_bad_and_the_rest_is_read() -> None:
    lacking = {"active_energy_export_wh", "reactive_energy_import_varh", "reactive_energy_export_varh"}
    sheet = sheet_of("schneider_iem3000")
    shown: Expected = {
        metric: None if metric in lacking else Fraction(1, 2) if metric == "power_factor" else Fraction(50)
        for metric in sheet.metrics
    }
    check(read(SheetMeter(sheet, 1, lambda metric, _: shown[metric]), "schneider_iem3000", "1"), shown)


def test_thirty_two_bit_powers_reach_beyond_what_sixteen_bits_carry() -> None:
    power = Fraction(52_800)  # 3 x 80 A x 220 V, connected directly
    wide, narrow = sheet_of("acrel_adl400"), sheet_of("acrel_dtsd1352")
    found = read(SheetMeter(wide, 1, lambda metric, _: power if metric == "active_power_w" else 0), "acrel_adl400", "1")
    assert found["active_power_w"] == (52_800.0, GOOD)
    cell = next(cell for cell in narrow.cells if cell.metric == "active_power_w")
    with pytest.raises(struct.error):
        cell.words(cell.raw(power))


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("piece", [200, 7, 2])
@pytest.mark.parametrize("seed", range(3))
def test_dlt645_1997_profile_reads_the_standards_table(seed: int, piece: int, blocks: bool) -> None:
    dice = random.Random(f"1997 {seed}")  # noqa: S311 - the same values each time
    shown = {
        item.metric: Fraction(dice.randrange(10 ** min(2 * item.size, 8)) * item.unit, 10**item.decimals)
        for item in ITEMS.values()
    }
    shown["power_factor"] = Fraction(dice.randrange(1001), 1000)
    meter = Meter1997(ADDRESS, lambda metric, _: shown[metric], blocks, piece)
    found = read(Dlt645Meters1997([meter]), "dlt645_1997", ADDRESS)
    check(found, dict(shown))


def test_all_meters_of_a_bus_are_found_in_both_editions() -> None:
    old = [
        Meter1997(address, lambda _, __: Fraction(1)) for address in ("138000130754", "000014359743", "000000000054")
    ]
    found = asyncio.run(discover(Bus(Dlt645Meters1997(old)), DLT645_1997))
    assert sorted(found) == sorted(meter.address for meter in old)
    plant = distillery(5, OPENED_MS)
    new = [Instrument(device, plant) for device in DEVICES if device.kind is Kind.DLT645][:3]
    found = asyncio.run(discover(Bus(Dlt645Meters(new))))
    assert sorted(found) == sorted(instrument.device.address for instrument in new)
    assert asyncio.run(discover(Bus(Dlt645Meters(new)), DLT645_1997)) == [], "another edition is not answered"


def test_the_library_reads_the_frames_that_are_built_here() -> None:
    unit, di = dlt645.address_bytes(ADDRESS), b"\x00\xff\x01\x00"
    frames = {
        dlt645.read_request(unit, di): (unit, 0x11, di),
        dlt645.follow_up_request(unit, di, 3): (unit, 0x12, di + b"\x03"),
        read_address_request(): (b"\xaa" * 6, 0x13, b""),
        # The standard's order, and that of four captures (frames 34..37). The library's own server takes these six
        # bytes the other way round, year first: its clock is no witness.
        broadcast_time((2017, 6, 5, 10, 22, 51)): (b"\x99" * 6, 0x08, bytes.fromhex("512210050617")),
    }
    for built, (address, control, data) in frames.items():
        frame = DLT645Protocol.deserialize(built)
        assert frame is not None
        assert (bytes(frame.addr), frame.ctrl_code, bytes(frame.data)) == (address, control, data)
        assert built[-2] == DLT645Protocol.calculate_checksum(built[4:-2])


def meter_2007(dice: random.Random, **more: Any) -> tuple[Meter2007, dict[str, Fraction]]:
    """A meter with drawn values, whose registers were a thousandth smaller for each day back."""
    drawn_2007: dict[str, Fraction] = {}
    for item in TABLE_2007.values():
        most = 8 * 10 ** (2 * item.size - 1)  # the top digit ends at 7 where its bit is the sign
        counts = dice.randrange(1001 if item.metric == "power_factor" else min(most, 10**7))
        value = Fraction(counts * item.unit, 10**item.decimals)
        drawn_2007[item.metric] = (
            -value if item.signed and "energy" not in item.metric and dice.random() < 0.5 else value
        )
    drawn_2007["frequency_hz"] = Fraction(4998, 100)
    clock = datetime(2026, 11, 23, 12, 30, 0)  # noqa: DTZ001 - a meter knows no time zone
    meter = Meter2007(ADDRESS, lambda metric, back: drawn_2007[metric] * (1000 - back) / 1000, clock, **more)
    return meter, drawn_2007


@pytest.mark.parametrize("piece", [200, 7, 3])
@pytest.mark.parametrize("seed", range(4))
def test_dlt645_2007_profile_reads_blocks_and_follow_up_frames(seed: int, piece: int) -> None:
    meter, expected = meter_2007(random.Random(f"2007 {seed}"), piece=piece)  # noqa: S311 - the same values each time
    bus = Bus(Dlt645Meters2007([meter]))
    check(read(bus.responder, "dlt645_three_phase", ADDRESS), dict(expected))
    assert asyncio.run(read_address(bus)) == ADDRESS


def test_daily_freezes_of_a_meter_are_read_with_their_days() -> None:
    meter, now = meter_2007(random.Random("freeze"), days=3, piece=9)  # noqa: S311 - the same values each time
    device, bus = Device(profile("dlt645_three_phase"), ADDRESS, (40, 1)), Bus(Dlt645Meters2007([meter]))
    names = [device.profile.metric(i) for i in range(len(device.profile))]
    for back, day in ((1, 23), (2, 22), (3, 21)):
        found = asyncio.run(read_daily_freeze(device, bus, back))
        assert found is not None
        assert found[0] == (2026, 11, day, 0, 0)
        kept = {names[item]: value for item, value in found[1]}
        assert set(kept) == {name for name in names if name.startswith("active_energy_")}
        for name, value in kept.items():
            register = round(now[name] * (1000 - back) / 1000 / 10) * 10  # steps of 10 Wh
            assert value == register * 40, (back, name)
    with pytest.raises(Refused):
        asyncio.run(read_daily_freeze(device, bus, 4))


def test_a_meter_follows_the_broadcast_of_time_and_does_so_once_a_day() -> None:
    meter, _ = meter_2007(random.Random("time"))  # noqa: S311 - the same values each time
    other, _ = meter_2007(random.Random("time"))  # noqa: S311 - as above
    other.address, other.clock = "000000000162", meter.clock + timedelta(minutes=10)
    bus = Bus(Dlt645Meters2007([meter, other]))
    asyncio.run(send_time(bus, (2026, 11, 23, 12, 34, 56)))
    assert meter.clock.isoformat() == "2026-11-23T12:34:56"
    assert other.clock.isoformat() == "2026-11-23T12:40:00", "more than 5 minutes off"
    asyncio.run(send_time(bus, (2026, 11, 23, 12, 35, 0)))
    assert meter.clock.isoformat() == "2026-11-23T12:34:56", "a second time on one day"


def test_dlt645_2007_profile_reads_the_library() -> None:
    device = next(device for device in DEVICES if device.id == "m-cold")
    instrument = Instrument(device, distillery(5, OPENED_MS))
    found = read(Dlt645Meters([instrument]), "dlt645_three_phase", device.address)
    assert len(found) == len(profile("dlt645_three_phase"))
    for metric, (value, quality) in found.items():
        assert quality == GOOD, metric
        assert value is not None
        if metric in instrument.registers:
            step, shown = instrument.registers[metric].step, instrument.steps(metric, OPENED_MS)
            assert value == step * shown, metric
        else:
            assert value == pytest.approx(instrument.secondary(metric, OPENED_MS), rel=1e-3, abs=0.06), metric


@pytest.mark.parametrize("low_first", [False, True])
@pytest.mark.parametrize(
    ("name", "kind", "metric", "value"),
    [
        ("cjt188_water", 0x10, "water_volume_l", 123450),
        ("cjt188_gas", 0x30, "gas_volume_l", 123450),
        ("cjt188_electricity", 0x40, "active_energy_import_wh", 123450),
        ("cjt188_heat", 0x20, "heat_kj", 444420),
    ],
)
def test_cjt188_profiles_read_the_standards_table(
    name: str, kind: int, metric: str, value: int, low_first: bool
) -> None:
    meter = Cjt188Meter(kind, "00000805000001", lambda _: 12345, low_first)
    address = ("1F90:" if low_first else "") + meter.address
    found = read(Cjt188Meters([meter]), name, address)
    assert found[metric] == (value, GOOD)
    assert all(quality == GOOD for _, quality in found.values())


def test_every_protocol_of_a_profile_has_a_witness_here() -> None:
    assert {protocol(name) for name in NAMES} == {MODBUS, DLT645, DLT645_1997, CJT188}
    assert len(MODBUS_NAMES) >= 10
