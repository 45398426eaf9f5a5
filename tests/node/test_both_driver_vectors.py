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


READINGS = ("ec05", "2400", "0300", "ff0186000000000079", "ccbe", "58aa", "listen")  # what is asked for a measurement
UNPROTECTED = ("ads1115", "max31865", "atm90e32", "adxl345", "pulses", "stack_light")


def vectors() -> "list[dict[str, Any]]":
    with open(VECTORS) as file:  # noqa: PTH123 - this file also runs on MicroPython, which has no pathlib
        return [json.loads(line) for line in file if line.strip()]


def plain(text: str) -> str:
    return text.replace(" ", "").lower()


class Pin:
    """What a pin or its counter says, one value a question; the last one stays."""

    def __init__(self, values: "list[int]") -> None:
        self._values = list(values)

    def value(self) -> int:
        return self._values.pop(0) if len(self._values) > 1 else self._values[0]


class Replay(Bench):
    """Every kind of bus at once: answers by what was asked; orders without an answer are noted."""

    def __init__(self, vector: "dict[str, Any]") -> None:
        super().__init__()
        self.answers = {plain(key): bytes.fromhex(plain(value)) for key, value in vector["answers"].items()}
        self.orders: list[str] = []
        self.repeats = vector.get("repeats", "")  # the request that says the last answer once more
        self.last = b""
        self.pins = vector.get("pins", {})
        self._asked = ""
        self.complete = True

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
        self._asked = bytes(request).hex() or "listen"
        if self._asked not in self.answers:
            self.orders.append(self._asked)
            raise NoAnswer("bus", "silent")
        answer = self.answers[self._asked]
        self.complete = complete(answer) == len(answer)
        return answer

    def transfer(self, select: int, out: "bytes | bytearray", hz: int, mode: int) -> bytearray:
        assert select
        assert hz
        assert 0 <= mode <= 3
        asked = bytes(out).hex()
        if asked == self.repeats:
            return bytearray(self.last)
        if asked not in self.answers:
            self.orders.append(asked)
            return bytearray(len(out))
        assert len(self.answers[asked]) == len(out), asked
        self.last = self.answers[asked]
        return bytearray(self.last)

    def counter(self, pin: int, rising: bool, debounce_ms: int) -> "Pin":
        assert not rising
        assert debounce_ms
        return Pin(self.pins[str(pin)])

    def level(self, pin: int) -> "Pin":
        return Pin(self.pins[str(pin)])

    def write_wire(self, data: bytes) -> None:
        self.write(1, data)

    def read_wire(self, count: int) -> bytes:
        return self.read_i2c(1, count)

    def reset(self) -> None:
        self._asked = ""

    def power(self, on: bool) -> None:
        self.orders.append("power " + str(on))


class Bus:
    """What a driver sees of a replay."""

    def __init__(self, replay: Replay, kind: str) -> None:
        wire = kind == "onewire"
        self.write = replay.write_wire if wire else replay.write
        self.read = replay.read_wire if wire else replay.read_i2c
        self.transact = replay.transact
        self.transfer = replay.transfer
        self.reset = replay.reset
        self.power = replay.power
        self.converted_ms = -60000
        self.now_ms = replay.now_ms
        self.sleep_ms = replay.sleep_ms
        self.totals = replay.totals
        self.counter = replay.counter
        self.level = replay.level


def test_every_vector_gives_its_values():
    for vector in vectors():
        name = vector["driver"]
        driver = drivers.make(name, "d", vector["address"], vector["options"])
        replay = Replay(vector)
        for _ in range(vector.get("readings", 1)):
            asyncio.run(driver.read(Bus(replay, driver.BUS)))
        replay.clean()
        assert replay.complete, "the bus is told where the frame ends"
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
        if vector["driver"] in UNPROTECTED:
            continue  # no checksum: nothing in the bytes could tell
        name = vector["driver"]
        last = [key for key in vector["answers"] if plain(key) in READINGS]
        whole = bytes.fromhex(plain(vector["answers"][last[0]]))
        for at in range(1 if name == "hlw8032" else 0, len(whole)):  # its checksum leaves the state byte out
            replay = Replay(vector)
            replay.answers[plain(last[0])] = whole[:at] + bytes((whole[at] ^ 0x04,)) + whole[at + 1 :]
            driver = drivers.make(name, "d", vector["address"], vector["options"])
            refused = False
            try:
                asyncio.run(driver.read(Bus(replay, driver.BUS)))
            except FrameError:
                refused = True
            assert refused, (name, at)
            assert driver.values == [None] * len(driver.metrics), (name, at)
            replay.clean()
