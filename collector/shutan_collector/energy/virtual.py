"""Virtual meters (虚拟表): sums, differences and shares of meters, exact and linear.

A virtual meter is computed from the meters under it, period by period; a period that one of them has no figure for has
none, and names it. Figures are fractions: a third of a watt-hour stays one.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shutan_collector.energy.measure import Flow, MeterEnergy
    from shutan_collector.site.model import Site, VirtualMeter

__all__ = ["VirtualEnergy", "VirtualFigure", "flatten", "measure_virtual"]


@dataclass(frozen=True, slots=True)
class VirtualFigure:
    """Figure of a virtual meter for a stretch of time, in the step of its meters.

    value      exact; None if a meter has none
    missing    the meters that have none
    """

    start_ns: int
    end_ns: int
    partial: bool
    value: Fraction | None
    estimated: bool
    exact: bool
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VirtualEnergy:
    """Figures of a virtual meter: per period, and over the whole request."""

    id: str
    terms: tuple[tuple[str, Fraction], ...]
    periods: tuple[VirtualFigure, ...]
    total: VirtualFigure


def flatten(site: Site, virtual: VirtualMeter) -> tuple[tuple[str, Fraction], ...]:
    """Real meters under a virtual meter, each once with the product of the terms above it, in order of first use.

    What cancels out is left out. The loader of the site refuses rings and unknown ids.
    """
    by_id = {item.id: item for item in site.virtuals}
    sums: dict[str, Fraction] = {}

    def add(item: VirtualMeter, share: Fraction) -> None:
        for name, factor in item.terms:
            if name in by_id:
                add(by_id[name], share * factor)
            else:
                sums[name] = sums.get(name, Fraction(0)) + share * factor

    add(virtual, Fraction(1))
    return tuple((name, factor) for name, factor in sums.items() if factor)


def measure_virtual(site: Site, virtual: VirtualMeter, energies: Mapping[str, MeterEnergy]) -> VirtualEnergy:
    """Figures of a virtual meter from those of its meters, all over the same periods. Raises RequestError if not so."""
    terms = flatten(site, virtual)
    parts = [(name, factor, energies[name]) for name, factor in terms if name in energies]
    absent = [name for name, _ in terms if name not in energies]
    if absent or not parts:
        raise RequestError(f"virtual {virtual.id}", f"needs the figures of {', '.join(absent) or 'at least one meter'}")
    spans = [[(flow.start_ns, flow.end_ns) for flow in energy.periods] for _, _, energy in parts]
    if any(other != spans[0] for other in spans):
        raise RequestError(f"virtual {virtual.id}", "its meters were measured over different periods")
    return VirtualEnergy(
        id=virtual.id,
        terms=terms,
        periods=tuple(
            _figure([(name, factor, energy.periods[number]) for name, factor, energy in parts])
            for number in range(len(spans[0]))
        ),
        total=_figure([(name, factor, energy.total) for name, factor, energy in parts]),
    )


def _figure(parts: Sequence[tuple[str, Fraction, Flow]]) -> VirtualFigure:
    first = parts[0][2]
    missing = tuple(name for name, _, flow in parts if flow.value is None)
    value = None if missing else sum((factor * (flow.value or 0) for _, factor, flow in parts), Fraction(0))
    return VirtualFigure(
        start_ns=first.start_ns,
        end_ns=first.end_ns,
        partial=first.partial,
        value=value,
        estimated=any(flow.estimated for _, _, flow in parts),
        exact=not missing and all(flow.exact for _, _, flow in parts),
        missing=missing,
    )
