"""The report as JSON and as a table: stable text, units on every figure, nothing rounded but the display."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from shutan_collector.energy.measure import Estimate
from shutan_collector.errors import RequestError
from shutan_collector.factors.table import packaged_factors
from shutan_collector.periods import Kind
from shutan_collector.reports.energy.build import Report, build_energy_report
from shutan_collector.reports.energy.document import SCHEMA, to_document, to_json
from shutan_collector.reports.energy.table import render
from shutan_collector.site.file import parse_site
from support.accounting import SITE, Key, MemoryReader, Readings, at, steady

GOLDEN = Path(__file__).parents[2] / "vectors" / "report_energy.json"
WH = "active_energy_import_wh"


def _material() -> dict[Key, Readings]:
    """Three hours: a rollover and a short gap at the entry, a reset at the bottling line, steady gas."""
    entry = [(t_ns, (39_999_400_000 + value) % 40_000_000_000) for t_ns, value in steady("2026-06-01", 3, 600_000)]
    bottling = steady("2026-06-01", 3, 36_000, first=5_000_000)
    bottling = [(t_ns, value if number < 9 else value - 5_054_000) for number, (t_ns, value) in enumerate(bottling)]
    return {
        ("n01", "m-entry", WH): [*entry[:7], *entry[9:11], *entry[15:]],
        ("n02", "m-bottling", WH): bottling,
        ("n03", "g-boiler", "gas_volume_l"): steady("2026-06-01", 3, 12_348, first=55),
    }


SHIFTS = """
[[shift]]
name = "night"
start = "22:00"
end = "01:00"

