"""The readings of one meter over one month, as the ledger keeps them (document "readings/<meter>").

The series store may change afterwards; what a closed period rests on is copied here: the readings at its boundaries
and on both sides of every break, with the instrument of each, and the flows that were cut out of them. From this
document alone every flow can be counted again (docs/evidence.md gives the rule).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from shutan_collector.energy.counter import Counter
from shutan_collector.energy.measure import Flow, Part
from shutan_collector.energy.registers import EventKind
from shutan_collector.exact import exact_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from shutan_collector.accounting.documents import Json, JsonObject
    from shutan_collector.energy.counter import Reading
    from shutan_collector.energy.measure import Boundary, MeterEnergy
    from shutan_collector.site.model import Installation, Meter

__all__ = ["SCHEMA", "Day", "flows_of", "ledger_flows", "readings_document"]

SCHEMA: Final = "shutan.readings/1"
_SWAP: Final = EventKind.SWAP
_ELSEWHERE: Final = Counter(())  # the readings of a flow that was read back stand in its document


@dataclass(frozen=True, slots=True)
class Day:
    """Fingerprint of one local day of raw readings: a late or changed reading shows in it.

    day            "2025-06-01"
    registers      sum of the registers, in the metric's step
    offsets_ms     sum of the readings' times since local midnight, milliseconds
    """

    day: str
    count: int
    registers: int
    offsets_ms: int


def ledger_flows(energy: MeterEnergy) -> tuple[Flow, ...]:
    """The flows that a ledger holds: hours with a value, and gaps between known hour boundaries, in time order.

    What lies between the last known boundary and a reading inside the month (an edge) depends on how far the series
    had come, so it is no part of a ledger.
    """
    flows = [flow for flow in energy.periods if flow.value is not None]
    flows += [flow for flow in energy.unallocated if flow.part is Part.GAP and flow.value is not None]
    return tuple(sorted(flows, key=lambda flow: flow.start_ns))


def flows_of(body: JsonObject) -> tuple[Flow, ...]:
    """The flows of a readings document, as they were when it was written, without their evidence in it."""
    boundaries = cast("Sequence[tuple[int, int, int] | None]", body["boundaries"])
    breaks = cast("Sequence[Mapping[str, int]]", body["breaks"])
    inexact = [cut["at"] for cut in breaks if not cut["exact"]]
    return tuple(
        _flow_of(row, boundaries, inexact)
        for row in cast("Sequence[tuple[int, int, int, int, int | None]]", body["flows"])
    )


def _flow_of(
    row: tuple[int, int, int, int, int | None],
    boundaries: Sequence[tuple[int, int, int] | None],
    inexact: Sequence[int],
) -> Flow:
    first, after, value, present, expected = row
    start, end = boundaries[first], boundaries[after]
    if start is None or end is None:
        message = "a flow of the ledger has both boundaries"
        raise ValueError(message)
    return Flow(
        part=Part.PERIOD if after == first + 1 else Part.GAP,
        start_ns=start[0],
        end_ns=end[0],
        partial=False,
        value=value,
        estimated=start[1] != start[2] or end[1] != end[2],
        exact=not any(start[1] < at <= end[2] for at in inexact),
        start=None,
        end=None,
        present=present,
        expected=expected,
        counter=_ELSEWHERE,
    )


def readings_document(
    meter: Meter,
    counter: Counter,
    energy: MeterEnergy,
    *,
    bad_quality: int,
    declared: Sequence[str],
    days: Sequence[Day],
) -> JsonObject:
    """The document of one meter and month; `energy` is measured over the month's hours.

    declared   keys of the declarations (DeclaredMissing) that allow an estimated or missing boundary
    """
    boundaries = _boundaries(energy)
    known = [boundary for boundary in boundaries if boundary is not None]
    used = sorted(_used(counter, known))
    place = {index: position for position, index in enumerate(used)}
    at = {boundary.t_ns: number for number, boundary in enumerate(boundaries) if boundary is not None}
    readings = [counter.reading(index) for index in used]
    breaks = counter.breaks(used[0], used[-1]) if used else ()
    instruments, number_of = _instruments(meter, readings, {place[cut.index] for cut in breaks if cut.kind is _SWAP})
    return {
        "schema": SCHEMA,
        **_place_of(meter),
        "instruments": instruments,
        "t_ns": [reading.t_ns for reading in readings],
        "register": [reading.register for reading in readings],
        "instrument": number_of,
        "breaks": [
            {"at": place[cut.index], "kind": cut.kind.value, "counted": cut.counted, "exact": cut.exact}
            for cut in breaks
        ],
        "boundaries": [
            None if boundary is None else [boundary.t_ns, place[boundary.low], place[boundary.high]]
            for boundary in boundaries
        ],
        "flows": [_flow(flow, at) for flow in ledger_flows(energy)],
        "events": [
            {
                "kind": event.kind.value,
                "start_ns": event.start_ns,
                "end_ns": event.end_ns,
                "before": event.before,
                "after": event.after,
                "readings": event.readings,
                "exact": event.exact,
            }
            for event in energy.events
        ],
        "bad_quality": bad_quality,
        "interval_ns": energy.interval_ns,
        "declared_missing": list(declared),
        "fingerprint": [[day.day, day.count, day.registers, day.offsets_ms] for day in days],
    }


def _boundaries(energy: MeterEnergy) -> list[Boundary | None]:
    return [energy.periods[0].start, *(flow.end for flow in energy.periods)]


def _used(counter: Counter, known: Sequence[Boundary]) -> set[int]:
    """Numbers of the readings that the month's figures rest on."""
    used = {index for boundary in known for index in (boundary.low, boundary.high)}
    if used:
        for cut in counter.breaks(min(used), max(used)):
            used |= {cut.index - 1, cut.index}
    return used


