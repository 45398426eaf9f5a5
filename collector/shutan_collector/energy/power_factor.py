"""Power factor (功率因数) of a period from its active and reactive registers: cos φ = P / √(P² + Q²).

The square is rational and kept exact; a root is taken for display only. Reactive energy counts by amount, import and
export together, after the rules on power-factor adjustment of tariffs
(功率因数调整电费办法, 水电财字〔1983〕215号).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_collector.energy.measure import MeterEnergy

__all__ = ["PowerFactor", "power_factors"]


@dataclass(frozen=True, slots=True)
class PowerFactor:
    """Mean power factor of a period from its active and reactive energy, both at least zero."""

    active_wh: int
    reactive_varh: int

    @property
    def squared(self) -> Fraction | None:
        """Square of it, 0 to 1; None where nothing passed."""
        apparent = self.active_wh**2 + self.reactive_varh**2
        return Fraction(self.active_wh**2, apparent) if apparent else None

    def text(self, places: int = 3) -> str:
        """Power factor in decimals, rounded to the nearest; "" where nothing passed."""
        squared = self.squared
        if squared is None:
            return ""
        scale = 10**places
        below = isqrt(squared.numerator * scale**2 // squared.denominator)
        # The root lies above the middle of two steps if its square does: (2·below + 1)² / 4. It never lies on it: a
        # rational cosine is a leg over a hypotenuse, and the hypotenuse of whole numbers without common factor is odd.
        nearest = below + (4 * squared * scale**2 > (2 * below + 1) ** 2)
        whole, fraction = divmod(nearest, scale)
        return f"{whole}.{fraction:0{places}d}" if places else str(whole)


def power_factors(active: MeterEnergy, reactive: Sequence[MeterEnergy]) -> tuple[PowerFactor | None, ...]:
    """One per period; None where a register has no figure there, or one that is not exact.

    active     of the active register (Wh)
    reactive   of the reactive registers (varh) of the same instruments over the same periods, at least one
    """
    found: list[PowerFactor | None] = []
    for flow, *others in zip(active.periods, *(item.periods for item in reactive), strict=True):
        amounts = [other.value for other in others if other.value is not None and other.exact]
        if flow.value is None or not flow.exact or len(amounts) < max(1, len(others)):
            found.append(None)
        else:
            found.append(PowerFactor(flow.value, sum(amounts)))
    return tuple(found)
