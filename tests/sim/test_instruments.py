"""Instruments on a pseudo-terminal, read by a reader written by hand."""

import asyncio
import contextlib
import sqlite3
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from shutan_sim.clock import PlantClock
from shutan_sim.devices import Device, Kind
from shutan_sim.distillery.layout import DEVICES
from shutan_sim.instruments.dlt645_meters import ITEMS, Dlt645Meters
from shutan_sim.instruments.instrument import Instrument
from shutan_sim.instruments.line import SILENT, Line, Noise
from shutan_sim.instruments.modbus_meters import ModbusMeters
from shutan_sim.local_time import DAY_MS
from shutan_sim.plant import distillery
from shutan_sim.truth import Truth
from support.sim_bus import Wire, bcd, dlt_data, dlt_request, modbus_data, modbus_request

OPENED_MS = 1_774_972_800_000  # 2026-04-01 00:00 in Shanghai
NOW_MS = OPENED_MS + 40 * DAY_MS + 37_123_456
PLANT = distillery(5, OPENED_MS)
BY_ID = {device.id: device for device in DEVICES}
SHORT_S = 0.3

Talk = Callable[[Wire], Awaitable[None]]


def talk_to(ids: list[str], talk: Talk, truth: Truth | None = None, noise: Noise = SILENT) -> list[Instrument]:
    """Put instruments on a bus whose plant stands still at NOW_MS, and talk to them."""
    instruments = [Instrument(BY_ID[name], PLANT, truth) for name in ids]

    async def run() -> None:
        clock = PlantClock.starting(NOW_MS, 1000)
        clock.frozen_ms = NOW_MS
        kinds = {one.device.kind for one in instruments}
        responder = Dlt645Meters(instruments) if kinds == {Kind.DLT645} else ModbusMeters(instruments)
        line = Line("test", responder, clock, noise=noise)
        wire = Wire(line.path)
        try:
            await talk(wire)
        finally:
            wire.close()
            line.close()

    asyncio.run(run())
    return instruments


def test_dlt645_every_item_shows_the_plant() -> None:
    async def talk(wire: Wire) -> None:
        instrument = Instrument(BY_ID["m-entry"], PLANT)
        address = BY_ID["m-entry"].address
        for di, item in ITEMS.items():
            reply = await wire.ask(dlt_request(address, di, wake=4), 16 + 4)
            said, control, data = dlt_data(reply)
            assert (said, control) == (address, 0x91), hex(di)
            raw = bcd(data[:-1] + bytes([data[-1] & 0x7F])) * (
                -1 if data[-1] & 0x80 and "_energy_" not in item.metric else 1
            )
            if item.metric in instrument.registers:
                assert raw == instrument.registers[item.metric].steps(NOW_MS)
            else:
                decimals = len(item.format.split(".")[1])
                expected = instrument.secondary(item.metric, NOW_MS) / item.unit
                assert raw / 10**decimals == pytest.approx(expected, abs=0.51 / 10**decimals)

    talk_to(["m-entry"], talk)


def test_dlt645_two_meters_on_one_bus_answer_each_for_itself() -> None:
    async def talk(wire: Wire) -> None:
        for name in ("m-bottling", "m-packing"):
            reply = await wire.ask(dlt_request(BY_ID[name].address, 0x00010000), 24)
            address, _, data = dlt_data(reply)
            assert address == BY_ID[name].address
            assert bcd(data) == Instrument(BY_ID[name], PLANT).registers["active_energy_import_wh"].steps(NOW_MS)

    talk_to(["m-bottling", "m-packing"], talk)


def test_dlt645_block_and_unknown_item_are_refused_with_no_such_data() -> None:
    async def talk(wire: Wire) -> None:
        for di in (0x0001FF00, 0x0201FF00, 0x02990000):
            _, control, data = dlt_data(await wire.ask(dlt_request(BY_ID["m-cold"].address, di), 17))
            assert (control, data) == (0xD1, b"\x02")

    talk_to(["m-cold"], talk)