[[shift]]
name = "early"
start = "01:00"
end = "02:30"
"""


def _report(
    kind: Kind = Kind.HOUR, readings: Mapping[Key, Readings] | None = None, estimate: Estimate = Estimate.NONE
) -> Report:
    reader = MemoryReader(_material() if readings is None else readings)
    site = parse_site(SITE + SHIFTS, "site.toml")
    start, end = at("2026-06-01"), at("2026-06-01T03:00")
    return build_energy_report(site, reader, start, end, kind, estimate=estimate, as_of=date(2026, 6, 30))


def _document(report: Report) -> dict[str, Any]:
    return json.loads(to_json(report, packaged_factors()))


def test_json_is_the_golden_text() -> None:
    """Any change of this text is a change that programs see: bump SCHEMA when a key changes its meaning."""
    assert to_json(_report(), packaged_factors()) == GOLDEN.read_text(encoding="utf-8")


def test_the_golden_figures_by_hand() -> None:
    document = json.loads(GOLDEN.read_text(encoding="utf-8"))
    meters = {meter["id"]: meter for meter in document["meters"]}
    assert document["schema"] == SCHEMA
    entry = meters["entry"]
    # 01:00 to 03:00 has no reading near 02:00: one gap line of 1.2 MWh
    assert [period["consumption"]["value"] for period in entry["periods"]] == [600_000, None, None]
    assert [(part["part"], part["consumption"]["value"]) for part in entry["unallocated"]] == [("gap", 1_200_000)]
    assert entry["total"]["consumption"] == {"value": 1_800_000, "unit": "Wh"}
    assert entry["carbon"] == {"value": 281_520, "unit": "gCO2"}  # 1800 kWh x 0.1564 kg/kWh
    # 36 kWh an hour, 54 kWh gone by at the reset after 01:20; 9 steps later the register stands at 54 kWh
    assert meters["bottling"]["total"]["consumption"]["value"] == 48_000 + 0 + 54_000
    assert meters["bottling"]["total"]["exact"] is False
    assert meters["bottling"]["carbon"] is None
    assert [event["kind"] for event in meters["bottling"]["events"]] == ["reset"]
    # 12.348 m3 at 20 °C an hour: x 273.15/293.15 Nm3 x 2.162188809 kg/Nm3 = 24.877 kg, three lines
    assert document["carbon"]["scope1"] == {"value": 3 * 24_877, "unit": "gCO2"}
    assert document["carbon"]["total"]["value"] == 281_520 + 74_631
    assert document["carbon"]["provisional"] is True
    assert {factor["id"] for factor in document["factors"]} == {
        "GRID-SC-2023",
        "FUELB-NATURALGAS-NCV",
        "FUELB-NATURALGAS-CC",
        "FUELB-NATURALGAS-OF",
    }


def test_the_document_gives_every_gram_back() -> None:
    """A verifier with the document alone: evidence gives activity, activity and factors give grams."""
    document = _document(_report())
    factors = {factor["id"]: Fraction(factor["value"]) for factor in document["factors"]}
    for line in document["ledger"]:
        activity = sum(piece["counted"] for piece in line["evidence"])
        assert activity == line["activity"]["value"]
        if line["formula"] == "scope2-location/1":
            kg = Fraction(activity, 1000) * factors[line["factors"][0]]
        else:
            assert line["formula"] == "scope1-carbon-balance/1"
            gas = line["gas_reference"]
            normal = Fraction("273.15") / (Fraction("273.15") + Fraction(gas["temperature"]["value"]))
            normal *= Fraction(gas["pressure"]["value"]) / Fraction("101.325")
            ncv, carbon, oxidised = (factors[factor_id] for factor_id in line["factors"])
            tonnes = (
                Fraction(activity, 1000 * 10_000) * normal * ncv * carbon / 1000 * oxidised / 100 * Fraction(44, 12)
            )
            kg = tonnes * 1000
        assert Fraction(line["unrounded"]["value"]) == kg
        assert line["emission"] == {"value": round(kg * 1000), "unit": "gCO2"}
    assert document["carbon"]["total"]["value"] == sum(line["emission"]["value"] for line in document["ledger"])


def test_runs_of_the_evidence_are_differences_of_registers() -> None:
    for line in _document(_report())["ledger"]:
        for piece in line["evidence"]:
            step = piece["end"]["register"] - piece["start"]["register"]
            assert piece["counted"] == {"run": step, "rollover": step + 40_000_000_000}[piece["kind"]]


def test_the_same_inputs_give_the_same_text() -> None:
    texts = {to_json(_report(kind), packaged_factors()) for kind in (Kind.HOUR, Kind.HOUR)}
    assert len(texts) == 1


def _numbers(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield from _numbers(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _numbers(item, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def test_figures_are_integers_with_units() -> None:
    counts = {"present", "expected", "level", "bad_quality", "readings_left_out"}
    in_unit_of_the_meter = {"register", "counted"}
    for path, number in _numbers(to_document(_report(), packaged_factors())):
        assert isinstance(number, int)
        assert path.rsplit(".", 1)[-1] in {"value", *counts, *in_unit_of_the_meter}, path


@pytest.mark.parametrize("kind", list(Kind))
def test_the_total_does_not_depend_on_the_period(kind: Kind) -> None:
    report = _report(kind)
    assert report.emission_g() == 281_520 + 74_631
    assert report.meter("boiler-gas").energy.total.value == 3 * 12_348
    carbon = [item.period_carbon_g(kind, flow) for item in report.meters for flow in item.energy.periods]
    assert kind is not Kind.QUARTER or set(carbon) == {None}


def test_carbon_of_a_shift_is_told_where_it_begins_and_ends_with_an_hour() -> None:
    report = _report(Kind.SHIFT)
    for meter_id, carbon in (("entry", [93_840, None, None]), ("boiler-gas", [24_877, None, None])):
        item = report.meter(meter_id)
        assert all(flow.value is not None for flow in item.energy.periods)
        assert [item.period_carbon_g(Kind.SHIFT, flow) for flow in item.energy.periods] == carbon


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_period_can_be_printed(kind: Kind) -> None:
    assert f"per {kind.value}, Asia/Shanghai" in _printed(_report(kind))


def test_shifts_are_named() -> None:
    report = _report(Kind.SHIFT)
    first, second, rest = (period for period in _document(report)["meters"][0]["periods"])
    assert (first["shift"], first["day"], first["partial"]) == ("night", "2026-05-31", True)
    assert (second["shift"], second["day"], second["partial"]) == ("early", "2026-06-01", False)
    assert (rest["shift"], rest["day"], rest["partial"]) == ("", "2026-06-01", True)
    assert "06-01 01:00 early" in _printed(report)


def test_a_register_that_stands_still_is_told_with_its_stretch() -> None:
    site = SITE.replace('device = "m-entry"\n', 'device = "m-entry"\nstuck_after_s = 3600\n')
    readings = {
        ("n01", "m-entry", WH): [
            *steady("2026-06-01", 1, 6000),
            *((at(f"2026-06-01T0{hour}"), 6000) for hour in (2, 3)),
        ]
    }
    report = build_energy_report(
        parse_site(site, "site.toml"), MemoryReader(readings), at("2026-06-01"), at("2026-06-01T03:00"), Kind.HOUR
    )
    assert "entry: stuck 表底停走 2026-06-01T01:00:00+08:00 – 2026-06-01T03:00:00+08:00, register 6000 Wh" in _printed(
        report
    )


def test_an_estimate_is_marked_wherever_it_is_used() -> None:
    report = _report(estimate=Estimate.LINEAR)
    entry = report.meter("entry")
    assert [flow.value for flow in entry.energy.periods] == [600_000] * 3
    assert [flow.estimated for flow in entry.energy.periods] == [False, True, True]
    assert [line.estimated for line in entry.lines] == [False, True, True]
    document = _document(report)
    assert document["estimate"] == "linear"
    assert document["meters"][0]["periods"][1]["end"]["estimated"] is True
    assert "600.000*" in _printed(report)


def test_no_readings_at_all_is_a_report_without_figures() -> None:
    report = _report(readings={})
    assert report.lines == ()
    assert not report.complete
    document = _document(report)
    assert {meter["total"]["consumption"]["value"] for meter in document["meters"]} == {None}
    assert document["meters"][0]["interval"] is None
    assert "–" in _printed(report)


def test_a_swap_is_joined_and_listed() -> None:
    text = SITE.replace('node = "n02"\ndevice = "m-bottling"\nrollover_wh = 1000000000\n', "") + ""
    swap = (
        "[[meter.installation]]\nnode = 'n02'\ndevice = 'old'\nto = 2026-06-01T01:30:00\nend_register = 5054000\n"
        "[[meter.installation]]\nnode = 'n02'\ndevice = 'new'\nfrom = 2026-06-01T01:30:00\nstart_register = 12\n"
    )
    text = text.replace('[[meter]]\nid = "boiler-gas"', swap + '\n[[meter]]\nid = "boiler-gas"')
    old = steady("2026-06-01", 3, 36_000, first=5_000_000)
    new = [(t_ns, value - 5_054_000 + 12) for t_ns, value in old if value >= 5_054_000]
    readings = {("n02", "old", WH): old, ("n02", "new", WH): new}  # the old one goes on being read on a bench
    site = parse_site(text, "site.toml")
    start, end = at("2026-06-01"), at("2026-06-01T03:00")
    report = build_energy_report(site, MemoryReader(readings), start, end, Kind.HOUR)
    bottling = report.meter("bottling").energy
    assert [flow.value for flow in bottling.periods] == [36_000] * 3
    assert bottling.total.exact
    assert [(event.kind.value, event.before, event.after) for event in bottling.events] == [("swap", 5_054_000, 12)]


@pytest.mark.parametrize("keys", ["from = 2026-01-01\nstart_register = 900000000", "to = 2026-12-01\nend_register = 3"])
def test_a_swap_outside_the_request_is_not_part_of_it(keys: str) -> None:
    """Between the swap and the request the register may have turned over: that is another report's event."""
    old = 'node = "n02"\ndevice = "m-bottling"\nrollover_wh = 1000000000\n'
    new = f'[[meter.installation]]\nnode = "n02"\ndevice = "m-bottling"\n{keys}\n'
    site = parse_site(SITE.replace(old, new), "site.toml")
    readings = {("n02", "m-bottling", WH): steady("2026-06-01", 3, 36_000, first=500_000)}
    start, end = at("2026-06-01"), at("2026-06-01T03:00")
    bottling = build_energy_report(site, MemoryReader(readings), start, end, Kind.HOUR).meter("bottling").energy
    assert bottling.total.value == 108_000
    assert bottling.events == ()


