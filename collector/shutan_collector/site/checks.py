"""What types cannot say about a site model: the meter tree, carriers and metrics, and who reads which register when."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import Problem
from shutan_collector.site.model import QUANTITIES, Carrier, Meter, Role
from shutan_wire.catalogue import by_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shutan_collector.site.model import Installation

__all__ = ["check_meters"]

_POWER: Final = frozenset({Carrier.ELECTRICITY, Carrier.PV})
_EXPORTED: Final = frozenset({Carrier.ELECTRICITY, Carrier.STEAM, Carrier.HEAT})
_MADE_ON_SITE: Final = frozenset({Carrier.ELECTRICITY, Carrier.PV, Carrier.STEAM, Carrier.HEAT, Carrier.COMPRESSED_AIR})


def check_meters(meters: Sequence[tuple[str, Meter]], known_ids: Iterable[str]) -> list[Problem]:
    """All contradictions among meters, given with their key in the file.

    known_ids: every id in the file, also of meters that could not be read, so that these are not "unknown parents".
    """
    problems: list[Problem] = []
    known = set(known_ids)
    by_id = {meter.id: meter for _, meter in meters}
    counts = Counter(meter.id for _, meter in meters)
    problems += [
        Problem(f"{key}.id", f"{meter.id!r} stands {counts[meter.id]} times; ids are unique")
        for key, meter in meters
        if counts[meter.id] > 1
    ]
    for key, meter in meters:
        problems += (Problem(f"{key}.{name}", reason) for name, reason in _of_tree(meter, by_id, known))
        problems += (Problem(f"{key}.{name}", reason) for name, reason in _of_carrier(meter))
        problems += (Problem(f"{key}.{name}", reason) for name, reason in _of_gas(meter))
        problems += (Problem(f"{key}.{name}", reason) for name, reason in _of_state(meter))
        problems += (Problem(f"{key}.{name}", reason) for name, reason in _of_installations(meter))
    problems += _cycles(by_id)
    problems += _read_twice(meters)
    return problems


def _of_tree(meter: Meter, by_id: dict[str, Meter], known: set[str]) -> Iterator[tuple[str, str]]:
    if meter.role is Role.ENTRY and meter.parent:
        yield "parent", f"an entry meter has none (found {meter.parent!r})"
    if meter.role is Role.ENTRY and meter.level != 1:
        yield "level", f"an entry meter is level 1, the whole organisation (found {meter.level})"
    if not meter.parent:
        return
    if meter.parent not in known:
        yield "parent", f"no meter has the id {meter.parent!r}"
    parent = by_id.get(meter.parent)
    if parent is None:
        return
    if parent.carrier is not meter.carrier and not {parent.carrier, meter.carrier} <= _POWER:
        yield "parent", f"{parent.id!r} measures {parent.carrier}, this one {meter.carrier}"
    if meter.level < parent.level:
        yield "level", f"{meter.level} stands below {parent.id!r} of level {parent.level}"


def _of_carrier(meter: Meter) -> Iterator[tuple[str, str]]:
    metric = by_name(meter.metric)
    if metric is None:
        yield "metric", f"{meter.metric!r} is not in the metric catalogue"
    elif metric.kind != "counter":
        yield "metric", f"{meter.metric!r} is a {metric.kind}; consumption needs a counter"
    elif metric.quantity not in QUANTITIES[meter.carrier]:
        accepted = " or ".join(QUANTITIES[meter.carrier])
        yield "metric", f"{meter.metric!r} is {metric.quantity}; {meter.carrier} needs {accepted}"
    if meter.role is Role.GENERATION and meter.carrier not in _MADE_ON_SITE:
        yield "role", f"{meter.carrier} is not made on site"
    if meter.carrier is Carrier.PV and meter.role is Role.ENTRY:
        yield "role", "photovoltaic power is made on site: role is generation (or sub)"
    if meter.role is Role.EXPORT and meter.carrier not in _EXPORTED:
        yield "role", f"{meter.carrier} is not exported; {', '.join(sorted(_EXPORTED))} are"


def _of_gas(meter: Meter) -> Iterator[tuple[str, str]]:
    if meter.carrier is Carrier.NATURAL_GAS and meter.gas_reference is None:
        yield "gas_reference", "state it, for example { temperature_c = 20, pressure_kpa = 101.325 }"
    if meter.gas_reference is not None:
        if meter.carrier is not Carrier.NATURAL_GAS:
            yield "gas_reference", f"has no meaning for {meter.carrier}"
        if not -60 <= meter.gas_reference.temperature_c <= 100:
            yield "gas_reference.temperature_c", "is degrees Celsius, -60 to 100"
        if not 50 <= meter.gas_reference.pressure_kpa <= 10_000:
            yield "gas_reference.pressure_kpa", "is absolute kilopascals, 50 to 10000"


def _of_state(meter: Meter) -> Iterator[tuple[str, str]]:
    """What a volume or mass needs to become energy, and the dates of calibration."""
    enthalpy, density = meter.enthalpy_kj_per_kg, meter.density_kg_per_l
    if enthalpy is not None:
        if meter.metric != "steam_mass_g":
            yield "enthalpy_kj_per_kg", f"belongs to steam_mass_g (found {meter.metric!r})"
        elif not 400 <= enthalpy <= 4000:  # boiling water at 100 °C has 419, steam at 800 °C some 4150
            yield "enthalpy_kj_per_kg", "is kilojoules per kilogram of steam, 400 to 4000"
    if density is not None:
        if meter.carrier is not Carrier.DIESEL:
            yield "density_kg_per_l", f"has no meaning for {meter.carrier}"
        elif not Fraction(1, 2) <= density <= Fraction(6, 5):
            yield "density_kg_per_l", "is kilograms per litre, 0.5 to 1.2"
    if meter.calibrated and meter.calibration_due and meter.calibration_due <= meter.calibrated:
        yield "calibration_due", f"{meter.calibration_due} is not after calibrated {meter.calibrated}"


def _of_installations(meter: Meter) -> Iterator[tuple[str, str]]:
    for number, item in enumerate(meter.installations, start=1):
        key = f"installation[{number}]"
        if item.start_ns is not None and item.end_ns is not None and item.start_ns >= item.end_ns:
            yield key, "'from' is not before 'to'"
        if item.start_register is not None and item.start_ns is None:
            yield key, "start_register needs 'from'"
        if item.end_register is not None and item.end_ns is None:
            yield key, "end_register needs 'to'"
        registers = (item.start_register, item.end_register)
        if item.span is not None and any(value is not None and value >= item.span for value in registers):
            yield key, f"start_register and end_register are below rollover ({item.span})"
    for number, (before, after) in enumerate(pairwise(meter.installations), start=2):
        if before.end_ns is None or after.start_ns is None or before.end_ns > after.start_ns:
            yield f"installation[{number}]", "installations stand in order: each 'from' at or after the 'to' before it"


def _cycles(by_id: dict[str, Meter]) -> list[Problem]:
    """Every ring of parents once, named by its smallest id."""
    rings: set[tuple[str, ...]] = set()
    for start in by_id:
        path: list[str] = []
        at = start
        while at in by_id and at not in path:
            path.append(at)
            at = by_id[at].parent
        if at in path:
            ring = path[path.index(at) :]
            turn = ring.index(min(ring))
            rings.add((*ring[turn:], *ring[:turn]))
    return [Problem("meter", f"parents form a ring: {' -> '.join((*ring, ring[0]))}") for ring in sorted(rings)]


def _read_twice(meters: Sequence[tuple[str, Meter]]) -> list[Problem]:
    """Two metering points that would count the same register at the same time."""
    readers: dict[tuple[str, str, str], list[tuple[str, Installation]]] = {}
    for key, meter in meters:
        for item in meter.installations:
            readers.setdefault((item.node, item.device, meter.metric), []).append((key, item))
    return [
        Problem(second_key, f"{node}/{device} {metric} is read by {first_key} at the same time")
        for (node, device, metric), items in readers.items()
        for (first_key, first), (second_key, second) in combinations(items, 2)
        if first_key != second_key and first.overlaps(second)
    ]
