"""DL/T 645-2007 codec: addresses, finding frames in noise, answers of every kind."""

from shutan_meters import commission, dlt645
from shutan_meters.errors import FrameError, ProfileError, Refused
from shutan_meters.inspect_dlt645 import error_names

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Caught = TypeVar("Caught", bound=Exception)

ADDRESS = dlt645.address_bytes("000000000161")
DI = b"\x00\x00\x01\x00"  # 00010000 as on the wire


def _raises(kind: "type[Caught]", call: "Callable[..., object]", *arguments: object) -> "Caught":
    try:
        call(*arguments)
    except kind as error:
        return error
    raise AssertionError("nothing raised")


def _answer(data: bytes, control: int = 0x91, address: bytes = ADDRESS) -> bytes:
    return dlt645.frame(address, control, data)


def test_address_is_low_byte_first():
    assert ADDRESS == b"\x61\x01\x00\x00\x00\x00"
    assert dlt645.address_text(ADDRESS) == "000000000161"
    assert dlt645.address_bytes("AAAAAAAA0161") == b"\x61\x01\xaa\xaa\xaa\xaa"
    assert dlt645.address_bytes("aaaaaaaaaaaa") == dlt645.WILDCARD


def test_bad_addresses_are_told_to_a_person():
    for text in (
        "",
        "161",
        "0000000001610",
        "00000000016G",
        "01AA00000161",
        "A00000000161",
        "00000000016 ",
        "-0000000161",
    ):
        error = _raises(ProfileError, dlt645.address_bytes, text)
        assert error.where == "address"
        assert len(error.mistakes) == 1
    assert "broadcast" in str(_raises(ProfileError, dlt645.address_bytes, "999999999999"))


def test_wildcard_takes_the_answer_of_a_matching_meter_only():
    frame = _answer(DI + b"\x26\x00\x00\x00")
    for text, fits in (
        ("AAAAAAAAAAAA", True),
        ("AAAAAAAA0161", True),
        ("AAAAAAAAAA62", False),
        ("000000000162", False),
    ):
        reply = dlt645.Reply(dlt645.address_bytes(text), dlt645.READ, DI)
        assert bool(reply(frame)) == fits, text


def test_any_number_of_wake_bytes_and_driver_noise():
    frame = _answer(DI + b"\x26\x00\x00\x00")
    for count in (0, 1, 2, 4, 9, 40):
        for noise in (b"", b"\x00", b"\xff\xff", b"\x00\xff\x00"):
            buffer = noise + b"\xfe" * count + frame + noise
            reply = dlt645.Reply(ADDRESS, dlt645.READ, DI)
            assert reply(buffer) == len(noise) + count + len(frame)
            assert reply.payload(buffer) == b"\x26\x00\x00\x00"


def test_start_and_end_bytes_inside_address_and_data():
    address = dlt645.address_bytes("681668166816")
    data = bytes([(byte - 0x33) & 0xFF for byte in b"\x68\x16\x68\x68\x16\x91\x68\x16"])
    frame = _answer(DI + data, 0x91, address)
    assert frame.count(b"\x68") >= 7
    reply = dlt645.Reply(address, dlt645.READ, DI)
    assert reply(frame) == len(frame)
    assert reply.payload(frame) == data


def test_frame_is_complete_with_its_last_byte_and_not_before():
    frame = b"\xfe\xfe" + _answer(DI + b"\x26\x00\x00\x00")
    reply = dlt645.Reply(ADDRESS, dlt645.READ, DI)
    for end in range(len(frame)):
        assert reply(frame[:end]) == 0
    assert reply(bytearray(frame)) == len(frame)


def test_cut_frame_before_a_whole_one():
    frame = _answer(DI + b"\x26\x00\x00\x00")
    for cut in range(1, len(frame)):
        buffer = frame[:cut] + frame
        reply = dlt645.Reply(ADDRESS, dlt645.READ, DI)
        assert reply(buffer) == len(buffer), cut
        assert reply.payload(buffer) == b"\x26\x00\x00\x00"


def test_own_echo_and_foreign_answers_are_passed_over():
    request = dlt645.read_request(ADDRESS, DI)
    other = _answer(DI + b"\x99\x99\x99\x99", 0x91, dlt645.address_bytes("000000000162"))
    late = _answer(b"\x00\x00\x02\x00" + b"\x77\x77\x77\x77")
    wanted = _answer(DI + b"\x26\x00\x00\x00")
    reply = dlt645.Reply(ADDRESS, dlt645.READ, DI)
    assert reply(request + other + late) == 0
    assert reply.payload(request + other + late + wanted) == b"\x26\x00\x00\x00"


def test_error_answer_is_decoded():
    reply = dlt645.Reply(ADDRESS, dlt645.READ, DI)
    error = _raises(Refused, reply.payload, _answer(b"\x02", 0xD1))
    assert error.code == dlt645.NO_SUCH_DATA
    assert "000000000161" in str(error)
    # Some makers repeat the identifier in front of the error byte.
    assert _raises(Refused, reply.payload, _answer(DI + b"\x06", 0xD1)).code == 6
    assert error_names(0x06) == ["no such data", "password wrong or not authorised"]
    assert len(error_names(0xFF)) == 8


def test_follow_up_frames_carry_a_sequence_behind_the_data():
    assert dlt645.follow_up_request(ADDRESS, DI, 1, 0) == dlt645.frame(ADDRESS, 0x12, DI + b"\x01")
    first = dlt645.Reply(ADDRESS, dlt645.READ, DI)
    buffer = _answer(DI + b"\x11\x22", 0xB1)
    assert first.payload(buffer) == b"\x11\x22"
    assert first.more(buffer)
    second = dlt645.Reply(ADDRESS, dlt645.READ_FOLLOW_UP, DI, 1)
    buffer = _answer(DI + b"\x33\x44\x01", 0x92)
    assert second.payload(buffer) == b"\x33\x44"
    assert not second.more(buffer)
    assert second(_answer(DI + b"\x33\x44\x02", 0x92)) == 0


def test_read_address():
    request = commission.read_address_request(0)
    assert request == b"\x68\xaa\xaa\xaa\xaa\xaa\xaa\x68\x13\x00\xdf\x16"
    reply = dlt645.Reply(dlt645.WILDCARD, dlt645.READ_ADDRESS)
    assert dlt645.address_text(reply.payload(_answer(ADDRESS, 0x93))) == "000000000161"


def test_longest_data_and_beyond():
    data = bytes(range(196))
    frame = _answer(DI + data)
    assert dlt645.Reply(ADDRESS, dlt645.READ, DI).payload(frame) == data
    assert dlt645.find(_answer(DI + data + b"\x00")) == -1


def test_nothing_usable_is_a_frame_error():
    reply = dlt645.Reply(ADDRESS, dlt645.READ, DI)
    for buffer in (b"", b"\x68", b"\xff" * 40, b"\x68" * 40, _answer(DI + b"\x26")[:-1], _answer(b"\x00")):
        assert _raises(FrameError, reply.payload, buffer).where == "reply"
