"""Energy balance (能量平衡): what a meter supplies against what the meters behind it use, and what the site consumes.

Of one meter and the meters directly behind it:

    supplied     its own figure + generation that feeds in behind it
    used         sub-meters + what is handed on (boundary) + what is exported behind it
    unaccounted  supplied - used: losses, unmetered loads, a meter that stands still; negative if more is used than came
    share        unaccounted / supplied in percent; above the site's limit, in either direction, it is an alarm

Of the whole site, per carrier: consumption = entry + generation - export. Virtual meters take no part: a difference
would explain itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Protocol

from shutan_collector.site.model import Carrier, Role
from shutan_collector.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shutan_collector.site.model import Meter, Site

__all__ = ["Figure", "NodeBalance", "SiteConsumption", "node_balances", "site_consumption", "step_ratio"]

_POWER: Final = {Carrier.PV: Carrier.ELECTRICITY}


class Figure(Protocol):
    """What a balance needs of a meter's figure for a period; energy.measure.Flow is one."""

    @property
    def value(self) -> int | None:
        """Consumption in the metric's step; None if unknown."""
        ...

    @property
    def exact(self) -> bool:
        """False if an unknown amount passed besides."""
        ...

    @property
    def estimated(self) -> bool:
        """Whether a boundary was interpolated."""
        ...


@dataclass(frozen=True, slots=True)
class NodeBalance:
    """Balance of one meter with the meters directly behind it, in the step of that meter.

    supplied, used, unaccounted   exact; None while a figure is missing
    share_pct                     of what was supplied; None if nothing was, or while a figure is missing
    alarm                         the share is beyond the limit, or there is use without supply
    missing                       meters without a figure, or in a unit that cannot be compared
    """

    meter: str
    unit: Unit
    supplied: Fraction | None
    used: Fraction | None
    unaccounted: Fraction | None
    share_pct: Fraction | None
    alarm: bool
    exact: bool
    estimated: bool
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SiteConsumption:
    """What the site consumed of a carrier: bought + generated - exported, in the step of its first meter.

    carrier   photovoltaic power is electricity here
    missing   meters without a figure, or in a unit that cannot be compared; then `consumed` is None
    """

    carrier: Carrier
    unit: Unit
    bought: Fraction
    generated: Fraction
    exported: Fraction
    consumed: Fraction | None
    exact: bool
    estimated: bool
    missing: tuple[str, ...]


def step_ratio(meter: Meter, other: Meter) -> Fraction | None:
    """Steps of `other` in one step of `meter`: 1 for the same unit; None where there is no way from one to the other.

    Gas at another reference condition goes by the gas law, steam between mass and heat by the stated enthalpy.
    """
    if meter.unit is other.unit:
        if meter.gas_reference is None or other.gas_reference is None:
            return Fraction(1)
        return meter.gas_reference.nm3_per_m3 / other.gas_reference.nm3_per_m3
    if (meter.unit, other.unit) == (Unit.GRAM, Unit.KJ) and meter.enthalpy_kj_per_kg:
        return meter.enthalpy_kj_per_kg / 1000
    if (meter.unit, other.unit) == (Unit.KJ, Unit.GRAM) and other.enthalpy_kj_per_kg:
        return 1000 / other.enthalpy_kj_per_kg
    return None


def node_balances(site: Site, figures: Mapping[str, Figure]) -> tuple[NodeBalance, ...]:
    """One balance per meter that has meters behind it, parents first; figures of one period by meter id."""
    balances: list[NodeBalance] = []
    for meter in site.tree():
        behind = [child for child in site.meters if child.parent == meter.id]
        if behind:
            balances.append(_node(meter, behind, figures, site.balance_limit_pct))
    return tuple(balances)


def site_consumption(site: Site, figures: Mapping[str, Figure]) -> tuple[SiteConsumption, ...]:
    """One line per carrier that is bought, made or exported, in file order; figures of one period by meter id.

    Of nested meters with the same role only the uppermost counts.
    """
    groups: dict[Carrier, list[Meter]] = {}
    role_of = {meter.id: meter.role for meter in site.meters}
    for meter in site.meters:
        if meter.role in {Role.ENTRY, Role.GENERATION, Role.EXPORT} and role_of.get(meter.parent) is not meter.role:
            groups.setdefault(_POWER.get(meter.carrier, meter.carrier), []).append(meter)
    return tuple(_consumption(carrier, meters, figures) for carrier, meters in groups.items())


def _node(meter: Meter, behind: Sequence[Meter], figures: Mapping[str, Figure], limit_pct: Fraction) -> NodeBalance:
    amounts, missing = _amounts(meter, (meter, *behind), figures)
    supplied = used = unaccounted = share = None
    if not missing:
        fed_in = [child for child in behind if child.role is Role.GENERATION]
        supplied = amounts[meter.id] + sum(amounts[child.id] for child in fed_in)
        used = sum((amounts[child.id] for child in behind if child.role is not Role.GENERATION), Fraction(0))
        unaccounted = supplied - used
        share = unaccounted / supplied * 100 if supplied else None
    return NodeBalance(
        meter=meter.id,
        unit=meter.unit,
        supplied=supplied,
        used=used,
        unaccounted=unaccounted,
        share_pct=share,
        alarm=bool(unaccounted) and (share is None or abs(share) > limit_pct),
        exact=not missing and all(figures[item.id].exact for item in (meter, *behind)),
        estimated=any(item.id in figures and figures[item.id].estimated for item in (meter, *behind)),
        missing=missing,
    )


def _consumption(carrier: Carrier, meters: Sequence[Meter], figures: Mapping[str, Figure]) -> SiteConsumption:
    amounts, missing = _amounts(meters[0], meters, figures)
    bought, generated, exported = (
        sum((amounts[meter.id] for meter in meters if meter.role is role and meter.id in amounts), Fraction(0))
        for role in (Role.ENTRY, Role.GENERATION, Role.EXPORT)
    )
    return SiteConsumption(
        carrier=carrier,
        unit=meters[0].unit,
        bought=bought,
        generated=generated,
        exported=exported,
        consumed=None if missing else bought + generated - exported,
        exact=not missing and all(figures[meter.id].exact for meter in meters),
        estimated=any(meter.id in figures and figures[meter.id].estimated for meter in meters),
        missing=missing,
    )


def _amounts(
    reference: Meter, meters: Iterable[Meter], figures: Mapping[str, Figure]
) -> tuple[dict[str, Fraction], tuple[str, ...]]:
    """Figures in the step of one meter, and the meters that have none."""
    amounts: dict[str, Fraction] = {}
    missing: list[str] = []
    for meter in meters:
        figure, ratio = figures.get(meter.id), step_ratio(meter, reference)
        if figure is None or figure.value is None or ratio is None:
            missing.append(meter.id)
        else:
            amounts[meter.id] = figure.value * ratio
    return amounts, tuple(missing)
