"""Emission at the end of the year, with an interval; exact rational arithmetic, no floating point.

Method ratio-to-profile/1. With a profile p of the twelve months (the plan, or last year) and the actual
emissions a of the n finished months:

    R  = Σ a / Σ p                          over the finished months: how the year runs against its profile
    a′ = R × p                              for each month to come
    s² = Σ p (a/p − R)² / (mean p) / (n−1)  spread of the months' ratios, weighed by p
    v  = s² × (Σ p′² + (Σ p′)² Σ p² / (Σ p)²)   variance of what is to come: each month's own, and that of R itself
    interval = Σ a + Σ a′ ± t × √v          t: Student's two-sided 90 % with n−1 degrees of freedom

It assumes that months err independently around one ratio; it knows nothing of a machine that will be bought. With one
finished month there is no spread, hence no interval. The root is rounded outward to the gram, the lower end is cut at
what is emitted already.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import ControlError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CONFIDENCE", "METHOD", "Forecast", "forecast"]

METHOD: Final = "ratio-to-profile/1"
CONFIDENCE: Final = "90 %"
# Student's t, two-sided 90 %, by degrees of freedom 1 to 11 (any table of the distribution).
_T: Final = tuple(
    Fraction(text)
    for text in ("6.314", "2.920", "2.353", "2.132", "2.015", "1.943", "1.895", "1.860", "1.833", "1.812", "1.796")
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Emission of the whole year, grams.

    ratio       R; None where nothing is finished
    months_g    the months to come, in order
    low_g, high_g   the interval; None with fewer than two finished months
    """

    expected_g: Fraction
    low_g: Fraction | None
    high_g: Fraction | None
    ratio: Fraction | None
    months_g: tuple[Fraction, ...]
    profile: str
    method: str = METHOD


def forecast(actual_g: Sequence[int], profile_g: Sequence[Fraction], profile: str = "plan") -> Forecast:
    """Forecast from the finished months and the profile of all months of the year.

    profile   name of the profile, for whoever reads the figure ("plan", "last year")
    Raises ControlError if the profile gives no ratio (zero or negative where months are finished).
    """
    count, emitted = len(actual_g), Fraction(sum(actual_g))
    if count == len(profile_g):
        return Forecast(emitted, emitted, emitted, _ratio(emitted, profile_g), (), profile)
    if not count:
        total = sum(profile_g, Fraction(0))
        return Forecast(total, None, None, None, tuple(profile_g), profile)
    past, ahead = profile_g[:count], profile_g[count:]
    ratio = _ratio(emitted, past)
    if ratio is None or min(past) <= 0:
        raise ControlError("forecast", (Problem(profile, "a finished month has nothing in the profile; take another"),))
    months = tuple(ratio * value for value in ahead)
    expected = emitted + sum(months, Fraction(0))
    if count == 1:
        return Forecast(expected, None, None, ratio, months, profile)
    half = _T[count - 2] * _root_up(_variance(actual_g, past, ahead, ratio))
    return Forecast(expected, max(emitted, expected - half), expected + half, ratio, months, profile)


def _ratio(emitted: Fraction, past: Sequence[Fraction]) -> Fraction | None:
    total = sum(past, Fraction(0))
    return emitted / total if total > 0 else None


def _variance(
    actual_g: Sequence[int], past: Sequence[Fraction], ahead: Sequence[Fraction], ratio: Fraction
) -> Fraction:
    count = len(past)
    mean = sum(past, Fraction(0)) / count
    squares = sum(
        (part * (actual / part - ratio) ** 2 for actual, part in zip(actual_g, past, strict=True)), Fraction(0)
    )
    spread = squares / mean / (count - 1)
    to_come, own = sum(ahead, Fraction(0)), sum(past, Fraction(0))
    of_ratio = sum((part * part for part in past), Fraction(0)) / (own * own)
    return spread * (sum((part * part for part in ahead), Fraction(0)) + to_come * to_come * of_ratio)


def _root_up(value: Fraction) -> int:
    """Smallest integer whose square is at least the value."""
    whole = -(-value.numerator // value.denominator)
    root = isqrt(whole)
    return root if root * root == whole else root + 1
