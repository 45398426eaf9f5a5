"""Rules about the whole board: power, and the insulation between its circuits (IEC 60664-1, insulation.toml)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.hardware.catalogue import catalogue
from shutan_gateway.hardware.finding import Finding
from shutan_gateway.hardware.power import budget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shutan_gateway.hardware.board import Board, Domain, Part

__all__ = ["insulation_findings", "power_findings"]

_MODULE_MA = 500  # Espressif's data sheets, recommended operating conditions
_REINFORCED_VRMS = 3000  # 1 minute, IEC 60664-1: 2 x (300 V + 1200 V)
_FUNCTIONAL_VRMS = 500


def power_findings(board: Board) -> Iterator[Finding]:
    """Currents, the module's supply, heat."""
    module = next((part for part in board.part if part.kind.startswith("module_")), None)
    for one in budget(board):
        place = f"rail {one.rail}"
        if one.peak_ma > one.limit_ma:
            what = f"peak {one.peak_ma} mA, {one.regulator or 'its source'} gives {one.limit_ma} mA"
            yield Finding(board.name, place, "rail-current", what, "take a stronger regulator or fewer parts")
        if one.heat_mw and one.heat_mw > one.heat_limit_mw:
            what = f"{one.regulator} turns {one.heat_mw} mW into heat and sheds {one.heat_limit_mw} mW"
            yield Finding(board.name, place, "regulator-heat", what, "take a switching regulator or a lower input")
        if module is not None and one.rail in module.rails and one.limit_ma < _MODULE_MA:
            what = f"{one.limit_ma} mA for a module that needs {_MODULE_MA} mA"
            yield Finding(board.name, place, "module-supply", what, "take a regulator of 500 mA or more")
    if module is None or not module.rails:
        yield Finding(board.name, "module", "module-supply", "no module on a rail", "give [[part]] the module")


def insulation_findings(board: Board) -> Iterator[Finding]:
    """Barriers between circuits, parts on mains, signals that leave the logic's circuit."""
    domains = {one.id: one for one in board.domain}
    for part in board.part:
        sides = [domains[name] for name in part.domains]
        mains = next((side for side in sides if side.kind == "mains"), None)
        if len(sides) == 2:
            for what, remedy in _barrier(board, part, mains):
                yield Finding(board.name, part.ref, "isolation", what, remedy)
        if mains is not None and board.class_of(part).rated_v < mains.volts * 11 // 10:
            what = f"rated {board.class_of(part).rated_v} V on {mains.volts} V and 10 %"
            yield Finding(board.name, part.ref, "mains-part", what, "take a class that is rated for mains")
    yield from _fuses(board, list(domains.values()))
    yield from _crossings(board, domains)


def _barrier(board: Board, part: Part, mains: Domain | None) -> Iterator[tuple[str, str]]:
    known = board.class_of(part)
    table = catalogue().insulation
    if mains is None:
        if not known.insulation or known.isolation_vrms < _FUNCTIONAL_VRMS:
            yield "joins two circuits without insulation", "take an isolating class"
        return
    factor = table.factor(board.altitude_m)
    if factor is None:
        yield f"no distances for {board.altitude_m} m above the sea", "stay within 5000 m"
        return
    if mains.category not in table.category or mains.volts > table.system_v:
        yield f"no distances for CAT {mains.category} and {mains.volts} V", "stay within CAT III and 300 V to neutral"
        return
    clearance = round(table.category[mains.category].reinforced_clearance_mm * factor, 2)
    creepage = table.creepage.reinforced_mm
    if known.insulation != "reinforced" or known.isolation_vrms < _REINFORCED_VRMS:
        found = f"{known.insulation or 'no'} insulation, {known.isolation_vrms} V"
        yield f"{found} between mains and what can be touched", f"reinforced insulation, {_REINFORCED_VRMS} V"
    if known.clearance_mm < clearance:
        what = (
            f"clearance {known.clearance_mm:g} mm, CAT {mains.category}, {board.altitude_m} m: {clearance:g} mm needed"
        )
        yield what, "take a part with wider distances"
    if known.creepage_mm < creepage:
        yield f"creepage {known.creepage_mm:g} mm, {creepage:g} mm needed", "take a wider part, or cut a slot"


def _fuses(board: Board, domains: list[Domain]) -> Iterator[Finding]:
    for domain in domains:
        fused = any(board.class_of(part).fuse and domain.id in part.domains for part in board.part)
        if domain.kind == "mains" and not fused:
            yield Finding(board.name, f"domain {domain.id}", "mains-fuse", "no fuse", "add a fuse for each phase")


def _crossings(board: Board, domains: dict[str, Domain]) -> Iterator[Finding]:
    parts = {part.ref: part for part in board.part}
    module = next((part for part in board.part if part.kind.startswith("module_")), None)
    home = module.domains[0] if module else next(iter(domains))
    for pin in board.pin:
        part = parts.get(pin.to.split(".")[0])
        if part is not None and home not in part.domains:
            what = f"goes straight to {part.ref} in the circuit {part.domains[0]}"
            remedy = "lead it through an isolating part"
            yield Finding(board.name, f"GPIO{pin.gpio} {pin.signal}", "crossing", what, remedy)
    for circuit in board.circuit:
        for one, two in zip(circuit.chain, circuit.chain[1:], strict=False):
            if not set(parts[one].domains) & set(parts[two].domains):
                what = f"{one} and {two} have no circuit in common"
                remedy = "put the isolating part between them"
                yield Finding(board.name, f"circuit {circuit.title}", "crossing", what, remedy)
    yield from _supply_crossings(board, parts)


def _supply_crossings(board: Board, parts: dict[str, Part]) -> Iterator[Finding]:
    for part in board.part:
        for rail, domain in zip(part.rails, part.domains, strict=False):
            fed = board.rail_named(rail)
            if fed is not None and fed.domain != domain:
                what = f"in the circuit {domain}, fed by {rail} of the circuit {fed.domain}"
                yield Finding(board.name, part.ref, "crossing", what, "feed it from a rail of its own circuit")
    for rail in board.rail:
        source, by = board.rail_named(rail.source), parts.get(rail.regulator)
        if source is None or source.domain == rail.domain:
            continue
        if by is None or set(by.domains) != {source.domain, rail.domain}:
            what = f"fed from the circuit {source.domain} without a barrier"
            yield Finding(board.name, f"rail {rail.name}", "crossing", what, "feed it through an isolating converter")
