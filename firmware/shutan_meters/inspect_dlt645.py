"""Explaining DL/T 645 frames of 2007 and 1997: every field, and the values by the standard's own identifiers."""

from shutan_meters import dlt645, dlt645_items
from shutan_meters.errors import FrameError
from shutan_meters.inspect import hexa, metric_report

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_meters.inspect import Report
    from shutan_meters.profile import Profile

# Function part of the control code (its low five bits); 03 and 08 mean the same or similar in both editions.
CONTROLS_2007 = {
    0x03: "security authentication", 0x08: "broadcast time", 0x11: "read data", 0x12: "read follow-up data",
    0x13: "read address", 0x14: "write data", 0x15: "write address", 0x16: "freeze", 0x17: "change baud rate",
    0x18: "change password", 0x19: "clear maximum demand", 0x1A: "clear meter", 0x1B: "clear events",
    0x1C: "trip, close, alarm, keep supply", 0x1D: "multifunction terminal output",
}  # fmt: skip
CONTROLS_1997 = {
    0x01: "read data", 0x02: "read follow-up data", 0x03: "read again", 0x04: "write data", 0x0A: "write address",
    0x0C: "change baud rate", 0x0F: "change password", 0x10: "clear maximum demand",
}  # fmt: skip

_ERROR_BITS = (
    "other error", "no such data", "password wrong or not authorised", "baud rate cannot be changed",
    "too many yearly zones", "too many day periods", "too many tariffs", "reserved bit 7",
)  # fmt: skip


DAMAGED = 3


def error_names(code: int) -> "list[str]":
    """Names of the bits set in an error byte (ERR)."""
    return [name for bit, name in enumerate(_ERROR_BITS) if code >> bit & 1]


def decode(data: bytes, profile: "Profile | None" = None) -> "list[Report]":
    """Every undamaged frame; FrameError with the best explanation if there is none."""
    reports: list[Report] = []
    at = 0
    begin = dlt645.find(data)
    while begin >= 0:
        reports.append(report_at(data, at, begin, profile))
        at = begin + dlt645.OVERHEAD + data[begin + 9]
        begin = dlt645.find(data, at)
    if not reports:
        raise _diagnosis(data)
    reports[-1]["noise_after"] = hexa(data[at:])
    return reports


def report_at(data: bytes, noise_from: int, begin: int, profile: "Profile | None") -> "Report":
    """The undamaged frame at `begin`, with what is in front of it. Raises FrameError for an unknown control code."""
    control = data[begin + 8]
    function = control & 0x1F
    if function not in CONTROLS_2007 and function not in CONTROLS_1997:
        raise FrameError("byte " + str(begin + 8), "control code %02X is not defined in DL/T 645" % control)
    body = dlt645.data_of(data, begin)
    old = _is_1997(function, body, control & dlt645.ERROR != 0)
    wake = begin
    while wake > noise_from and data[wake - 1] == 0xFE:
        wake -= 1
    error = control & dlt645.ERROR != 0
    report: Report = {
        "protocol": "DL/T 645-1997" if old else "DL/T 645-2007",
        "noise_before": hexa(data[noise_from:wake]),
        "wake_bytes": begin - wake,
        "address": dlt645.address_text(data[begin + 1 : begin + 7]),
        "control": "%02X" % control,
        "control_name": CONTROLS_1997[function] if old else CONTROLS_2007[function],
        "direction": "reply" if control & dlt645.REPLY else "request",
        "error": error,
        "more_follows": control & dlt645.MORE != 0,
        "length": len(body),
        "data_hex": hexa(body),
        "checksum": "%02X" % data[begin + 10 + len(body)],
        "checksum_ok": True,
        "values": [],
    }
    if error:
        code = body[-1] if body else 0
        report["error_byte"] = "%02X" % code
        report["error_names"] = error_names(code)
    elif control & dlt645.REPLY:
        _explain_reply(report, function, body, old, profile)
    else:
        _explain_request(report, function, body, old)
    return report


def _is_1997(function: int, body: bytes, error: bool) -> bool:
    """Whether a frame is of the edition of 1997.

    Both have 03: "read again" there, authentication in 2007, where its DI is 07...... and its error has two bytes.
    """
    if function == 0x03:
        return len(body) != 2 if error else len(body) < 4 or body[3] != 0x07
    return function in CONTROLS_1997


