"""Modbus TCP against a pymodbus server, and against a server that is late, wrong or gone."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from shutan_gateway.errors import Refusal, RetryLater, TellPerson
from shutan_gateway.serial.budget import char_s
from shutan_gateway.serial.line import LineLost, open_line
from shutan_gateway.serial.source import SerialSource
from shutan_gateway.serial.technician import read_now, scan
from shutan_meters import modbus
from shutan_meters.errors import NoAnswer
from shutan_sim.instruments.cjt188_meters import Cjt188Meter, Cjt188Meters
from support.modbus_tcp import pymodbus_server
from support.servers import free_port, wait_until
from support.wired_rig import Taken, bus_config

PULSES = {"id": "p", "profile": "pulse_totaliser", "address": 9}


def test_a_pymodbus_server_is_read_scanned_and_read_again_after_its_return(tmp_path: Path) -> None:
    taken = Taken(tmp_path)
    port = free_port()
    with pymodbus_server(port):
        bus = bus_config(host="127.0.0.1", port=port, interval_s=1, meter=[PULSES])
        assert [(one.metric, one.value) for one in read_now(bus)] == [
            ("gas_volume_l", 123456700),
            ("steam_heat_kj", 89000),
        ]
        found: list[str] = []
        scan(bus, "modbus", range(9, 10), lambda one: found.append(one.address))
        assert found == ["9"]
        source = SerialSource([bus], taken.tools)
        source.start()
        taken.wait_for("p", 2)
    wait_until(lambda: source.trouble is not None, 15, "the loss is noticed")
    with pymodbus_server(port):
        seen = len(taken.of("p"))
        taken.wait_for("p", seen + 1)
        assert source.trouble is None
        source.stop()
    taken.close()


def test_a_write_that_is_listed_reaches_the_meter_and_is_shown(tmp_path: Path) -> None:
    taken = Taken(tmp_path)
    port = free_port()
    write = {"name": "set", "wire_register": "0001", "low": 1, "high": 9}
    beyond = {"name": "beyond", "wire_register": "0100"}
    entry = {**PULSES, "write": [write, beyond], "interval_s": 3600}
    source = SerialSource([bus_config(host="127.0.0.1", port=port, meter=[entry])], taken.tools)
    place = ("plant", "gw1", "p")
    with pytest.raises(RetryLater):
        source.write(place, "set", 5)
    with pymodbus_server(port):
        source.start()
        taken.wait_for("p", 1)
        source.write(place, "set", 5)
        written = taken.wait_for("p", 2)[-1]
        assert written.metrics[0].value == (0x120000 + 5) * 100
        with pytest.raises(Refusal, match="out_of_range"):
            source.write(place, "set", 10)
        with pytest.raises(TellPerson, match="exception 02"):
            source.write(place, "beyond", 1)
        source.stop()
    taken.close()


@contextlib.contextmanager
def scripted(answer: Callable[[bytes], bytes]) -> Generator[int]:
    """One connection whose requests are answered by a function."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while request := connection.recv(300):
                    connection.sendall(answer(request))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)
        assert not thread.is_alive()


def exchange(port: int, times: int = 1) -> list[bytes]:
    """Ask unit 9 for one register so many times over one connection."""

    async def run() -> list[bytes]:
        line = await open_line(bus_config(host="127.0.0.1", port=port, meter=[PULSES]))
        try:
            request = modbus.read_request(9, 3, 0, 1)
            return [bytes(await line.transact(request, modbus.Reply(9, 3, 1), 300)) for _ in range(times)]
        finally:
            line.close()

    return asyncio.run(run())


def reply(request: bytes, value: int, transaction: int | None = None) -> bytes:
    head = request[:2] if transaction is None else transaction.to_bytes(2, "big")
    return head + b"\0\0\0\x05\x09\x03\x02" + value.to_bytes(2, "big")


def test_a_device_server_passes_the_frames_of_the_line() -> None:
    water = Cjt188Meters([Cjt188Meter(0x10, "00000805000001", lambda _: 12300)])
    entry = {"id": "w", "profile": "cjt188_water", "address": "00000805000001"}
    with scripted(lambda request: b"".join(water.feed(request, 0))) as port:
        bus = bus_config(host="127.0.0.1", port=port, framing="raw", meter=[entry])
        assert char_s(bus) == 11 / 2400
        assert read_now(bus)[0].value == 123000


def test_an_answer_to_an_earlier_request_is_not_taken() -> None:
    def late_first(request: bytes) -> bytes:
        number = int.from_bytes(request[:2], "big")
        return reply(request, 1, number - 1) + reply(request, number + 100)

    with scripted(late_first) as port:
        frames = exchange(port, 3)
    assert [int.from_bytes(frame[3:5], "big") for frame in frames] == [101, 102, 103]
    assert all(modbus.sealed(frame, 0, len(frame)) for frame in frames)


def test_a_late_answer_alone_is_silence() -> None:
    with scripted(lambda request: reply(request, 1, 999)) as port, pytest.raises(NoAnswer):
        exchange(port)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n", b"\0\x01\0\0\xff\xff\x09", b"\0\x01\0\0\0\x01\x09"]
)
def test_what_is_no_modbus_tcp_ends_the_connection(answer: bytes) -> None:
    with scripted(lambda _: answer) as port, pytest.raises(LineLost):
        exchange(port)


def test_a_connection_that_closes_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            server.accept()[0].close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with pytest.raises(LineLost):
            exchange(server.getsockname()[1], 2)
        thread.join(5)
