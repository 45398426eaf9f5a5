"""Frames out of a stream of bytes: every golden frame among noise, in portions of any size, each byte accounted for."""

import json
import os

from shutan_meters import dlt645, inspect
from shutan_meters.inspect_stream import LONGEST, Stream
from shutan_meters.profile import load_profile

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from typing import Any

VECTORS = os.getenv("SHUTAN_VECTORS") or "tests/vectors"
FILES = ("dlt645.jsonl", "dlt645_1997.jsonl", "cjt188.jsonl", "modbus.jsonl")
UNIT = dlt645.address_bytes("000000000161")


def _text(path: str) -> str:
    with open(path) as file:  # noqa: PTH123 - this file also runs on MicroPython, which has no pathlib
        return file.read()


def _vectors() -> "list[dict[str, Any]]":
    lines = [line for name in FILES for line in _text(VECTORS + "/" + name).split("\n") if line]
    return [json.loads(line) for line in lines]


class Noise:
    """Bytes by a linear congruential generator: the same on every runtime, with 31-bit integers too."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def bytes(self, count: int) -> bytes:
        made = bytearray(count)
        for i in range(count):
            self.state = (self.state * 8121 + 28411) % 134456
            made[i] = self.state >> 8 & 0xFF
        return bytes(made)


def _run(data: bytes, portion: int, protocols: "tuple[str, ...]" = inspect.PROTOCOLS) -> "tuple[list[Any], Stream]":
    stream = Stream(protocols)
    reports: list[Any] = []
    for at in range(0, len(data), portion):
        reports += stream.feed(data[at : at + portion])
    reports += stream.finish()
    return reports, stream


def _frames(reports: "list[Any]") -> "list[Any]":
    return [report for report in reports if "skipped" not in report]


def _accounted(reports: "list[Any]", stream: Stream, data: bytes) -> None:
    place = 0
    for report in reports:
        assert report["at"] == place
        place += report["bytes"] if "bytes" in report else report["skipped"]
    assert place == len(data) == stream.bytes == stream.frame_bytes + stream.skipped_bytes
    assert stream.stretches == len(reports) - len(_frames(reports))
    assert sum(stream.frames.values()) == len(_frames(reports))


def test_every_golden_frame_among_noise_in_any_portions():
    vectors = _vectors()
    noise = Noise(7)
    data = b""
    for number, vector in enumerate(vectors):
        # Noise without the two bytes that could begin a frame: what is found is known exactly.
        dirt = bytes([byte | 0x80 for byte in noise.bytes(number % 40)]).replace(b"\xfe", b"\xff")
        data += dirt.replace(b"\x83", b"\xff").replace(b"\x84", b"\xff") + inspect.from_hex(vector["hex"])
    whole, stream = _run(data, len(data))
    _accounted(whole, stream, data)
    found = _frames(whole)
    assert len(found) == len(vectors)
    for i, vector in enumerate(vectors):
        for key in ("address", "direction", "error", "data_hex"):
            if key in vector["expect"]:
                assert found[i][key] == vector["expect"][key], (vector["frame"], key)
        assert found[i]["bytes"] == len(inspect.from_hex(vector["hex"])), vector["frame"]
    for portion in (1, 3, 97, 600):
        if portion > 1 or len(data) < 5000:
            again, stream = _run(data, portion)
            _accounted(again, stream, data)
            assert again == whole, portion


def test_a_damaged_frame_is_skipped_with_its_reason_and_the_next_one_found():
    good = dlt645.read_request(UNIT, b"\x00\x00\x01\x00", 2)
    bad = good[:12] + bytes((good[12] ^ 1,)) + good[13:]
    reports, stream = _run(bad + good, 5)
    _accounted(reports, stream, bad + good)
    assert [sorted(report)[:2] for report in reports] == [["at", "hex"], ["address", "at"]]
    assert reports[0]["skipped"] == len(bad)
    assert reports[0]["reason"].startswith("like a damaged DL/T 645 frame at byte 2: byte 16: checksum is ")
    assert reports[1]["at"] == len(bad)
    assert reports[1]["wake_bytes"] == 2


def test_a_start_whose_length_would_swallow_the_next_frame_does_not():
    good = dlt645.read_request(UNIT, b"\x00\x00\x01\x00", 0)
    trap = b"\x68\x01\x02\x03\x04\x05\x06\x68\x91\xc8"
    reports, stream = _run(trap + good + b"\x68\x10", 4)
    _accounted(reports, stream, trap + good + b"\x68\x10")
    assert [report.get("skipped") for report in reports] == [10, None, 2]


def test_a_modbus_frame_that_would_begin_before_another_protocols_gives_way():
    inner = dlt645.read_request(UNIT, b"\x00\x00\x01\x00", 0)
    body = b"\x01\x03" + bytes((len(inner),)) + inner
    from shutan_meters import modbus

    crc = modbus.crc16(body, 0, len(body))
    data = body + bytes((crc & 0xFF, crc >> 8))
    reports, stream = _run(data, 7)
    _accounted(reports, stream, data)
    assert [report["protocol"] for report in _frames(reports)] == ["DL/T 645-2007"]
    reports, stream = _run(data, 7, ("modbus",))
    assert [report["protocol"] for report in reports] == ["Modbus RTU"]
    assert stream.frames == {"modbus": 1}


def test_a_whole_frame_with_an_unknown_control_code_is_told():
    odd = dlt645.frame(UNIT, 0x1F)
    reports, stream = _run(odd, 100)
    _accounted(reports, stream, odd)
    assert reports[0]["reason"] == "whole frame that says nothing known: control code 1F is not defined in DL/T 645"


def test_a_reply_behind_its_request_is_named_by_the_profile():
    profile = load_profile(_text("firmware/shutan_meters/profiles/eastron_sdm630/profile.json"))
    stream = Stream(inspect.PROTOCOLS, profile)
    reports = stream.feed(inspect.from_hex("01 04 00 00 00 02 71 CB FF 00 01 04 04 43 66 33 34 1B 38"))
    reports += stream.finish()
    assert [report.get("direction") for report in reports] == ["request", None, "reply"]
    assert reports[2]["values"][0]["metric"] == "voltage_l1_v"
    assert reports[1] == {"at": 8, "skipped": 2, "hex": "FF 00", "reason": "no valid frame"}


def test_long_noise_is_one_stretch_and_memory_is_bounded():
    stream = Stream(("dlt645", "cjt188"))
    noise = Noise(99)
    reports: list[Any] = []
    for _ in range(40):
        reports += stream.feed(noise.bytes(500))
        assert stream.undecided() <= 2 * LONGEST + 16
    reports += stream.finish()
    assert len(reports) == 1
    assert (reports[0]["at"], reports[0]["skipped"]) == (0, 20000)
    assert reports[0]["hex"].endswith(" ...")
    assert stream.summary()["skipped_bytes"] == 20000


def test_nothing():
    stream = Stream()
    assert stream.feed(b"") == []
    assert stream.finish() == []
    assert stream.summary()["bytes"] == 0
