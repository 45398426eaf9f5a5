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
    """Weights of batches by one key, and their shares.

    weights   (product, batch) and its weight in `unit`, in the order of the batches
    shares    of the same batches in the same order; all 0 where no batch has a weight and the load stays with nobody
    """

    key: Key
    unit: str
    weights: tuple[tuple[tuple[str, str], Fraction], ...]
    shares: tuple[Fraction, ...]

    @property
    def total(self) -> Fraction:
        """Sum of the weights."""
        return sum((weight for _, weight in self.weights), Fraction())

    def share(self, batch: tuple[str, str]) -> Fraction:
        """Share of one batch; 0 where it has no part."""
        found = (share for (at, _), share in zip(self.weights, self.shares, strict=True) if at == batch)
        return next(found, Fraction())

    @property
    def attributed(self) -> Fraction:
        """Sum of all shares: exactly 1, or 0."""
        return sum(self.shares, Fraction())


def allocate(key: Key, unit: str, weights: Mapping[tuple[str, str], Fraction]) -> Allocation:
    """An allocation over batches; weights are not negative."""
    total = sum(weights.values(), Fraction())
    shares = tuple(weight / total if total else Fraction() for weight in weights.values())
    return Allocation(key, unit, tuple(weights.items()), shares)
