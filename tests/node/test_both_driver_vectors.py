"""Golden exchanges of sensors (tests/vectors/sensors.jsonl): worked examples and captures, byte for byte."""

import asyncio
import json
import os

from shutan_meters.errors import FrameError, NoAnswer
from shutan_node import drivers
from support.sensor_bench import Bench

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VECTORS = (os.getenv("SHUTAN_VECTORS") or "tests/vectors") + "/sensors.jsonl"


def vectors() -> "list[dict[str, Any]]":
    with open(VECTORS) as file:  # noqa: PTH123 - this file also runs on MicroPython, which has no pathlib
        return [json.loads(line) for line in file if line.strip()]


def plain(text: str) -> str:
    return text.replace(" ", "").lower()


class Replay(Bench):
    """Every kind of bus at once: answers by what was asked; orders without an answer are noted."""

    def __init__(self, vector: "dict[str, Any]") -> None:
        super().__init__()
        self.answers = {plain(key): bytes.fromhex(plain(value)) for key, value in vector["answers"].items()}
        self.orders: list[str] = []
        self._asked = ""

    def write(self, address: int, data: bytes) -> None:
        assert address
        self._asked = data.hex()
        if self._asked not in self.answers:
            self.orders.append(self._asked)

    def read_i2c(self, address: int, count: int) -> bytes:
        assert address
        answer = self.answers[self._asked]
        assert len(answer) == count, "a driver asks for what the sensor sends, not more"
        return answer

    async def transact(
        self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int
    ) -> "bytes | bytearray":
        assert timeout_ms
        self._asked = bytes(request).hex()
        if self._asked not in self.answers:
            self.orders.append(self._asked)
            raise NoAnswer("bus", "silent")
        answer = self.answers[self._asked]
        assert complete(answer)
        return answer


class Bus:
    """What a driver sees of a replay."""

    def __init__(self, replay: Replay) -> None:
        self.write = replay.write
        self.read = replay.read_i2c
        self.transact = replay.transact
        self.now_ms = replay.now_ms
        self.sleep_ms = replay.sleep_ms


def test_every_vector_gives_its_values():
    for vector in vectors():
        name = vector["driver"]
        driver = drivers.make(name, "d", vector["address"], vector["options"])
        replay = Replay(vector)
        for _ in range(vector.get("readings", 1)):
            asyncio.run(driver.read(Bus(replay)))
        assert list(driver.metrics) == [row[0] for row in vector["expect"]], name
        for item in range(len(driver.metrics)):
            _, value, quality, tolerance = vector["expect"][item]
            assert driver.qualities[item] == quality, (name, driver.metrics[item], driver.qualities[item])
            found = driver.values[item]
            if value is None:
                assert found is None, (name, driver.metrics[item], found)
            else:
                assert found is not None, (name, driver.metrics[item])
                assert abs(found - value) <= tolerance, (name, driver.metrics[item], found)
        if "writes" in vector:
            assert replay.orders == [plain(text) for text in vector["writes"]], (name, replay.orders)
        assert vector["source"]


def test_no_damaged_answer_gives_a_wrong_value():
    for vector in vectors():
        if "unprotected" in vector or vector["driver"] == "ads1115":
            continue  # protocols without a checksum: nothing in the bytes could tell
        name = vector["driver"]
        last = [key for key in vector["answers"] if plain(key) in ("ec05", "2400", "0300")] or [
            list(vector["answers"])[-1]
        ]
        whole = bytes.fromhex(plain(vector["answers"][last[0]]))
        for at in range(len(whole)):
            replay = Replay(vector)
            replay.answers[plain(last[0])] = whole[:at] + bytes((whole[at] ^ 0x04,)) + whole[at + 1 :]
            driver = drivers.make(name, "d", vector["address"], vector["options"])
            refused = False
            try:
                asyncio.run(driver.read(Bus(replay)))
            except FrameError:
                refused = True
            except AssertionError:
                refused = True  # the frame was not even complete
            assert refused, (name, at)
            assert driver.values == [None] * len(driver.metrics), (name, at)