def test_dlt645_address_request_names_a_meter_that_is_alone() -> None:
    async def talk(wire: Wire) -> None:
        request = bytes.fromhex("68AAAAAAAAAAAA681300DF16")
        address, control, data = dlt_data(await wire.ask(request, 22))
        assert (address, control) == (BY_ID["m-cold"].address, 0x93)
        assert data[::-1].hex() == BY_ID["m-cold"].address

    talk_to(["m-cold"], talk)


@pytest.mark.parametrize(
    "request_bytes",
    [
        dlt_request("999999999998", 0x00010000),  # not on this bus
        dlt_request(BY_ID["m-cold"].address, 0x00010000)[:-2] + b"\x00\x16",  # wrong sum
        b"\x68\x01\x02\x03",
        bytes(64),
    ],
)
def test_dlt645_is_silent_when_not_meant(request_bytes: bytes) -> None:
    async def talk(wire: Wire) -> None:
        assert await wire.ask(request_bytes, 1, SHORT_S) == b""
        assert await wire.ask(dlt_request(BY_ID["m-cold"].address, 0x00010000), 24)  # and alive

    talk_to(["m-cold"], talk)


def test_dlt645_does_not_obey_writes() -> None:
    async def talk(wire: Wire) -> None:
        body = b"\x68" + bytes.fromhex(BY_ID["m-cold"].address)[::-1] + b"\x68\x1a\x08" + bytes([0x33] * 8)
        assert await wire.ask(body + bytes([sum(body) & 0xFF, 0x16]), 1, SHORT_S) == b""
        _, _, data = dlt_data(await wire.ask(dlt_request(BY_ID["m-cold"].address, 0x00010000), 24))
        assert bcd(data) > 0

    talk_to(["m-cold"], talk)


def test_a_request_in_pieces_is_answered_and_a_torn_one_forgotten() -> None:
    async def talk(wire: Wire) -> None:
        request = dlt_request(BY_ID["m-cold"].address, 0x00010000)
        wire.send(request[:7])
        assert await wire.ask(request[7:], 24)
        wire.send(request[:7])
        assert await wire.receive(1, SHORT_S) == b""  # the pause ends that frame
        assert await wire.ask(request, 24)

    talk_to(["m-cold"], talk)


def floats(data: bytes) -> list[float]:
    return list(struct.unpack(f">{len(data) // 4}f", data))


def test_sdm630_registers() -> None:
    async def talk(wire: Wire) -> None:
        for unit, name in ((1, "m-dist1"), (3, "m-cool")):
            instrument = Instrument(BY_ID[name], PLANT)
            data = modbus_data(await wire.ask(modbus_request(unit, 4, 0x0000, 18), 41))
            expected = [instrument.gauges.value(f"{kind}_l{p}_{u}", NOW_MS) for kind, u in
                        (("voltage", "v"), ("current", "a"), ("active_power", "w")) for p in (1, 2, 3)]  # fmt: skip
            assert floats(data) == pytest.approx(expected, rel=1e-6)
            energy = floats(modbus_data(await wire.ask(modbus_request(unit, 4, 0x0048, 2), 9)))[0]
            steps = instrument.registers["active_energy_import_wh"].steps(NOW_MS)
            assert energy == struct.unpack(">f", struct.pack(">f", steps / 100))[0]

    talk_to(["m-dist1", "m-dist2", "m-cool"], talk)


def test_pzem_has_the_low_word_first_and_sits_beside_an_sdm630() -> None:
    async def talk(wire: Wire) -> None:
        instrument = Instrument(BY_ID["m-light"], PLANT)
        words = struct.unpack(">10H", modbus_data(await wire.ask(modbus_request(8, 4, 0, 10), 25)))
        assert words[5] | words[6] << 16 == instrument.registers["active_energy_import_wh"].steps(NOW_MS)
        assert (words[3] | words[4] << 16) / 10 == instrument.gauges.power(NOW_MS)
        assert words[0] / 10 == pytest.approx(instrument.gauges.voltage(1, NOW_MS), abs=0.051)
        assert (words[7], words[9]) == (500, 0)
        hertz = floats(modbus_data(await wire.ask(modbus_request(9, 4, 0x0046, 2), 9)))[0]
        assert hertz == pytest.approx(50, abs=0.05)

    talk_to(["m-light", "m-office"], talk)


