"""From profile.json to `Profile`: every field checked, every mistake reported with its key.

    {"profile": "pzem_004t_v3", "title": "...", "protocol": "modbus", "serial": {"baud": 9600, "format": "8N1"},
     "timeout_ms": 500, "reads": [{"function": 4, "start": "0000", "count": 2, "items": [
         {"metric": "voltage_l1_v", "register": "0000", "type": "u16", "scale": [1, 10], "ratio": null},
         {"metric": null, "register": "0001", "type": "u16"}]}]}

A DL/T 645 read has `di` (8 hex digits, 4 for dlt645_1997), its items have `di` (their own identifier), `at` (byte
behind the identifier) and a BCD type. A null metric is a register that exists and is not used; every register of a
Modbus read must belong to an item, since several meters refuse a whole request that touches a gap. CJ/T 188: see
`loader_cjt188`.
"""

import json
from array import array

from shutan_meters import values
from shutan_meters.errors import ProfileError
from shutan_meters.profile import BY_CT, BY_PT, CJT188, DLT645, DLT645_1997, EXACT, LOW_WORD_FIRST, MODBUS, Profile
from shutan_wire import catalogue

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | None"

BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
LINES = ("8E1", "8N1", "8N2", "8O1")
_RATIOS = {None: 0, "ct": BY_CT, "pt": BY_PT, "ct_pt": BY_CT | BY_PT}
_FORMS = {
    "u16": values.UNSIGNED | 2, "i16": values.SIGNED | 2, "u32": values.UNSIGNED | 4, "i32": values.SIGNED | 4,
    "u64": values.UNSIGNED | 8, "i64": values.SIGNED | 8, "f32": values.FLOAT | 4,
    "bcd2": values.BCD | 2, "bcd3": values.BCD | 3, "bcd4": values.BCD | 4, "bcd5": values.BCD | 5,
    "bcd6": values.BCD | 6, "sbcd2": values.SIGNED_BCD | 2, "sbcd3": values.SIGNED_BCD | 3,
    "sbcd4": values.SIGNED_BCD | 4,
}  # fmt: skip
_MAX_SCALE = 1_000_000_000
_MAX_READS = 64
_MAX_ITEMS = 128


class Check:
    """Typed access to parsed JSON that notes every mistake instead of stopping at the first."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def wrong(self, key: str, problem: str) -> None:
        """Note a mistake."""
        self.mistakes.append(key + ": " + problem)

    def table(self, value: "Json", key: str, needed: "tuple[str, ...]", optional: "tuple[str, ...]" = ()) -> "Table":
        """An object with these keys and no others."""
        if not isinstance(value, dict):
            self.wrong(key, "an object expected, found " + _shown(value))
            return Table(self, key, {})
        fields: Mapping[str, Json] = value
        for name in fields:
            if name not in needed and name not in optional:
                self.wrong(_join(key, name), "unknown key")
        for name in needed:
            if name not in fields:
                self.wrong(_join(key, name), "missing")
        return Table(self, key, fields)

    def listing(self, value: "Json", key: str, most: int) -> "list[Json]":
        """A list with 1..most elements."""
        if isinstance(value, list) and 1 <= len(value) <= most:
            return value
        self.wrong(key, "a list of 1 to " + str(most) + " elements expected")
        return []


class Table:
    """One JSON object; a getter returns a harmless value where it has noted a mistake."""

    def __init__(self, check: Check, key: str, fields: "Mapping[str, Json]") -> None:
        self.check = check
        self.key = key
        self.fields = fields

    def has(self, name: str) -> bool:
        """Whether the key is there."""
        return name in self.fields

    def get(self, name: str) -> "Json":
        """The value as it stands, None without one."""
        return self.fields.get(name)

    def wrong(self, name: str, problem: str) -> None:
        """Note a mistake under this object's key."""
        self.check.wrong(_join(self.key, name), problem)

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        """An integer in low..high."""
        if name not in self.fields:
            return default
        value = self.fields[name]
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.wrong(name, str(low) + ".." + str(high) + " expected, found " + _shown(value))
        return default

    def text(self, name: str, choices: "tuple[str, ...]" = ()) -> str:
        """A non-empty string, one of `choices` where there are any."""
        if name not in self.fields:
            return ""
        value = self.fields[name]
        if isinstance(value, str) and value and (not choices or value in choices):
            return value
        self.wrong(name, (" or ".join(choices) or "text") + " expected, found " + _shown(value))
        return ""

    def hexa(self, name: str, digits: int) -> int:
        """A number written as so many hex digits; -1 where it is wrong."""
        if name not in self.fields:
            return -1
        value = self.fields[name]
        good = isinstance(value, str) and len(value) == digits
        if good and not [char for char in str(value) if char not in "0123456789ABCDEFabcdef"]:
            return int(str(value), 16)
        self.wrong(name, str(digits) + " hex digits expected, found " + _shown(value))
        return -1

    def scale(self) -> "tuple[int, int]":
        """[numerator, denominator]; [1, 1] where it is not given."""
        value = self.fields.get("scale", (1, 1))
        if isinstance(value, (list, tuple)) and len(value) == 2:
            num, den = value
            if isinstance(num, int) and isinstance(den, int) and 1 <= num <= _MAX_SCALE and 1 <= den <= _MAX_SCALE:
                return num, den
        self.wrong("scale", "[numerator, denominator], integers 1..10^9, expected, found " + _shown(value))
        return 1, 1


