"""Daily freezes: time and registers of a day, what a meter lacks, ratios."""

import asyncio

from shutan_meters import dlt645
from shutan_meters.errors import NoAnswer, Refused
from shutan_meters.freeze import read_daily_freeze, supported
from shutan_meters.master import Device
from shutan_meters.profile import load_profile

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

HEAP = "100k"
ADDRESS = "000000000161"
UNIT = dlt645.address_bytes(ADDRESS)


def _device(protocol: str = "dlt645", ct: "tuple[int, int]" = (1, 1)) -> Device:
    item = {"metric": "active_energy_import_wh", "type": "bcd4", "scale": [10, 1], "ratio": "ct_pt"}
    first = {"metric": "active_energy_import_t2_wh", "di": "00010200", "at": 8, "type": "bcd4", "scale": [10, 1]}
    back = {"metric": "active_energy_export_wh", "type": "bcd4", "scale": [10, 1], "ratio": "ct_pt"}
    item["di"] = "00010000"
    return Device(
        load_profile(
            {
                "profile": "energy",
                "title": "import with a tariff, export, voltage",
                "protocol": protocol,
                "serial": {"baud": 2400, "format": "8E1"},
                "reads": [
                    {"di": "0001FF00", "items": [item, first]},
                    {"di": "00020000", "items": [back]},
                    {"di": "02010100", "items": [{"metric": "voltage_l1_v", "type": "bcd2", "scale": [1, 10]}]},
                ],
            }
        ),
        ADDRESS,
        ct,
    )


class Meter:
    """Answers by identifier; what is not in the table is refused."""

    def __init__(self, table: "dict[int, bytes]") -> None:
        self.table = table

    async def transact(self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int) -> bytes:
        assert timeout_ms
        di = dlt645.data_of(request, dlt645.find(request))
        found = self.table.get(di[0] | di[1] << 8 | di[2] << 16 | di[3] << 24)
        if found is None:
            answer = dlt645.frame(UNIT, 0xD1, b"\x02")
        elif found:
            answer = dlt645.frame(UNIT, 0x91, di + found)
        else:
            raise NoAnswer("bus", "silent")
        assert complete(answer)
        return answer


TIME = bytes((0x00, 0x00, 0x22, 0x11, 0x26))
FORWARD = bytes((0x29, 0x01, 0, 0)) + b"\x11\0\0\0" + b"\x62\0\0\0" + b"\xff\xff\xff\xff\xff\xff\xff\xff"
REVERSE = bytes((0x05, 0, 0, 0))


def test_a_day_with_both_directions():
    meter = Meter({0x05060003: TIME, 0x05060103: FORWARD, 0x05060203: REVERSE})
    found = asyncio.run(read_daily_freeze(_device(), meter, 3))
    assert found == ((2026, 11, 22, 0, 0), [(0, 1290), (1, 620), (2, 50)])
    found = asyncio.run(read_daily_freeze(_device("dlt645", (40, 1)), meter, 3))
    assert found == ((2026, 11, 22, 0, 0), [(0, 51600), (1, 620), (2, 2000)])


def test_what_a_meter_lacks_is_left_out():
    meter = Meter({0x05060001: TIME, 0x05060101: FORWARD})
    assert asyncio.run(read_daily_freeze(_device(), meter, 1)) == ((2026, 11, 22, 0, 0), [(0, 1290), (1, 620)])
    for empty in (b"\xff\xff\xff\xff\xff", b"\0\0\0\0\0", b"\0\0\x22"):
        assert asyncio.run(read_daily_freeze(_device(), Meter({0x05060001: empty}), 1)) is None


def test_refusal_and_silence():
    code = 0
    try:
        asyncio.run(read_daily_freeze(_device(), Meter({}), 1))
    except Refused as refused:
        code = refused.code
    assert code == 2
    try:
        asyncio.run(read_daily_freeze(_device(), Meter({0x05060001: b""}), 1))
    except NoAnswer:
        pass
    else:
        raise AssertionError("an answer")


def test_only_the_edition_of_2007_has_them():
    assert supported(_device())
    profile = load_profile(
        {
            "profile": "old",
            "title": "1997",
            "protocol": "dlt645_1997",
            "serial": {"baud": 1200, "format": "8E1"},
            "reads": [
                {"di": "9010", "items": [{"metric": "active_energy_import_wh", "type": "bcd4", "scale": [10, 1]}]}
            ],
        }
    )
    assert not supported(Device(profile, ADDRESS))
