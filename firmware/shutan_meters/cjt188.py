"""CJ/T 188-2004 (户用计量仪表数据传输技术条件) frames of water, heat and gas meters: finding and proving them.

    68  T  A0..A6  C  L  DATA  CS  16

No +33H offset. Only the frame is understood here, plus the totals of a 901F answer; there is no master yet.
"""

from shutan_meters.values import bcd

OVERHEAD = 13  # every byte of a frame that is not DATA
MAX_DATA = 100

TYPES = {
    0x10: "cold water", 0x11: "hot water", 0x12: "drinking water", 0x13: "reclaimed water", 0x20: "heat",
    0x21: "cooling", 0x30: "gas", 0x40: "electricity",
}  # fmt: skip
CONTROLS = {
    0x01: "read data", 0x03: "read address", 0x04: "write data", 0x09: "read key version", 0x15: "write address",
    0x16: "set base of motor-driven meter",
}  # fmt: skip
UNITS = {
    0x02: "Wh", 0x05: "kWh", 0x08: "MWh", 0x0A: "MWh x 100", 0x01: "J", 0x0B: "kJ", 0x0E: "MJ", 0x11: "GJ",
    0x13: "GJ x 100", 0x14: "W", 0x17: "kW", 0x1A: "MW", 0x29: "L", 0x2C: "m3", 0x32: "L/h", 0x35: "m3/h",
}  # fmt: skip


def find(buffer: "bytes | bytearray", start: int = 0) -> int:
    """Index of the first undamaged frame at or after `start`, -1 if there is none; see `dlt645.find`."""
    last = len(buffer) - OVERHEAD
    i = buffer.find(b"\x68", start)
    while 0 <= i <= last:
        length = buffer[i + 10]
        end = i + 11 + length
        if (
            length <= MAX_DATA
            and buffer[i + 1] in TYPES
            and i + length <= last
            and buffer[end + 1] == 0x16
            and sum(memoryview(buffer)[i:end]) & 0xFF == buffer[end]
        ):
            return i
        i = buffer.find(b"\x68", i + 1)
    return -1


def totals(data: "bytes | bytearray") -> "list[tuple[str, float | None, str]]":
    """Present and settlement-day total of a water or gas 901F answer: (name, value, unit), two decimals, BCD.

    data: DATA of the frame, 22 bytes; the identifier comes in either byte order, as makers differ
    """
    if len(data) != 0x16 or bytes(data[:2]) not in (b"\x90\x1f", b"\x1f\x90"):
        return []
    found: list[tuple[str, float | None, str]] = []
    for name, at in (("total", 3), ("total at the settlement day", 8)):
        raw = bcd(data, at, 4, False)
        found.append((name, None if raw is None else raw / 100, UNITS.get(data[at + 4], "unit %02X" % data[at + 4])))
    return found