def test_pulse_module_counts_gas_and_steam() -> None:
    async def talk(wire: Wire) -> None:
        registers = Instrument(BY_ID["p-boiler"], PLANT).registers
        gas, steam = struct.unpack(">2I", modbus_data(await wire.ask(modbus_request(2, 3, 0, 4), 13)))
        assert (gas, steam) == (registers["gas_volume_l"].steps(NOW_MS), registers["steam_heat_kj"].steps(NOW_MS))

    talk_to(["m-boiler", "p-boiler"], talk)


def test_modbus_gap_and_write_are_refused_absent_unit_and_wrong_crc_are_silent() -> None:
    async def talk(wire: Wire) -> None:
        gap = await wire.ask(modbus_request(1, 4, 0x0034, 4), 5)
        assert gap[:3] == b"\x01\x84\x02"
        assert await wire.ask(modbus_request(7, 4, 0, 2), 1, SHORT_S) == b""
        assert await wire.ask(modbus_request(1, 6, 0, 2), 1, SHORT_S) == b""
        assert await wire.ask(modbus_request(1, 4, 0, 2)[:-1] + b"\x00", 1, SHORT_S) == b""
        assert modbus_data(await wire.ask(modbus_request(1, 4, 0, 2), 9))

    talk_to(["m-pv"], talk)


def test_noise_keeps_every_frame_whole() -> None:
    async def talk(wire: Wire) -> None:
        request = dlt_request(BY_ID["m-cold"].address, 0x00010000)
        sizes: set[int] = set()
        for _ in range(60):
            reply = await wire.ask(request, 24)
            sizes.add(len(reply))
            assert dlt_data(reply)[1] == 0x91
        assert len(sizes) > 1

    talk_to(["m-cold"], talk, noise=Noise(junk=2, lost=0, damaged=0))


def test_lost_and_damaged_answers_are_counted() -> None:
    async def run() -> None:
        clock = PlantClock(NOW_MS, 0, 1000, frozen_ms=NOW_MS)
        line = Line("lossy", Dlt645Meters([Instrument(BY_ID["m-cold"], PLANT)]), clock, noise=Noise(0, 3, 3))
        wire = Wire(line.path)
        request = dlt_request(BY_ID["m-cold"].address, 0x00010000)
        whole = 0
        for _ in range(40):
            reply = await wire.ask(request, 24, 0.05)
            whole += len(reply) == 24 and sum(reply[4:-2]) & 0xFF == reply[-2]
        assert 5 < whole < 35
        assert line.disturbed >= 40 - whole  # a damaged wake-up byte in front of a frame does no harm
        wire.close()
        line.close()

    asyncio.run(run())


def test_truth_notes_what_was_shown_and_nothing_else(tmp_path: Path) -> None:
    truth = Truth(tmp_path)

    async def talk(wire: Wire) -> None:
        for _ in range(2):
            await wire.ask(dlt_request(BY_ID["m-bottling"].address, 0x00010000), 24)
        await wire.ask(dlt_request(BY_ID["m-bottling"].address, 0x00010100), 24)  # a tariff that the node does not keep
        await wire.ask(dlt_request(BY_ID["m-bottling"].address, 0x02030000), 23)

    (instrument,) = talk_to(["m-bottling"], talk, truth)
    value = instrument.registers["active_energy_import_wh"].value(NOW_MS)
    truth.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "truth.sqlite")) as db:
        rows = db.execute("SELECT * FROM served").fetchall()
    assert rows == [("m-bottling", "active_energy_import_wh", NOW_MS, value)]
    assert value % 300 == 0


def test_one_phase_meter_shows_nothing_on_the_other_phases() -> None:
    device: Device = BY_ID["m-packing"]
    gauges = Instrument(device, PLANT).gauges
    assert gauges.value("voltage_l2_v", NOW_MS) == gauges.value("current_l3_a", NOW_MS) == 0.0
