"""What all drivers share: values with qualities, counters, set-up after a loss, options of the configuration.

To the sampler a driver is what `shutan_meters.master.Device` is: `read(bus)` fills `values` and `qualities`, or raises
NoAnswer (silence) or FrameError (noise). Every wait inside is bounded and gives way to the other tasks.
"""

from shutan_meters.errors import FrameError, NoAnswer, ProfileError
from shutan_wire.quality import GOOD, RANGE, STALE

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from shutan_node.shapes import DriverOptions


class Driver:
    """One sensor. A subclass has BUS (kind of its bus), `begin` and `measure`.

    metrics:   catalogue names, one an item
    values:    one an item: int (counter, state), float (gauge) or None
    qualities: GOOD, STALE (nothing new), RANGE, SENSOR_FAULT, WARMING_UP, UNCERTAIN
    silent, damaged, refused: counts since the start, as a meter has them
    """

    BUS = ""

    def __init__(self, name: str, metrics: "Sequence[str]") -> None:
        count = len(metrics)
        self.name = name
        self.metrics = tuple(metrics)
        self.values: list[int | float | None] = [None] * count
        self.qualities: list[int] = [STALE] * count
        self.silent = 0
        self.damaged = 0
        self.refused = 0
        self._ready = False

    async def read(self, bus: "Any", wanted: "bytes | bytearray | None" = None) -> int:  # noqa: ARG002 - as a meter
        """Read every item; how many are GOOD. NoAnswer, FrameError: it is set up again before its next reading."""
        for item in range(len(self.values)):
            self.values[item] = None
            self.qualities[item] = STALE
        try:
            if not self._ready:
                await self.begin(bus)
                self._ready = True
            await self.measure(bus)
        except NoAnswer:
            self._ready = False
            self.silent += 1
            raise
        except FrameError:
            self._ready = False
            self.damaged += 1
            raise
        return self.qualities.count(GOOD)

    async def begin(self, bus: "Any") -> None:
        """Find the sensor, prove that it is the right one, set it up."""

    async def measure(self, bus: "Any") -> None:
        """Fill values and qualities."""
        raise NotImplementedError

    def put(self, item: int, value: float, low: float, high: float, quality: int = GOOD) -> None:
        """Set a value; outside of [low, high], what the sensor can measure, there is none, RANGE."""
        if low <= value <= high:  # false for NaN too
            self.values[item] = value
            self.qualities[item] = quality
        else:
            self.poor(item, RANGE)

    def poor(self, item: int, quality: int) -> None:
        """Set an item without a value."""
        self.values[item] = None
        self.qualities[item] = quality


class Options:
    """The options of one device in the configuration, taken one by one; `done` tells every mistake at once."""

    def __init__(self, options: "DriverOptions") -> None:
        self._left = dict(options)
        self.mistakes: list[str] = []

    def number(self, key: str, default: "float | None", low: float, high: float) -> "Any":
        """A number (an int where the default is one); default None = it must be there."""
        value = self._left.pop(key, default)
        kinds = int if isinstance(default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            self.mistakes.append("options." + key + ": " + str(low) + " to " + str(high) + " wanted")
            return default if default is not None else low
        return value

    def choice(self, key: str, default: "Any", known: "Sequence[Any]") -> "Any":
        """One of a few values."""
        value = self._left.pop(key, default)
        if value not in known:
            self.mistakes.append("options." + key + ": one of " + ", ".join([str(one) for one in known]) + " wanted")
            return default
        return value

    def metric(self, key: str, default: "str | None", kind: str) -> str:
        """Name of a metric of the catalogue, of one kind (gauge, counter, state)."""
        from shutan_wire import catalogue

        value = self._left.pop(key, default)
        found = catalogue.by_name(value) if isinstance(value, str) else None
        if found is None or found.kind != kind:
            self.mistakes.append("options." + key + ": a " + kind + " of the catalogue wanted, found " + str(value))
            return str(default)
        return found.name

    def take(self, key: str, default: "Any") -> "Any":
        """A value that the driver checks by itself."""
        return self._left.pop(key, default)

    def left(self) -> "list[str]":
        """Keys that nobody took."""
        return [str(key) for key in self._left]

    def done(self, where: str = "options") -> None:
        """ProfileError with every mistake; a key that nobody took is one."""
        for key in self.left():
            self.mistakes.append(where + "." + key + ": unknown key")
        if self.mistakes:
            raise ProfileError(where, self.mistakes)


def i2c_address(address: "str | int", known: "Sequence[int]", mistakes: "list[str]") -> int:
    """An I2C address, as a number or as text ("0x44"); 0 = the first known one."""
    number = -1
    if isinstance(address, int):
        number = address
    elif address[:2] == "0x":
        try:
            number = int(address, 16)
        except ValueError:
            number = -1
    if number == 0:
        return known[0]
    if number not in known:
        mistakes.append("address: one of " + ", ".join(["0x%02x" % one for one in known]) + " wanted")
        return known[0]
    return number


def select_pin(address: "str | int", mistakes: "list[str]") -> int:
    """A select pin from the address of a device."""
    if isinstance(address, int) and 0 < address <= 48:
        return address
    mistakes.append("address: the number of the select pin wanted")
    return 0
