"""Modbus RTU codec: CRC, requests, finding replies in noise, exceptions."""

from shutan_meters import modbus
from shutan_meters.errors import FrameError, ProfileError, Refused
from shutan_meters.inspect_modbus import exception_name

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Caught = TypeVar("Caught", bound=Exception)

REPLY = b"\x01\x04\x04\x43\x66\x33\x34\x1b\x38"


def _raises(kind: "type[Caught]", call: "Callable[..., object]", *arguments: object) -> "Caught":
    try:
        call(*arguments)
    except kind as error:
        return error
    raise AssertionError("nothing raised")


def _sealed(body: bytes) -> bytes:
    crc = modbus.crc16(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


def test_crc_of_the_published_check_string():
    assert modbus.crc16(b"123456789", 0, 9) == 0x4B37
    assert modbus.crc16(b"", 0, 0) == 0xFFFF
    assert modbus.sealed(b"xx" + REPLY, 2, 11)
    assert not modbus.sealed(b"xx" + REPLY, 1, 11)


def test_request_bytes():
    assert modbus.read_request(1, 4, 0, 2) == b"\x01\x04\x00\x00\x00\x02\x71\xcb"
    assert modbus.read_request(1, 3, 0x0BD3, 2) == b"\x01\x03\x0b\xd3\x00\x02\x37\xd6"


def test_addresses():
    assert modbus.address_byte(1) == modbus.address_byte("1") == modbus.address_byte("001") == 1
    assert modbus.address_byte("247") == 247
    assert modbus.address_byte(0xF8) == 248
    for bad in (0, 249, -1, "", "x", "1.5", "0x10", "9999", True, "000000000161"):
        assert _raises(ProfileError, modbus.address_byte, bad).where == "address", bad


def test_reply_is_complete_with_its_last_byte_and_not_before():
    reply = modbus.Reply(1, 4, 2)
    for end in range(len(REPLY)):
        assert reply(REPLY[:end]) == 0
    assert reply(bytearray(REPLY)) == len(REPLY)
    assert reply.payload(REPLY) == b"\x43\x66\x33\x34"


def test_noise_and_false_starts_before_and_after():
    for noise in (
        b"\x00",
        b"\xff\xff",
        b"\x01",
        b"\x01\x04",
        b"\x01\x04\x04",
        b"\x01\x84",
        b"\x01\x04\x04\x43\x66",
        b"\x01" * 30,
    ):
        buffer = noise + REPLY + noise
        reply = modbus.Reply(1, 4, 2)
        assert reply(buffer) == len(noise) + len(REPLY), noise
        assert reply.payload(buffer) == b"\x43\x66\x33\x34"


def test_own_echo_other_units_and_other_lengths_are_passed_over():
    request = modbus.read_request(1, 4, 0, 2)
    other_unit = _sealed(b"\x02\x04\x04\x00\x00\x00\x00")
    other_length = _sealed(b"\x01\x04\x02\x00\x00")
    other_function = _sealed(b"\x01\x03\x04\x00\x00\x00\x00")
    reply = modbus.Reply(1, 4, 2)
    assert reply(request + other_unit + other_length + other_function) == 0
    assert reply.payload(request + other_unit + REPLY) == b"\x43\x66\x33\x34"


def test_exception_is_decoded():
    reply = modbus.Reply(1, 3, 2)
    assert reply(b"\x00\x01\x83\x02\xc0\xf1") == 6
    error = _raises(Refused, reply.payload, b"\x01\x83\x02\xc0\xf1")
    assert error.code == 2
    assert "unit 1" in str(error)
    assert exception_name(2) == "illegal data address"
    assert exception_name(99) == "exception 99"


def test_damaged_reply_is_a_frame_error():
    for at in range(len(REPLY)):
        broken = REPLY[:at] + bytes((REPLY[at] ^ 1,)) + REPLY[at + 1 :]
        assert _raises(FrameError, modbus.Reply(1, 4, 2).payload, broken).where == "reply"


def test_longest_reply():
    data = bytes([i & 0xFF for i in range(250)])
    frame = _sealed(b"\x01\x03\xfa" + data)
    assert modbus.Reply(1, 3, 125).payload(b"\xff" + frame) == data