def _flow(flow: Flow, at: dict[int, int]) -> list[Json]:
    if flow.start is None or flow.end is None:
        message = "a flow of the ledger has both boundaries"
        raise ValueError(message)  # ledger_flows() gives no other
    return [at[flow.start.t_ns], at[flow.end.t_ns], flow.value, flow.present, flow.expected]


def _place_of(meter: Meter) -> dict[str, Json]:
    return {
        "meter": meter.id,
        "name": meter.name,
        "name_zh": meter.name_zh,
        "carrier": meter.carrier.value,
        "role": meter.role.value,
        "level": meter.level,
        "parent": meter.parent,
        "metric": meter.metric,
        "unit": meter.unit.value,
    }


def _instruments(meter: Meter, readings: Sequence[Reading], swaps: Collection[int]) -> tuple[list[Json], list[int]]:
    """What stood at the metering point, in order, and the number of the one that each reading is of.

    swaps   places of the readings that are the first of another installation, be it of the same instrument
    """
    starts = sorted({0, *swaps}) if readings else []
    ends = [*starts[1:], len(readings)]
    instruments: list[Json] = []
    number_of: list[int] = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=False)):
        instruments.append(_instrument(meter, readings[start], readings[end - 1].t_ns))
        number_of += [number] * (end - start)
    return instruments, number_of


def _instrument(meter: Meter, first: Reading, last_ns: int) -> Json:
    """One installation; a source without one is a manual reading (抄表)."""
    for item in meter.installations:
        begins = item.start_ns is None or item.start_ns <= first.t_ns
        ends = item.end_ns is None or last_ns <= item.end_ns
        if item.source == first.source and begins and ends:
            return _installation(meter, item)
    return {"source": first.source}


def _installation(meter: Meter, item: Installation) -> Json:
    return {
        "source": item.source,
        "node": item.node,
        "device": item.device,
        "serial": item.serial,
        "from_ns": item.start_ns,
        "to_ns": item.end_ns,
        "ct": exact_text(item.ct),
        "pt": exact_text(item.pt),
        "rollover": item.span,
        "accuracy_class": meter.accuracy_class,
        "calibrated": meter.calibrated.isoformat() if meter.calibrated else None,
        "calibration_due": meter.calibration_due.isoformat() if meter.calibration_due else None,
    }
