"""Golden cases: register readings in, consumption per period out (tests/vectors/energy_cases.jsonl)."""

import json
from pathlib import Path
from typing import Any

import pytest

from shutan_collector.energy.counter import Counter, Installed
from shutan_collector.energy.measure import Estimate, MeterEnergy, measure
from shutan_collector.energy.registers import RegisterRule, track
from shutan_collector.periods import Kind, split
from shutan_collector.samples import Samples
from support.accounting import SECOND, SHANGHAI, at

VECTORS = Path(__file__).parents[2] / "vectors" / "energy_cases.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]


def _measured(case: dict[str, Any]) -> MeterEnergy:
    installed: list[Installed] = []
    for number, item in enumerate(case["installed"]):
        readings = [(at(text), value) for text, value in item["readings"]]
        samples = Samples([t_ns for t_ns, _ in readings], [value for _, value in readings])
        rule = RegisterRule(item.get("span"), item.get("max_per_hour"))
        seals = (item.get("sealed_start", False), item.get("sealed_end", False))
        installed.append(Installed(f"n/d{number}", track(samples, rule), *seals))
    spans = split(at(case["from"]), at(case["to"]), Kind(case["period"]), SHANGHAI)
    interval_ns = case["interval_s"] * SECOND if "interval_s" in case else None
    return measure(Counter(installed), spans, case["tolerance_s"] * SECOND, interval_ns, Estimate(case["estimate"]))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    found = _measured(case)
    assert [flow.value for flow in found.periods] == case["periods"]
    assert found.total.value == case["total"]
    assert found.measured == case["measured"]
    unallocated = [[flow.part.value, flow.start_ns, flow.end_ns, flow.value] for flow in found.unallocated]
    assert unallocated == [[part, at(start), at(end), value] for part, start, end, value in case["unallocated"]]
    assert [event.kind.value for event in found.events] == case["events"]
    if found.total.value is not None:
        assert found.total.exact == case["exact"]
        assert all(event.exact for event in found.events) == case["exact"]
    if "completeness" in case:
        assert [[flow.present, flow.expected] for flow in found.periods] == case["completeness"]


def test_the_cases_are_named_and_sourced() -> None:
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names) >= 25
    assert all(case["source"] for case in CASES)