class Columns:
    """The profile under construction."""

    def __init__(self, check: Check, profile: Profile) -> None:
        self.check = check
        self.profile = profile
        self.reads = bytearray()
        self.ids = bytearray()
        self.in_read = bytearray()
        self.at = bytearray()
        self.forms = bytearray()
        self.flags = bytearray()
        self.singles = bytearray()

    def add(self, item: Table, at: int, form: int, flags: int) -> bool:
        """One item of the current read; false for an unused register (null metric)."""
        if item.get("metric") is None:
            return False
        name = item.text("metric")
        metric = catalogue.by_name(name) if name else None
        if metric is None:
            if name:
                item.wrong("metric", name + " is not in the catalogue")
            return False
        if self.ids.find(bytes((metric.id,))) >= 0:  # MicroPython's bytearray has no `in`
            item.wrong("metric", name + " is already measured by another item")
        ratio = item.get("ratio")
        if ratio is not None and (not isinstance(ratio, str) or ratio not in _RATIOS):
            item.wrong("ratio", "null, ct, pt or ct_pt expected, found " + _shown(ratio))
            ratio = None
        num, den = item.scale()
        exact = metric.kind != "gauge"
        self.ids.append(metric.id)
        self.in_read.append(len(self.reads) // 4)
        self.at.append(at & 0xFF)
        self.forms.append(form)
        self.flags.append(flags | _RATIOS[ratio] | (EXACT if exact else 0))
        self.profile.num.append(num)
        self.profile.den.append(den)
        self.profile.low.append(metric.low)
        self.profile.high.append(metric.high)
        return True

    def finish(self) -> Profile:
        """The profile with its columns at their final size."""
        profile = self.profile
        profile.reads = bytes(self.reads)
        profile.ids = bytes(self.ids)
        profile.in_read = bytes(self.in_read)
        profile.at = bytes(self.at)
        profile.forms = bytes(self.forms)
        profile.flags = bytes(self.flags)
        profile.singles = bytes(self.singles)
        # A grown array keeps spare room; a fresh one of the final size does not.
        profile.num = array("I", profile.num)
        profile.den = array("I", profile.den)
        profile.low = array("f", profile.low)
        profile.high = array("f", profile.high)
        return profile


def load(source: "Json") -> Profile:
    """A profile from its JSON text or parsed object; ProfileError names every mistake."""
    check = Check()
    root = check.table(
        _parsed(source), "", ("profile", "title", "protocol", "serial", "reads"), ("title_zh", "timeout_ms")
    )
    root.text("title")
    name = root.text("profile")
    serial = Table(check, "serial", {})
    if root.has("serial"):
        serial = check.table(root.get("serial"), "serial", ("baud", "format"))
    baud = serial.whole("baud", BAUDS[0], BAUDS[-1], 9600)
    if baud not in BAUDS:
        serial.wrong("baud", str(baud) + " is not a standard speed")
    profile = Profile(
        name,
        root.text("protocol", (DLT645, DLT645_1997, MODBUS, CJT188)),
        baud,
        serial.text("format", LINES),
        root.whole("timeout_ms", 50, 5000, 1000),
    )
    columns = Columns(check, profile)
    reader = {DLT645: _dlt645_read, DLT645_1997: _dlt645_read, MODBUS: _modbus_read, CJT188: _cjt188_read}.get(
        profile.protocol
    )
    if root.has("reads"):
        reads = check.listing(root.get("reads"), "reads", _MAX_READS)
        for number, entry in enumerate(reads):
            if reader:
                reader(columns, entry, "reads[" + str(number) + "]")
    if not columns.ids and not check.mistakes:
        check.wrong("reads", "no item has a metric")
    if check.mistakes:
        raise ProfileError("profile " + (name or "without a name"), check.mistakes)
    return columns.finish()


def _parsed(source: "Json") -> "Mapping[str, Json]":
    if isinstance(source, str):
        try:
            source = json.loads(source)
        except ValueError as error:
            raise ProfileError("profile", ["not JSON: " + str(error)]) from None
    if not isinstance(source, dict):
        raise ProfileError("profile", ["an object expected, found " + _shown(source)])
    return source


def _dlt645_read(columns: Columns, entry: "Json", key: str) -> None:
    from shutan_meters import dlt645

    check = columns.check
    read = check.table(entry, key, ("di", "items"))
    digits = 4 if columns.profile.protocol == DLT645_1997 else 8
    di = read.hexa("di", digits)
    taken: list[tuple[int, int]] = []
    for number, value in enumerate(_items(read)):
        item = check.table(
            value, key + ".items[" + str(number) + "]", ("metric", "type"), ("di", "at", "scale", "ratio")
        )
        single = item.hexa("di", digits) if item.has("di") else di
        at = item.whole("at", 0, dlt645.MAX_DATA - 4, 0)
        form = _form(item, values.BCD)
        end = at + (form & 15)
        if end > dlt645.MAX_DATA - 4:
            item.wrong("at", "reaches beyond the longest data, " + str(dlt645.MAX_DATA - 4) + " bytes")
        _claim(item, taken, at, end)
        if columns.add(item, at, form, 0):
            columns.singles += _wire_di(single)
    columns.reads += _wire_di(di)


def _modbus_read(columns: Columns, entry: "Json", key: str) -> None:
    from shutan_meters import modbus

    check = columns.check
    read = check.table(entry, key, ("function", "start", "count", "items"))
    function = read.whole("function", modbus.READ_HOLDING, modbus.READ_INPUT, modbus.READ_HOLDING)
    start = read.hexa("start", 4)
    count = read.whole("count", 1, modbus.MAX_REGISTERS, 1)
    taken: list[tuple[int, int]] = []
    for number, value in enumerate(_items(read)):
        item = check.table(
            value, key + ".items[" + str(number) + "]", ("metric", "register", "type"), ("order", "scale", "ratio")
        )
        register = item.hexa("register", 4)
        form = _form(item, 0)
        order = item.text("order", ("big", "low_word_first"))
        end = register + (form & 15) // 2
        if register >= 0 <= start and not start <= register < end <= start + count:
            item.wrong("register", "lies outside of its read")
        _claim(item, taken, register, end)
        columns.add(item, 2 * (register - start), form, LOW_WORD_FIRST if order == "low_word_first" else 0)
    if start >= 0 and taken:
        _no_gaps(read, taken, start, start + count)
    columns.reads += bytes((function, start >> 8 & 0xFF, start & 0xFF, count))


def _cjt188_read(columns: Columns, entry: "Json", key: str) -> None:
    from shutan_meters import loader_cjt188

    loader_cjt188.read(columns, entry, key)


def _items(read: Table) -> "list[Json]":
    return read.check.listing(read.get("items"), read.key + ".items", _MAX_ITEMS) if read.has("items") else []


def _form(item: Table, minimum: int) -> int:
    """The type's form; DL/T 645 takes the BCD ones (minimum BCD), Modbus the others (minimum 0)."""
    choices = [name for name in sorted(_FORMS) if (_FORMS[name] >= values.BCD) == (minimum > 0)]
    return _FORMS.get(item.text("type", tuple(choices)), minimum)


def _claim(item: Table, taken: "list[tuple[int, int]]", begin: int, end: int) -> None:
    """Note which part of the answer an item uses; two items must not share any."""
    for other, other_end in taken:
        if begin < other_end and other < end:
            item.wrong("register" if item.has("register") else "at", "overlaps another item of this read")
            break
    taken.append((begin, end))


def _no_gaps(read: Table, taken: "list[tuple[int, int]]", start: int, end: int) -> None:
    position = start
    for begin, item_end in sorted(taken):
        if begin > position:
            break
        position = item_end
    if position < end:
        read.wrong("count", "register %04X belongs to no item; a read must not cross a gap" % position)


def _wire_di(di: int) -> bytes:
    return bytes((di & 0xFF, di >> 8 & 0xFF, di >> 16 & 0xFF, di >> 24 & 0xFF))


def _join(key: str, name: str) -> str:
    return key + "." + name if key else name


def _shown(value: "Json") -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
