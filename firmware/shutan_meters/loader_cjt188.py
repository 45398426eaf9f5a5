"""Reads of a CJ/T 188 profile.

    {"type": "10", "di": "901F", "items": [
        {"metric": "water_volume_l", "at": 0, "type": "bcd4", "unit": "volume", "scale": [1, 100]},
        {"metric": "valve_state", "at": 17, "type": "valve"}, {"metric": "alarm_code", "at": 17, "type": "alarms"}]}

`type` is the meter's type, `at` counts bytes behind DI and SER. `unit` says that a unit byte follows the number and
what it may measure; the scale then turns J, W, L or L/h into the metric's step. The types `valve` and `alarms` are two
readings of the status bytes and may share them.
"""

from shutan_meters import cjt188, values
from shutan_meters.profile import BY_UNIT, QUANTITY
from shutan_wire import catalogue

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_meters.loader import Columns, Json, Table

_FORMS = {
    "bcd2": values.BCD | 2, "bcd3": values.BCD | 3, "bcd4": values.BCD | 4, "valve": values.STATUS | 1,
    "alarms": values.STATUS | 2,
}  # fmt: skip
_QUANTITIES = {"energy": cjt188.ENERGY, "power": cjt188.POWER, "volume": cjt188.VOLUME, "flow": cjt188.FLOW}
_ROOM = cjt188.MAX_DATA - cjt188.HEAD


def read(columns: "Columns", entry: "Json", key: str) -> None:
    """One read with its items; mistakes go to the check."""
    table = columns.check.table(entry, key, ("type", "di", "items"))
    kind = table.hexa("type", 2)
    if kind >= 0 and kind not in cjt188.TYPES:
        table.wrong("type", "%02X is no type of meter" % kind)
    di = table.hexa("di", 4)
    taken: list[tuple[int, int]] = []
    items = columns.check.listing(table.get("items"), key + ".items", 32) if table.has("items") else []
    for number, value in enumerate(items):
        where = key + ".items[" + str(number) + "]"
        item = columns.check.table(value, where, ("metric", "at", "type"), ("unit", "scale", "ratio"))
        _item(columns, item, taken)
    columns.reads += bytes((kind & 0xFF, di >> 8 & 0xFF, di & 0xFF, 0))


def _item(columns: "Columns", item: "Table", taken: "list[tuple[int, int]]") -> None:
    at = item.whole("at", 0, _ROOM, 0)
    name = item.text("type", tuple(sorted(_FORMS)))
    form = _FORMS.get(name, values.BCD)
    flags = 0
    length = form & 15
    if item.has("unit"):
        flags = BY_UNIT | _QUANTITIES.get(item.text("unit", tuple(sorted(_QUANTITIES))), 0) << QUANTITY
        length += 1
    if at + length > _ROOM:
        item.wrong("at", "reaches beyond the longest data, " + str(_ROOM) + " bytes")
    if form < values.STATUS:
        for begin, end in taken:
            if at < end and begin < at + length:
                item.wrong("at", "overlaps another item of this read")
                break
        taken.append((at, at + length))
    else:
        metric = item.get("metric")
        found = catalogue.by_name(metric) if isinstance(metric, str) else None
        if found and found.kind not in ("state", "event"):
            item.wrong("type", name + " belongs to a state or an event")
    columns.add(item, at, form, flags)
