"""Material for tests of energy figures: measured series without a store, and figures that are simply known."""

from dataclasses import dataclass

from shutan_collector.energy.counter import Counter, Installed
from shutan_collector.energy.measure import Estimate, MeterEnergy, measure
from shutan_collector.energy.registers import RegisterRule, track
from shutan_collector.periods import Kind, Shift, split
from shutan_collector.samples import Samples
from support.accounting import SECOND, SHANGHAI, Readings, at


@dataclass(frozen=True)
class Known:
    """A figure of a meter for some period."""

    value: int | None
    exact: bool = True
    estimated: bool = False


def energy_of(
    readings: Readings,
    start: str,
    end: str,
    kind: Kind,
    *,
    span: int | None = None,
    estimate: Estimate = Estimate.NONE,
    shifts: tuple[Shift, ...] = (),
) -> MeterEnergy:
    """Consumption from readings of one instrument over local times."""
    samples = Samples([t_ns for t_ns, _ in readings], [value for _, value in readings])
    counter = Counter([Installed("n/d", track(samples, RegisterRule(span, span)))])
    return measure(counter, split(at(start), at(end), kind, SHANGHAI, shifts), 900 * SECOND, None, estimate)
