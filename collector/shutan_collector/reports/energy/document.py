"""The energy report as JSON: stable, every figure with its unit, nothing rounded.

Registers, consumption and grams are JSON integers of any size. What is not whole is text: decimals where they end,
`numerator/denominator` where they do not. Times are ISO 8601 with the site's offset, to the nanosecond where needed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.formulas import evaluate
from shutan_collector.carbon.lines import Scope
from shutan_collector.exact import exact_text
from shutan_collector.periods import NS_PER_S, iso
from shutan_collector.reports.energy.build import report_scope

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from shutan_collector.carbon.lines import Line
    from shutan_collector.energy.counter import Piece, Reading
    from shutan_collector.energy.measure import Boundary, Flow
    from shutan_collector.energy.registers import Event
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.reports.energy.build import MeterReport, Report
    from shutan_collector.units import GasReference

__all__ = ["SCHEMA", "to_document", "to_json"]

SCHEMA: Final = "shutan.report.energy/1"
# This schema is older than the formula registry and keeps its own names for the two formulas it prints.
_FORMULA: Final = {
    "electricity.average/1": "scope2-location/1",
    "combustion.metered_gas/1": "scope1-carbon-balance/1",
}


def to_json(report: Report, factors: FactorTable) -> str:
    """The document as text: UTF-8, keys in the order of the document, two spaces, a newline at the end."""
    return json.dumps(to_document(report, factors), ensure_ascii=False, indent=2) + "\n"


def to_document(report: Report, factors: FactorTable) -> dict[str, object]:
    """The report as plain JSON values."""
    writer = _Writer(report.site.zone, factors)
    site = report.site
    used = sorted({factor_id for line in report.lines for factor_id in _ids(line)})
    return {
        "schema": SCHEMA,
        "site": {"id": site.id, "name": site.name, "name_zh": site.name_zh, "region": site.region},
        "timezone": site.zone.key,
        "from": writer.time(report.start_ns),
        "to": writer.time(report.end_ns),
        "period": report.kind.value,
        "tolerance": _figure(site.tolerance_s, "s"),
        "estimate": report.estimate.value,
        "factors_as_of": report.as_of.isoformat(),
        "fuel_family": site.fuel_family,
        "complete": report.complete,
        "carbon": {
            "scope1": _figure(report.emission_g(Scope.SCOPE_1), "gCO2"),
            "scope2_location": _figure(report.emission_g(Scope.SCOPE_2_LOCATION), "gCO2"),
            "total": _figure(report.emission_g(), "gCO2"),
            "complete": report.complete,
            "provisional": report.provisional,
        },
        "meters": [writer.meter(item, report) for item in report.meters],
        "ledger": [writer.line(item, line) for item in report.meters for line in item.lines],
        "factors": [_factor(factors, factor_id) for factor_id in used],
    }


class _Writer:
    """JSON values of a report's parts in one time zone."""

    def __init__(self, zone: ZoneInfo, factors: FactorTable) -> None:
        self._zone = zone
        self._factors = factors

    def time(self, t_ns: int) -> str:
        return iso(t_ns, self._zone)

    def meter(self, item: MeterReport, report: Report) -> dict[str, object]:
        meter, energy = item.meter, item.energy
        unit = meter.unit.value
        valued = report_scope(meter) is not None
        return {
            "id": meter.id,
            "name": meter.name,
            "name_zh": meter.name_zh,
            "carrier": meter.carrier.value,
            "role": meter.role.value,
            "level": meter.level,
            "parent": meter.parent or None,
            "metric": meter.metric,
            "unit": unit,
            "gas_reference": _gas(meter.gas_reference),
            "interval": None if energy.interval_ns is None else _figure(_seconds(energy.interval_ns), "s"),
            "complete": item.complete,
            "total": self._flow(energy.total, unit),
            "measured": _figure(energy.measured, unit),
            "carbon": _figure(item.carbon_g(report.start_ns, report.end_ns), "gCO2") if valued else None,
            "periods": [
                self._flow(flow, unit)
                | {"carbon": _figure(item.period_carbon_g(report.kind, flow), "gCO2") if valued else None}
                for flow in energy.periods
            ],
            "unallocated": [self._flow(flow, unit) for flow in energy.unallocated],
            "events": [self._event(event, unit) for event in energy.events],
            "bad_quality": item.bad_quality,
            "not_accounted": item.not_accounted or None,
            "unvalued": [
                {
                    "from": self.time(part.start_ns),
                    "to": self.time(part.end_ns),
                    "consumption": _figure(part.value.numerator, unit),
                    "reason": part.reason,
                }
                for part in item.unvalued
            ],
        }

    def line(self, item: MeterReport, line: Line) -> dict[str, object]:
        flow = item.flows[line.flow or 0]
        rows = {use.role: self._factors.by_id(use.id) for use in line.factors}
        return {
            "meter": item.meter.id,
            "scope": line.scope.value,
            "part": flow.part.value,
            "from": self.time(line.start_ns),
            "to": self.time(line.end_ns),
            "activity": _figure(flow.value, item.meter.unit.value),
            "gas_reference": _gas(item.meter.gas_reference),
            "evidence": [self._piece(piece) for piece in flow.pieces],
            "factors": list(_ids(line)),
            "formula": _FORMULA[line.formula],
            "provisional": line.provisional,
            "estimated": line.estimated,
            "exact": line.exact,
            "unrounded": _figure(exact_text(evaluate(line.formula, line.inputs, rows).co2e_kg), "kgCO2"),
            "emission": _figure(line.co2e_g, "gCO2"),
        }

    def _flow(self, flow: Flow, unit: str) -> dict[str, object]:
        return {
            "from": self.time(flow.start_ns),
            "to": self.time(flow.end_ns),
            **({"shift": flow.name, "day": flow.day.isoformat()} if flow.day else {}),
            "part": flow.part.value,
            "partial": flow.partial,
            "consumption": _figure(flow.value, unit),
            "estimated": flow.estimated,
            "exact": flow.exact,
            "breaks": sorted({piece.kind for piece in flow.pieces} - {"run"}),
            "completeness": _completeness(flow),
            "start": self._boundary(flow.start, flow.pieces[0].start if flow.pieces else None),
            "end": self._boundary(flow.end, flow.pieces[-1].end if flow.pieces else None),
        }

    def _boundary(self, boundary: Boundary | None, reading: Reading | None) -> dict[str, object] | None:
        """The reading a boundary rests on; for an estimate the outer one of the two around it."""
        if boundary is None or reading is None:
            return None
        return {"estimated": boundary.estimated, **self._reading(reading)}

    def _reading(self, reading: Reading) -> dict[str, object]:
        return {"source": reading.source, "time": self.time(reading.t_ns), "register": reading.register}

    def _piece(self, piece: Piece) -> dict[str, object]:
        return {
            "kind": piece.kind,
            "counted": piece.counted,
            "start": self._reading(piece.start),
            "end": self._reading(piece.end),
        }

    def _event(self, event: Event, unit: str) -> dict[str, object]:
        return {
            "kind": event.kind.value,
            "from": self.time(event.start_ns),
            "to": self.time(event.end_ns),
            "before": _figure(event.before, unit),
            "after": _figure(event.after, unit),
            "readings_left_out": event.readings,
            "exact": event.exact,
        }


