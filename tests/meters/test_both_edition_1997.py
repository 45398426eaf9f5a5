"""DL/T 645-1997 at the master: follow-up frames without numbers, and what the edition shares with that of 2007."""

import asyncio

from shutan_meters import dlt645
from shutan_meters.errors import FrameError, NoAnswer
from shutan_meters.inspect import decode
from shutan_meters.master import MAX_FOLLOW_UPS, Device
from shutan_meters.profile import load_profile

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

HEAP = "100k"
ADDRESS = "000000000161"
UNIT = dlt645.address_bytes(ADDRESS)


class Bus:
    """Plays a script: one entry a transact; bytes are what came, an exception is raised."""

    def __init__(self, *script: "bytes | Exception") -> None:
        self.script = list(script)
        self.requests: list[bytes] = []

    async def transact(self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int) -> bytes:
        assert timeout_ms
        self.requests.append(request)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        complete(step)
        return step


def silence() -> NoAnswer:
    return NoAnswer("bus", "nothing came")


def _read(device: Device, bus: Bus) -> int:
    return asyncio.run(device.read(bus))


def _failure(device: Device, bus: Bus) -> "NoAnswer | FrameError":
    try:
        _read(device, bus)
    except (NoAnswer, FrameError) as error:
        return error
    raise AssertionError("no error")


OLD = load_profile(
    {
        "profile": "old",
        "title": "a block of the edition of 1997",
        "protocol": "dlt645_1997",
        "serial": {"baud": 1200, "format": "8E1"},
        "reads": [
            {
                "di": "901F",
                "items": [
                    {"metric": "active_energy_import_wh", "di": "9010", "type": "bcd4", "scale": [10, 1]},
                    {"metric": "active_energy_import_t1_wh", "di": "9011", "at": 4, "type": "bcd4", "scale": [10, 1]},
                ],
            }
        ],
    }
)


def old(control: int, data: bytes) -> bytes:
    return dlt645.frame(UNIT, control, b"\x1f\x90" + data)


def test_follow_up_frames_of_1997_are_joined():
    device = Device(OLD, ADDRESS)
    bus = Bus(old(0xA1, b"\x29\x01\x00"), old(0xA2, b"\x00\x62\x00"), old(0x82, b"\x00\x00\xaa"))
    assert _read(device, bus) == 2
    assert device.values == [1290, 620]
    wake = b"\xfe\xfe\xfe\xfe"
    assert bus.requests[0] == wake + dlt645.frame(UNIT, 0x01, b"\x1f\x90")
    assert bus.requests[1:] == [wake + dlt645.frame(UNIT, 0x02, b"\x1f\x90")] * 2


def test_a_lost_follow_up_of_1997_begins_the_answer_anew():
    device = Device(OLD, ADDRESS)
    first, rest = old(0xA1, b"\x29\x01\x00"), old(0x82, b"\x00\x62\x00\x00\x00\xaa")
    # Asking again for a follow-up that was lost would bring the part behind it, taken for the part itself.
    bus = Bus(first, silence(), first, rest)
    assert _read(device, bus) == 2
    assert device.values == [1290, 620]
    assert [dlt645.find(request) and request[dlt645.find(request) + 8] for request in bus.requests] == [1, 2, 1, 2]
    assert isinstance(_failure(device, Bus(*[first, silence()] * 3)), NoAnswer)


def test_endless_follow_ups_of_1997_are_cut_off():
    device = Device(OLD, ADDRESS)
    bus = Bus(old(0xA1, b"\x29"), *[old(0xA2, b"\x00")] * MAX_FOLLOW_UPS)
    assert "follow-up" in str(_failure(device, bus))
    assert len(bus.requests) == MAX_FOLLOW_UPS + 1


def test_control_03_is_told_apart():
    again = decode("dlt645", dlt645.frame(UNIT, 0x03))[0]
    assert (again["protocol"], again["control_name"]) == ("DL/T 645-1997", "read again")
    secured = decode("dlt645", dlt645.frame(UNIT, 0x03, b"\x01\x00\x00\x07" + bytes(4)))[0]
    assert (secured["protocol"], secured["control_name"]) == ("DL/T 645-2007", "security authentication")
    refused = decode("dlt645", dlt645.frame(UNIT, 0xC3, b"\x01\x00"))[0]
    assert (refused["protocol"], refused["error"]) == ("DL/T 645-2007", True)


def test_follow_up_frames_are_explained_as_parts():
    old_part = decode("dlt645", dlt645.frame(UNIT, 0xA2, b"\x1f\x90\x01\x02"))[0]
    assert (old_part["protocol"], old_part["more_follows"], "sequence" in old_part) == ("DL/T 645-1997", True, False)
    assert old_part["note"].startswith("continues an earlier frame")
    new_part = decode("dlt645", dlt645.frame(UNIT, 0x92, b"\x00\xff\x01\x00\x01\x02"))[0]
    assert (new_part["protocol"], new_part["sequence"]) == ("DL/T 645-2007", 2)


def test_freeze_commands_are_explained():
    daily = decode("dlt645", dlt645.frame(UNIT, 0x16, b"\x30\x23\x99\x99"))[0]
    assert daily["values"] == [{"name": "freeze at", "value": "99-99 23:30", "unit": ""}]
