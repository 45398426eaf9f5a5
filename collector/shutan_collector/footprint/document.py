"""A footprint as canonical JSON, schema shutan.footprint/1: enough to compute every figure again without the program.

component   kg = quantity × share × kg_per_unit
rate        kg_per_unit from `formula`, the factor rows and the inputs (see footprint/rates)
machine     quantity = Σ of its stretches of the batch; a stretch = C(end) - C(start) of the meter
meter       C at an instant [t, low, high]: c[low], or c[low] + (c[high]-c[low])·(t-t[low])//(t[high]-t[low]),
            where c[k] = c[k-1] + (counted at a break, else register[k] - register[k-1])
shared      share = weight / Σ weights × attributable
result      per declared unit = Σ kg / good × per_declared
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_collector.exact import exact_text
from shutan_collector.footprint.result import Stage
from shutan_collector.ledger.canonical import canonical, sha256_hex

if TYPE_CHECKING:
    from shutan_collector.accounting.documents import JsonObject
    from shutan_collector.footprint.allocate import Allocation
    from shutan_collector.footprint.batch import MeterLog
    from shutan_collector.footprint.inventory import Inventory
    from shutan_collector.footprint.machine import Machine
    from shutan_collector.footprint.result import Component, Footprint

__all__ = ["SCHEMA", "to_bytes", "to_document"]

SCHEMA: Final = "shutan.footprint/1"


def to_bytes(footprint: Footprint) -> tuple[bytes, str]:
    """Canonical JSON and its SHA-256 in hex: the same footprint gives the same bytes."""
    data = canonical(to_document(footprint))
    return data, sha256_hex(data)


def to_document(footprint: Footprint) -> JsonObject:
    """The document; numbers that are not integers are exact text."""
    inventory, product = footprint.inventory, footprint.product
    basis = inventory.basis
    share = footprint.primary_share
    return {
        "schema": SCHEMA,
        "site": _site(footprint),
        "product": {
            "id": product.id,
            "name": product.name,
            "name_zh": product.name_zh,
            "unit": product.unit,
            "declared_unit": product.declared_unit,
            "declared_unit_zh": product.declared_unit_zh,
            "per_declared": exact_text(product.per_declared),
        },
        "batch": footprint.batch.batch,
        "boundary": basis.plan.boundary.value,
        "gwp": basis.plan.gwp,
        "as_of": basis.as_of.isoformat(),
        "release": {"name": footprint.release[0], "sha256": footprint.release[1]},
        "window": {
            "first": inventory.days[0].isoformat(),
            "last": inventory.days[1].isoformat(),
            "start_ns": inventory.window[0],
            "end_ns": inventory.window[1],
        },
        "output": _output(footprint),
        "result": {
            "kg_co2e_per_declared_unit": exact_text(footprint.footprint_kg),
            "biogenic_kg_co2_per_declared_unit": exact_text(footprint.declared(footprint.biogenic_kg)),
            "land_use_kg_co2e_per_declared_unit": None,
            "kg_co2e_batch": exact_text(footprint.fossil_kg),
            "biogenic_kg_co2_batch": exact_text(footprint.biogenic_kg),
            "primary_data_share": None if share is None else exact_text(share),
            "provisional": footprint.provisional,
            "estimated": footprint.estimated,
            "exact": footprint.exact,
        },
        "components": [_component(part) for part in footprint.components],
        "machines": [_machine(machine) for machine, _ in inventory.machines],
        "idle": [{"asset": asset, **_allocation(allocation)} for asset, allocation in inventory.idle],
        "shared": _shared(inventory),
        "meters": [_meter(footprint, log) for log in inventory.logs],
        "supplier_inputs": _suppliers(footprint),
        "factors": _factors(footprint),
        "notes": [[note.code, note.en, note.zh] for note in footprint.notes],
        "cut_off": list(product.cut_off),
    }


def _site(footprint: Footprint) -> JsonObject:
    site = footprint.inventory.basis.site
    return {
        "id": site.id,
        "name": site.name,
        "name_zh": site.name_zh,
        "organisation": site.organisation,
        "credit_code": site.credit_code,
        "zone": site.zone.key,
        "region": site.region,
    }


def _output(footprint: Footprint) -> JsonObject:
    return {
        "good": exact_text(footprint.good),
        "scrap": exact_text(footprint.scrap),
        "unit": footprint.product.unit,
        "rows": [
            {
                "key": row.key,
                "asset": row.asset,
                "line": row.line,
                "start_ns": row.start_ns,
                "end_ns": row.end_ns,
                "good": exact_text(row.good),
                "scrap": exact_text(row.scrap),
                "place": row.place,
                "source": row.source,
            }
            for row in footprint.batch.rows
        ],
    }


def _component(part: Component) -> JsonObject:
    return {
        "stage": part.stage.value,
        "id": part.id,
        "name": part.name,
        "name_zh": part.name_zh,
        "source": part.source,
        "formula": part.rate.formula,
        "quantity": exact_text(part.quantity),
        "unit": part.rate.unit,
        "share": exact_text(part.share),
        "rule": part.rule,
        "kg_per_unit": exact_text(part.rate.kg_per_unit),
        "factors": [[role, row.id] for role, row in part.rate.factors],
        "inputs": [[name, exact_text(value), unit] for name, value, unit in part.rate.inputs],
        "kg_co2e": exact_text(part.kg),
        "carbon": "biogenic" if part.biogenic else "fossil",
        "primary": part.primary,
        "provisional": part.rate.provisional,
        "estimated": part.estimated,
        "exact": part.exact,
        "activities": list(part.activities),
    }


def _machine(machine: Machine) -> JsonObject:
    return {
        "asset": machine.asset,
        "meter": machine.meter,
        "window": machine.window.value,
        "stretches": [
            {
                "kind": item.kind.value,
                "batch": None if item.batch is None else list(item.batch),
                "start_ns": item.amount.start_ns,
                "end_ns": item.amount.end_ns,
                "value": item.amount.value,
                "estimated": item.amount.estimated,
                "exact": item.amount.exact,
            }
            for item in machine.stretches
        ],
    }


def _allocation(allocation: Allocation) -> JsonObject:
    return {
        "key": allocation.key.value,
        "unit": allocation.unit,
        "weights": [
            [*batch, exact_text(weight), exact_text(share)]
            for (batch, weight), share in zip(allocation.weights, allocation.shares, strict=True)
        ],
    }


def _shared(inventory: Inventory) -> list[JsonObject]:
    return [
        {
            "id": pool.shared.id,
            "attributable": exact_text(pool.shared.attributable),
            "unattributed": exact_text(pool.unattributed),
            "loads": [
                [load.source, exact_text(load.quantity), load.rate.unit, exact_text(load.kg)] for load in pool.loads
            ],
            **_allocation(pool.allocation),
        }
        for pool in inventory.pools
    ]


def _meter(footprint: Footprint, log: MeterLog) -> JsonObject:
    """The readings that figures rest on: both of every instant, and both sides of every break between them."""
    meter = footprint.inventory.basis.site.meter(log.name)
    used = {index for instant in log.instants for index in (instant.low, instant.high)}
    cuts = log.counter.breaks(min(used), max(used)) if used else ()
    used |= {index for cut in cuts for index in (cut.index - 1, cut.index)}
    order = {index: number for number, index in enumerate(sorted(used))}
    readings = [log.counter.reading(index) for index in order]
    return {
        "meter": meter.id,
        "metric": meter.metric,
        "unit": meter.unit.value,
        "source": [reading.source for reading in readings],
        "t_ns": [reading.t_ns for reading in readings],
        "register": [reading.register for reading in readings],
        "breaks": [[order[cut.index], cut.kind.value, cut.counted, cut.exact] for cut in cuts],
        "instants": [[instant.t_ns, order[instant.low], order[instant.high]] for instant in log.instants],
    }


def _suppliers(footprint: Footprint) -> list[JsonObject]:
    """Supplier data that components rest on, with all that is known of their quality."""
    used = {ref for part in footprint.components if part.stage is Stage.SUPPLIER for ref in part.activities}
    return [
        {
            "key": row.key,
            "material": row.material,
            "quantity_per_unit": exact_text(row.quantity_per_unit),
            "unit": row.unit,
            "kg_co2e_per_unit": exact_text(row.kg_co2e_per_unit),
            "geography": row.geography,
            "year": row.year,
            "primary": row.primary,
            "uncertainty_pct": None if row.uncertainty_pct is None else exact_text(row.uncertainty_pct),
            "source": row.source,
            "place": row.place,
        }
        for row in footprint.inventory.basis.book.supplier_inputs
        if row.ref in used
    ]


def _factors(footprint: Footprint) -> list[JsonObject]:
    rows = {row.id: row for part in footprint.components for _, row in part.rate.factors}
    return [dict(rows[factor_id].cells()) for factor_id in sorted(rows)]
