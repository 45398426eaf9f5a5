"""Three meters with 68 values in the heap of a board without PSRAM: loading, reading, and what stays."""

import asyncio
import gc
import json

from shutan_meters.master import Device
from shutan_meters.profile import Profile, load_profile, unload_loader
from shutan_wire import catalogue
from shutan_wire.quality import GOOD

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HEAP = "100k"
FOLDER = "firmware/shutan_meters/profiles/"
CASES = (
    ("dlt645_three_phase", "ct_metered_with_feed_in"),
    ("dlt645_three_phase", "no_block_reads"),
    ("eastron_sdm630", "running"),
)


class _Script:
    """Answers in the order of the test case; the list is consumed, so that the answers' memory is given back."""

    def __init__(self, answers: "list[str]") -> None:
        self.answers = answers

    async def transact(self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int) -> bytes:
        assert request
        assert timeout_ms
        answer = bytes.fromhex(self.answers.pop(0).replace(" ", ""))
        assert complete(answer)
        return answer


def _parsed(path: str) -> "Any":
    with open(path) as file:  # noqa: PTH123 - this file also runs on MicroPython, which has no pathlib
        return json.load(file)  # as a node should: the text never lies in the heap as a whole


def test_three_meters_in_a_small_heap():
    profiles: dict[str, Profile] = {}
    for name, _ in CASES:
        if name not in profiles:
            profiles[name] = load_profile(_parsed(FOLDER + name + "/profile.json"))
            gc.collect()
    unload_loader()
    catalogue.release()
    gc.collect()
    devices: list[Device] = []
    good = 0
    for name, file in CASES:
        case = _parsed(FOLDER + name + "/testcases/" + file + ".json")
        device = Device(profiles[name], case["address"], case["ct"], case["pt"])
        devices.append(device)
        bus = _Script([exchange[1] for exchange in case["exchanges"]])
        expected = [value for _, value, _ in case["expect"]]
        del case
        gc.collect()
        good += asyncio.run(device.read(bus))
        for value, wanted in zip(device.values, expected):  # noqa: B905 - MicroPython's zip has no strict
            if isinstance(wanted, int):
                assert value == wanted
        gc.collect()
    assert sum([len(device.values) for device in devices]) == 70
    assert good == sum([device.qualities.count(GOOD) for device in devices]) == 69
