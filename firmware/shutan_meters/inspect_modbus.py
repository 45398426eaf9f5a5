"""Explaining Modbus RTU frames. A reply does not name its registers: the request does, or a guess by profile."""

from shutan_meters import modbus, values
from shutan_meters.errors import FrameError
from shutan_meters.inspect import hexa, metric_report

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_meters.inspect import Report
    from shutan_meters.profile import Profile

REQUEST = "request"
REPLY = "reply"
EITHER = "request or reply"  # the reply repeats the request byte for byte

FUNCTIONS = {
    0x03: "read holding registers", 0x04: "read input registers", 0x05: "write coil", 0x06: "write register",
    0x10: "write registers", 0x42: "reset energy (PZEM)",
}  # fmt: skip

_EXCEPTIONS = {
    1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure",
    5: "acknowledged, still working", 6: "device busy", 8: "memory parity error", 10: "gateway path unavailable",
    11: "gateway target did not answer",
}  # fmt: skip


def exception_name(code: int) -> str:
    """Name of an exception code (Modbus application protocol 1.1b3, section 7)."""
    return _EXCEPTIONS.get(code, "exception " + str(code))


def decode(data: bytes, profile: "Profile | None" = None, request: "bytes | None" = None) -> "list[Report]":
    """Every undamaged frame; FrameError with the best explanation if there is none.

    request: the request that the first reply answers; a request inside `data` serves the reply behind it
    """
    asked = _asked(request) if request is not None else None
    reports: list[Report] = []
    at = 0
    begin = 0
    while begin < len(data):
        direction, end = frame_at(data, begin)
        if not end:
            begin += 1
            continue
        report, asked = explain(data[begin:end], direction, asked, profile)
        report["noise_before"] = hexa(data[at:begin])
        reports.append(report)
        at = begin = end
    if not reports:
        raise _diagnosis(data)
    reports[-1]["noise_after"] = hexa(data[at:])
    return reports


def explain(
    frame: bytes, direction: str, asked: "bytes | None", profile: "Profile | None"
) -> "tuple[Report, bytes | None]":
    """One frame, and the request that the next reply answers. asked: that of this one, None where it is not known."""
    report = _report(frame, 0, len(frame), direction)
    if direction == REQUEST and frame[1] in (modbus.READ_HOLDING, modbus.READ_INPUT):
        return report, frame
    if direction == REPLY and "registers" in report:
        _explain_registers(report, frame, asked, profile)
    elif direction == EITHER and asked == frame:
        report["direction"] = REPLY
    return report, asked


def _asked(request: bytes) -> bytes:
    direction, end = frame_at(request, 0)
    if direction not in (REQUEST, EITHER) or end != len(request):
        raise FrameError("request", "not an undamaged Modbus request: " + hexa(request[:16]))
    return request


def frame_at(data: "bytes | bytearray", begin: int) -> "tuple[str, int]":
    """Direction and end of the sealed frame at `begin`; ("", 0) if there is none."""
    for direction, length in _shapes(data, begin):
        end = begin + length
        if end <= len(data) and modbus.sealed(data, begin, end):
            return direction, end
    return "", 0


def _shapes(data: "bytes | bytearray", begin: int) -> "list[tuple[str, int]]":
    """Directions and lengths that the function code allows here."""
    left = len(data) - begin
    if left < 4 or data[begin] > modbus.ANY:
        return []
    function = data[begin + 1]
    if function & 0x80:
        return [(REPLY, 5)] if function & 0x7F in FUNCTIONS else []
    if function in (modbus.READ_HOLDING, modbus.READ_INPUT):
        size = data[begin + 2]
        return [(REQUEST, 8), (REPLY, 5 + size)] if size and size % 2 == 0 else [(REQUEST, 8)]
    if function == 0x10:
        return [(REPLY, 8), (REQUEST, 9 + data[begin + 6])] if left > 6 else []
    if function in (0x05, 0x06):
        return [(EITHER, 8)]
    return [(EITHER, 4)] if function == 0x42 else []


def _report(data: bytes, begin: int, end: int, direction: str) -> "Report":
    function = data[begin + 1]
    report: Report = {
        "protocol": "Modbus RTU",
        "address": data[begin],
        "function": "%02X" % function,
        "function_name": FUNCTIONS[function & 0x7F],
        "direction": direction,
        "error": function & 0x80 != 0,
        "data_hex": hexa(data[begin + 2 : end - 2]),
        "crc": hexa(data[end - 2 : end]),
        "crc_ok": True,
        "values": [],
    }
    if function & 0x80:
        report["exception_code"] = data[begin + 2]
        report["exception"] = exception_name(data[begin + 2])
    elif direction == REQUEST or function == 0x10:
        report["start"] = hexa(data[begin + 2 : begin + 4]).replace(" ", "")
        report["count"] = data[begin + 4] << 8 | data[begin + 5]
    elif function in (modbus.READ_HOLDING, modbus.READ_INPUT):
        body = data[begin + 3 : end - 2]
        report["registers"] = ["%02X%02X" % (body[i], body[i + 1]) for i in range(0, len(body), 2)]
    return report


