"""A product footprint of one batch (产品碳足迹): its parts, exact, with everything that they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shutan_collector.footprint.batch import Batch
    from shutan_collector.footprint.inventory import Inventory
    from shutan_collector.footprint.plan import Product
    from shutan_collector.footprint.rates import Rate

__all__ = ["Component", "Footprint", "Note", "Stage"]


class Stage(StrEnum):
    """Where a part comes from."""

    MACHINE = "machine"
    IDLE = "idle"
    SHARED = "shared"
    SUPPLIER = "supplier"
    INTERMEDIATE = "intermediate"


@dataclass(frozen=True, slots=True)
class Component:
    """One part: kg = quantity × share × kg per unit.

    source      meter or document that counted `quantity`, in the rate's unit
    rule        how the share was found: "metered", an idle rule, an allocation key, or "per unit of product"
    biogenic    CO2 from biomass or taken up by it: stated apart, in no total
    primary     一级数据: counted on this site, or measured by the supplier
    """

    stage: Stage
    id: str
    name: str
    name_zh: str
    source: str
    quantity: Fraction
    share: Fraction
    rule: str
    rate: Rate
    biogenic: bool
    primary: bool
    estimated: bool
    exact: bool
    activities: tuple[str, ...] = ()

    @property
    def kg(self) -> Fraction:
        """Emission, kg CO2e."""
        return self.quantity * self.share * self.rate.kg_per_unit


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on data quality (数据质量说明); `code` is stable."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Footprint:
    """The result for one batch; `release` is name and SHA-256 of the factor release.

    fossil     CO2e of fossil origin and of the other gases: the footprint
    biogenic   emitted (+) and taken up (-), apart
    land use   no input states it: there is no figure, and a note says so
    """

    inventory: Inventory
    product: Product
    batch: Batch
    good: Fraction
    scrap: Fraction
    components: tuple[Component, ...]
    notes: tuple[Note, ...]
    release: tuple[str, str]

    @property
    def fossil_kg(self) -> Fraction:
        """Whole batch, kg CO2e."""
        return sum((part.kg for part in self.components if not part.biogenic), Fraction())

    @property
    def biogenic_kg(self) -> Fraction:
        """Whole batch, kg CO2."""
        return sum((part.kg for part in self.components if part.biogenic), Fraction())

    def declared(self, kg: Fraction) -> Fraction:
        """A figure of the batch per declared unit: scrap's burden stays with the good output."""
        return kg / self.good * self.product.per_declared

    @property
    def footprint_kg(self) -> Fraction:
        """The footprint per declared unit, kg CO2e."""
        return self.declared(self.fossil_kg)

    @property
    def primary_share(self) -> Fraction | None:
        """Share of the footprint that rests on primary activity data, by emission; None if it is zero."""
        total = self.fossil_kg
        primary = sum((part.kg for part in self.components if part.primary and not part.biogenic), Fraction())
        return primary / total if total else None

    @property
    def provisional(self) -> bool:
        """Whether a factor will be replaced."""
        return any(part.rate.provisional for part in self.components)

    @property
    def estimated(self) -> bool:
        """Whether a register was interpolated."""
        return any(part.estimated for part in self.components)

    @property
    def exact(self) -> bool:
        """Whether everything that passed is known."""
        return all(part.exact for part in self.components)
