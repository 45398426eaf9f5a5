"""Explaining CJ/T 188 frames: frame fields, and the totals of a water or gas answer."""

from shutan_meters import cjt188
from shutan_meters.errors import FrameError
from shutan_meters.inspect import hexa

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_meters.inspect import Report


def decode(data: bytes) -> "list[Report]":
    """Every undamaged frame; FrameError if there is none."""
    reports: list[Report] = []
    at = 0
    begin = cjt188.find(data)
    while begin >= 0:
        reports.append(_report(data, at, begin))
        at = begin + cjt188.OVERHEAD + data[begin + 10]
        begin = cjt188.find(data, at)
    if not reports:
        raise FrameError("byte 0", "no undamaged CJ/T 188 frame in " + str(len(data)) + " bytes")
    reports[-1]["noise_after"] = hexa(data[at:])
    return reports


def _report(data: bytes, noise_from: int, begin: int) -> "Report":
    control = data[begin + 9]
    length = data[begin + 10]
    body = data[begin + 11 : begin + 11 + length]
    address = "".join(["%02X" % data[begin + i] for i in range(8, 1, -1)])
    return {
        "protocol": "CJ/T 188-2004",
        "noise_before": hexa(data[noise_from:begin]),
        "meter_type": "%02X" % data[begin + 1],
        "meter_type_name": cjt188.TYPES[data[begin + 1]],
        "address": address,
        "control": "%02X" % control,
        "control_name": cjt188.CONTROLS.get(control & 0x3F, "unknown"),
        "direction": "reply" if control & 0x80 else "request",
        "error": control & 0xC0 == 0xC0,
        "length": length,
        "data_hex": hexa(body),
        "di": "%02X%02X" % (body[0], body[1]) if length >= 2 else "",
        "sequence": body[2] if length >= 3 else None,
        "checksum": "%02X" % data[begin + 11 + length],
        "checksum_ok": True,
        "values": [{"name": name, "value": value, "unit": unit} for name, value, unit in cjt188.totals(body)],
    }
