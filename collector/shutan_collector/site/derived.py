"""Sense of what stands beside the meters: virtual meters (no ring, one unit) and the shift calendar (no overlap)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import Problem
from shutan_collector.site.model import Carrier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import time

    from shutan_collector.periods import Shift
    from shutan_collector.site.model import Meter, VirtualMeter

__all__ = ["check_shifts", "check_virtuals"]

_DAY_MIN: Final = 24 * 60
_SHORTEST_MIN: Final = 15
_SAME: Final = {Carrier.PV: Carrier.ELECTRICITY}


def check_virtuals(
    virtuals: Sequence[tuple[str, VirtualMeter]], meters: Sequence[Meter], known_ids: Collection[str]
) -> list[Problem]:
    """All contradictions among virtual meters, given with their key in the file.

    known_ids: every id of a meter in the file, also of those that could not be read.
    """
    by_id = {virtual.id: virtual for _, virtual in virtuals}
    real = {meter.id: meter for meter in meters}
    counts = Counter(virtual.id for _, virtual in virtuals)
    problems: list[Problem] = []
    for key, virtual in virtuals:
        if virtual.id in known_ids or counts[virtual.id] > 1:
            problems.append(Problem(f"{key}.id", f"{virtual.id!r} stands more than once; ids are unique"))
        problems += (
            Problem(f"{key}.terms.{name}", "no meter and no virtual meter has this id")
            for name, _ in virtual.terms
            if name not in known_ids and name not in by_id
        )
    rings = _rings(by_id)
    problems += (Problem("virtual", f"virtual meters are computed from each other in a ring: {ring}") for ring in rings)
    if not rings:
        for key, virtual in virtuals:
            problems += (Problem(f"{key}.terms", reason) for reason in _mixed(virtual, by_id, real))
    return problems


def check_shifts(shifts: Sequence[tuple[str, Shift]]) -> list[Problem]:
    """All contradictions of a shift calendar, given with the keys in the file."""
    counts = Counter(shift.name for _, shift in shifts)
    problems = [
        Problem(f"{key}.name", f"{shift.name!r} stands {counts[shift.name]} times; names are unique")
        for key, shift in shifts
        if counts[shift.name] > 1
    ]
    owner: dict[int, str] = {}
    for key, shift in shifts:
        start = _minute(shift.start)
        length = (_minute(shift.end) - start - 1) % _DAY_MIN + 1  # an end equal to the start is a whole day
        if length < _SHORTEST_MIN:
            problems.append(Problem(key, f"lasts {length} min; a shift has at least {_SHORTEST_MIN}"))
        minutes = [(start + step) % _DAY_MIN for step in range(length)]
        others = {owner[minute] for minute in minutes if minute in owner}
        problems += (Problem(key, f"overlaps {other}; a moment belongs to one shift") for other in sorted(others))
        owner |= dict.fromkeys(minutes, key)
    return problems


def _rings(by_id: Mapping[str, VirtualMeter]) -> list[str]:
    """Every ring of terms once, written out from its smallest id."""
    rings: set[tuple[str, ...]] = set()
    done: set[str] = set()

    def follow(at: str, path: tuple[str, ...]) -> None:
        if at in path:
            ring = path[path.index(at) :]
            turn = ring.index(min(ring))
            rings.add((*ring[turn:], *ring[:turn]))
        elif at in by_id and at not in done:
            for name, _ in by_id[at].terms:
                follow(name, (*path, at))
            done.add(at)

    for start in by_id:
        follow(start, ())
    return [" -> ".join((*ring, ring[0])) for ring in sorted(rings)]


def _mixed(virtual: VirtualMeter, by_id: Mapping[str, VirtualMeter], real: Mapping[str, Meter]) -> Iterator[str]:
    """Why the meters under a virtual meter cannot be added up."""
    leaves = sorted(set(_leaves(virtual, by_id)))
    meters = [real[name] for name in leaves if name in real]
    carriers = sorted({_SAME.get(meter.carrier, meter.carrier) for meter in meters})
    if len(carriers) > 1:
        yield f"mix {' and '.join(carriers)}; terms are of one carrier"
        return
    metrics = sorted({_unit_name(meter) for meter in meters})
    if len(metrics) > 1:
        yield f"mix {' and '.join(metrics)}; terms are in one unit"
    if len({meter.gas_reference for meter in meters}) > 1:
        yield "mix gas meters of different gas_reference; a volume means another amount of gas there"


def _leaves(virtual: VirtualMeter, by_id: Mapping[str, VirtualMeter]) -> Iterator[str]:
    for name, _ in virtual.terms:
        if name in by_id:
            yield from _leaves(by_id[name], by_id)
        else:
            yield name


def _unit_name(meter: Meter) -> str:
    """The step of a meter's metric, "wh" or "kj"; a metric that is no counter is a mistake of its own."""
    return meter.metric.rsplit("_", 1)[-1]


def _minute(moment: time) -> int:
    return moment.hour * 60 + moment.minute