def _explain_registers(report: "Report", reply: bytes, asked: "bytes | None", profile: "Profile | None") -> None:
    body = reply[3:-2]
    report["as_u16"] = [body[i] << 8 | body[i + 1] for i in range(0, len(body), 2)]
    if len(body) % 4 == 0:
        report["as_f32_big"] = [_shown_f32(body[i : i + 4]) for i in range(0, len(body), 4)]
    if profile is None:
        report["note"] = "a profile (--profile) gives the registers names and units"
        return
    if asked is not None:
        if asked[:2] != reply[:2] or 2 * (asked[4] << 8 | asked[5]) != len(body):
            report["note"] = "the request given is not the one that this reply answers"
            return
        start = asked[2] << 8 | asked[3]
        report["start"] = "%04X" % start
        report["values"] = _items(profile, reply[1], start, body)
        return
    reads = _matching_reads(profile, reply[1], len(body) // 2)
    if len(reads) == 1:
        report["assumed_start"] = "%04X" % reads[0]
        report["values"] = _items(profile, reply[1], reads[0], body)
    else:
        report["candidates"] = _candidates(profile, reply[1], body)
        report["note"] = "the reply does not say which registers it holds; --request with the request decides"


def _shown_f32(data: bytes) -> "float | None":
    value = values.gauge(data, values.FLOAT | 4, 1, 1)
    return float("%.7g" % value) if value is not None and abs(value) < 1e30 else None


def _register(profile: "Profile", i: int) -> int:
    """Wire address of an item's first register."""
    read = 4 * profile.in_read[i]
    return (profile.reads[read + 1] << 8 | profile.reads[read + 2]) + profile.at[i] // 2


def _items(profile: "Profile", function: int, start: int, body: bytes) -> "list[Report]":
    """The profile's items that lie wholly in the registers from `start`."""
    found: list[Report] = []
    if profile.singles:
        return found
    for i in range(len(profile)):
        at = 2 * (_register(profile, i) - start)
        if profile.reads[4 * profile.in_read[i]] == function and 0 <= at <= len(body) - (profile.forms[i] & 15):
            found.append(metric_report(profile, i, body, at))
    return found


def _matching_reads(profile: "Profile", function: int, count: int) -> "list[int]":
    """Start registers of the profile's own reads with this function and length."""
    if profile.singles:
        return []
    reads = profile.reads
    return [
        reads[i + 1] << 8 | reads[i + 2]
        for i in range(0, len(reads), 4)
        if reads[i] == function and reads[i + 3] == count
    ]


def _candidates(profile: "Profile", function: int, body: bytes) -> "list[Report]":
    """For every item that could come first: what the reply would mean; only readings that are all plausible."""
    found: list[Report] = []
    if profile.singles:
        return found
    for i in range(len(profile)):
        start = _register(profile, i)
        readings = _items(profile, function, start, body)
        used = sum([profile.forms[k] & 15 for k in range(len(profile)) if _inside(profile, k, start, len(body))])
        if used == len(body) and not [reading for reading in readings if reading["quality"] == "bad"]:
            found.append({"start": "%04X" % start, "values": readings})
    return found


def _inside(profile: "Profile", i: int, start: int, size: int) -> bool:
    return 0 <= 2 * (_register(profile, i) - start) <= size - (profile.forms[i] & 15)


def _diagnosis(data: bytes) -> FrameError:
    """Why the bytes, taken as one frame from byte 0, are not one."""
    if len(data) < 4:
        return FrameError("byte " + str(len(data)), "a Modbus frame has at least 4 bytes")
    function = data[1]
    if function & 0x7F not in FUNCTIONS:
        return FrameError("byte 1", "function code %02X is not a known one" % function)
    lengths = [length for _, length in _shapes(data, 0)]
    if lengths and len(data) not in lengths:
        needed = " or ".join([str(length) for length in lengths])
        return FrameError("byte " + str(len(data)), "a frame of " + needed + " bytes expected, found " + str(len(data)))
    computed = modbus.crc16(data, 0, len(data) - 2)
    return FrameError(
        "byte " + str(len(data) - 2),
        "CRC is " + hexa(data[-2:]) + ", computed %02X %02X" % (computed & 0xFF, computed >> 8),
    )
