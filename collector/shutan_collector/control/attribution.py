"""Where a difference comes from (超支归因): by source, area or carrier, and by volume against intensity.

Every split sums to the difference exactly; nothing is left to a "rest" that nobody owns.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shutan_collector.control.actuals import Actual

__all__ = ["By", "Contribution", "Effects", "attribute", "effects", "grams_by", "scaled_reference"]

By = Literal["source", "area", "carrier"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one source (area, carrier) adds to the difference: actual less reference, grams."""

    name: str
    actual_g: int
    reference_g: Fraction

    @property
    def difference_g(self) -> Fraction:
        """Above zero: it adds to the overrun."""
        return self.actual_g - self.reference_g


@dataclass(frozen=True, slots=True)
class Effects:
    """A difference of emissions split into what more volume did and what higher intensity did, grams.

    unsplit_g   the whole difference where a volume is zero: there is no intensity then
    """

    volume_g: Fraction
    intensity_g: Fraction
    unsplit_g: Fraction

    @property
    def difference_g(self) -> Fraction:
        """The sum of the three."""
        return self.volume_g + self.intensity_g + self.unsplit_g


def grams_by(rows: Iterable[Actual], by: By, months: Iterable[str], area: str = "") -> dict[str, int]:
    """Emissions of those months by source, area or carrier, of one area or (empty) of all."""
    wanted = frozenset(months)
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.month in wanted and (not area or row.area == area):
            found[{"source": row.source, "area": row.area, "carrier": row.carrier}[by]] += row.co2e_g
    return dict(found)


def scaled_reference(reference: Mapping[str, int], total_g: Fraction) -> dict[str, Fraction] | None:
    """A plan for each source where the budget has one for all: the reference year's shares of that total.

    None if the reference year has no emission to take shares from.
    """
    whole = sum(reference.values())
    return {name: total_g * grams / whole for name, grams in reference.items()} if whole > 0 else None


def attribute(actual: Mapping[str, int], reference: Mapping[str, Fraction]) -> tuple[Contribution, ...]:
    """Contributions, the largest first; they sum to Σ actual - Σ reference exactly."""
    names = {*actual, *reference}
    found = [Contribution(name, actual.get(name, 0), reference.get(name, Fraction(0))) for name in names]
    return tuple(sorted(found, key=lambda item: (-item.difference_g, item.name)))


def effects(
    actual_g: Fraction | int, actual_volume: Fraction, reference_g: Fraction | int, reference_volume: Fraction
) -> Effects:
    """Volume and intensity effect of actual against reference, each at the mean of the other's two values.

    ΔE = (V1 - V0) × (I0 + I1)/2 + (I1 - I0) × (V0 + V1)/2, an identity for E = V × I.
    """
    if actual_volume <= 0 or reference_volume <= 0:
        return Effects(Fraction(0), Fraction(0), Fraction(actual_g) - reference_g)
    new, old = actual_g / actual_volume, reference_g / reference_volume
    volume = (actual_volume - reference_volume) * (new + old) / 2
    intensity = (new - old) * (actual_volume + reference_volume) / 2
    return Effects(volume, intensity, Fraction(0))
