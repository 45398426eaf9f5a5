"""Sets of global warming potentials by name (AR2, AR4, AR5, AR6), 100 years.

One total uses one set. A gas that a set does not hold is an error: the figure of another set is not a stand-in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import FactorError

if TYPE_CHECKING:
    from shutan_collector.factors.rows import Factor

__all__ = ["GWP_SETS", "GwpSet", "SevenGas", "seven_gas"]

GWP_SETS: Final = ("AR2", "AR4", "AR5", "AR6")


class SevenGas(StrEnum):
    """The seven gases of GB/T 32150 (七种温室气体) that a report sums."""

    CO2 = "CO2"
    CH4 = "CH4"
    N2O = "N2O"
    HFCS = "HFCs"
    PFCS = "PFCs"
    SF6 = "SF6"
    NF3 = "NF3"


# Refrigerant blends of the 400 and 500 series in the table consist of HFCs only; a blend with an HCFC does not.
_GASES = (
    (r"co2", SevenGas.CO2),
    (r"ch4(_fossil|_bio)?", SevenGas.CH4),
    (r"n2o", SevenGas.N2O),
    (r"hfc-.+|r410a|r404a|r407c|r507a", SevenGas.HFCS),
    (r"cf4|c2f6", SevenGas.PFCS),
    (r"sf6", SevenGas.SF6),
    (r"nf3", SevenGas.NF3),
)


def seven_gas(gas: str) -> SevenGas | None:
    """Which of the seven a gas subject belongs to; None = outside them (HCFC-22), to be disclosed apart."""
    return next((found for pattern, found in _GASES if re.fullmatch(pattern, gas)), None)


@dataclass(frozen=True, slots=True)
class GwpSet:
    """One named set: `rows` are its factors, kg CO2e per kg of gas."""

    name: str
    rows: tuple[Factor, ...]

    def of(self, gas: str) -> Factor:
        """The row of a gas subject ("ch4", "hfc-134a", "r410a"); FactorError names gas and set if there is none."""
        for row in self.rows:
            if row.subject == gas:
                return row
        gases = ", ".join(sorted(row.subject for row in self.rows))
        raise FactorError(f"GWP of {gas} in {self.name}", f"the set has no such gas; it has {gases}")

    @property
    def gases(self) -> tuple[str, ...]:
        """Subjects that the set holds."""
        return tuple(sorted(row.subject for row in self.rows))
