"""Golden frames (tests/vectors): every captured frame is found, proved and explained as its expected fields say."""

import json
import os

from shutan_meters import dlt645, inspect, modbus
from shutan_meters.commission import broadcast_time
from shutan_meters.errors import FrameError
from shutan_meters.profile import Profile, load_profile

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    Vector = dict[str, Any]
    Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | None"

VECTORS = os.getenv("SHUTAN_VECTORS") or "tests/vectors"
FILES = ("dlt645.jsonl", "dlt645_1997.jsonl", "cjt188.jsonl", "modbus.jsonl")
PROFILES = "firmware/shutan_meters/profiles/"

# Garbage that looks like a start (68 with a length, a Modbus head), driver switching (00, FF) and wake bytes.
BEFORE = ("00", "FF FF", "68", "68 11 22 33 44 55 66 68 91 08 33 33", "16 16 68 68 68", "FE FE", "01 04", "01 03 04 43")
AFTER = ("00", "FF", "16", "68", "68 61 01 00", "01 04 14", "FE FE FE FE 68 AA")


def _text(path: str) -> str:
    with open(path) as file:  # noqa: PTH123 - this file also runs on MicroPython, which has no pathlib
        return file.read()


def _vectors(name: str) -> "Iterator[Vector]":
    for line in _text(VECTORS + "/" + name).split("\n"):
        if line:
            yield json.loads(line)


def _every() -> "Iterator[Vector]":
    for name in FILES:
        yield from _vectors(name)


def _same(found: "Json", expected: "Json") -> bool:
    """Equal; floats within rounding of their text form."""
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return False
        return all(_same(found[i], expected[i]) for i in range(len(expected)))
    if isinstance(expected, dict):
        if not isinstance(found, dict) or sorted(found) != sorted(expected):
            return False
        return all(_same(found[key], expected[key]) for key in expected)
    if isinstance(expected, float):
        return isinstance(found, (int, float)) and abs(found - expected) <= 1e-9 * max(1.0, abs(expected))
    return found == expected


def _decode(vector: "Vector", data: bytes, profile: "Profile | None" = None) -> "list[inspect.Report]":
    request = inspect.from_hex(vector["request"]) if "request" in vector else None
    return inspect.decode(vector["protocol"], data, profile, request)


def test_every_captured_frame_is_there():
    frames = [vector["frame"] for vector in _every()]
    assert sorted(set(frames)) == list(range(1, 38))
    assert len(frames) == 51
    assert all(vector["source"] for vector in _every())


def test_every_frame_decodes_to_its_fields():
    for vector in _every():
        reports = _decode(vector, inspect.from_hex(vector["hex"]))
        assert len(reports) == 1, vector["frame"]
        for key in vector["expect"]:
            assert _same(reports[0][key], vector["expect"][key]), (vector["frame"], key, reports[0][key])


def test_profile_adds_catalogue_values():
    profiles: dict[str, Profile] = {}
    counted = 0
    for vector in _every():
        if "profile" in vector:
            name = vector["profile"]
            if name not in profiles:
                profiles[name] = load_profile(_text(PROFILES + name + "/profile.json"))
            report = _decode(vector, inspect.from_hex(vector["hex"]), profiles[name])[0]
            found = report["values"] if vector["protocol"] == "modbus" else report["metrics"]
            assert _same([[item["metric"], item["value"]] for item in found], vector["metrics"]), vector["frame"]
            counted += 1
    assert counted == 13


def test_noise_around_a_frame_changes_nothing():
    for vector in _every():
        frame = inspect.from_hex(vector["hex"])
        clean = _decode(vector, frame)[0]
        for before, after in [(before, "") for before in BEFORE] + [("", after) for after in AFTER]:
            noisy = _decode(vector, inspect.from_hex(before) + frame + inspect.from_hex(after))
            assert len(noisy) == 1, (vector["frame"], before, after)
            for key in ("address", "direction", "error", "data_hex", "values"):
                assert noisy[0][key] == clean[key], (vector["frame"], before, after, key)


def _place_of_damage(vector: "Vector", broken: bytes) -> str:
    try:
        _decode(vector, broken)
    except FrameError as error:
        return error.where
    return ""


def test_a_damaged_byte_is_an_error_that_names_its_place():
    for vector in _every():
        frame = inspect.from_hex(vector["hex"])
        start = len(frame) - len(frame.lstrip(b"\xfe"))
        for at in range(start, len(frame)):
            broken = frame[:at] + bytes((frame[at] ^ 0x04,)) + frame[at + 1 :]
            assert _place_of_damage(vector, broken).startswith("byte "), (vector["frame"], at)


def test_builders_make_the_captured_requests():
    built = 0
    for vector in _vectors("dlt645.jsonl"):
        expect = vector["expect"]
        if vector["direction"] == "request" and expect["control"] == "11":
            di = inspect.from_hex(expect["data_hex"])
            request = dlt645.read_request(dlt645.address_bytes(expect["address"]), di, expect["wake_bytes"])
            assert request == inspect.from_hex(vector["hex"]), vector["frame"]
            built += 1
        if expect["control"] == "08":
            said = expect["values"][0]["value"]  # 2017-06-05 10:22:51
            fields = [int(part) for part in said.replace("-", " ").replace(":", " ").split(" ")]
            assert broadcast_time(tuple(fields), 0) == inspect.from_hex(vector["hex"]), vector["frame"]
            built += 1
    for vector in _vectors("modbus.jsonl"):
        expect = vector["expect"]
        if vector["direction"] == "request":
            request = modbus.read_request(1, int(expect["function"]), int(expect["start"], 16), expect["count"])
            assert request == inspect.from_hex(vector["hex"]), vector["frame"]
            built += 1
    assert built == 12
