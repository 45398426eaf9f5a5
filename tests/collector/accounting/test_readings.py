"""The readings document: from it alone, by the rule of docs/evidence.md, every flow comes back."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.accounting.readings import Day, ledger_flows, readings_document
from shutan_collector.energy.counter import Counter, Installed
from shutan_collector.energy.measure import Estimate, MeterEnergy, measure
from shutan_collector.energy.registers import RegisterRule, track
from shutan_collector.energy.source import read_counter
from shutan_collector.periods import Kind, split
from shutan_collector.samples import Samples
from shutan_collector.site.file import parse_site
from support.accounting import SECOND, SHANGHAI, SITE, MemoryReader, at

START = at("2026-06-01T00:00")
DAY = 86_400 * SECOND
SPAN = 1_000_000
METER = parse_site(SITE, "site.toml").meters[1]


def recounted(body: dict[str, Any]) -> list[int]:
    """The flows once more, written from the rule and not from the code."""
    register, t_ns = body["register"], body["t_ns"]
    counted = {cut["at"]: cut["counted"] for cut in body["breaks"]}
    total = 0
    sums: list[int] = []
    for number in range(len(register)):
        if number:
            total += counted.get(number, register[number] - register[number - 1])
        sums.append(total)

    def count(boundary: list[int]) -> int:
        at_ns, low, high = boundary
        if low == high:
            return sums[low]
        return sums[low] + (sums[high] - sums[low]) * (at_ns - t_ns[low]) // (t_ns[high] - t_ns[low])

    edges = body["boundaries"]
    return [count(edges[j]) - count(edges[i]) for i, j, *_ in body["flows"]]


def document(counter: Counter, energy: MeterEnergy) -> dict[str, Any]:
    days = [Day("2026-06-01", 1, 2, 3)]
    body = readings_document(METER, counter, energy, bad_quality=0, declared=("declared_missing/d1",), days=days)
    return dict(body)


def of_readings(readings: list[tuple[int, int]], estimate: Estimate) -> tuple[Counter, MeterEnergy]:
    samples = Samples([t_ns for t_ns, _ in readings], [value for _, value in readings])
    counter = Counter([Installed("n02/m-bottling", track(samples, RegisterRule(SPAN, SPAN)))])
    hours = split(START, START + 2 * DAY, Kind.HOUR, SHANGHAI)
    return counter, measure(counter, hours, 900 * SECOND, None, estimate)


@st.composite
def readings(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Two days and an hour on each side, with gaps, rollovers, resets and whatever else may come."""
    minutes = sorted(draw(st.sets(st.integers(-60, 2 * 1440 + 60), max_size=150)))
    value = draw(st.integers(0, SPAN - 1))
    found: list[tuple[int, int]] = []
    for minute in minutes:
        value = draw(st.one_of(st.integers(0, 5_000).map(lambda step, now=value: (now + step) % SPAN), st.just(0)))
        found.append((START + minute * 60 * SECOND, value))
    return found


@settings(max_examples=150, deadline=None)
@given(readings(), st.sampled_from(Estimate))
def test_every_flow_comes_back_from_the_document_alone(found: list[tuple[int, int]], estimate: Estimate) -> None:
    counter, energy = of_readings(found, estimate)
    body = document(counter, energy)
    flows = ledger_flows(energy)
    assert recounted(body) == [flow.value for flow in flows] == [flow[2] for flow in body["flows"]]
    assert len(body["boundaries"]) == 49


def test_only_readings_that_count_are_kept() -> None:
    every_minute = [(START + minute * 60 * SECOND, minute * 10) for minute in range(-60, 2 * 1440 + 60)]
    body = document(*of_readings(every_minute, Estimate.NONE))
    assert len(body["t_ns"]) == len(body["register"]) == len(body["instrument"]) == 49
    assert recounted(body) == [600] * 48
    assert body["instruments"][0]["source"] == "n02/m-bottling"
    assert body["fingerprint"] == [["2026-06-01", 1, 2, 3]]


def test_a_break_keeps_the_readings_on_both_sides() -> None:
    found = [(START + minute * 60 * SECOND, (minute * 10 + 990_000) % SPAN) for minute in range(-60, 2 * 1440 + 60)]
    body = document(*of_readings(found, Estimate.NONE))
    (cut,) = body["breaks"]
    assert (cut["kind"], cut["counted"], cut["exact"]) == ("rollover", 10, True)
    assert [body["register"][cut["at"] - 1], body["register"][cut["at"]]] == [999_990, 0]
    assert sum(recounted(body)) == 28_800


def test_no_reading_at_all_is_a_document_without_flows() -> None:
    body = document(*of_readings([], Estimate.LINEAR))
    assert (body["t_ns"], body["flows"], body["breaks"]) == ([], [], [])
    assert body["boundaries"] == [None] * 49


CT_CHANGE = """
[[meter]]
id = "line"
carrier = "electricity"
role = "sub"
level = 2

[[meter.installation]]
node = "n05"
device = "m-line"
serial = "51279510"
to = 2026-06-01T12:07:00
end_register = 1000
ct = [150, 5]

[[meter.installation]]
node = "n05"
device = "m-line"
serial = "51279510"
from = 2026-06-01T12:07:00
start_register = 4000
ct = [200, 5]
"""


def test_new_transformers_behind_the_same_instrument_are_an_installation_of_their_own() -> None:
    """Instrument and serial stay, the ratio changes: both ratios are in the document, the sum is exact."""
    site = parse_site(SITE + CT_CHANGE, "site.toml")
    meter = site.meters[-1]
    change = at("2026-06-01T12:07")
    before = [(START + step * 900 * SECOND, step * 20) for step in range(-4, 49)]
    after = [(START + step * 900 * SECOND, 4000 + (step - 48) * 30) for step in range(49, 2 * 96 + 4)]
    reader = MemoryReader({("n05", "m-line", "active_energy_import_wh"): before + after})
    counter, _ = read_counter(site, meter, reader, START, START + 2 * DAY)
    hours = split(START, START + 2 * DAY, Kind.HOUR, SHANGHAI)
    energy = measure(counter, hours, 900 * SECOND, None, Estimate.NONE)
    body = dict(readings_document(meter, counter, energy, bad_quality=0, declared=(), days=()))
    found: Any = body
    assert [item["ct"] for item in found["instruments"]] == ["30", "40"]
    (cut,) = found["breaks"]
    assert (cut["kind"], cut["exact"], cut["counted"]) == ("swap", True, 0)
    assert found["t_ns"][cut["at"]] == change
    assert found["instrument"][cut["at"] - 1 : cut["at"] + 1] == [0, 1]
    assert sum(recounted(found)) == 1000 + (2 * 96 - 48) * 30
