"""The list of energy meters (能源计量器具一览表) with equipping rate, automatic-collection rate and calibration due.

Source: GB 17167 (what a meter's record holds, equipping rate = installed / required, three levels);
zero-carbon-factory indicators (关键能源数据自动采集率 Rz = Nz/Nj).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.periods import from_ns, to_ns
from shutan_collector.reports.heading import Heading, heading_of
from shutan_collector.reports.metering.rates import required_rates
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_collector.accounting.summary import MeterUse, MonthSummary, YearSummary
    from shutan_collector.reports.metering.rates import RequiredRate
    from shutan_collector.reports.table import Both
    from shutan_collector.site.model import Installation, Meter, Site

__all__ = [
    "SCHEMA", "Collection", "EquippingRate", "Instrument", "MeterRecord", "MeteringModel", "Status",
    "automatic_collection", "build_metering",
]  # fmt: skip

SCHEMA: Final = "shutan.report.metering/1"
DUE_SOON_DAYS: Final = 90
MAIN_ELECTRICAL_KW: Final = 100  # GB 17167-2006: electrical main equipment from 100 kW
_LEVELS: Final = (1, 2, 3)


class Status(StrEnum):
    """Standing of a meter on the report date."""

    IN_USE = "in_use"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    NOT_RECORDED = "no_calibration_record"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One entry of the swap history (换表记录); times in the site's zone, registers in the metric's step."""

    source: str
    serial: str
    start: datetime | None
    end: datetime | None
    ct: Fraction
    pt: Fraction
    rollover_at: int | None
    start_register: int | None
    end_register: int | None


@dataclass(frozen=True, slots=True)
class MeterRecord:
    """One line of the list.

    step           resolution of the register in the series store, one `step_unit`
    days_left      until the next calibration is due, negative if it is past; None without a date
    automatic      the register was collected in the period and gives a figure for it
    counts         belongs to the meters that rates are computed over
    """

    number: str
    name: str
    name_zh: str
    carrier: Carrier
    role: Role
    level: int
    parent: str
    model: str
    maker: str
    accuracy_class: str
    measuring_range: str
    location: str
    asset: str
    rated_kw: Fraction | None
    step_unit: str
    mandatory: bool
    calibrated: date | None
    calibration_due: date | None
    days_left: int | None
    status: Status
    automatic: bool
    present: int
    expected: int | None
    counts: bool
    instruments: tuple[Instrument, ...]

    @property
    def instrument(self) -> Instrument:
        """The instrument in place, or the last one."""
        return self.instruments[-1]


@dataclass(frozen=True, slots=True)
class EquippingRate:
    """配备率 of one carrier group at one level; required_percent is None where the table has no row for it."""

    group: str
    name: Both
    level: int
    required: int
    installed: int
    required_percent: Fraction | None
    edition: str

    @property
    def percent(self) -> Fraction | None:
        """Installed per required, in percent; None where nothing is required."""
        return Fraction(100 * self.installed, self.required) if self.required else None

    @property
    def met(self) -> bool | None:
        """Whether the required rate is reached; None where there is nothing to compare."""
        if self.percent is None or self.required_percent is None:
            return None
        return self.percent >= self.required_percent


@dataclass(frozen=True, slots=True)
class Collection:
    """关键能源数据自动采集率 Rz = Nz/Nj: valid automatic meters per meters required."""

    valid: int
    required: int

    @property
    def percent(self) -> Fraction | None:
        """Rz in percent; None without meters."""
        return Fraction(100 * self.valid, self.required) if self.required else None


@dataclass(frozen=True, slots=True)
class MeteringModel:
    """The report. `rates_in_force` is False if the packaged table's edition is not in force on the report date."""

    heading: Heading
    meters: tuple[MeterRecord, ...]
    rates: tuple[EquippingRate, ...]
    collection: Collection
    due: tuple[MeterRecord, ...]
    rates_edition: str
    rates_source: str
    rates_in_force: bool