def test_an_event_before_the_request_is_not_part_of_it() -> None:
    day_before = [(t_ns, value + 900_000) for t_ns, value in steady("2026-05-31T23:00", 0, 0)]
    readings = [*day_before, *steady("2026-05-31T23:20", 4, 36_000)]
    energy = _report(readings={("n02", "m-bottling", WH): readings}).meter("bottling").energy
    assert energy.total.value == 108_000
    assert energy.events == ()


def test_readings_after_the_end_tell_a_wrong_reading_at_the_end() -> None:
    readings = steady("2026-06-01", 5, 36_000, first=500_000, interval_s=1200)
    readings = [(t_ns, 7 if t_ns == at("2026-06-01T03:00") else value) for t_ns, value in readings]
    energy = _report(readings={("n02", "m-bottling", WH): readings}).meter("bottling").energy
    assert [flow.value for flow in energy.periods] == [36_000, 36_000, None]
    assert [event.kind.value for event in energy.events] == ["dip"]


def test_a_reversed_request_is_refused_before_anything_is_read() -> None:
    site = parse_site(SITE, "site.toml")
    with pytest.raises(RequestError, match="is not after"):
        build_energy_report(site, MemoryReader({}), at("2026-06-02"), at("2026-06-01"), Kind.HOUR)


def _printed(report: Report, width: int = 160) -> str:
    console = Console(file=StringIO(), width=width)
    for part in render(report):
        console.print(part)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_table_says_what_the_figures_are_worth() -> None:
    text = _printed(_report())
    for said in (
        "Jiuniang Distillery 九酿酒厂",
        "1800.000",
        "281.520",
        "暂用",
        "scope 1 范围一 74.631 kg CO₂",
        "total 合计 356.151 kg CO₂",
        "≥ 24.877",
        "entry: unallocated 未分摊 (gap) 2026-06-01T01:00:00+08:00 – 2026-06-01T03:00:00+08:00: 1200000 Wh",
        "entry: rollover at 2026-06-01T01:00:00+08:00, register 39999900000 -> 0 Wh",
        "bottling: reset at 2026-06-01T01:30:00+08:00, register 5048000 -> 0 Wh, an unknown amount passed",
    ):
        assert said in text


def test_names_are_never_markup() -> None:
    site = parse_site(SITE.replace("Jiuniang Distillery", "[red]Plant[/nonsense]"), "site.toml")
    start, end = at("2026-06-01"), at("2026-06-01T03:00")
    report = build_energy_report(site, MemoryReader({}), start, end, Kind.DAY)
    assert "[red]Plant[/nonsense]" in _printed(report)
