"""Epoch milliseconds in two halves, for work without the heap.

On a 32-bit MicroPython small ints have 31 bits, so a millisecond epoch is a heap object. Two halves are not:
value = hi * 2**21 + lo with 0 <= lo < 2**21. 21 bits are three groups of a protobuf varint.
"""

EPOCH_2000_S = 946684800  # 2000-01-01 minus 1970-01-01: MicroPython on ESP32 counts from 2000

HALF_BITS = 21
HALF = 1 << HALF_BITS


def split(ms: int) -> "tuple[int, int]":
    """(hi, lo) of a whole number of milliseconds >= 0."""
    return ms >> HALF_BITS, ms & (HALF - 1)


def join(hi: int, lo: int) -> int:
    """Milliseconds of the two halves."""
    return (hi << HALF_BITS) + lo