def _ids(line: Line) -> tuple[str, ...]:
    return tuple(use.id for use in line.factors)


def _figure(value: int | str | None, unit: str) -> dict[str, object]:
    return {"value": value, "unit": unit}


def _completeness(flow: Flow) -> dict[str, object]:
    """Readings present and expected, and their share in percent, cut off: 100.00 means all of them."""
    percent = None if flow.expected is None else flow.present * 10_000 // flow.expected
    share = None if percent is None else f"{percent // 100}.{percent % 100:02d}"
    return {"present": flow.present, "expected": flow.expected, "share": _figure(share, "%")}


def _gas(reference: GasReference | None) -> dict[str, object] | None:
    if reference is None:
        return None
    return {
        "temperature": _figure(exact_text(reference.temperature_c), "Cel"),
        "pressure": _figure(exact_text(reference.pressure_kpa), "kPa"),
    }


def _factor(factors: FactorTable, factor_id: str) -> dict[str, object]:
    row = factors.by_id(factor_id)
    return {
        "id": row.id,
        "name": row.name_en,
        "name_zh": row.name_zh,
        "parameter": row.parameter,
        "value": row.text,
        "unit": row.unit,
        "valid_from": row.valid_from.isoformat() if row.valid_from else None,
        "valid_to": row.valid_to.isoformat() if row.valid_to else None,
        "issued": row.issued.isoformat() if row.issued else None,
        "region": row.region,
        "source": row.source,
        "confidence": row.confidence,
    }


def _seconds(duration_ns: int) -> int | str:
    """Seconds of a duration: an integer, or decimal text where they are not whole."""
    whole, fraction = divmod(duration_ns, NS_PER_S)
    return f"{whole}.{fraction:09d}".rstrip("0") if fraction else whole
