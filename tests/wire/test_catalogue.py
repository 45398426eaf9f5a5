"""The catalogue is well-formed, its ids never change, and its table in the docs is this one."""

import json
import re
from pathlib import Path

import pytest

from shutan_wire import catalogue, records
from shutan_wire import datatypes as dt
from shutan_wire.catalogue import Metric

METRICS = list(catalogue.all_metrics())
ROOT = Path(__file__).resolve().parents[2]
PINNED = [json.loads(line) for line in (ROOT / "tests/vectors/catalogue.jsonl").read_text().splitlines()]

# unit -> how a name with that unit ends; units that only count have no ending of their own
ENDINGS = {
    "%": "_pct",
    "A": "_a",
    "By": "_b",
    "Cel": "_c",
    "Hz": "_hz",
    "L": "_l",
    "L/h": "_l_h",
    "Pa": "_pa",
    "V": "_v",
    "V.A": "_va",
    "V.A.h": "_vah",
    "V.A{reactive}": "_var",
    "V.A{reactive}.h": "_varh",
    "W": "_w",
    "W.h": "_wh",
    "[ppm]": "_ppm",
    "dB{mW}": "_dbm",
    "g": "_g",
    "kJ": "_kj",
    "kg/h": "_kg_h",
    "lx": "_lx",
    "m/s2": "_m_s2",
    "mm/s": "_mm_s",
    "ms": "_ms",
    "s": "_s",
    "ug/m3": "_ug_m3",
    "{revolution}/min": "_rpm",
}
DATATYPES = {
    "counter": {dt.UINT64},
    "gauge": {dt.FLOAT},
    "state": {dt.UINT8, dt.INT32},
    "event": {dt.INT32},
}
# UCUM atoms in use, with their metric prefixes
ATOM = re.compile(r"(?:1|%|min|h|\[ppm\]|Cel|By|lx|Hz|(?:[kmud]?(?:g|s|m|J|W|V|A|L|Pa|B))[23]?)?(?:\{[a-zA-Z ]+\})?")


def _is_ucum(unit: str) -> bool:
    return all(part and ATOM.fullmatch(part) for part in re.split(r"[./]", unit))


def test_ucum_check_knows_right_from_wrong() -> None:
    assert all(_is_ucum(unit) for unit in (*ENDINGS, "1", "{piece}"))
    assert not any(_is_ucum(unit) for unit in ("Wh", "°C", "ppm", "kg/", "", "rpm", "l/h."))


def test_ids_and_names_are_unique() -> None:
    assert len({metric.id for metric in METRICS}) == len(METRICS)
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_ids_never_change() -> None:
    """Aliases on the wire and in spools hold these ids: a line may be added to the pinned list, none altered."""
    now = {metric.id: (metric.name, metric.datatype, metric.unit) for metric in METRICS}
    assert now == {line["id"]: (line["name"], line["datatype"], line["unit"]) for line in PINNED}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_line_is_well_formed(metric: Metric) -> None:
    assert 1 <= metric.id <= catalogue.ID_MAX
    assert metric.id not in {records.RECORD_METRIC_ID, records.GAP_FROM_ID, records.GAP_UNSAVED_ID}
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", metric.name)
    assert metric.kind in catalogue.KINDS
    assert metric.family in catalogue.FAMILIES
    assert metric.datatype in DATATYPES[metric.kind]
    assert metric.low < metric.high
    assert re.fullmatch(r"[a-z][a-z -]+", metric.quantity)
    assert _is_ucum(metric.unit)
    ending = ENDINGS.get(metric.unit)
    if ending:
        assert metric.name.endswith(ending)
    else:
        assert metric.unit == "1" or metric.unit.startswith("{")
    endings = {name for name in ENDINGS.values() if metric.name.endswith(name)}
    assert not endings or ending == max(endings, key=len)


@pytest.mark.parametrize("metric", [m for m in METRICS if m.kind == "counter"], ids=lambda metric: metric.name)
def test_counters_are_integers_that_every_store_can_hold(metric: Metric) -> None:
    assert isinstance(metric.low, int)
    assert isinstance(metric.high, int)
    assert metric.low == 0
    assert metric.high < 2**53  # exact in VictoriaMetrics and in JSON readers too
    assert metric.unit in {"W.h", "V.A{reactive}.h", "V.A.h", "L", "g", "kJ", "s"} or metric.unit.startswith("{")


def test_what_the_other_rooms_count_on_is_there() -> None:
    names = [
        "active_energy_import_wh",
        "active_energy_export_wh",
        "active_energy_import_t1_wh",
        "active_energy_import_t4_wh",
        "reactive_energy_import_varh",
        "reactive_energy_export_varh",
        "apparent_energy_vah",
        "active_power_w",
        "active_power_l3_w",
        "reactive_power_var",
        "reactive_power_l1_var",
        "apparent_power_va",
        "apparent_power_l2_va",
        "voltage_l1_v",
        "voltage_l1_l2_v",
        "current_l1_a",
        "current_n_a",
        "power_factor",
        "power_factor_l1",
        "frequency_hz",
        "active_power_demand_w",
        "gas_volume_l",
        "gas_flow_l_h",
        "steam_mass_g",
        "steam_heat_kj",
        "water_volume_l",
        "heat_kj",
        "temperature_c",
        "relative_humidity_pct",
        "co2_ppm",
        "pressure_pa",
        "vibration_velocity_rms_mm_s",
        "machine_state",
        "good_count",
        "reject_count",
        "cycle_count",
        "run_time_s",
        "uptime_s",
        "heap_free_b",
        "journal_records",
        "rssi_dbm",
        "meter_errors",
    ]
    assert [name for name in names if catalogue.by_name(name) is None] == []
