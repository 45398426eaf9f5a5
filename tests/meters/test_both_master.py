"""The master: retries, checks of what answers, refusals, follow-up frames, silence on the way."""

import asyncio

from shutan_meters import dlt645, modbus
from shutan_meters.commission import read_address
from shutan_meters.errors import FrameError, MeterError, NoAnswer, ProfileError
from shutan_meters.master import LIMIT, MAX_FOLLOW_UPS, Device
from shutan_meters.profile import load_profile
from shutan_wire.quality import BAD, GOOD, STALE

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HEAP = "100k"
ADDRESS = "000000000161"
UNIT = dlt645.address_bytes(ADDRESS)
SERIAL = {"baud": 9600, "format": "8N1"}

ENERGY = load_profile(
    {
        "profile": "energy",
        "title": "one block and one single item",
        "protocol": "dlt645",
        "serial": SERIAL,
        "timeout_ms": 400,
        "reads": [
            {
                "di": "0001FF00",
                "items": [
                    {
                        "metric": "active_energy_import_wh",
                        "di": "00010000",
                        "type": "bcd4",
                        "scale": [10, 1],
                        "ratio": "ct_pt",
                    },
                    {
                        "metric": "active_energy_import_t1_wh",
                        "di": "00010100",
                        "at": 4,
                        "type": "bcd4",
                        "scale": [10, 1],
                        "ratio": "ct_pt",
                    },
                ],
            },
            {"di": "02800002", "items": [{"metric": "frequency_hz", "type": "bcd2", "scale": [1, 100]}]},
        ],
    }
)
PULSES = load_profile(
    {
        "profile": "pulses",
        "title": "two reads of one length",
        "protocol": "modbus",
        "serial": SERIAL,
        "reads": [
            {
                "function": 3,
                "start": "0000",
                "count": 2,
                "items": [{"metric": "good_count", "register": "0000", "type": "u32"}],
            },
            {
                "function": 3,
                "start": "0010",
                "count": 2,
                "items": [{"metric": "reject_count", "register": "0010", "type": "u32"}],
            },
        ],
    }
)


class Bus:
    """Plays a script: one entry a transact; bytes are what came, an exception is raised."""

    def __init__(self, *script: "bytes | Exception") -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.timeouts: list[int] = []

    async def transact(self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int) -> bytes:
        self.requests.append(request)
        self.timeouts.append(timeout_ms)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        complete(step)
        return step


def silence() -> NoAnswer:
    return NoAnswer("bus", "nothing came")


def answer(di: str, data: bytes, control: int = 0x91) -> bytes:
    return dlt645.frame(UNIT, control, bytes([int(di[i : i + 2], 16) for i in (6, 4, 2, 0)]) + data)


def registers(data: bytes, unit: int = 9) -> bytes:
    return sealed(bytes((unit, 3, len(data))) + data)


