"""What a bill of bought power is made of, from one electricity meter: energy by band, maximum demand, power factor.

Needs quarters, which a closed month does not keep: hours are enough for carbon, a band may change at half past.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.energy.demand import monthly_demand
from shutan_collector.energy.measure import Estimate, measure
from shutan_collector.energy.power_factor import power_factors
from shutan_collector.energy.source import measure_meter, read_counter
from shutan_collector.energy.tariff import split_by_tariff
from shutan_collector.errors import RequestError
from shutan_collector.periods import NS_PER_S, Kind, Span
from shutan_collector.units import Unit

if TYPE_CHECKING:
    from shutan_collector.energy.demand import MonthDemand
    from shutan_collector.energy.power_factor import PowerFactor
    from shutan_collector.energy.tariff import TariffSplit
    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Meter, Site

__all__ = ["LoadProfile", "load_profile"]

_REACTIVE: Final = ("reactive_energy_import_varh", "reactive_energy_export_varh")


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """Figures of one meter over a stretch of time.

    split          energy and cost by band; None where the site has no tariff
    demand         per calendar month
    power_factor   mean of the stretch; None where the instruments have no reactive register, or a figure is missing
    """

    meter: str
    split: TariffSplit | None
    demand: tuple[MonthDemand, ...]
    power_factor: PowerFactor | None


def load_profile(
    site: Site, meter: Meter, reader: SeriesReader, start_ns: int, end_ns: int, *, estimate: Estimate = Estimate.NONE
) -> LoadProfile:
    """Load profile of an electricity meter over [start_ns, end_ns).

    Raises RequestError (not an electricity meter, a day without tariff), StoreUnavailableError, SeriesError.
    """
    if meter.unit is not Unit.WH:
        raise RequestError(f"meter {meter.id}", f"measures {meter.carrier}; bands and demand are of electricity")
    quarters = measure_meter(site, meter, reader, start_ns, end_ns, kind=Kind.QUARTER, estimate=estimate)
    return LoadProfile(
        meter=meter.id,
        split=split_by_tariff(quarters, site.tariff, site.zone) if site.tariff else None,
        demand=monthly_demand(quarters, site.zone),
        power_factor=_power_factor(site, meter, reader, Span(start_ns, end_ns)),
    )


def _power_factor(site: Site, meter: Meter, reader: SeriesReader, span: Span) -> PowerFactor | None:
    """Of the whole stretch, over the reactive registers that the instruments have."""
    active, *others = (
        read_counter(site, meter, reader, span.start_ns, span.end_ns, metric=metric)[0]
        for metric in (meter.metric, *_REACTIVE)
    )
    tolerance_ns = site.tolerance_s * NS_PER_S
    reactive = [measure(counter, [span], tolerance_ns) for counter in others if len(counter)]
    return power_factors(measure(active, [span], tolerance_ns), reactive)[0]
