"""Faults of registers against a plant that is known to the Wh: no error in any total, and every event is listed."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import pytest

from shutan_collector.energy.balance import node_balances
from shutan_collector.energy.measure import MeterEnergy, Part
from shutan_collector.energy.registers import Event, EventKind
from shutan_collector.energy.source import measure_meter
from shutan_collector.periods import Kind, from_ns
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Site
from support.accounting import SECOND, SHANGHAI, MemoryReader, Readings, at

pytestmark = pytest.mark.fault

QUARTER_NS = 900 * SECOND
METRIC = "active_energy_import_wh"
Report = Callable[[str, object], None]


@dataclass(frozen=True)
class Plant:
    """What passed by each quarter, Wh since the first."""

    times_ns: list[int]
    counted: list[int]

    def at(self, text: str) -> int:
        return self.counted[self.times_ns.index(at(text))]

    def between(self, start: str, end: str) -> int:
        return self.at(end) - self.at(start)

    def readings(self, start: str, end: str, register: Callable[[int], int]) -> list[tuple[int, int]]:
        """Readings with start <= time < end, of an instrument that shows register(counted)."""
        return [
            (t_ns, register(counted))
            for t_ns, counted in zip(self.times_ns, self.counted, strict=True)
            if at(start) <= t_ns < at(end)
        ]


def plant(start: str, end: str, most_wh: int = 5_000) -> Plant:
    """A load that never rests and never repeats within a day."""
    times_ns = list(range(at(start), at(end) + 1, QUARTER_NS))
    steps = [1 + number * 7919 % most_wh for number in range(len(times_ns) - 1)]
    return Plant(times_ns, list(accumulate(steps, initial=0)))


JUNE = plant("2025-05-31T20:00", "2025-07-01T04:00")
START, END = "2025-06-01T00:00", "2025-07-01T00:00"
EVER = ("2025-05-31T20:00", "2025-07-01T05:00")


def one_meter(keys: str) -> Site:
    return parse_site(
        '[site]\nid = "s"\nregion = "CN-SC"\n'
        f'[[meter]]\nid = "entry"\ncarrier = "electricity"\nrole = "entry"\nlevel = 1\n{keys}',
        "site.toml",
    )


def measured(
    keys: str, readings: Readings, kind: Kind = Kind.HOUR, others: dict[str, Readings] | None = None
) -> MeterEnergy:
    """June of the meter `entry` on device m, further devices as given."""
    site = one_meter(keys)
    series = {("n", "m", METRIC): readings} | {("n", name, METRIC): found for name, found in (others or {}).items()}
    return measure_meter(site, site.meters[0], MemoryReader(series), at(START), at(END), kind=kind)


def listed(energy: MeterEnergy) -> list[tuple[EventKind, bool]]:
    return [(event.kind, event.exact) for event in energy.events]


def error_wh(energy: MeterEnergy, truth: int) -> int:
    """Distance of the total from the plant, and of the sum of the parts from the total."""
    assert energy.total.value is not None
    assert energy.measured == sum(flow.value or 0 for flow in (*energy.periods, *energy.unallocated))
    return abs(energy.total.value - truth) + abs(energy.measured - energy.total.value)


def every_hour_is_the_plant(energy: MeterEnergy, known: Plant) -> bool:
    counted = dict(zip(known.times_ns, known.counted, strict=True))
    return all(flow.value == counted[flow.end_ns] - counted[flow.start_ns] for flow in energy.periods)


def test_meter_swap_in_mid_month(record_property: Report) -> None:
    swap = "2025-06-15T10:20"  # between two readings: 37 Wh on the old instrument, the rest of the quarter on the new
    old, new = JUNE.at("2025-06-15T10:15") + 37, JUNE.at("2025-06-15T10:15") + 37
    keys = (
        f'[[meter.installation]]\nnode = "n"\ndevice = "m"\nserial = "1"\nto = {swap}:00\n'
        f"end_register = {812_000_000 + old}\nrollover_wh = 1000000000\n"
        f'[[meter.installation]]\nnode = "n"\ndevice = "m2"\nserial = "2"\nfrom = {swap}:00\n'
        "start_register = 250\nrollover_wh = 1000000000\n"
    )
    before = JUNE.readings(EVER[0], swap, lambda counted: 812_000_000 + counted)
    after = JUNE.readings(swap, EVER[1], lambda counted: 250 + counted - new)
    energy = measured(keys, before, others={"m2": after})
    wrong = error_wh(energy, JUNE.between(START, END))
    assert wrong == 0
    assert listed(energy) == [(EventKind.SWAP, True)]
    assert energy.total.exact
    assert every_hour_is_the_plant(energy, JUNE)
    assert {piece.start.source for piece in energy.total.pieces} == {"n/m #1", "n/m2 #2"}
    record_property("error_wh", wrong)


def test_meter_swap_without_a_record_says_that_an_unknown_amount_passed(record_property: Report) -> None:
    swap = "2025-06-15T10:20"
    keys = (
        f'[[meter.installation]]\nnode = "n"\ndevice = "m"\nto = {swap}:00\n'
        f'[[meter.installation]]\nnode = "n"\ndevice = "m2"\nfrom = {swap}:00\n'
    )
    before = JUNE.readings(EVER[0], swap, lambda counted: 812_000_000 + counted)
    after = JUNE.readings(swap, EVER[1], lambda counted: counted)
    energy = measured(keys, before, others={"m2": after})
    missed = JUNE.between("2025-06-15T10:15", "2025-06-15T10:30")
    assert energy.total.value == JUNE.between(START, END) - missed
    assert listed(energy) == [(EventKind.SWAP, False)]
    assert not energy.total.exact
    assert [flow.exact for flow in energy.periods].count(False) == 1
    record_property("never_measured_wh", missed)


def test_register_wrap(record_property: Report) -> None:
    """A five-digit counter of 1 kWh turns over several times within the month."""
    span = 1_600_000
    keys = f'node = "n"\ndevice = "m"\nrollover_wh = {span}\nmax_per_hour = 25000\n'
    readings = JUNE.readings(*EVER, lambda counted: (1_599_000 + counted) % span)
    energy = measured(keys, readings)
    wrong = error_wh(energy, JUNE.between(START, END))
    wraps = (1_599_000 + JUNE.at(END)) // span - (1_599_000 + JUNE.at(START)) // span
    assert wrong == 0
    assert wraps >= 2
    assert listed(energy) == [(EventKind.ROLLOVER, True)] * wraps
    assert every_hour_is_the_plant(energy, JUNE)
    record_property("error_wh", wrong)
    record_property("rollovers", wraps)


def test_ct_change(record_property: Report) -> None:
    """Transformers 200/5 are changed for 300/5; the meter stays. Its register is taken down by the change record."""
    change = "2025-06-10T14:00"
    secondary = 300_000 + JUNE.at(change) // 40 + 1  # what the plate shows while the change is made
    keys = (
        f'[[meter.installation]]\nnode = "n"\ndevice = "m"\nct = [200, 5]\nto = {change}:00\n'
        f"end_register = {secondary * 40}\n"
        f'[[meter.installation]]\nnode = "n"\ndevice = "m"\nct = [300, 5]\nfrom = {change}:00\n'
        f"start_register = {secondary * 60}\n"
    )
    base = secondary * 40 - JUNE.at(change)
    shown = JUNE.readings(EVER[0], change, lambda counted: base + counted)
    shown += JUNE.readings(change, EVER[1], lambda counted: secondary * 60 + counted - JUNE.at(change))
    energy = measured(keys, shown)
    wrong = error_wh(energy, JUNE.between(START, END))
    assert wrong == 0
    (event,) = energy.events
    assert (event.kind, event.exact, event.before, event.after) == (
        EventKind.SWAP,
        True,
        secondary * 40,
        secondary * 60,
    )
    assert every_hour_is_the_plant(energy, JUNE)
    record_property("error_wh", wrong)
    record_property("jump_not_counted_wh", secondary * 20)


def test_negative_step(record_property: Report) -> None:
    """The register falls by a little and goes on from there: no reset, no rollover. Nothing is made up for it."""
    step = "2025-06-20T08:00"
    readings = JUNE.readings(EVER[0], step, lambda counted: 50_000_000 + counted)
    readings += JUNE.readings(step, EVER[1], lambda counted: 49_000_000 + counted)
    energy = measured('node = "n"\ndevice = "m"\nrollover_wh = 1000000000\n', readings)
    missed = JUNE.between("2025-06-20T07:45", step)
    assert error_wh(energy, JUNE.between(START, END) - missed) == 0
    assert listed(energy) == [(EventKind.NEGATIVE_STEP, False)]
    assert not energy.total.exact
    assert [flow.start_ns for flow in energy.periods if not flow.exact] == [at("2025-06-20T07:00")]
    record_property("never_measured_wh", missed)


def test_reset(record_property: Report) -> None:
    """The register starts from zero again, at a reading: nothing is lost but the event says that it might be."""
    reset = "2025-06-20T08:00"
    readings = JUNE.readings(EVER[0], reset, lambda counted: 50_000_000 + counted)
    readings += JUNE.readings(reset, EVER[1], lambda counted: counted - JUNE.at("2025-06-20T07:45"))
    energy = measured('node = "n"\ndevice = "m"\nrollover_wh = 1000000000\n', readings)
    wrong = error_wh(energy, JUNE.between(START, END))
    assert wrong == 0
    assert listed(energy) == [(EventKind.RESET, False)]
    assert every_hour_is_the_plant(energy, JUNE)
    record_property("error_wh", wrong)


def test_three_day_gap(record_property: Report) -> None:
    """No reading from the 12th until the 15th: the days say so, the month is exact all the same."""
    gap = ("2025-06-12T00:00", "2025-06-15T00:00")
    keys = 'node = "n"\ndevice = "m"\ninterval_s = 900\n'
    shown = JUNE.readings(EVER[0], "2025-06-12T00:01", int) + JUNE.readings(gap[1], EVER[1], int)
    energy = measured(keys, shown)
    wrong = error_wh(energy, JUNE.between(START, END))
    assert wrong == 0
    assert energy.total.exact
    assert energy.events == ()
    without = [flow for flow in energy.periods if flow.value is None]
    assert (without[0].start_ns, without[-1].end_ns, len(without)) == (at(gap[0]), at(gap[1]), 72)
    (found,) = energy.unallocated
    assert (found.part, found.start_ns, found.end_ns) == (Part.GAP, at(gap[0]), at(gap[1]))
    assert (found.value, found.exact, found.present, found.expected) == (JUNE.between(*gap), True, 1, 288)
    days = measured(keys, shown, Kind.DAY)
    assert [from_ns(flow.start_ns, SHANGHAI).day for flow in days.periods if flow.value is None] == [12, 13, 14]
    assert days.measured == energy.measured
    record_property("error_wh", wrong)
    record_property("unallocated_wh", found.value)


def test_year_boundary_in_utc_plus_8(record_property: Report) -> None:
    """The year ends at 16:00 UTC of 31 December; what passes until midnight UTC belongs to the new one."""
    turn = plant("2025-12-31T00:00", "2026-01-02T00:00")
    site = one_meter('node = "n"\ndevice = "m"\n')
    reader = MemoryReader({("n", "m", METRIC): turn.readings("2025-12-31T00:00", "2026-01-02T00:01", int)})
    ends = (at("2025-12-31T00:00"), at("2026-01-02T00:00"))
    wrong = 0
    for kind in (Kind.YEAR, Kind.MONTH, Kind.DAY):
        energy = measure_meter(site, site.meters[0], reader, *ends, kind=kind)
        first, second = energy.periods
        assert first.end_ns == second.start_ns == 1_767_196_800 * SECOND  # 2025-12-31T16:00Z
        assert (first.partial, second.partial) == ((False, False) if kind is Kind.DAY else (True, True))
        wrong += abs((first.value or 0) - turn.between("2025-12-31T00:00", "2026-01-01T00:00"))
        wrong += abs((second.value or 0) - turn.between("2026-01-01T00:00", "2026-01-02T00:00"))
    assert wrong == 0
    record_property("error_wh", wrong)


STUCK = ("2025-06-18T10:00", "2025-06-19T16:00")


def frozen(catches_up: bool) -> Readings:
    """The register shows the same for 30 hours; a converter that repeated an old answer catches up, a dead one not."""
    lost = 0 if catches_up else JUNE.between(*STUCK)
    return (
        JUNE.readings(EVER[0], STUCK[0], int)
        + JUNE.readings(*STUCK, lambda _counted: JUNE.at(STUCK[0]))
        + JUNE.readings(STUCK[1], EVER[1], lambda counted: counted - lost)
    )


@pytest.mark.parametrize("catches_up", [True, False])
def test_stuck_register(catches_up: bool, record_property: Report) -> None:
    energy = measured('node = "n"\ndevice = "m"\nstuck_after_s = 21600\n', frozen(catches_up))
    lost = 0 if catches_up else JUNE.between(*STUCK)
    assert error_wh(energy, JUNE.between(START, END) - lost) == 0
    last = at(STUCK[1]) - (QUARTER_NS if catches_up else 0)
    after = JUNE.at(STUCK[1]) if catches_up else JUNE.counted[JUNE.times_ns.index(at(STUCK[1]) + QUARTER_NS)] - lost
    assert energy.events == (Event(EventKind.STUCK, at(STUCK[0]), last, JUNE.at(STUCK[0]), after, exact=False),)
    record_property("lost_wh", lost)


def test_a_register_that_stuck_before_the_month_began_is_listed() -> None:
    keys = 'node = "n"\ndevice = "m"\nstuck_after_s = 86400\n'
    site = one_meter(keys)
    reader = MemoryReader({("n", "m", METRIC): frozen(catches_up=True)})
    for start, end in (("2025-06-19T00:00", "2025-06-20T00:00"), ("2025-06-18T00:00", "2025-06-20T00:00")):
        energy = measure_meter(site, site.meters[0], reader, at(start), at(end), kind=Kind.HOUR)
        assert [event.kind for event in energy.events] == [EventKind.STUCK]
    quiet = measure_meter(site, site.meters[0], reader, at("2025-06-20T00:00"), at("2025-06-21T00:00"), kind=Kind.HOUR)
    assert quiet.events == ()


def test_the_limit_itself_is_stuck() -> None:
    """The register stands still from 10:00 until the reading before it moves again, 29 h 45 min later."""
    for limit_s, kinds in ((107_100, [EventKind.STUCK]), (107_101, [])):
        energy = measured(f'node = "n"\ndevice = "m"\nstuck_after_s = {limit_s}\n', frozen(catches_up=True))
        assert [event.kind for event in energy.events] == kinds


def test_a_register_that_may_rest_is_not_called_stuck() -> None:
    assert measured('node = "n"\ndevice = "m"\n', frozen(catches_up=True)).events == ()
    assert measured('node = "n"\ndevice = "m"\nstuck_after_s = 172800\n', frozen(catches_up=True)).events == ()


def test_a_stuck_sub_meter_shows_in_the_balance_of_its_parent(record_property: Report) -> None:
    """No limit is stated for the sub-meter; while it stands still, its parent's day has a use that nobody explains."""
    tables = (
        '[[meter]]\nid = "{0}"\ncarrier = "electricity"\nrole = "{1}"\nlevel = {2}\nnode = "n"\ndevice = "{0}"\n{3}\n'
    )
    site = parse_site(
        '[site]\nid = "s"\nregion = "CN-SC"\n'
        + tables.format("entry", "entry", 1, "")
        + tables.format("kiln", "sub", 2, 'parent = "entry"'),
        "site.toml",
    )
    reader = MemoryReader(
        {("n", "entry", METRIC): JUNE.readings(*EVER, int), ("n", "kiln", METRIC): frozen(catches_up=False)}
    )
    days = {meter.id: measure_meter(site, meter, reader, at(START), at(END), kind=Kind.DAY) for meter in site.meters}
    alarms: list[int] = []
    for number in range(30):
        found = node_balances(site, {name: energy.periods[number] for name, energy in days.items()})
        alarms += [number + 1 for item in found if item.alarm]
    assert alarms == [18, 19]
    record_property("days_with_alarm", len(alarms))
