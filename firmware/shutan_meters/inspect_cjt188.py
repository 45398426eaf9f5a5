"""Explaining CJ/T 188 frames: frame fields, and the values of a 901F answer."""

from shutan_meters import cjt188
from shutan_meters.errors import FrameError
from shutan_meters.inspect import hexa, metric_report
from shutan_meters.values import bcd

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_meters.inspect import Report
    from shutan_meters.profile import Profile

CONTROLS = {
    0x01: "read data", 0x03: "read address", 0x04: "write data", 0x09: "read key version", 0x15: "write address",
    0x16: "set base of motor-driven meter",
}  # fmt: skip
UNITS = {
    0x02: "Wh", 0x05: "kWh", 0x08: "MWh", 0x0A: "MWh x 100", 0x01: "J", 0x0B: "kJ", 0x0E: "MJ", 0x11: "GJ",
    0x13: "GJ x 100", 0x14: "W", 0x17: "kW", 0x1A: "MW", 0x29: "L", 0x2C: "m3", 0x32: "L/h", 0x35: "m3/h",
}  # fmt: skip

# Fields of a 901F answer by the length of its DATA: name, place, bytes, decimals, whether a unit byte follows.
_WATER = (("total", 3, 4, 2, True), ("total at the settlement day", 8, 4, 2, True))
_HEAT = (
    ("heat at the settlement day", 3, 4, 2, True), ("heat", 8, 4, 2, True), ("heat power", 13, 4, 2, True),
    ("flow", 18, 4, 4, True), ("volume", 23, 4, 2, True), ("supply temperature", 28, 3, 2, False),
    ("return temperature", 31, 3, 2, False), ("operating time", 34, 3, 0, False),
)  # fmt: skip
_FIELDS = {0x16: _WATER, 0x2E: _HEAT}
_FIXED_UNITS = {"supply temperature": "degC", "return temperature": "degC", "operating time": "h"}


def totals(data: "bytes | bytearray") -> "list[tuple[str, float | None, str]]":
    """Values of a 901F answer: (name, value, unit).

    data: DATA of the frame, of a water, gas or electricity meter (22 bytes) or a heat meter (46); the identifier comes
          in either byte order, as makers differ
    """
    found: list[tuple[str, float | None, str]] = []
    if bytes(data[:2]) in (b"\x90\x1f", b"\x1f\x90"):
        for name, at, length, decimals, has_unit in _FIELDS.get(len(data), ()):
            raw = bcd(data, at, length, False)
            code = data[at + length]
            unit = UNITS.get(code, "unit %02X" % code) if has_unit else _FIXED_UNITS[name]
            found.append((name, None if raw is None else raw / 10**decimals, unit))
    return found


def decode(data: bytes, profile: "Profile | None" = None) -> "list[Report]":
    """Every undamaged frame; FrameError if there is none."""
    reports: list[Report] = []
    at = 0
    begin = cjt188.find(data)
    while begin >= 0:
        reports.append(report_at(data, at, begin, profile))
        at = begin + cjt188.OVERHEAD + data[begin + 10]
        begin = cjt188.find(data, at)
    if not reports:
        raise FrameError("byte 0", "no undamaged CJ/T 188 frame in " + str(len(data)) + " bytes")
    reports[-1]["noise_after"] = hexa(data[at:])
    return reports


def report_at(data: bytes, noise_from: int, begin: int, profile: "Profile | None") -> "Report":
    """The undamaged frame at `begin`, with what stands in front of it."""
    control = data[begin + 9]
    length = data[begin + 10]
    body = data[begin + 11 : begin + 11 + length]
    address = "".join(["%02X" % data[begin + i] for i in range(8, 1, -1)])
    report: Report = {
        "protocol": "CJ/T 188-2004",
        "noise_before": hexa(data[noise_from:begin]),
        "meter_type": "%02X" % data[begin + 1],
        "meter_type_name": cjt188.TYPES[data[begin + 1]],
        "address": address,
        "control": "%02X" % control,
        "control_name": CONTROLS.get(control & 0x3F, "unknown"),
        "direction": "reply" if control & 0x80 else "request",
        "error": control & 0xC0 == 0xC0,
        "length": length,
        "data_hex": hexa(body),
        "di": "%02X%02X" % (body[0], body[1]) if length >= 2 else "",
        "sequence": body[2] if length >= 3 else None,
        "checksum": "%02X" % data[begin + 11 + length],
        "checksum_ok": True,
        "values": [{"name": name, "value": value, "unit": unit} for name, value, unit in totals(body)],
    }
    if profile is not None and control == cjt188.REPLY | cjt188.READ:
        report["metrics"] = _metrics(profile, body)
    return report


def _metrics(profile: "Profile", body: bytes) -> "list[Report]":
    """The profile's items that an answer with this identifier carries."""
    names = (bytes(body[:2]), bytes((body[1], body[0]))) if len(body) >= cjt188.HEAD else ()
    reads = profile.reads
    found: list[Report] = []
    for i in range(len(profile)):
        at = 4 * profile.in_read[i] + 1
        if reads[at : at + 2] in names:
            found.append(metric_report(profile, i, body, cjt188.HEAD + profile.at[i]))
    return found
