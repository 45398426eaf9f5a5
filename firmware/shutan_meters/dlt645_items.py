"""The data identifiers (数据标识) of DL/T 645 that a technician meets, with length, format and unit.

For inspection only: a node reads by profile and never loads this table. Energies are the meter's own, before CT x PT.
Source: DL/T 645-2007 annex A, DL/T 645-1997 annex A.
"""

from shutan_meters.values import bcd

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import TypeAlias

    _Group: TypeAlias = "tuple[str, str, int, int, bool, str]"

# DI3 DI2: name, unit, bytes, decimals, signed, what DI1 counts (t: total and tariffs, p: phases, q: total and phases)
_GROUPS = {
    "0000": ("combined active energy", "kWh", 4, 2, True, "t"),
    "0001": ("forward active energy", "kWh", 4, 2, False, "t"),
    "0002": ("reverse active energy", "kWh", 4, 2, False, "t"),
    "0003": ("combined reactive energy 1", "kvarh", 4, 2, True, "t"),
    "0004": ("combined reactive energy 2", "kvarh", 4, 2, True, "t"),
    "0005": ("reactive energy, quadrant 1", "kvarh", 4, 2, False, "t"),
    "0006": ("reactive energy, quadrant 2", "kvarh", 4, 2, False, "t"),
    "0007": ("reactive energy, quadrant 3", "kvarh", 4, 2, False, "t"),
    "0008": ("reactive energy, quadrant 4", "kvarh", 4, 2, False, "t"),
    "0201": ("voltage", "V", 2, 1, False, "p"),
    "0202": ("current", "A", 3, 3, True, "p"),
    "0203": ("active power", "kW", 3, 4, True, "q"),
    "0204": ("reactive power", "kvar", 3, 4, True, "q"),
    "0205": ("apparent power", "kVA", 3, 4, True, "q"),
    "0206": ("power factor", "1", 2, 3, True, "q"),
    "0207": ("phase angle", "deg", 2, 1, False, "p"),
    "0208": ("voltage distortion", "%", 2, 2, False, "p"),
    "0209": ("current distortion", "%", 2, 2, False, "p"),
}

# One identifier, one number: name, unit, bytes, decimals, signed
_SINGLES = {
    "02800001": ("neutral current", "A", 3, 3, True),
    "02800002": ("grid frequency", "Hz", 2, 2, False),
    "02800003": ("1-minute mean active power", "kW", 3, 4, True),
    "02800004": ("present active demand", "kW", 3, 4, True),
    "02800007": ("temperature inside the meter", "degC", 2, 1, True),
    "03110000": ("power-off count", "times", 3, 0, False),
    "03300D00": ("meter cover opened count", "times", 3, 0, False),
    "04000306": ("CT ratio", "1", 3, 0, False),
    "04000307": ("PT ratio", "1", 3, 0, False),
    "04000409": ("active constant", "imp/kWh", 3, 0, False),
    "0400040A": ("reactive constant", "imp/kvarh", 3, 0, False),
    "00900100": ("prepaid rest energy", "kWh", 4, 2, False),
    "00900200": ("prepaid rest money", "yuan", 4, 2, False),
}

# One identifier, one text: name, bytes, format (a: ASCII, n: digits, b: bits, d: date, c: time of day, m: minute)
_TEXTS = {
    "04000101": ("date and weekday", 4, "d"),
    "04000102": ("time", 3, "c"),
    "04000401": ("communication address", 6, "n"),
    "04000402": ("meter number", 6, "n"),
    "04000404": ("rated voltage", 6, "a"),
    "04000405": ("rated current", 6, "a"),
    "04000406": ("maximum current", 6, "a"),
    "04000407": ("active accuracy class", 4, "a"),
    "C010": ("date and weekday", 4, "d"),
    "C011": ("time", 3, "c"),
    "C032": ("meter number", 6, "n"),
}

# DL/T 645-1997, three digits of the identifier; the fourth is 0 total, 1.. tariff or phase, F block
_GROUPS_1997 = {
    "901": ("forward active energy", "kWh", 4, 2, False, "t"),
    "902": ("reverse active energy", "kWh", 4, 2, False, "t"),
    "911": ("forward reactive energy", "kvarh", 4, 2, False, "t"),
    "912": ("reverse reactive energy", "kvarh", 4, 2, False, "t"),
    "B61": ("voltage", "V", 2, 0, False, "p"),
    "B62": ("current", "A", 2, 2, False, "p"),
    "B63": ("active power", "kW", 3, 4, False, "q"),
    "B64": ("reactive power", "kvar", 2, 2, False, "q"),
    "B65": ("power factor", "1", 2, 3, False, "q"),
}

_PHASES = ("A", "B", "C")


