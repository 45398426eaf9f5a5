"""One function of each fate, to see that the runner tells them apart."""

import sys

HEAP = "60k"


def test_a_passes():
    assert len(bytearray(1000)) == 1000


def test_b_fails():
    assert sys.maxsize == 0, "the reason"


def test_c_takes_too_much_memory():
    bytearray(100_000)


def test_d_ends_the_interpreter():
    raise SystemExit(3)


def test_e_never_starts():
    pass
