"""Pulse inputs: S0 outputs of meters (IEC 62053-31), dry contacts, cycle, good and reject signals.

Each input is a counter of the catalogue: offset + pulses × numerator / denominator, in integers. The chip counts (or
an interrupt, see `edges`); its counter is read at each reading and added to the sum that `totals` keeps. A warm
reset loses what came since the last reading, a power cut what came since the last write to flash and during the cut:
then the first reading is marked uncertain.

S0: open collector, at most 27 V and 27 mA, pulses of 30 ms at least, so at most 16 a second: more is bounce or
noise, and then the reading is marked uncertain too.

Source: IEC 62053-31:1998, 4 and 5; reading at least every 1000 s keeps a 16-bit counter at 32 Hz from going half
round.
"""

from shutan_node.drivers.driver import Driver, Options
from shutan_wire.quality import GOOD, UNCERTAIN

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions


class Pulses(Driver):
    """options: inputs: {"25": {metric, per_pulse: [num, den], offset, edge, debounce_ms, max_hz}, ..}."""

    BUS = "inputs"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        if address not in {0, "0"}:
            given.mistakes.append("address: none wanted, the pins are in the options")
        inputs: dict[str, Any] = given.take("inputs", {})
        metrics: list[str] = []
        self._inputs: list[tuple[int, bool, int, int, int, int, int]] = []
        if not inputs:
            given.mistakes.append("options.inputs: at least one pin wanted")
        for place in sorted(inputs):
            where = "options.inputs." + place
            inner = Options(inputs[place])
            if not place.isdigit() or int(place) > 48:
                given.mistakes.append(where + ": the number of a pin wanted")
                continue
            metrics.append(inner.metric("metric", None, "counter"))
            ratio: Any = inner.take("per_pulse", [1, 1])
            if len(ratio) != 2 or [one for one in ratio if not isinstance(one, int) or not 0 < one <= 1000000]:
                inner.mistakes.append("options.per_pulse: two integers of 1 to 1000000 wanted")
                ratio = [1, 1]
            offset = inner.number("offset", 0, 0, 1000000000000000)
            rising = inner.choice("edge", "falling", ("falling", "rising")) == "rising"
            debounce_ms = inner.number("debounce_ms", 10, 0, 1000)
            max_hz = inner.number("max_hz", 16, 1, 10000)
            self._inputs.append((int(place), rising, debounce_ms, ratio[0], ratio[1], offset, max_hz))
            for key in inner.left():
                inner.mistakes.append("options." + key + ": unknown key")
            given.mistakes += [where + text[7:] for text in inner.mistakes]
        if len(set(metrics)) < len(metrics):
            given.mistakes.append("options.inputs: a metric twice; make it two devices")
        given.done()
        super().__init__(name, metrics)
        self._counters: list[Any] = []
        self._seen: list[int] = []
        self._read_ms = 0
        self._totals: Any = None

    async def begin(self, bus: "Any") -> None:
        """Start the counters; once, since they belong to the pins."""
        if self._totals is None:
            self._totals = bus.totals(self.name, len(self._inputs))
            for one in self._inputs:
                self._counters.append(bus.counter(one[0], one[1], one[2]))
            self._seen = [counter.value() for counter in self._counters]
            self._read_ms = bus.now_ms()

    async def measure(self, bus: "Any") -> None:
        """Add what the counters have seen."""
        totals = self._totals
        marked = totals.uncertain
        now_ms = bus.now_ms()
        for item in range(len(self._inputs)):
            _, _, _, num, den, offset, max_hz = self._inputs[item]
            count = self._counters[item].value()
            step = count - self._seen[item]
            if step < 0:
                step += 0x40000000  # the interrupt's counter goes round at 2^30
            self._seen[item] = count
            totals.numbers[item] += step
            fast = step * 1000 > max_hz * (now_ms - self._read_ms) + 1000 * max_hz
            self.values[item] = offset + totals.numbers[item] * num // den
            self.qualities[item] = UNCERTAIN if marked or fast else GOOD
        self._read_ms = now_ms
        totals.keep()


DRIVER = Pulses