def describe(di: str) -> str:
    """What an identifier (8 or 4 hex digits, highest first) stands for; "" if it is not in the table."""
    group, index, suffix = _group(di)
    if group:
        return group[0] + _member(group[5], index) + suffix
    found = _SINGLES.get(di) or _TEXTS.get(di)
    if found:
        return found[0]
    if len(di) == 8 and di[:4] == "0101":
        return "forward active maximum demand and its time" + _member("t", int(di[4:6], 16)) + _back(di, "settlement")
    if len(di) == 8 and di[:6] == "050600":
        return "time of the daily freeze" + _back(di, "day")
    return ""


def decode(di: str, data: "bytes | bytearray") -> "list[tuple[str, int | float | str | None, str]]":
    """Values of an answer: (name, value, unit) each; an empty list for an unknown identifier.

    data:    behind the identifier, offset taken off
    Returns  None as value for an item the meter does not have (all FF), or that is not BCD
    """
    group, index, suffix = _group(di)
    if group:
        return _members(group, index, suffix, data)
    if di in _SINGLES:
        name, unit, length, decimals, signed = _SINGLES[di]
        return [(name, _number(data, 0, length, decimals, signed), unit)]
    name = describe(di)
    if di in _TEXTS:
        return [(name, _text(data, _TEXTS[di][2]) if len(data) >= _TEXTS[di][1] else None, "")]
    if name and di[:4] == "0101" and len(data) == 8:
        return [(name, _number(data, 0, 3, 4, False), "kW"), (name + ", time", _minute(data, 3), "")]
    return [(name, _minute(data, 0), "")] if name and len(data) == 5 else []


def _members(
    group: "_Group", index: int, suffix: str, data: "bytes | bytearray"
) -> "list[tuple[str, int | float | str | None, str]]":
    """One member of a group, or all of a block."""
    name, unit, length, decimals, signed, members = group
    if index != 0xFF:
        return [(name + _member(members, index) + suffix, _number(data, 0, length, decimals, signed), unit)]
    found: list[tuple[str, int | float | str | None, str]] = []
    for number in range(len(data) // length):
        label = name + _member(members, number + 1 if members == "p" else number) + suffix
        found.append((label, _number(data, number * length, length, decimals, signed), unit))
    return found


def _group(di: str) -> "tuple[_Group | None, int, str]":
    """Group, its member (FF = block) and what the lowest byte adds to the name."""
    if len(di) == 4:
        group = _GROUPS_1997.get(di[:3])
        return group, 0xFF if di[3] == "F" else int(di[3], 16), ""
    if di[:4] == "0506" and di[4:6] in ("01", "02", "03", "04", "05", "06", "07", "08"):
        return _GROUPS["00" + di[4:6]], 0xFF, _back(di, "day")
    group = _GROUPS.get(di[:4])
    if group and group[5] != "t" and di[6:] != "00":
        group = None
    return group, int(di[4:6], 16), _back(di, "settlement")


def _member(members: str, index: int) -> str:
    if index == 0xFF:
        return ", block"
    if members == "t":
        return ", tariff " + str(index) if index else ", total"
    if index == 0:
        return ", total"
    return ", phase " + (_PHASES[index - 1] if index <= 3 else str(index))


def _back(di: str, what: str) -> str:
    count = int(di[6:], 16)
    return ", " + what + " " + str(count) + " back" if count else ""


def _number(data: "bytes | bytearray", at: int, length: int, decimals: int, signed: bool) -> "int | float | None":
    raw = bcd(data, at, length, signed) if at + length <= len(data) else None
    if raw is None or not decimals:
        return raw
    # Built as decimal text, so that 186 with two decimals is the float nearest to 1.86.
    digits = str(abs(raw))
    digits = "0" * (decimals + 1 - len(digits)) + digits
    return float(("-" if raw < 0 else "") + digits[:-decimals] + "." + digits[-decimals:])


def _text(data: "bytes | bytearray", form: str) -> str:
    high_first = [data[i] for i in range(len(data) - 1, -1, -1)]
    if form == "a":
        return "".join([chr(byte) for byte in high_first if 32 <= byte < 127])
    pairs = ["%02X" % byte for byte in high_first]
    if form == "d":
        return "20" + "-".join(pairs[:3]) + " weekday " + pairs[3]
    return ":".join(pairs) if form == "c" else "".join(pairs)


def _minute(data: "bytes | bytearray", at: int) -> str:
    """Five bytes: mm hh DD MM YY on the wire."""
    return "20%02X-%02X-%02X %02X:%02X" % (data[at + 4], data[at + 3], data[at + 2], data[at + 1], data[at])


def second(data: "bytes | bytearray") -> str:
    """Six bytes: ss mm hh DD MM YY on the wire."""
    return _minute(data, 1) + ":%02X" % data[0]


def freeze_time(data: "bytes | bytearray") -> str:
    """Four bytes: mm hh DD MM on the wire; 99 stands for each (99DDhhmm monthly, 9999hhmm daily, 999999mm hourly)."""
    return "%02X-%02X %02X:%02X" % (data[3], data[2], data[1], data[0])
