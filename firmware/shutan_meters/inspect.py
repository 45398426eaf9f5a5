"""Explaining captured bytes: what a technician reads when a meter and a master disagree.

Pure and the same on both runtimes; a node never loads it. One report (a plain JSON-like dict) a frame.
"""

from shutan_meters.errors import FrameError, MeterError

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from shutan_meters.profile import Profile

    Report: TypeAlias = "dict[str, Any]"  # what json.dumps takes

PROTOCOLS = ("dlt645", "modbus", "cjt188")
MAX_BYTES = 4096
_SEPARATORS = " \t\r\n,;:-"


def from_hex(text: str) -> bytes:
    """Bytes from hex digits; blanks, commas, colons, dashes and `0x` in front of a byte are allowed.

    Raises  FrameError naming the first character that does not fit, counted from 1
    """
    digits = ""
    for at, char in enumerate(text):
        if char in _SEPARATORS:
            if len(digits) % 2:
                raise FrameError("character " + str(at + 1), "a byte needs two hex digits")
        elif char in "0123456789abcdefABCDEF":
            digits += char
        elif char in "xX" and digits[-1:] == "0" and len(digits) % 2:
            digits = digits[:-1]
        else:
            raise FrameError("character " + str(at + 1), repr(char) + " is not a hex digit")
    if len(digits) % 2:
        raise FrameError("character " + str(len(text)), "a byte needs two hex digits")
    if len(digits) > 2 * MAX_BYTES:
        raise FrameError("byte " + str(MAX_BYTES), "too long, at most " + str(MAX_BYTES) + " bytes")
    return bytes.fromhex(digits)


def hexa(data: "bytes | bytearray") -> str:
    """Upper-case bytes with blanks, as the manuals print them."""
    return " ".join(["%02X" % byte for byte in data])


def decode(
    protocol: str, data: bytes, profile: "Profile | None" = None, request: "bytes | None" = None
) -> "list[Report]":
    """Explain every undamaged frame in `data`, noise around them stated.

    protocol: dlt645 (1997 frames are recognised), modbus or cjt188
    profile:  adds catalogue names and values in the catalogue's steps (meter side: CT x PT not applied)
    request:  Modbus: the request that a reply answers, since a reply does not name its registers
    Raises    FrameError naming the byte, if there is no undamaged frame
    """
    if not data:
        raise FrameError("byte 0", "nothing to decode")
    try:
        return _decode(protocol, data, profile, request)
    except FrameError as error:
        other = _other_protocol(protocol, data)
        if not other:
            raise
        raise FrameError(error.where, error.reason + " (the bytes are a valid " + other + " frame)") from None


def _decode(protocol: str, data: bytes, profile: "Profile | None", request: "bytes | None") -> "list[Report]":
    if protocol == "dlt645":
        from shutan_meters import inspect_dlt645

        return inspect_dlt645.decode(data, profile)
    if protocol == "modbus":
        from shutan_meters import inspect_modbus

        return inspect_modbus.decode(data, profile, request)
    if protocol == "cjt188":
        from shutan_meters import inspect_cjt188

        return inspect_cjt188.decode(data, profile)
    raise FrameError("protocol", protocol + " is not one of " + ", ".join(PROTOCOLS))


def _other_protocol(protocol: str, data: bytes) -> str:
    for other in PROTOCOLS:
        if other != protocol:
            try:
                _decode(other, data, None, None)
            except MeterError:
                continue
            return other
    return ""


def metric_report(profile: "Profile", i: int, data: "bytes | bytearray", at: int) -> "Report":
    """Item i of a profile as catalogue name, value in its step, and unit."""
    from shutan_wire import catalogue

    metric = catalogue.by_id(profile.ids[i])
    value = profile.value(i, data, at, (1, 1))
    if isinstance(value, float):
        value = float("%.7g" % value)  # a float32 register has no more digits
    return {
        "metric": profile.metric(i),
        "value": value,
        "unit": metric.unit if metric else "",
        "quality": "bad" if value is None else "good",
    }
