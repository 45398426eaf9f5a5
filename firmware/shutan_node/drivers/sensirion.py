"""Words of Sensirion's I2C sensors: 16 bits, high byte first, each with a CRC-8 behind it.

CRC-8: polynomial 31, first value FF, not reflected, no final XOR; CRC of BE EF is 92.
Source: SHT3x-DIS data sheet (version 5, May 2018), 4.12 and table 20; the same in SCD4x data sheet 3.11 and SCD30
interface description 1.1.3.
"""

from shutan_meters.errors import FrameError

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any


def crc8(data: "bytes | bytearray | memoryview", at: int, end: int) -> int:
    """CRC-8 of data[at:end]."""
    crc = 0xFF
    for place in range(at, end):
        crc ^= data[place]
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def command(code: int, word: "int | None" = None) -> bytes:
    """Bytes of a command, with a word of argument and its CRC where there is one."""
    out = bytearray((code >> 8, code & 0xFF))
    if word is not None:
        out += bytes((word >> 8 & 0xFF, word & 0xFF, 0))
        out[4] = crc8(out, 2, 4)
    return bytes(out)


def words(data: "bytes | bytearray", count: int, where: str) -> "list[int]":
    """The words of an answer; FrameError when it is short or a CRC is wrong."""
    if len(data) != 3 * count:
        raise FrameError(where, "%d bytes, %d wanted" % (len(data), 3 * count))
    out: list[int] = []
    for at in range(0, 3 * count, 3):
        if crc8(data, at, at + 2) != data[at + 2]:
            raise FrameError(where, "CRC of word %d" % (at // 3))
        out.append(data[at] << 8 | data[at + 1])
    return out


async def ask(bus: "Any", address: int, code: int, count: int, wait_ms: int) -> "list[int]":
    """Send a command, wait, read `count` words. NoAnswer, FrameError."""
    bus.write(address, command(code))
    await bus.sleep_ms(wait_ms)
    return words(bus.read(address, 3 * count), count, "i2c 0x%02x" % address)
