"""Own measured values of a fuel (实测值) take precedence over defaults, parameter by parameter.

The value of a month is the mean of its batches weighted by quantity (加权平均), exact. A batch that reaches over a
month's end counts with the share of its days in the month. A parameter is measured only if every batch of the month
states it: a mean over a part would say nothing of the rest. Otherwise the default of the fuel family serves, and the
result says so and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from shutan_collector.errors import FactorError
from shutan_collector.exact import exact_text
from shutan_collector.factors.rows import CARBON_TO_CO2, Factor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from shutan_collector.factors.table import FactorTable

__all__ = ["FuelValues", "Parameter", "QualityBatch", "fuel_values"]

# Above, up to, unit; a slip of a power of ten falls outside. The calorific value's unit follows from the batches.
_LIMITS = {
    "ncv": (0, 600, "GJ"),
    "carbon_content": (11, 71, "tC/TJ"),
    "oxidation_rate": (0, 100, "%"),
}


class QualityBatch(Protocol):
    """What the analysis of a batch (燃料检测) has to tell; None = not measured."""

    @property
    def key(self) -> str:
        """Unique name of the analysis, as in its file."""
        ...

    @property
    def fuel(self) -> str:
        """Fuel subject, as in the factor table."""
        ...

    @property
    def start(self) -> date:
        """First day."""
        ...

    @property
    def end(self) -> date:
        """Last day, inclusive."""
        ...

    @property
    def quantity(self) -> Fraction:
        """Amount that the batch stands for, in `unit`."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the quantity, "t" or "1e4Nm3"."""
        ...

    @property
    def ncv(self) -> Fraction | None:
        """GJ per unit, as received (收到基)."""
        ...

    @property
    def carbon_content(self) -> Fraction | None:
        """tC/TJ."""
        ...

    @property
    def oxidation_rate(self) -> Fraction | None:
        """Percent."""
        ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of the three numbers of the carbon-balance form.

    row      the default's row; None = measured
    batches  keys of the batches that it was measured on; empty = default
    reason   why the default serves; empty = measured
    """

    value: Fraction
    unit: str
    row: Factor | None
    batches: tuple[str, ...]
    reason: str

    @property
    def measured(self) -> bool:
        """Whether the value comes from the site's own batches."""
        return self.row is None


@dataclass(frozen=True, slots=True)
class FuelValues:
    """What a month of one fuel is computed with; `per` is "t" or "1e4Nm3"."""

    family: str
    per: str
    ncv: Parameter
    carbon_content: Parameter
    oxidation_rate: Parameter

    @property
    def t_co2_per_unit(self) -> Fraction:
        """NCV × CC × OF × 44/12, t CO2 per t or per 1e4 Nm3."""
        heat_gj, carbon, oxidised = self.ncv.value, self.carbon_content.value / 1000, self.oxidation_rate.value / 100
        return heat_gj * carbon * oxidised * CARBON_TO_CO2

    @property
    def notes(self) -> tuple[str, ...]:
        """One line per parameter that fell back to a default, naming its row and the reason."""
        named = (("ncv", self.ncv), ("cc", self.carbon_content), ("of", self.oxidation_rate))
        return tuple(f"{name}: {item.row.id}, {item.reason}" for name, item in named if item.row is not None)


def fuel_values(
    table: FactorTable, family: str, fuel: str, days: tuple[date, date], batches: Iterable[QualityBatch]
) -> FuelValues:
    """Values of a fuel for a month: measured where its batches state them, else the family's defaults.

    days      first and last day of the month; a default has to be valid on the last one
    batches   analyses of any fuel and time; those of this fuel that touch the month count

    Raises FactorError for a missing default, batches in different units, a mass of zero, or a value out of range.
    """
    there = [batch for batch in batches if batch.fuel == fuel and batch.start <= days[1] and days[0] <= batch.end]
    weights = tuple((batch, _weight(batch, days)) for batch in sorted(there, key=lambda batch: batch.key))
    if weights and not sum(weight for _, weight in weights):
        raise FactorError(f"fuel_quality of {fuel}", f"the batches from {days[0]} to {days[1]} weigh nothing")

    def value(name: str, get: Callable[[QualityBatch], Fraction | None]) -> Parameter:
        stated = [(batch.key, weight, found) for batch, weight in weights if (found := get(batch)) is not None]
        if weights and len(stated) == len(weights):
            return _mean(stated, name)
        silent = ", ".join(batch.key for batch, _ in weights if get(batch) is None)
        reason = f"not stated for {silent}" if silent else "no batch of this fuel was analysed"
        row = table.fuel_parameter(family, fuel, name, days[1])
        return Parameter(row.value, row.unit, row, (), reason)

    ncv = value("ncv", lambda batch: batch.ncv)
    per = _per(ncv, [batch for batch, _ in weights], fuel)
    carbon_content = value("carbon_content", lambda batch: batch.carbon_content)
    oxidation_rate = value("oxidation_rate", lambda batch: batch.oxidation_rate)
    unit = f"GJ/{per}"
    ncv = Parameter(ncv.value, unit, ncv.row, ncv.batches, ncv.reason)
    return FuelValues(family, per, ncv, carbon_content, oxidation_rate)


def _weight(batch: QualityBatch, days: tuple[date, date]) -> Fraction:
    """Quantity of the batch that belongs to the month, by days."""
    inside = (min(batch.end, days[1]) - max(batch.start, days[0])).days + 1
    return batch.quantity * Fraction(inside, (batch.end - batch.start).days + 1)


def _mean(stated: list[tuple[str, Fraction, Fraction]], name: str) -> Parameter:
    """Mean of (batch, weight, value), weighted."""
    low, high, unit = _LIMITS[name]
    for key, _, value in stated:
        if not low < value <= high:
            raise FactorError(
                f"fuel_quality/{key}", f"{name} {exact_text(value)} {unit} is not above {low} and up to {high}"
            )
    total = sum((weight for _, weight, _ in stated), Fraction())
    mean = sum((weight * value for _, weight, value in stated), Fraction()) / total
    return Parameter(mean, unit, None, tuple(key for key, _, _ in stated), "")


def _per(ncv: Parameter, batches: list[QualityBatch], fuel: str) -> str:
    """The one unit that batches and default are counted in."""
    per = batches[0].unit if ncv.row is None else ncv.unit.removeprefix("GJ/")
    for batch in batches:
        if batch.unit != per:
            raise FactorError(f"fuel_quality/{batch.key}", f"unit is {batch.unit}, others of {fuel} are per {per}")
    return per
