"""CJ/T 188: addresses, requests, finding answers, both DI orders, errors, units by integers, the profile's mistakes."""

import json

from shutan_meters import cjt188, values
from shutan_meters.errors import FrameError, MeterError, ProfileError, Refused
from shutan_meters.profile import load_profile

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HEAP = "100k"
ADDRESS = "00000805000001"
WATER = b"\x10\x90\x1f\x00"
# Captured request and answer; the answer turns the DI bytes round.
REQUEST = bytes.fromhex("68100100000508000001031F90003916".replace(" ", ""))
ANSWER = bytes.fromhex("6810010000050800008116901F00002301002C000000002C0000000000000000004816")


def _failure(call: "Callable[[], object]") -> MeterError:
    try:
        call()
    except MeterError as error:
        return error
    raise AssertionError("no error")


def test_the_captured_request_is_built():
    unit = cjt188.unit_bytes("1F90:" + ADDRESS)
    assert cjt188.read_request(unit, WATER, 0, 0) == REQUEST
    assert cjt188.read_request(unit, WATER)[:4] == b"\xfe\xfe\xfe\xfe"
    straight = cjt188.read_request(cjt188.unit_bytes(ADDRESS), WATER, 7, 0)
    assert straight[11:14] == b"\x90\x1f\x07"
    assert cjt188.read_request(cjt188.unit_bytes("11:" + ADDRESS), WATER, 0, 0)[1] == 0x11


def test_addresses():
    assert cjt188.address_text(cjt188.address_bytes(ADDRESS)) == ADDRESS
    assert cjt188.address_bytes("aaAAAAAAAAAAAA") == cjt188.WILDCARD
    assert cjt188.unit_bytes("20:901F:" + ADDRESS)[:2] == b"\x20\x00"
    for bad in ("", "1", "0" * 13, "0" * 15, "0000080500000x", "A0000805000001", "99:" + ADDRESS, "1F9:" + ADDRESS):
        assert isinstance(_failure(lambda: cjt188.unit_bytes(bad)), ProfileError), bad  # noqa: B023 - called at once


def test_answer_is_complete_with_its_last_byte_and_taken_in_both_orders():
    unit = cjt188.unit_bytes(ADDRESS)
    for swapped in (ANSWER, cjt188.frame(0x10, unit[2:], 0x81, b"\x1f\x90" + ANSWER[13:33])):
        reply = cjt188.reply_to(unit, WATER)
        for end in range(len(swapped)):
            assert reply(swapped[:end]) == 0
        assert reply(b"\x68\x10\xfe" + swapped + b"\xff") == len(swapped) + 3
        assert reply.payload(b"\x68\x10\xfe" + swapped + b"\xff") == ANSWER[14:33]


def test_what_answers_something_else_is_not_taken():
    unit = cjt188.unit_bytes(ADDRESS)
    reply = cjt188.reply_to(unit, WATER)
    body = ANSWER[11:33]
    assert reply(cjt188.frame(0x11, unit[2:], 0x81, body)) == 0  # another type
    assert reply(cjt188.frame(0x10, cjt188.address_bytes("00000805000002"), 0x81, body)) == 0
    assert reply(cjt188.frame(0x10, unit[2:], 0x83, body)) == 0
    assert reply(cjt188.frame(0x10, unit[2:], 0x81, b"\x81\x0a" + body[2:])) == 0
    assert reply(cjt188.frame(0x10, unit[2:], 0x81, b"\x90")) == 0  # too short for DI and SER
    assert reply(REQUEST) == 0  # our own echo
    assert isinstance(_failure(lambda: reply.payload(REQUEST)), FrameError)
    anybody = cjt188.Reply(cjt188.ANY_TYPE, cjt188.WILDCARD, cjt188.READ, b"\x90\x1f")
    assert anybody(ANSWER) == len(ANSWER)


def test_error_answer_carries_its_status():
    unit = cjt188.unit_bytes(ADDRESS)
    error = _failure(lambda: cjt188.reply_to(unit, WATER).payload(cjt188.frame(0x10, unit[2:], 0xC1, b"\x00\x04\x00")))
    assert isinstance(error, Refused)
    assert error.code == 4
    error = _failure(lambda: cjt188.reply_to(unit, WATER).payload(cjt188.frame(0x10, unit[2:], 0xC1)))
    assert isinstance(error, Refused)
    assert error.code == 0


def test_units_are_integers_of_their_quantity():
    assert cjt188.factor(0x05, cjt188.ENERGY) == 1000 * cjt188.factor(0x02, cjt188.ENERGY) == 3600000
    assert cjt188.factor(0x13, cjt188.ENERGY) == 100 * cjt188.factor(0x11, cjt188.ENERGY)
    assert cjt188.factor(0x0A, cjt188.ENERGY) == 360 * 10**9
    assert cjt188.factor(0x2C, cjt188.VOLUME) == 1000
    assert cjt188.factor(0x2C, cjt188.FLOW) == 0
    assert cjt188.factor(0xFF, cjt188.ENERGY) == 0


def test_status_bits():
    assert [values.status(bytes((first,))) for first in (0x00, 0x04, 0x01, 0xFD, 0x03, 0x02)] == [
        1,
        1,
        0,
        0,
        None,
        None,
    ]
    assert [values.status(bytes((first, 0x80))) for first in (0, 1, 4, 5, 3)] == [
        0x8000,
        0x8000,
        0x8004,
        0x8004,
        0x8003,
    ]


def test_every_mistake_of_a_profile_is_told():
    with open("firmware/shutan_meters/profiles/cjt188_water/profile.json") as file:  # noqa: PTH123 - no pathlib there
        bad: Any = json.load(file)
    read = bad["reads"][0]
    read["type"] = "99"
    read["di"] = "90"
    read["items"][0]["unit"] = "money"
    read["items"][1]["metric"] = "temperature_c"
    read["items"][2]["at"] = 200
    read["items"].append({"metric": "gas_volume_l", "at": 4, "type": "bcd4"})
    read["items"].append({"metric": "return_temperature_c", "at": 9, "type": "f32"})
    error = _failure(lambda: load_profile(bad))
    assert isinstance(error, ProfileError)
    keys = sorted(mistake.split(": ")[0] for mistake in error.mistakes)
    items = ["reads[0].items[" + str(number) + "]." for number in range(5)]
    expected = ["reads[0].type", "reads[0].di", items[0] + "unit", items[1] + "type", items[2] + "at", items[3] + "at"]
    expected.append(items[4] + "type")
    assert keys == sorted(expected), error.mistakes
