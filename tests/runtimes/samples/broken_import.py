"""A file that cannot be imported on MicroPython: all its functions fail with the reason."""

import dataclasses


def test_a_never_starts():
    assert dataclasses
