"""Register bytes to numbers: BCD, two's complement and float32, exact where a counter needs it.

A form is one byte: class in the high half, length in bytes in the low half.

    U unsigned   I two's complement   B BCD, low byte first   S the same with the sign in the top bit   F float32
    T status of a CJ/T 188 meter: one byte is the valve, two are the alarms

Integers are exact on every processor: a float32 register is taken apart into mantissa and exponent, scales and
CT x PT ratios are multiplied as integers, and one division rounds half to even. A board's floats have 24 bits only.
"""

import struct

UNSIGNED = 0x10
SIGNED = 0x20
FLOAT = 0x30
BCD = 0x40
SIGNED_BCD = 0x50
STATUS = 0x60


def divide(numerator: int, denominator: int) -> int:
    """Quotient rounded half to even; denominator > 0. It keeps order, so a rising register never falls."""
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient & 1):
        quotient += 1
    return quotient


def bcd(data: "bytes | bytearray", at: int, length: int, signed: bool) -> "int | None":
    """Packed BCD, low byte first; the top bit is the sign if `signed`.

    Returns  None where every byte is FF (the meter does not have this item) or a half byte is above 9
    """
    value = 0
    absent = True
    negative = False
    for i in range(at + length - 1, at - 1, -1):
        byte = data[i]
        if byte != 0xFF:
            absent = False
        if signed and i == at + length - 1:
            negative = byte >= 0x80
            byte &= 0x7F
        if byte >> 4 > 9 or byte & 15 > 9:
            return None
        value = value * 100 + (byte >> 4) * 10 + (byte & 15)
    if absent:
        return None
    return -value if negative else value


def big_endian(data: "bytes | bytearray", at: int, length: int, low_word_first: bool) -> "bytes | bytearray":
    """The bytes of a register value, highest first."""
    if not low_word_first:
        return data[at : at + length]
    return b"".join([data[i : i + 2] for i in range(at + length - 2, at - 1, -2)])


def integer(data: "bytes | bytearray", form: int) -> int:
    """Unsigned or two's complement integer from big-endian bytes."""
    value = int.from_bytes(data, "big")
    if form & 0xF0 == SIGNED and data[0] & 0x80:
        value -= 1 << 8 * len(data)
    return value


def scaled_f32(data: "bytes | bytearray", num: int, den: int) -> "int | None":
    """A float32 register times num/den, rounded half to even; exact, without float arithmetic.

    data:    4 bytes, highest first (IEEE 754 binary32)
    Returns  None for NaN and infinity
    """
    exponent = (data[0] & 0x7F) << 1 | data[1] >> 7
    mantissa = (data[1] & 0x7F) << 16 | data[2] << 8 | data[3]
    if exponent == 255:
        return None
    if exponent:
        mantissa |= 0x800000
    else:
        exponent = 1  # subnormal: no hidden bit, same weight as the smallest normal numbers
    if data[0] & 0x80:
        mantissa = -mantissa
    mantissa *= num
    if exponent >= 150:
        return divide(mantissa << exponent - 150, den)
    return divide(mantissa, den << 150 - exponent)


def status(data: "bytes | bytearray") -> "int | None":
    """Status of a CJ/T 188 meter (bits 1, 0 of the first byte: valve 00 open, 01 closed, 11 fault; bit 2 battery low).

    data:    first byte: 1 = valve open, 0 = closed, None = valve fault; both bytes: the alarm bits, low byte first,
             without a valve that is merely closed
    """
    valve = data[0] & 3
    if len(data) == 1:
        return 1 - valve if valve < 2 else None
    return (data[0] if valve == 3 else data[0] & 0xFC) | data[1] << 8


def exact(data: "bytes | bytearray", form: int, num: int, den: int) -> "int | None":
    """Register times num/den as an integer, rounded half to even. data: as `big_endian` or BCD as on the wire."""
    if form >= STATUS:
        return status(data)
    if form & 0xF0 == FLOAT:
        return scaled_f32(data, num, den)
    raw = bcd(data, 0, len(data), form & 0xF0 == SIGNED_BCD) if form >= BCD else integer(data, form)
    return None if raw is None else divide(raw * num, den)


def gauge(data: "bytes | bytearray", form: int, num: int, den: int) -> "float | None":
    """Register times num/den as a float; NaN and infinity come back as they are, for the range check to refuse."""
    if form & 0xF0 == FLOAT:
        value = struct.unpack(">f", data)[0]
        return value if num == den else value * num / den
    raw = bcd(data, 0, len(data), form & 0xF0 == SIGNED_BCD) if form >= BCD else integer(data, form)
    return None if raw is None else raw * num / den
