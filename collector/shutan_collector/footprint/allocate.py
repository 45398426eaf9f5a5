"""Shares by a stated key (分摊): exact fractions that sum to exactly 1."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_collector.footprint.plan import Key

__all__ = ["Allocation", "allocate"]


@dataclass(frozen=True, slots=True)
class Allocation:
    """Weights of batches by one key.

    weights   (product, batch) and its weight in `unit`, in the order of the batches
    """

    key: Key
    unit: str
    weights: tuple[tuple[tuple[str, str], Fraction], ...]

    @property
    def total(self) -> Fraction:
        """Sum of the weights."""
        return sum((weight for _, weight in self.weights), Fraction())

    def share(self, batch: tuple[str, str]) -> Fraction:
        """Share of one batch; 0 where it has no part, or where nobody has."""
        total = self.total
        return Fraction(dict(self.weights).get(batch, 0)) / total if total else Fraction()

    @property
    def attributed(self) -> Fraction:
        """Sum of all shares: 1, or 0 where no batch has a weight and the load stays with nobody."""
        return sum((self.share(batch) for batch, _ in self.weights), Fraction())


def allocate(key: Key, unit: str, weights: Mapping[tuple[str, str], Fraction]) -> Allocation:
    """An allocation over batches; weights are not negative."""
    return Allocation(key, unit, tuple(weights.items()))
