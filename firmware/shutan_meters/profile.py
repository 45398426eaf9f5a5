"""A meter profile in memory: columns instead of objects, about a kilobyte for 24 items.

Item i is the i-th metric of the profile; read r is one request. Built by `shutan_meters.loader`, which may be dropped
from memory afterwards (`unload_loader`).
"""

import sys
from array import array

from shutan_meters import values

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_meters.loader import Json

DLT645 = "dlt645"
DLT645_1997 = "dlt645_1997"
MODBUS = "modbus"
CJT188 = "cjt188"

# bits of Profile.flags
BY_CT = 1
BY_PT = 2
EXACT = 4  # counter, state or event: an integer; otherwise a gauge
LOW_WORD_FIRST = 8
BY_UNIT = 16  # a CJ/T 188 unit byte stands behind the field; its quantity (cjt188.ENERGY..FLOW) in the bits above
QUANTITY = 5


class Profile:
    """What to ask a meter and what its answers mean.

    name, protocol, baud, line ("8E1"), timeout_ms (request sent to whole reply in)
    reads:   4 bytes a read: DL/T 645 identifier as on the wire (1997: two bytes and two zeros), or Modbus function,
             start high, start low, count, or CJ/T 188 meter type, DI high, DI low, 0
    ids:     catalogue id of each item
    in_read: read of each item;  at: byte offset in that read's data;  forms, flags: see `values` and above
    singles: DL/T 645: 4 bytes an item, its own identifier, asked where the meter refuses the block; else empty
    num, den: scale of each item;  low, high: plausible range of each gauge (catalogue)
    """

    __slots__ = (
        "at", "baud", "den", "flags", "forms", "high", "ids", "in_read", "line", "low", "name", "num", "protocol",
        "reads", "singles", "timeout_ms",
    )  # fmt: skip

    def __init__(self, name: str, protocol: str, baud: int, line: str, timeout_ms: int) -> None:
        self.name = name
        self.protocol = protocol
        self.baud = baud
        self.line = line
        self.timeout_ms = timeout_ms
        self.reads = b""
        self.ids = b""
        self.in_read = b""
        self.at = b""
        self.forms = b""
        self.flags = b""
        self.singles = b""
        self.num = array("I")
        self.den = array("I")
        self.low = array("f")
        self.high = array("f")

    def __len__(self) -> int:
        return len(self.ids)

    def metric(self, i: int) -> str:
        """Catalogue name of item i. It loads the catalogue, which a node that keeps `ids` can do without."""
        from shutan_wire import catalogue

        found = catalogue.by_id(self.ids[i])
        return found.name if found else str(self.ids[i])

    def value(self, i: int, data: "bytes | bytearray", at: int, ratio: "tuple[int, int]") -> "int | float | None":
        """Item i, taken from the data of a read at byte `at`, on the primary side.

        ratio:   CT x PT as (numerator, denominator), as this item's flags ask for
        Returns  int in the catalogue's step for counters, states and events (half to even), float for gauges;
                 None where the meter does not have it, sent no number, or sent one outside the plausible range
        """
        form = self.forms[i]
        flags = self.flags[i]
        length = form & 15
        if at + length > len(data):
            return None
        field = values.big_endian(data, at, length, flags & LOW_WORD_FIRST != 0)
        num = self.num[i] * ratio[0]
        den = self.den[i] * ratio[1]
        if flags & BY_UNIT:
            from shutan_meters import cjt188

            factor = cjt188.factor(data[at + length], flags >> QUANTITY & 3) if at + length < len(data) else 0
            if not factor:
                return None
            num *= factor
        if flags & EXACT:
            count = values.exact(field, form, num, den)
            return count if count is not None and self.low[i] <= count <= self.high[i] else None
        level = values.gauge(field, form, num, den)
        return level if level is not None and self.low[i] <= level <= self.high[i] else None


def load_profile(source: "Json") -> Profile:
    """A profile from the text of a profile.json or from its parsed object.

    Raises  ProfileError with every mistake and its key
    """
    from shutan_meters import loader

    return loader.load(source)


def unload_loader() -> None:
    """Give the loader's code back to the heap: a node loads its profiles once, at boot."""
    package = sys.modules.get("shutan_meters")
    for name in ("loader", "loader_cjt188"):
        sys.modules.pop("shutan_meters." + name, None)
        if package is not None and hasattr(package, name):
            delattr(package, name)