def build_metering(summary: MonthSummary | YearSummary) -> MeteringModel:
    """The list as of the summary's report date, its rates over the summary's period."""
    heading = heading_of(summary, SCHEMA)
    site, day = summary.site, heading.as_of
    uses = {use.meter: use for use in summary.meters}
    records = tuple(_record(site, meter, uses.get(meter.id), day) for meter in site.tree())
    rates = required_rates()
    due = [item for item in records if item.status in {Status.OVERDUE, Status.DUE_SOON, Status.NOT_RECORDED}]
    return MeteringModel(
        heading=heading,
        meters=records,
        rates=tuple(rate for row in rates for rate in _equipping(row, records)),
        collection=_collection(records),
        due=tuple(sorted(due, key=lambda item: (item.calibration_due or date.min, item.number))),
        rates_edition=rates[0].edition,
        rates_source=rates[0].source,
        rates_in_force=all(row.in_force(day) for row in rates),
    )


def automatic_collection(summary: MonthSummary | YearSummary) -> Collection:
    """Rz alone, for the reports that state it."""
    return build_metering(summary).collection


def _record(site: Site, meter: Meter, use: MeterUse | None, day: date) -> MeterRecord:
    days_left = (meter.calibration_due - day).days if meter.calibration_due else None
    return MeterRecord(
        number=meter.id,
        name=meter.name,
        name_zh=meter.name_zh,
        carrier=meter.carrier,
        role=meter.role,
        level=meter.level,
        parent=meter.parent,
        model=meter.model,
        maker=meter.maker,
        accuracy_class=meter.accuracy_class,
        measuring_range=meter.measuring_range,
        location=meter.location,
        asset=meter.asset,
        rated_kw=meter.rated_kw,
        step_unit=meter.unit.value,
        mandatory=meter.mandatory,
        calibrated=meter.calibrated,
        calibration_due=meter.calibration_due,
        days_left=days_left,
        status=_status(site, meter, days_left, day),
        automatic=use is not None and use.present > 0 and use.value is not None,
        present=use.present if use else 0,
        expected=use.expected if use else None,
        counts=_counts(meter),
        instruments=tuple(_instrument(site, item) for item in meter.installations),
    )


def _counts(meter: Meter) -> bool:
    """Entry meters, main sub-units and main equipment; equipment below the threshold is metered beyond duty."""
    if meter.carrier is Carrier.COMPRESSED_AIR:
        return False  # a medium made on site; the standard's table has no row for it
    electrical = meter.carrier in {Carrier.ELECTRICITY, Carrier.PV}
    small = electrical and meter.rated_kw is not None and meter.rated_kw < MAIN_ELECTRICAL_KW
    return meter.level < _LEVELS[-1] or not small


def _status(site: Site, meter: Meter, days_left: int | None, day: date) -> Status:
    end_ns = to_ns(datetime.combine(day + timedelta(days=1), time(), site.zone))
    last = meter.installations[-1]
    if last.end_ns is not None and last.end_ns < end_ns:
        return Status.REMOVED
    if days_left is None:
        return Status.NOT_RECORDED
    if days_left < 0:
        return Status.OVERDUE
    return Status.DUE_SOON if days_left <= DUE_SOON_DAYS else Status.IN_USE


def _instrument(site: Site, item: Installation) -> Instrument:
    return Instrument(
        source=f"{item.node}/{item.device}",
        serial=item.serial,
        start=None if item.start_ns is None else from_ns(item.start_ns, site.zone),
        end=None if item.end_ns is None else from_ns(item.end_ns, site.zone),
        ct=item.ct,
        pt=item.pt,
        rollover_at=item.span,
        start_register=item.start_register,
        end_register=item.end_register,
    )


def _equipping(row: RequiredRate, records: Sequence[MeterRecord]) -> list[EquippingRate]:
    """A row of the table at the levels where the register of metering points has points."""
    rates: list[EquippingRate] = []
    for level in _LEVELS:
        points = [item for item in records if item.carrier in row.carriers and item.level == level and item.counts]
        if points:
            installed = sum(item.status is not Status.REMOVED for item in points)
            rates.append(
                EquippingRate(row.group, row.name, level, len(points), installed, row.percent[level - 1], row.edition)
            )
    return rates


def _collection(records: Sequence[MeterRecord]) -> Collection:
    """Valid: collected automatically, a figure for the period, installed, calibration not expired."""
    counted = [item for item in records if item.counts]
    unfit = {Status.REMOVED, Status.OVERDUE}
    return Collection(sum(item.automatic and item.status not in unfit for item in counted), len(counted))
