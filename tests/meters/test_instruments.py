"""The master against instruments that share nothing with it: the libraries `dlt645` and `pymodbus` on terminals."""

import asyncio
import os
import struct
import tty
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from dlt645.model.types.data_type import DataItem
from dlt645.model.types.dlt645_type import PasswordManager
from dlt645.protocol.protocol import DLT645Protocol
from dlt645.service.serversvc.server_service import MeterServerService
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from shutan_meters.commission import read_address
from shutan_meters.errors import NoAnswer
from shutan_meters.master import LIMIT, Device, read_device
from shutan_meters.profile import Profile, load_profile
from shutan_wire.quality import BAD, GOOD

PROFILES = Path(__file__).resolve().parents[2] / "firmware/shutan_meters/profiles"
ADDRESS = "000000000161"
WIRE_ADDRESS = bytes.fromhex(ADDRESS)[::-1]

# identifier: format on the wire, value in the meter's own unit
REGISTERS: dict[int, tuple[str, float]] = {
    0x00010000: ("XXXXXX.XX", 799999.99),
    0x00010100: ("XXXXXX.XX", 12.34),
    0x00010200: ("XXXXXX.XX", 0.01),
    0x00020000: ("XXXXXX.XX", 4321.09),
    0x02010100: ("XXX.X", 230.3),
    0x02010200: ("XXX.X", 229.8),
    0x02010300: ("XXX.X", 231.1),
    0x02020100: ("XXX.XXX", 4.999),
    0x02030000: ("XX.XXXX", 79.9999),
    0x02030100: ("XX.XXXX", 0.2512),
    0x02800002: ("XX.XX", 49.98),
}


def profile(name: str) -> Profile:
    return load_profile((PROFILES / name / "profile.json").read_text(encoding="utf-8"))