def sealed(body: bytes) -> bytes:
    crc = modbus.crc16(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


BLOCK = answer("0001FF00", b"\x29\x01\x00\x00\x62\x00\x00\x00")
HERTZ = answer("02800002", b"\x01\x50")
NO_SUCH_DATA = dlt645.frame(UNIT, 0xD1, b"\x02")


def _read(device: Device, bus: Bus, wanted: "bytes | None" = None) -> int:
    return asyncio.run(device.read(bus, wanted))


def _failure(call: "Callable[[], object]") -> MeterError:
    try:
        call()
    except MeterError as error:
        return error
    raise AssertionError("no error")


def test_one_reading():
    device = Device(ENERGY, ADDRESS, (40, 1))
    bus = Bus(BLOCK, HERTZ)
    assert _read(device, bus) == 3
    assert device.values[:2] == [1290 * 40, 620 * 40]
    assert device.values[2] == 50.01
    assert device.qualities == [GOOD, GOOD, GOOD]
    assert bus.timeouts == [400, 400]
    assert bus.requests[0] == b"\xfe\xfe\xfe\xfe" + dlt645.frame(UNIT, 0x11, b"\x00\xff\x01\x00")
    assert (device.requests, device.retries, device.silent, device.damaged, device.refused) == (2, 0, 0, 0, 0)


def test_rational_ratios_are_exact_and_rounded_half_to_even():
    device = Device(ENERGY, ADDRESS, (1, 4), (1, 1))
    _read(device, Bus(answer("0001FF00", b"\x01\x00\x00\x00\x03\x00\x00\x00"), HERTZ))
    assert device.values[:2] == [2, 8]  # 10/4 = 2.5 and 30/4 = 7.5
    device = Device(ENERGY, ADDRESS, (1000000, 3), (999999, 1))
    _read(device, Bus(BLOCK, HERTZ))
    assert device.values[:2] == [1290 * 333333000000, 620 * 333333000000]


def test_counter_outside_the_plausible_range_is_bad():
    device = Device(ENERGY, ADDRESS, (1000000, 1), (1000000, 1))
    _read(device, Bus(BLOCK, HERTZ))
    assert device.values[:2] == [None, 620 * 10**12]  # the catalogue ends at 10^15 Wh
    assert device.qualities == [BAD, GOOD, GOOD]


def test_two_retries_after_silence_and_damage():
    device = Device(ENERGY, ADDRESS)
    broken = BLOCK[:-3] + b"\x00" + BLOCK[-2:]
    assert _read(device, Bus(silence(), broken, BLOCK, HERTZ)) == 3
    assert (device.requests, device.retries, device.silent, device.damaged) == (4, 2, 1, 1)


def test_silent_meter_raises_after_the_last_retry():
    device = Device(ENERGY, ADDRESS)
    bus = Bus(silence(), silence(), silence())
    assert isinstance(_failure(lambda: _read(device, bus)), NoAnswer)
    assert len(bus.requests) == 3
    assert device.values == [None, None, None]
    assert device.qualities == [STALE, STALE, STALE]


def test_noise_only_raises_a_frame_error():
    device = Device(ENERGY, ADDRESS)
    bus = Bus(b"\xff" * LIMIT, b"\x68" * 20, b"\x00")
    assert isinstance(_failure(lambda: _read(device, bus)), FrameError)
    assert device.damaged == 3


def test_silence_on_the_way_keeps_what_was_read():
    device = Device(ENERGY, ADDRESS)
    assert _read(device, Bus(BLOCK, silence(), silence(), silence())) == 2
    assert device.values == [1290, 620, None]
    assert device.qualities == [GOOD, GOOD, STALE]


def test_answer_of_another_meter_or_identifier_is_not_taken():
    device = Device(ENERGY, ADDRESS)
    stranger = dlt645.frame(
        dlt645.address_bytes("000000000162"), 0x91, b"\x00\xff\x01\x00\x99\x99\x99\x99\x99\x99\x99\x99"
    )
    assert _read(device, Bus(stranger, HERTZ, BLOCK, HERTZ)) == 3
    assert device.values[0] == 1290
    assert device.damaged == 2


def test_refused_block_is_asked_item_by_item_from_then_on():
    device = Device(ENERGY, ADDRESS)
    one = answer("00010000", b"\x29\x01\x00\x00")
    two = answer("00010100", b"\x62\x00\x00\x00")
    bus = Bus(NO_SUCH_DATA, one, two, HERTZ)
    assert _read(device, bus) == 3
    assert device.values[:2] == [1290, 620]
    bus = Bus(one, two, HERTZ)
    assert _read(device, bus) == 3
    assert len(bus.requests) == 3
    assert device.refused == 1
    # Silence may mean that the meter was replaced: the block is tried again.
    assert isinstance(_failure(lambda: _read(device, Bus(silence(), silence(), silence()))), NoAnswer)
    assert _read(device, Bus(BLOCK, HERTZ)) == 3


def test_refused_item_is_bad_and_the_rest_is_read():
    device = Device(ENERGY, ADDRESS)
    assert _read(device, Bus(BLOCK, NO_SUCH_DATA)) == 2
    assert device.qualities == [GOOD, GOOD, BAD]
    device = Device(PULSES, 9)
    assert _read(device, Bus(sealed(b"\x09\x83\x02"), registers(b"\x00\x00\x00\x05"))) == 1
    assert device.qualities == [BAD, GOOD]
    assert device.values == [None, 5]


def test_short_answer_gives_bad_items():
    device = Device(ENERGY, ADDRESS)
    assert _read(device, Bus(answer("0001FF00", b"\x29\x01\x00\x00\x62\x00"), HERTZ)) == 2
    assert device.qualities == [GOOD, BAD, GOOD]


def test_only_wanted_reads_are_asked():
    device = Device(ENERGY, ADDRESS)
    bus = Bus(HERTZ)
    assert _read(device, bus, b"\x00\x00\x01") == 1
    assert device.values[:2] == [None, None]
    assert device.qualities == [STALE, STALE, GOOD]
    assert _read(device, Bus(), b"\x00\x00\x00") == 0


def test_follow_up_frames_are_joined():
    device = Device(ENERGY, ADDRESS)
    first = answer("0001FF00", b"\x29\x01\x00", 0xB1)
    second = answer("0001FF00", b"\x00\x62\x01", 0xB2)
    third = answer("0001FF00", b"\x00\x00\x00\x02", 0x92)
    bus = Bus(first, second, third, HERTZ)
    assert _read(device, bus) == 3
    assert device.values[:2] == [1290, 620]
    assert bus.requests[1] == dlt645.follow_up_request(UNIT, b"\x00\xff\x01\x00", 1)
    assert bus.requests[2] == dlt645.follow_up_request(UNIT, b"\x00\xff\x01\x00", 2)


def test_endless_follow_up_frames_are_cut_off():
    device = Device(ENERGY, ADDRESS)
    script = [answer("0001FF00", b"\x29", 0xB1)]
    script += [answer("0001FF00", bytes((0, sequence)), 0xB2) for sequence in range(1, MAX_FOLLOW_UPS + 2)]
    bus = Bus(*script)
    assert "follow-up" in str(_failure(lambda: _read(device, bus)))
    assert len(bus.requests) == MAX_FOLLOW_UPS + 1


def test_late_modbus_answer_does_not_pass_for_the_next_one():
    late = registers(b"\x00\x00\x00\x07")
    device = Device(PULSES, 9)
    # The first try timed out, the retry got its answer; then the line is listened to until it is quiet.
    bus = Bus(silence(), late, late, registers(b"\x00\x00\x00\x08"))
    assert _read(device, bus) == 2
    assert device.values == [7, 8]
    assert bus.requests[2] == b""
    bus = Bus(silence(), late, silence(), registers(b"\x00\x00\x00\x08"))
    assert _read(device, bus) == 2


def test_ratios_and_addresses_are_checked():
    ratios: Any = ((0, 1), (1, 0), (1, 2000000), (1,), (40.0, 1), (1, "1"), None, 40, "40", [[1, 1], 1])
    wrong = [("161", (1, 1))] + [(ADDRESS, ratio) for ratio in ratios]
    for address, ct in wrong:
        error = _failure(lambda: Device(ENERGY, address, ct))  # noqa: B023 - called before the loop goes on
        assert isinstance(error, ProfileError)
        assert error.where in ("address", "ct")


def test_read_address_of_a_lone_meter():
    assert asyncio.run(read_address(Bus(dlt645.frame(UNIT, 0x93, UNIT)))) == ADDRESS
    short = Bus(dlt645.frame(UNIT, 0x93, UNIT[:5]))
    assert isinstance(_failure(lambda: asyncio.run(read_address(short))), FrameError)
