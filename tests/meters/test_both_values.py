"""Register values: BCD, integers, word order, exact float32, rounding."""

import struct

from shutan_meters import values

U32 = values.UNSIGNED | 4
I32 = values.SIGNED | 4
F32 = values.FLOAT | 4


def test_bcd_is_low_byte_first():
    assert values.bcd(b"\x86\x01\x00\x00", 0, 4, False) == 186
    assert values.bcd(b"\x00\x99\x99\x99\x99\x00", 1, 4, False) == 99999999
    assert values.bcd(b"\x12\x25\x00", 0, 3, True) == 2512


def test_bcd_sign_is_the_top_bit():
    assert values.bcd(b"\x12\x25\x80", 0, 3, True) == -2512
    assert values.bcd(b"\x12\x25\x80", 0, 3, False) == 802512
    assert values.bcd(b"\x99\x99\xf9", 0, 3, True) == -799999
    assert values.bcd(b"\x00\x80", 0, 2, True) == 0


def test_all_ff_is_an_absent_item():
    for length in (2, 3, 4, 6):
        assert values.bcd(b"\xff" * length, 0, length, False) is None
        assert values.bcd(b"\xff" * length, 0, length, True) is None


def test_half_bytes_above_nine_are_no_number():
    assert values.bcd(b"\x0a\x00", 0, 2, False) is None
    assert values.bcd(b"\xa0\x00", 0, 2, False) is None
    assert values.bcd(b"\xff\x00", 0, 2, False) is None


def test_integers_and_word_order():
    assert values.integer(b"\xff\xff\xff\xfe", U32) == 0xFFFFFFFE
    assert values.integer(b"\xff\xff\xff\xfe", I32) == -2
    assert values.integer(b"\x80\x00\x00\x00\x00\x00\x00\x00", values.SIGNED | 8) == -(1 << 63)
    assert bytes(values.big_endian(b"x\x00\x01\x00\x02", 1, 4, True)) == b"\x00\x02\x00\x01"
    assert bytes(values.big_endian(b"x\x00\x01\x00\x02", 1, 4, False)) == b"\x00\x01\x00\x02"
    assert bytes(values.big_endian(bytes(range(8)), 0, 8, True)) == b"\x06\x07\x04\x05\x02\x03\x00\x01"


def test_division_rounds_half_to_even_and_keeps_order():
    assert [values.divide(n, 2) for n in (-5, -3, -1, 0, 1, 3, 5)] == [-2, -2, 0, 0, 0, 2, 2]
    assert [values.divide(n, 4) for n in (1, 2, 3, 5, 6, 7)] == [0, 0, 1, 1, 2, 2]
    rounded = [values.divide(n, 7) for n in range(-50, 50)]
    assert rounded == sorted(rounded)


def test_float32_registers_become_exact_integers():
    cases = (
        (0.0, 1000, 1, 0),
        (1.0, 1000, 1, 1000),
        (230.25, 1000, 1, 230250),
        (0.5, 1, 1, 0),  # half to even
        (1.5, 1, 1, 2),
        (2.5, 1, 1, 2),
        (-2.5, 1, 1, -2),
        (16777216.0, 1000, 1, 16777216000),
        (1e-40, 1, 1, 0),  # subnormal
    )
    for value, num, den, expected in cases:
        assert values.scaled_f32(struct.pack(">f", value), num, den) == expected, value
    # 0.1 kWh as float32 is 0.100000001490116...: 100 Wh at CT 40, 4000 Wh
    assert values.scaled_f32(b"\x3d\xcc\xcc\xcd", 1000 * 40, 1) == 4000
    assert values.scaled_f32(b"\x7f\x7f\xff\xff", 1, 1) == 0xFFFFFF << 104


def test_nan_and_infinity_are_no_number():
    for bits in (
        b"\x7f\xc0\x00\x00",
        b"\xff\xc0\x00\x00",
        b"\x7f\x80\x00\x00",
        b"\xff\x80\x00\x00",
        b"\x7f\x80\x00\x01",
    ):
        assert values.scaled_f32(bits, 1, 1) is None
        level = values.gauge(bits, F32, 1, 1)
        assert level is not None
        assert not -1e30 <= level <= 1e30


def test_counters_stay_exact_beyond_every_float():
    assert values.exact(b"\x99\x99\x99\x99\x99\x99", values.BCD | 6, 10 * 7919, 1) == 999999999999 * 79190
    assert values.exact(b"\xff" * 8, values.UNSIGNED | 8, 1, 1) == (1 << 64) - 1
    assert values.exact(b"\x00\x00\x00\x03", U32, 1, 2) == 2


def test_gauges():
    assert values.gauge(b"\x66\x55", values.BCD | 2, 1, 10) == 556.6
    assert values.gauge(b"\x08\xd1", values.UNSIGNED | 2, 1, 10) == 225.7
    assert values.gauge(struct.pack(">f", 230.5), F32, 40, 1) == 9220.0
    assert values.gauge(b"\xff\xff", values.BCD | 2, 1, 10) is None
