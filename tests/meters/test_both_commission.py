"""Commissioning: finding all meters of a bus by shortened addresses, and the broadcast of time."""

import asyncio

from shutan_meters import dlt645
from shutan_meters.commission import broadcast_time, discover, send_time
from shutan_meters.errors import NoAnswer, ProfileError
from shutan_meters.profile import DLT645, DLT645_1997

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ASKED = {DLT645: (0x11, b"\x00\x00\x01\x00"), DLT645_1997: (0x01, b"\x10\x90")}


class Line:
    """Meters on one pair of wires: those that an address means answer at once, into each other, or one after the other.

    refusing: they answer with an error; echoing: they repeat the wildcards; dirt: on the line in front of each answer
    """

    def __init__(self, addresses: "Sequence[str]", protocol: str = DLT645) -> None:
        self.wires = [dlt645.address_bytes(address) for address in addresses]
        self.control, self.di = ASKED[protocol]
        self.requests: list[bytes] = []
        self.refusing = False
        self.echoing = False
        self.in_turn = False
        self.request_echo = False
        self.dirt = b""

    async def transact(self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int) -> bytes:
        assert 50 <= timeout_ms <= 1000
        self.requests.append(request)
        begin = dlt645.find(request)
        asked = request[begin + 1 : begin + 7]
        assert request[begin + 8] == self.control
        assert dlt645.data_of(request, begin) == self.di
        known = asked[: len(asked) - asked.count(b"\xaa")]
        answers = [self._answer(wire, asked) for wire in self.wires if wire[: len(known)] == known]
        buffer = (request if self.request_echo else b"") + (
            self.dirt + _on_line(answers, self.in_turn) if answers else b""
        )
        if not buffer:
            raise NoAnswer("bus", "nothing came")
        assert not complete(buffer), "a search listens to the end"
        return buffer

    def _answer(self, wire: bytes, asked: bytes) -> bytes:
        address = asked if self.echoing else wire
        if self.refusing:
            return dlt645.frame(address, self.control | 0xC0, b"\x02")
        return dlt645.frame(address, self.control | 0x80, self.di + b"\x29\x01\x00\x00", 2)


def _on_line(answers: "list[bytes]", in_turn: bool) -> bytes:
    if in_turn:
        return b"\x00".join(answers)
    mixed = bytearray(max([len(one) for one in answers]))
    for i in range(len(mixed)):
        byte = 0xFF
        for one in answers:
            byte &= one[i] if i < len(one) else 0xFF
        mixed[i] = byte
    return bytes(mixed)


def _search(line: Line, protocol: str = DLT645) -> "list[str]":
    told: list[str] = []
    found = asyncio.run(discover(line, protocol, 100, told.append))
    assert found == told
    return found


def test_a_lone_meter_is_one_request():
    for protocol in (DLT645, DLT645_1997):
        line = Line(["000000000161"], protocol)
        assert _search(line, protocol) == ["000000000161"]
        assert len(line.requests) == 1
        line = Line(["000000000161"], protocol)
        line.refusing = line.request_echo = True
        line.dirt = b"\x00\xff"
        assert _search(line, protocol) == ["000000000161"]


def test_an_empty_bus_is_one_request():
    line = Line([])
    assert _search(line) == []
    assert len(line.requests) == 1
    line.request_echo = True
    assert _search(line) == []
    assert len(line.requests) == 2


def test_meters_that_answer_into_each_other_are_found():
    addresses = ["201709320072", "000006605518", "000000000161", "182612340199"]
    line = Line(addresses)
    assert sorted(_search(line)) == sorted(addresses)
    assert len(line.requests) == 101
    line = Line(addresses, DLT645_1997)
    assert sorted(_search(line, DLT645_1997)) == sorted(addresses)


def test_meters_whose_last_digits_are_the_same_are_found():
    addresses = ["202401230042", "202401239942", "202401239842", "000000000042", "202401239843"]
    line = Line(addresses)
    assert sorted(_search(line)) == sorted(addresses)
    assert len(line.requests) == 301  # two levels below 42, where two of them also share 00
    assert len({bytes(request) for request in line.requests}) == 301


def test_meters_that_answer_one_after_the_other_are_found_at_once():
    addresses = ["201709320072", "000006605518"]
    line = Line(addresses)
    line.in_turn = True
    assert _search(line) == addresses
    assert len(line.requests) == 1


def test_a_meter_that_echoes_the_wildcards_is_found_at_the_last_level():
    line = Line(["000000000000"])
    line.echoing = True
    assert _search(line) == ["000000000000"]
    assert len(line.requests) == 601


def test_time_is_refused_where_it_is_none_and_around_midnight():
    wrong = (
        (2026, 13, 1, 12, 0, 0), (1999, 1, 1, 12, 0, 0), (2100, 1, 1, 12, 0, 0), (2026, 1, 0, 12, 0, 0),
        (2026, 1, 1, 24, 0, 0), (2026, 1, 1, 12, 60, 0), (2026, 1, 1, 12, 0, 60), (2026, 1, 1, 0, 4, 59),
        (2026, 1, 1, 23, 55, 0), (2026, 1, 1), (),
    )  # fmt: skip
    for moment in wrong:
        where = ""
        try:
            broadcast_time(moment)
        except ProfileError as error:
            where = error.where
        assert where == "time", moment
    assert broadcast_time((2026, 1, 1, 0, 5, 0))
    assert broadcast_time((2026, 1, 1, 23, 54, 59))


class Silent:
    """A bus that nobody answers on."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def transact(self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int) -> bytes:
        assert timeout_ms
        assert not complete(b"")
        self.requests.append(request)
        raise NoAnswer("bus", "nothing came")


def test_time_goes_out_once_and_nobody_has_to_answer():
    bus = Silent()
    asyncio.run(send_time(bus, (2017, 6, 5, 10, 22, 51)))
    assert bus.requests == [b"\xfe\xfe\xfe\xfe" + bytes.fromhex("6899999999999968080684554338394A4B16")]
