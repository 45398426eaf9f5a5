"""What of a site is accounted: which meters emit, into which scopes, and which bought carriers are missing.

Only meters at the border of the organisation count: what stands behind an entry meter is already in it, and power made
on site from the sun emits nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_collector.carbon.lines import Scope
from shutan_collector.site.model import Carrier, Meter, Role
from shutan_collector.units import Unit

if TYPE_CHECKING:
    from shutan_collector.activity.kinds import ActivityBook

__all__ = ["FUELS_OF", "not_accounted", "scopes_of"]

_ENTRY = {
    Carrier.ELECTRICITY: (Scope.SCOPE_2_LOCATION, Scope.SCOPE_2_REPORTING),
    Carrier.NATURAL_GAS: (Scope.SCOPE_1,),
    Carrier.STEAM: (Scope.SCOPE_2_HEAT,),
    Carrier.HEAT: (Scope.SCOPE_2_HEAT,),
}
_EXPORT = {
    Carrier.ELECTRICITY: (Scope.MEMO_EXPORT, Scope.MEMO_EXPORT_REPORTING),
    Carrier.PV: (Scope.MEMO_EXPORT, Scope.MEMO_EXPORT_REPORTING),
    Carrier.STEAM: (Scope.MEMO_EXPORT,),
    Carrier.HEAT: (Scope.MEMO_EXPORT,),
}
# Fuels of the factor table that a metered carrier may be. A litre of diesel has no mass without its density, and
# "coal" no calorific value without its kind: these are accounted from what was bought (fuel movements).
FUELS_OF = {
    Carrier.NATURAL_GAS: ("natural_gas",),
    Carrier.DIESEL: ("diesel",),
    Carrier.COAL: (
        "anthracite",
        "bituminous",
        "lignite",
        "washed_coal",
        "other_washed_coal",
        "briquette",
        "coal_power",
    ),
}


def scopes_of(meter: Meter) -> tuple[Scope, ...]:
    """Scopes that a meter's consumption makes lines in; empty if it emits nothing by itself, or cannot be valued."""
    if _without_enthalpy(meter):
        return ()
    if meter.role is Role.ENTRY:
        return _ENTRY.get(meter.carrier, ())
    if meter.role is Role.EXPORT:
        return _EXPORT.get(meter.carrier, ())
    return ()


def not_accounted(meter: Meter, book: ActivityBook | None = None) -> str:
    """Why a bought carrier is missing from the emissions; empty if it is not missing.

    book   rows of the period: fuels bought by invoice stand for the meter of their carrier
    """
    if meter.role is not Role.ENTRY:
        return ""
    if _without_enthalpy(meter):
        return "bought steam is metered by mass: give enthalpy_kj_per_kg in the site model"
    if meter.carrier not in FUELS_OF or meter.carrier in _ENTRY:
        return ""
    fuels = FUELS_OF[meter.carrier]
    if book is not None and any(row.fuel in fuels for row in book.fuel_movements):
        return ""
    return f"bought {meter.carrier} is measured, its emission is not computed: enter it as fuel movements"


def _without_enthalpy(meter: Meter) -> bool:
    return meter.carrier is Carrier.STEAM and meter.unit is Unit.GRAM and meter.enthalpy_kj_per_kg is None
