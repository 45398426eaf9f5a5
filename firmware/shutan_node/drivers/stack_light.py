"""Stack light or machine signals on 24 V inputs (opto-couplers, IEC 61131-2 type 1 or 3): the state of a machine.

The lamps are looked at nine times in one second, so that one which blinks is seen; a lamp counts as lit when it was lit
at least once. The first rule of `states` whose lamps are all lit gives the state; no lamp is `dark`.

| state | code of machine_state |
|---|---|
| off | 0 |
| idle | 1 |
| running | 2 |
| fault | 3 |

Source: IEC 60073:2002, table 4: red emergency or fault, yellow (amber) abnormal, green normal.
"""

from shutan_node.drivers.driver import Driver, Options
from shutan_wire.quality import GOOD

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

STATES = ("off", "idle", "running", "fault")
_LOOKS = 9
_LOOK_MS = 125
_USUAL = (("red", "fault"), ("green", "running"), ("amber", "idle"))


class StackLight(Driver):
    """options: lamps: {"red": pin, ..}; lit: level of a lit lamp; states: [["red", "fault"], ..]; dark."""

    BUS = "inputs"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        if address not in {0, "0"}:
            given.mistakes.append("address: none wanted, the pins are in the options")
        lamps: dict[str, Any] = given.take("lamps", {})
        if not lamps or [one for one in lamps.values() if not isinstance(one, int) or not 0 <= one <= 48]:
            given.mistakes.append("options.lamps: a pin for each lamp wanted")
        self._lamps = lamps
        self._lit = given.choice("lit", 0, (0, 1))
        self._dark = STATES.index(given.choice("dark", "off", STATES))
        self._rules: list[tuple[list[str], int]] = []
        for rule in given.take("states", [one for one in _USUAL if one[0] in lamps]):
            wanted = str(rule[0]).split("+") if len(rule) == 2 else []
            if not wanted or rule[1] not in STATES or [lamp for lamp in wanted if lamp not in lamps]:
                given.mistakes.append("options.states: [lamps joined by +, one of " + ", ".join(STATES) + "] wanted")
            else:
                self._rules.append((wanted, STATES.index(rule[1])))
        given.done()
        super().__init__(name, ("machine_state",))
        self._pins: dict[str, Any] = {}

    async def begin(self, bus: "Any") -> None:
        """Take the pins."""
        self._pins = {lamp: bus.level(pin) for lamp, pin in self._lamps.items()}

    async def measure(self, bus: "Any") -> None:
        """Look for a second."""
        seen: set[str] = set()
        for look in range(_LOOKS):
            if look:
                await bus.sleep_ms(_LOOK_MS)
            for lamp, pin in self._pins.items():
                if pin.value() == self._lit:
                    seen.add(lamp)
        state = self._dark
        for lamps, meaning in self._rules:
            if not [lamp for lamp in lamps if lamp not in seen]:
                state = meaning
                break
        self.values[0] = state
        self.qualities[0] = GOOD


DRIVER = StackLight
