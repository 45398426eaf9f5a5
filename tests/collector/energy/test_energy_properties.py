"""What holds for any meter: totals are conserved under split, reorder and repetition; nothing is ever invented."""

from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.energy.counter import Counter, Installed
from shutan_collector.energy.measure import Estimate, MeterEnergy, measure
from shutan_collector.energy.registers import EventKind, RegisterRule, Track, track
from shutan_collector.periods import Kind, split
from shutan_collector.samples import Samples
from support.accounting import SECOND, SHANGHAI, at

START = at("2026-06-01T00:00")
DAY_S = 86_400
TOLERANCE_NS = 900 * SECOND
SPAN = 10_000_000


@dataclass(frozen=True)
class Reading:
    """One sample: seconds after START, counted since the first sample, register."""

    t_s: int
    counted: int
    register: int


@dataclass(frozen=True)
class Truth:
    """A meter that was really there: sample times (s), what it had counted by then, and what its register showed."""

    times_s: list[int]
    counted: list[int]
    registers: list[int]

    def readings(self) -> list[Reading]:
        return [Reading(*row) for row in zip(self.times_s, self.counted, self.registers, strict=True)]

    def samples(self) -> Samples:
        return Samples([START + t_s * SECOND for t_s in self.times_s], self.registers)


@st.composite
def meters(draw: st.DrawFn, most_per_step: int = 5_000) -> Truth:
    """Two days of readings with gaps of any length, over a register that may roll over on the way."""
    times_s = sorted(draw(st.sets(st.integers(0, 2 * DAY_S // 60), min_size=2, max_size=80)))
    steps = draw(st.lists(st.integers(0, most_per_step), min_size=len(times_s) - 1, max_size=len(times_s) - 1))
    first = draw(st.one_of(st.integers(0, SPAN - 1), st.integers(SPAN - 50_000, SPAN - 1)))
    counted = list(accumulate(steps, initial=0))
    return Truth([t_s * 60 for t_s in times_s], counted, [(first + count) % SPAN for count in counted])


def run(samples: Samples, kind: Kind, days: int = 2, estimate: Estimate = Estimate.NONE) -> MeterEnergy:
    counter = Counter([Installed("n/d", track(samples, RegisterRule(SPAN, max_per_hour=SPAN)))])
    spans = split(START, START + days * DAY_S * SECOND, kind, SHANGHAI)
    return measure(counter, spans, TOLERANCE_NS, None, estimate)


@settings(deadline=None)  # shared machines stall
@given(meters(), st.sampled_from([Kind.HOUR, Kind.DAY, Kind.QUARTER]))
def test_everything_measured_is_the_truth(truth: Truth, kind: Kind) -> None:
    """Rollovers or not, gaps or not: the points that are known differ by exactly what the meter counted."""
    found = run(truth.samples(), kind)
    counted = dict(zip((START + t_s * SECOND for t_s in truth.times_s), truth.counted, strict=True))
    for flow in (*found.periods, *found.unallocated):
        if flow.value is not None:
            assert flow.value == counted[flow.pieces[-1].end.t_ns] - counted[flow.pieces[0].start.t_ns]
            assert flow.value == sum(piece.counted for piece in flow.pieces)
            assert flow.exact
            assert not flow.estimated
    assert {event.kind for event in found.events} <= {EventKind.ROLLOVER}


@settings(deadline=None)  # shared machines stall
@given(meters(), st.sampled_from([Estimate.NONE, Estimate.LINEAR]))
def test_hours_and_gaps_add_up_to_days_and_days_to_the_whole(truth: Truth, estimate: Estimate) -> None:
    hours, days = (run(truth.samples(), kind, estimate=estimate) for kind in (Kind.HOUR, Kind.DAY))
    assert days.total.value == hours.total.value
    assert days.measured == hours.measured
    if hours.total.value is not None:
        assert hours.measured == hours.total.value
    for day in days.periods:
        parts = [flow for flow in hours.periods if day.start_ns <= flow.start_ns and flow.end_ns <= day.end_ns]
        if all(flow.value is not None for flow in parts):
            assert day.value == sum(flow.value or 0 for flow in parts)
        if day.value is not None:
            inside = [
                flow.value or 0
                for flow in (*hours.periods, *hours.unallocated)
                if day.start_ns <= flow.start_ns and flow.end_ns <= day.end_ns
            ]
            assert day.value == sum(inside)


@settings(deadline=None)  # shared machines stall
@given(meters(), st.randoms(use_true_random=False), st.integers(0, 40))
def test_reorder_and_repetition_change_nothing(truth: Truth, random: Random, repeats: int) -> None:
    samples = truth.samples()
    pairs = list(zip(samples.times_ns, samples.values, strict=True))
    mixed = pairs + random.choices(pairs, k=repeats)
    random.shuffle(mixed)
    again = Samples([t_ns for t_ns, _ in mixed], [value for _, value in mixed])
    assert run(again, Kind.HOUR) == run(samples, Kind.HOUR)


@settings(deadline=None)  # shared machines stall
@given(meters(), st.data())
def test_what_arrives_late_moves_energy_between_periods_and_changes_no_total(truth: Truth, data: st.DataObject) -> None:
    """Readings that were missing come in: what was measured stays, gaps only close."""
    outer = [number for number, t_s in enumerate(truth.times_s) if t_s <= 900 or t_s >= 2 * DAY_S - 900]
    late = data.draw(st.sets(st.sampled_from(range(len(truth.times_s)))), "readings that come late")
    kept = [number for number in range(len(truth.times_s)) if number not in late or number in outer]
    samples = truth.samples()
    before = run(
        Samples([samples.times_ns[number] for number in kept], [samples.values[number] for number in kept]), Kind.HOUR
    )
    after = run(samples, Kind.HOUR)
    if before.total.value is not None:
        assert after.total.value == before.total.value
        assert after.measured == before.measured
    known = [flow.value is not None for flow in before.periods]
    assert all(flow.value is not None for flow, was in zip(after.periods, known, strict=True) if was)


@settings(deadline=None)  # shared machines stall
@given(meters(), st.integers(1, 2 * DAY_S // 3600 - 1))
def test_two_reports_add_up_to_one(truth: Truth, cut_h: int) -> None:
    """A cut at any hour: if the boundary is known, the two halves are the whole."""
    counter = Counter([Installed("n/d", track(truth.samples(), RegisterRule(SPAN, max_per_hour=SPAN)))])
    cut, end = START + cut_h * 3600 * SECOND, START + 2 * DAY_S * SECOND
    whole, left, right = (
        measure(counter, split(begin, stop, Kind.HOUR, SHANGHAI), TOLERANCE_NS, 60 * SECOND)
        for begin, stop in ((START, end), (START, cut), (cut, end))
    )
    assert [flow.value for flow in (*left.periods, *right.periods)] == [flow.value for flow in whole.periods]
    if left.total.value is not None and right.total.value is not None:
        assert left.total.value + right.total.value == whole.total.value


@settings(deadline=None)  # shared machines stall
@given(meters(most_per_step=2_000), st.data())
def test_reset_counts_from_zero_with_no_error(truth: Truth, data: st.DataObject) -> None:
    """A reset somewhere between two readings: all that the register showed is counted, only the unseen part is lost."""
    where = data.draw(st.integers(1, len(truth.times_s) - 1), "first reading after the reset")
    step = truth.counted[where] - truth.counted[where - 1]
    lost = data.draw(st.integers(0, step), "counted before the reset, never read")
    base = 1_000_000  # far from rollover, and far above what is counted within the two days
    registers = [base + count for count in truth.counted[:where]]
    registers += [count - truth.counted[where - 1] - lost for count in truth.counted[where:]]
    found = run(Samples([START + t_s * SECOND for t_s in truth.times_s], registers), Kind.HOUR)
    assert [event.kind for event in found.events] == [EventKind.RESET]
    if found.total.value is not None:
        first, last = found.total.pieces[0].start.t_ns, found.total.pieces[-1].end.t_ns
        seen = {START + t_s * SECOND: count for t_s, count in zip(truth.times_s, truth.counted, strict=True)}
        spans_reset = first < START + truth.times_s[where] * SECOND <= last
        assert found.total.value == seen[last] - seen[first] - (lost if spans_reset else 0)
        assert found.total.exact is not spans_reset


@settings(deadline=None)  # shared machines stall
@given(meters(), meters(), st.booleans())
def test_swap_joins_two_registers_with_no_error(old: Truth, new: Truth, sealed: bool) -> None:
    """The old instrument stands the first day, the new one the second: both counts go on, nothing is between them."""
    cut_s = DAY_S
    parts = [
        [reading for reading in old.readings() if reading.t_s < cut_s],
        [reading for reading in new.readings() if reading.t_s >= cut_s],
    ]
    if sealed and parts[0] and parts[1]:  # the swap record repeats the last and the first register at the cut
        parts[0].append(replace(parts[0][-1], t_s=cut_s))
        parts[1].insert(0, replace(parts[1][0], t_s=cut_s))
    joint: dict[tuple[str, int], int] = {}
    base = 0
    for source, part in zip("ab", parts, strict=True):
        for reading in part:
            joint[source, START + reading.t_s * SECOND] = base + reading.counted - part[0].counted
        base += part[-1].counted - part[0].counted if part else 0
    installed = [
        Installed("a", _track(parts[0]), sealed_end=sealed),
        Installed("b", _track(parts[1]), sealed_start=sealed),
    ]
    found = measure(Counter(installed), split(START, START + 2 * DAY_S * SECOND, Kind.HOUR, SHANGHAI), TOLERANCE_NS)
    for flow in (*found.periods, *found.unallocated):
        if flow.value is not None:
            first, last = flow.pieces[0].start, flow.pieces[-1].end
            assert flow.value == joint[last.source, last.t_ns] - joint[first.source, first.t_ns]
    if parts[0] and parts[1] and found.total.value is not None:
        assert [event.exact for event in found.events if event.kind is EventKind.SWAP] == [sealed]
        assert found.total.exact is sealed


def _track(part: list[Reading]) -> Track:
    samples = Samples([START + reading.t_s * SECOND for reading in part], [reading.register for reading in part])
    return track(samples, RegisterRule(SPAN, max_per_hour=SPAN))


@settings(deadline=None)  # shared machines stall
@given(
    st.lists(st.tuples(st.integers(0, 2 * DAY_S), st.integers(-(2**63), 2**63 - 1)), max_size=60),
    st.one_of(st.none(), st.integers(1, 2**63)),
    st.one_of(st.none(), st.integers(1, 2**40)),
    st.sampled_from(list(Estimate)),
)
def test_any_readings_give_an_answer_that_its_evidence_repeats(
    readings: list[tuple[int, int]], span: int | None, most: int | None, estimate: Estimate
) -> None:
    """Noise of any kind: no exception, no negative consumption, and the parts still add up."""
    samples = Samples([START + t_s * SECOND for t_s, _ in readings], [value for _, value in readings])
    counter = Counter([Installed("n/d", track(samples, RegisterRule(span, most)))])
    found = measure(
        counter, split(START, START + 2 * DAY_S * SECOND, Kind.HOUR, SHANGHAI), TOLERANCE_NS, None, estimate
    )
    flows = [flow for flow in (*found.periods, *found.unallocated) if flow.value is not None]
    for flow in flows:
        assert flow.value is not None
        assert flow.value >= 0
        if not flow.estimated:
            assert flow.value == sum(piece.counted for piece in flow.pieces)
    assert found.measured == sum(flow.value or 0 for flow in flows)
    if found.total.value is not None:
        assert found.total.value == found.measured
