"""The time server speaks RFC 4330 and tells plant time."""

import asyncio
import socket
import struct

import pytest

from shutan_sim import sntp
from shutan_sim.clock import PlantClock

PLANT_MS = 1_780_270_800_123
EPOCH_1900_S = 2_208_988_800


def question(mode: int = 3, version: int = 4) -> bytes:
    return bytes([version << 3 | mode]) + bytes(39) + b"\x01\x02\x03\x04nonc"


def milliseconds(stamp: bytes) -> int:
    seconds, fraction = struct.unpack(">II", stamp)
    return (seconds - EPOCH_1900_S) * 1000 + (fraction * 1000 + (1 << 31) >> 32)


def test_answer_has_stratum_server_mode_and_both_times() -> None:
    reply = sntp.answer(question(), PLANT_MS, PLANT_MS + 5)
    assert reply is not None
    assert len(reply) == 48
    assert (reply[0], reply[1]) == (4 << 3 | 4, 1)
    assert reply[24:32] == b"\x01\x02\x03\x04nonc"
    assert [milliseconds(reply[at : at + 8]) for at in (16, 32, 40)] == [PLANT_MS, PLANT_MS, PLANT_MS + 5]


@pytest.mark.parametrize("request_bytes", [b"", question()[:47], question(mode=4), question(mode=1)])
def test_what_is_no_question_gets_no_answer(request_bytes: bytes) -> None:
    assert sntp.answer(request_bytes, PLANT_MS, PLANT_MS) is None


def test_time_goes_on_after_2036() -> None:
    reply = sntp.answer(question(), 2_100_000_000_000, 2_100_000_000_000)
    assert reply is not None
    seconds = struct.unpack(">I", reply[40:44])[0] + (1 << 32)
    assert seconds - EPOCH_1900_S == 2_100_000_000


def test_server_on_loopback_tells_the_clock() -> None:
    async def run() -> None:
        clock = PlantClock.starting(PLANT_MS, 60)
        transport, port = await sntp.serve(clock.now_ms)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.setblocking(False)
                client.connect((sntp.HOST, port))
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(client, b"junk")
                before = clock.now_ms()
                await loop.sock_sendall(client, question())
                reply = await asyncio.wait_for(loop.sock_recv(client, 100), 5)
                assert before - 1 <= milliseconds(reply[40:48]) <= clock.now_ms()
        finally:
            transport.close()

    asyncio.run(run())


def test_clock_runs_at_its_speed_and_registers_stand_when_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = 5_000_000_000
    monkeypatch.setattr("shutan_sim.clock.time.monotonic_ns", lambda: now_ns)
    clock = PlantClock.starting(PLANT_MS, 60)
    assert (clock.now_ms(), clock.register_ms()) == (PLANT_MS, PLANT_MS)
    now_ns += 1_500_000_000
    assert clock.freeze() == PLANT_MS + 90_000
    now_ns += 1_000_000_000
    assert clock.freeze() == clock.register_ms() == PLANT_MS + 90_000
    assert clock.now_ms() == PLANT_MS + 150_000
