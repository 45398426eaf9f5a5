"""Profiles: every folder loads, its test cases read as expected, and a wrong profile is told with all its mistakes."""

import asyncio
import json
import os

from shutan_meters.errors import NoAnswer, ProfileError
from shutan_meters.inspect import hexa
from shutan_meters.master import read_device
from shutan_meters.profile import load_profile, unload_loader
from shutan_wire import catalogue

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FOLDER = "firmware/shutan_meters/profiles"
NAMES = tuple(sorted(name for name in os.listdir(FOLDER) if not name.startswith("_")))  # noqa: PTH208 - also on MicroPython


class _Script:
    """A bus on which every request has one prepared answer."""

    def __init__(self, exchanges: "list[list[str]]") -> None:
        self.answers = {exchange[0]: exchange[1] for exchange in exchanges}
        self.asked: list[str] = []

    async def transact(self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int) -> bytes:
        assert 50 <= timeout_ms <= 5000
        text = hexa(request)
        self.asked.append(text)
        answer = bytes.fromhex(self.answers[text].replace(" ", ""))
        if not answer:
            raise NoAnswer("bus", "nothing came")
        assert complete(answer) == len(answer)
        return answer


def _text(path: str) -> str:
    with open(path) as file:  # noqa: PTH123 - this file also runs on MicroPython, which has no pathlib
        return file.read()


def _parsed(name: str) -> "dict[str, Any]":
    return json.loads(_text(FOLDER + "/" + name + "/profile.json"))


def _mistakes(source: "Any") -> "list[str]":
    try:
        load_profile(source)
    except ProfileError as error:
        return error.mistakes
    raise AssertionError("no mistake found")


def test_every_profile_loads_under_its_own_name():
    assert len(NAMES) >= 9
    for name in NAMES:
        profile = load_profile(_text(FOLDER + "/" + name + "/profile.json"))
        assert profile.name == name
        assert len(profile) == len(profile.num) == len(profile.in_read) == len(profile.flags)
        assert all(catalogue.by_name(profile.metric(i)) for i in range(len(profile)))
        assert load_profile(_parsed(name)).ids == profile.ids


def test_three_meters_give_sixty_metrics():
    assert len(load_profile(_parsed("dlt645_three_phase"))) >= 20
    assert len(load_profile(_parsed("eastron_sdm630"))) >= 20


def test_every_test_case_of_every_profile():
    ran = 0
    for name in NAMES:
        profile = load_profile(_text(FOLDER + "/" + name + "/profile.json"))
        for file in os.listdir(FOLDER + "/" + name + "/testcases"):  # noqa: PTH208 - as above
            case = json.loads(_text(FOLDER + "/" + name + "/testcases/" + file))
            bus = _Script(case["exchanges"])
            found = asyncio.run(read_device(bus, profile, case["address"], case["ct"], case["pt"]))
            assert len(found) == len(case["expect"])
            for (metric, value, quality), expected in zip(found, case["expect"]):  # noqa: B905 - MicroPython's zip has no strict
                assert [metric, quality] == [expected[0], expected[2]], (file, metric)
                if isinstance(expected[1], float):
                    assert abs(value - expected[1]) <= 1e-6 * max(1.0, abs(expected[1])), (file, metric, value)
                else:
                    assert value == expected[1], (file, metric, value)
                    assert not isinstance(value, float)
            assert bus.asked == [request for request, _ in case["exchanges"]], file
            ran += 1
    assert ran >= 2 * len(NAMES)


def test_loader_can_be_given_back():
    unload_loader()
    assert load_profile(_parsed("pulse_totaliser")).name == "pulse_totaliser"
    unload_loader()
    unload_loader()


def test_all_mistakes_are_reported_at_once_with_their_keys():
    bad = _parsed("dlt645_three_phase")
    bad["baud"] = 9600
    bad["serial"] = {"baud": 2401, "format": "8X1"}
    bad["reads"][0]["di"] = "00010"
    items = bad["reads"][0]["items"]
    items[0]["metric"] = "active_energy"
    items[1]["scale"] = [10]
    items[2]["ratio"] = "vt"
    items[3]["type"] = "f32"
    items[4]["at"] = 9
    del bad["reads"][1]["items"]
    found = _mistakes(bad)
    keys = [mistake.split(": ")[0] for mistake in found]
    expected = ["baud", "serial.format", "serial.baud", "reads[0].di"]
    expected += ["reads[0].items[0].metric", "reads[0].items[1].scale", "reads[0].items[2].ratio"]
    expected += ["reads[0].items[3].type", "reads[0].items[4].at", "reads[1].items"]
    assert sorted(keys) == sorted(expected), found


def test_modbus_reads_must_not_cross_gaps_or_leave_their_read():
    bad = _parsed("eastron_sdm630")
    bad["reads"][1]["count"] = 4
    bad["reads"][2]["items"][0]["register"] = "0040"
    bad["reads"][3]["items"][1]["register"] = "003D"
    bad["reads"][4]["function"] = 6
    found = _mistakes(bad)
    assert "reads[1].count: register 0036 belongs to no item; a read must not cross a gap" in found
    assert "reads[2].items[0].register: lies outside of its read" in found
    assert "reads[3].items[1].register: overlaps another item of this read" in found
    assert [mistake for mistake in found if mistake.startswith("reads[4].function: 3..4 expected")]


def test_unused_registers_bridge_a_read():
    good = _parsed("eastron_sdm630")
    good["reads"][1]["count"] = 4
    good["reads"][1]["items"].append({"metric": None, "register": "0036", "type": "u32"})
    assert len(load_profile(good)) == 22


def test_same_metric_twice():
    bad = _parsed("pulse_totaliser")
    bad["reads"][0]["items"][1]["metric"] = "gas_volume_l"
    assert _mistakes(bad) == ["reads[0].items[1].metric: gas_volume_l is already measured by another item"]


def test_what_is_no_profile_at_all():
    assert "not JSON" in _mistakes("not {")[0]
    assert _mistakes("[]") == ["an object expected, found []"]
    assert len(_mistakes("{}")) == 5
    assert _mistakes(json.dumps({"profile": 7, "title": "", "protocol": "mbus", "serial": 1, "reads": []}))
    wrongs: Any = (None, True, 3, "x", [], {}, [None], [[]], [{}])
    for broken in wrongs:
        bad = _parsed("pulse_totaliser")
        bad["reads"] = broken
        assert _mistakes(bad)
        bad = _parsed("pulse_totaliser")
        bad["reads"][0]["items"] = broken
        assert _mistakes(bad)
        for key in ("metric", "register", "type", "scale", "ratio", "order"):
            bad = _parsed("pulse_totaliser")
            bad["reads"][0]["items"][0][key] = broken
            if broken is not None or key not in ("metric", "ratio"):
                assert _mistakes(bad), (key, broken)
