"""Time-of-use split (尖峰平谷) of quarter-hour figures, and what they cost by a dated price list.

Each quarter lies in one band, since a tariff's windows begin and end on quarters. What passed in a gap belongs to a
band only if the whole gap lies in it; else it is unallocated. Always: sum of bands + unallocated = measured.
Boundaries rest on the reading nearest to them, as everywhere: a reading three minutes late moves three minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.site.tariff import BandCalendar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from shutan_collector.energy.measure import Flow, MeterEnergy
    from shutan_collector.site.tariff import Band, Price, Tariff

__all__ = ["BandUse", "TariffSplit", "quantise_fen", "split_by_tariff", "split_flows"]


@dataclass(frozen=True, slots=True)
class BandUse:
    """Energy of one band under one price list; a line of the bill.

    yuan_per_kwh   None where no price is given
    cost_fen       rounded once per line, half to even, as bills print it
    estimated      a boundary was interpolated
    """

    band: Band
    price: Price | None
    energy_wh: int
    estimated: bool

    @property
    def yuan_per_kwh(self) -> Fraction | None:
        """Price of the band."""
        return self.price.of(self.band) if self.price else None

    @property
    def cost_fen(self) -> int | None:
        """Cost of the line in fen (0.01 yuan); None where no price is given."""
        price = self.yuan_per_kwh
        return None if price is None else quantise_fen(Fraction(self.energy_wh, 1000) * price)


@dataclass(frozen=True, slots=True)
class TariffSplit:
    """Energy of one meter by band.

    lines            one per band and price list that has energy, by first use
    unallocated_wh   measured, but in no single band: in a gap over a change of band
    exact            False if an unknown amount passed besides
    """

    lines: tuple[BandUse, ...]
    unallocated_wh: int
    exact: bool

    @property
    def measured_wh(self) -> int:
        """Everything measured."""
        return sum(line.energy_wh for line in self.lines) + self.unallocated_wh

    @property
    def cost_fen(self) -> int | None:
        """Sum of the lines; None unless everything measured has a price."""
        costs = [line.cost_fen for line in self.lines]
        if self.unallocated_wh:
            return None
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None

    def energy_wh(self, band: Band) -> int:
        """Energy of a band over all price lists."""
        return sum(line.energy_wh for line in self.lines if line.band is band)


def quantise_fen(yuan: Fraction) -> int:
    """An exact amount as fen, half to even."""
    return round(yuan * 100)


def split_by_tariff(energy: MeterEnergy, tariff: Tariff, zone: ZoneInfo) -> TariffSplit:
    """Quarters (Kind.QUARTER) and gaps of one meter by band. Raises RequestError on a day without tariff."""
    return split_flows((*energy.periods, *energy.unallocated), tariff, zone)


def split_flows(flows: Sequence[Flow], tariff: Tariff, zone: ZoneInfo) -> TariffSplit:
    """Flows no longer than a quarter, and gaps, by band; those of a month, say, out of a year."""
    known = [flow for flow in flows if flow.value is not None]
    if not known:
        return TariffSplit((), 0, exact=False)
    start_ns, end_ns = min(flow.start_ns for flow in known), max(flow.end_ns for flow in known)
    calendar = BandCalendar(tariff, start_ns, end_ns, zone)
    sums: dict[tuple[Band, Price | None], int] = {}
    estimated: set[tuple[Band, Price | None]] = set()
    unallocated_wh = 0
    for flow in known:
        value = flow.value or 0
        slot = calendar.slot(flow.start_ns, flow.end_ns)
        if slot is None:
            unallocated_wh += value
            continue
        key = (slot.band, slot.price)
        sums[key] = sums.get(key, 0) + value
        if flow.estimated:
            estimated.add(key)
    lines = tuple(BandUse(*key, value, key in estimated) for key, value in sums.items())
    return TariffSplit(lines, unallocated_wh, exact=all(flow.exact for flow in known))