class PtyTransport:
    """The transport contract over a file descriptor: what a UART or a serial port does elsewhere."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def transact(
        self, request: bytes, complete: Callable[[bytes | bytearray], int], timeout_ms: int
    ) -> bytes | bytearray:
        loop = asyncio.get_running_loop()
        buffer = bytearray()
        finished = asyncio.Event()

        def receive() -> None:
            buffer.extend(os.read(self._descriptor, LIMIT))
            if complete(buffer) or len(buffer) >= LIMIT:
                finished.set()

        os.set_blocking(self._descriptor, False)
        try:
            while os.read(self._descriptor, LIMIT):
                pass
        except BlockingIOError:
            pass
        loop.add_reader(self._descriptor, receive)
        try:
            os.write(self._descriptor, request)
            await asyncio.wait_for(finished.wait(), timeout_ms / 1000)
        except TimeoutError:
            if not buffer:
                raise NoAnswer("bus", "nothing came") from None
        finally:
            loop.remove_reader(self._descriptor)
        return buffer


@asynccontextmanager
async def dlt645_meter(mangle: Callable[[bytes, bytes], list[bytes]]) -> AsyncGenerator[PtyTransport, None]:
    """A meter of the `dlt645` library; `mangle(request, reply)` gives the portions that go out on the line."""
    items = {di: DataItem(di, hex(di), form, value) for di, (form, value) in REGISTERS.items()}
    service = MeterServerService.__new__(MeterServerService)  # its constructor copies 20,000 items
    service.address = bytearray(WIRE_ADDRESS)
    service.data_map = cast("Any", items)
    service.password_manager = PasswordManager()
    line, port = os.openpty()
    tty.setraw(line)
    tty.setraw(port)
    loop = asyncio.get_running_loop()
    waiting = b""

    def serve() -> None:
        nonlocal waiting
        request = os.read(line, LIMIT)
        waiting, frame = DLT645Protocol.deserialize_with_remaining(waiting + request)
        if frame is not None and bytes(frame.addr) in (WIRE_ADDRESS, b"\xaa" * 6):
            reply: bytes = bytes(cast("Any", service).handle_request(frame))
            for portion in mangle(request, reply):
                os.write(line, portion)

    loop.add_reader(line, serve)
    try:
        yield PtyTransport(port)
    finally:
        loop.remove_reader(line)
        os.close(line)
        os.close(port)


@asynccontextmanager
async def modbus_unit(registers: dict[int, bytes]) -> AsyncGenerator[PtyTransport, None]:
    """A unit 1 of `pymodbus`; registers: first address -> content. It opens the terminal itself, as a serial port."""
    blocks = [
        SimData(start, values=list(struct.unpack(f">{len(data) // 2}H", data)), datatype=DataType.REGISTERS)
        for start, data in registers.items()
    ]
    line, port = os.openpty()
    tty.setraw(line)
    tty.setraw(port)
    server = ModbusSerialServer(SimDevice(1, blocks), port=os.ttyname(port), baudrate=9600)
    await server.serve_forever(background=True)  # returns when the port is open
    try:
        yield PtyTransport(line)
    finally:
        await server.shutdown()
        os.close(line)
        os.close(port)


def plainly(_request: bytes, reply: bytes) -> list[bytes]:
    return [reply]


def check_readings(found: list[tuple[str, int | float | None, int]]) -> None:
    values = {metric: value for metric, value, quality in found if quality == GOOD}
    assert values == {
        "active_energy_import_wh": 799_999_990 * 40,
        "active_energy_import_t1_wh": 12_340 * 40,
        "active_energy_import_t2_wh": 10 * 40,
        "active_energy_export_wh": 4_321_090 * 40,
        "voltage_l1_v": 230.3,
        "voltage_l2_v": 229.8,
        "voltage_l3_v": 231.1,
        "current_l1_a": 199.96,
        "active_power_w": 3_199_996.0,
        "active_power_l1_w": 10_048.0,
        "frequency_hz": 49.98,
    }
    assert all(value is None and quality == BAD for _, value, quality in found if quality != GOOD)
    assert len(found) == 24


def test_dlt645_library_is_read_through_a_terminal() -> None:
    async def run() -> None:
        async with dlt645_meter(plainly) as transport:
            assert await read_address(transport) == ADDRESS
            check_readings(await read_device(transport, profile("dlt645_three_phase"), ADDRESS, (40, 1)))

    asyncio.run(run())


def test_echo_noise_and_portions_on_the_line_change_nothing() -> None:
    def mangle(request: bytes, reply: bytes) -> list[bytes]:
        stream = request + b"\x00\x68\xff" + reply + b"\xff\x00"
        return [stream[at : at + 5] for at in range(0, len(stream), 5)]

    async def run() -> None:
        async with dlt645_meter(mangle) as transport:
            device = Device(profile("dlt645_three_phase"), ADDRESS, (40, 1))
            assert await device.read(transport) == 11
            names = [device.profile.metric(i) for i in range(len(device.profile))]
            check_readings(list(zip(names, device.values, device.qualities, strict=True)))
            assert (device.silent, device.damaged) == (0, 0)
            first = device.requests
            await device.read(transport)
            assert device.requests - first == first - 4  # the four blocks it refused are not asked again

    asyncio.run(run())


def test_damaged_answers_are_asked_again() -> None:
    turn = 0

    def mangle(_request: bytes, reply: bytes) -> list[bytes]:
        nonlocal turn
        turn += 1
        return [reply if turn % 3 == 0 else reply[:-3] + bytes((reply[-3] ^ 1,)) + reply[-2:]]

    async def run() -> None:
        quick = profile("dlt645_three_phase")
        quick.timeout_ms = 50
        async with dlt645_meter(mangle) as transport:
            device = Device(quick, ADDRESS, (40, 1))
            assert await device.read(transport, bytes(5) + b"\x01" + bytes(18)) == 1
            assert device.values[5] == 4_321_090 * 40
            assert (device.requests, device.retries, device.damaged) == (3, 2, 2)

    asyncio.run(run())


def test_a_meter_that_is_not_there() -> None:
    async def run() -> None:
        quick = profile("dlt645_three_phase")
        quick.timeout_ms = 50
        async with dlt645_meter(plainly) as transport:
            device = Device(quick, "000000000999")
            try:
                await device.read(transport)
            except NoAnswer:
                assert (device.requests, device.silent) == (3, 3)
            else:
                raise AssertionError("an answer from nowhere")

    asyncio.run(run())


def floats(*values: float) -> bytes:
    return struct.pack(f">{len(values)}f", *values)


def test_pymodbus_unit_with_the_sdm630_map() -> None:
    registers = {
        0x0000: floats(230.5, 231.5, 229.25, 12.5, 0.0, 7.25, 2800.5, -1.0, 1600.0),
        0x0034: floats(4399.5),
        0x0038: floats(4500.25),
        0x003C: floats(-310.5, 0.5),
        0x0046: floats(50.0, 12345.678, 0.1, 1.5, 0.25),
        0x00C8: floats(399.0, 400.0, 401.0),
        0x00E0: floats(float("nan")),
    }

    async def run() -> None:
        async with modbus_unit(registers) as transport:
            found = await read_device(transport, profile("eastron_sdm630"), 1)
        values = {metric: value for metric, value, _ in found}
        assert values["voltage_l1_v"] == 230.5
        assert values["active_power_l2_w"] == -1.0
        assert values["active_energy_import_wh"] == 12_345_678
        assert values["active_energy_export_wh"] == 100
        assert values["voltage_l3_l1_v"] == 401.0
        assert found[-1] == ("current_n_a", None, BAD)
        assert sum(quality == GOOD for _, _, quality in found) == 21

    asyncio.run(run())


def test_pymodbus_unit_with_the_pzem_map_and_low_words_first() -> None:
    def low_first(number: int) -> bytes:
        return struct.pack(">HH", number & 0xFFFF, number >> 16)

    content = struct.pack(">H", 2257) + low_first(70_000) + low_first(244) + low_first(9_999_990)
    content += struct.pack(">HHH", 500, 100, 0)

    async def run() -> None:
        async with modbus_unit({0: content}) as transport:
            found = await read_device(transport, profile("pzem_004t_v3"), "1")
        assert [value for _, value, _ in found] == [225.7, 70.0, 24.4, 9_999_990, 50.0, 1.0, 0]

    asyncio.run(run())


def test_registers_that_a_unit_lacks_are_bad_and_the_rest_is_read() -> None:
    async def run() -> None:
        async with modbus_unit({0x0034: floats(4399.5), 0x0046: floats(50.0, 1.0, 2.0, 3.0, 4.0)}) as transport:
            device = Device(profile("eastron_sdm630"), 1)
            assert await device.read(transport) == 6
            assert device.refused == 5
            assert device.qualities.count(BAD) == 16

    asyncio.run(run())
