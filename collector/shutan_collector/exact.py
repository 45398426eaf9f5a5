"""Exact numbers as text: an integer, a decimal where it ends, `numerator/denominator` where it does not.

Documents of the ledger and of reports hold nothing else: `Fraction(text)` gives the same number back in any reader.
"""

from __future__ import annotations

from fractions import Fraction

from shutan_collector.units import decimal_text

__all__ = ["exact_text", "from_text"]


def exact_text(value: Fraction | int) -> str:
    """The shortest exact text of a number."""
    value = Fraction(value)
    rest = value.denominator
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    return decimal_text(value, max(twos, fives))


def from_text(text: str) -> Fraction:
    """The number of an exact text; ValueError for anything else."""
    return Fraction(text)