def _explain_request(report: "Report", function: int, body: bytes, old: bool) -> None:
    width = 2 if old else 4
    if function == dlt645.BROADCAST_TIME and len(body) == 6:
        report["values"] = [{"name": "time", "value": dlt645_items.second(body), "unit": ""}]
        return
    if function == 0x16 and len(body) == 4:
        report["values"] = [{"name": "freeze at", "value": dlt645_items.freeze_time(body), "unit": ""}]
        return
    identified = function in (0x01, 0x02, 0x04) if old else function in (0x11, 0x12, 0x14)
    if not identified or len(body) < width:
        return
    _identify(report, body[:width])
    rest = body[width:]
    if function in (0x02, 0x12) and rest:
        report["sequence"] = rest[-1]
    if function == 0x14 and len(rest) >= 8:
        report["password_level"] = rest[0]
        report["operator"] = hexa(rest[4:8])
        report["write_hex"] = hexa(rest[8:])


def _explain_reply(report: "Report", function: int, body: bytes, old: bool, profile: "Profile | None") -> None:
    if function == dlt645.READ_ADDRESS and not old:
        if len(body) == 6:
            report["values"] = [{"name": "communication address", "value": dlt645.address_text(body), "unit": ""}]
        return
    width = 2 if old else 4
    if function not in (0x01, 0x02, dlt645.READ, dlt645.READ_FOLLOW_UP) or len(body) < width:
        return
    di = _identify(report, body[:width])
    rest = body[width:]
    if function in (dlt645.READ_FOLLOW_UP, dlt645.READ_FOLLOW_UP_1997) and rest:
        if not old:
            report["sequence"] = rest[-1]
        report["note"] = "continues an earlier frame: its values are found after joining"
        return
    if old and di[-1] == "F" and rest[-1:] == b"\xaa":
        rest = rest[:-1]  # closes a 1997 block, whose last items may be missing
    report["values"] = [{"name": name, "value": value, "unit": unit} for name, value, unit in _values(di, rest)]
    if not report["values"] and rest:
        report["note"] = "identifier not in the table: data left as hex"
    if profile is not None:
        report["metrics"] = _metrics(profile, body[:width], rest)


def _values(di: str, rest: bytes) -> "list[tuple[str, int | float | str | None, str]]":
    return dlt645_items.decode(di, rest)


def _identify(report: "Report", di: bytes) -> str:
    text = "".join(["%02X" % di[i] for i in range(len(di) - 1, -1, -1)])
    report["di"] = text
    report["di_name"] = dlt645_items.describe(text)
    return text


def _metrics(profile: "Profile", di: bytes, rest: bytes) -> "list[Report]":
    """The profile's items that this answer carries, as a block or alone."""
    if not profile.singles:
        return []
    di = di + b"\x00\x00" if len(di) == 2 else di  # a 1997 identifier, as the profile keeps it
    found: list[Report] = []
    for i in range(len(profile)):
        read = profile.in_read[i]
        if profile.reads[4 * read : 4 * read + 4] == di:
            found.append(metric_report(profile, i, rest, profile.at[i]))
        elif profile.singles[4 * i : 4 * i + 4] == di:
            found.append(metric_report(profile, i, rest, 0))
    return found


def _diagnosis(data: bytes) -> FrameError:
    """The error of that start byte which came closest to a frame."""
    best = FrameError("byte 0", "no start byte 68 in " + str(len(data)) + " bytes")
    closest = -1
    for begin, byte in enumerate(data):
        if byte == dlt645.START:
            stage, at, reason = failure(data, begin)
            if stage > closest:
                closest = stage
                best = FrameError("byte " + str(at), reason)
    return best


def failure(data: "bytes | bytearray", begin: int) -> "tuple[int, int, str]":
    """How far the frame at `begin` holds (0..3; DAMAGED: all but sum or end), the byte where it fails, and why."""
    present = len(data) - begin
    if present > 7 and data[begin + 7] != dlt645.START:
        return 0, begin + 7, "second start byte 68 expected, found %02X" % data[begin + 7]
    if present < 10:
        return 1, len(data), "the frame that starts at byte " + str(begin) + " is cut before its length"
    length = data[begin + 9]
    if length > dlt645.MAX_DATA:
        return 1, begin + 9, "length " + str(length) + " is above " + str(dlt645.MAX_DATA)
    if present < dlt645.OVERHEAD + length:
        needed = str(dlt645.OVERHEAD + length)
        return 2, begin + 9, "length " + str(length) + " makes a frame of " + needed + " bytes, found " + str(present)
    end = begin + 10 + length
    computed = sum(data[begin:end]) & 0xFF
    if computed != data[end]:
        return DAMAGED, end, "checksum is %02X, computed %02X over bytes %d..%d" % (data[end], computed, begin, end - 1)
    return DAMAGED, end + 1, "end byte 16 expected, found %02X" % data[end + 1]
