"""Lines of fuels that were bought: the consumption of a month from purchases and stocks, one line per fuel.

    consumption = opening stock + bought − closing stock − transferred out

Only rows dated in the month count: its opening stock, its closing stock, what came and went. Where one of the two
stocks was not taken, the change of stock is unknown: what was bought then stands for what was burnt, and the line is
marked estimated (估算). Gas from a pipe (counted in 1e4Nm3) has no stock and needs no mark.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.activity.rows import Direction
from shutan_collector.carbon.accountant import FUELS_OF, scopes_of
from shutan_collector.carbon.drafts import Draft
from shutan_collector.carbon.lines import Category, Input, Scope
from shutan_collector.errors import Problem
from shutan_collector.exact import exact_text
from shutan_collector.factors.measured import fuel_values
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from shutan_collector.activity.kinds import ActivityBook
    from shutan_collector.activity.rows import FuelMovement
    from shutan_collector.factors.measured import FuelValues
    from shutan_collector.factors.rows import Factor
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Installation, Meter, Site

__all__ = ["Consumption", "consumption_of", "fuel_drafts", "metered_carriers", "own_values"]

GAS_UNIT = "1e4Nm3"


@dataclass(frozen=True, slots=True)
class Consumption:
    """What was burnt of one fuel in a month.

    quantity    in `unit`, "t" or "1e4Nm3"
    estimated   a stock was not taken: what was bought stands for it
    rows        the documents, as "fuel_movement/<key>"
    """

    fuel: str
    quantity: Fraction
    unit: str
    estimated: bool
    rows: tuple[str, ...]


def consumption_of(rows: Sequence[FuelMovement]) -> Consumption | Problem:
    """The consumption from all movements of one fuel in one month; Problem if they contradict each other."""
    fuel, unit = rows[0].fuel, rows[0].unit
    if other := [row for row in rows if row.unit != unit]:
        return Problem(other[0].ref, f"{fuel} is counted in {unit} in {rows[0].ref}, here in {other[0].unit}")
    sums: dict[Direction, Fraction] = defaultdict(Fraction)
    days: dict[Direction, date] = {}
    for row in rows:
        sums[row.direction] += row.quantity
        stock = row.direction in {Direction.OPENING_STOCK, Direction.CLOSING_STOCK}
        if stock and days.setdefault(row.direction, row.day) != row.day:
            name = row.direction.value
            return Problem(
                row.ref, f"a second {name} of {fuel} in the month ({days[row.direction]}, {row.day}): keep one"
            )
    quantity = sums[Direction.PURCHASE] - sums[Direction.TRANSFER_OUT]
    taken = len(days) == len((Direction.OPENING_STOCK, Direction.CLOSING_STOCK))
    if taken:
        quantity += sums[Direction.OPENING_STOCK] - sums[Direction.CLOSING_STOCK]
    if quantity < 0:
        amount = exact_text(-quantity)
        return Problem(
            rows[-1].ref, f"{fuel}: closing stock and transfers exceed opening stock and purchases by {amount} {unit}"
        )
    return Consumption(fuel, quantity, unit, not taken and unit != GAS_UNIT, tuple(row.ref for row in rows))


def metered_carriers(site: Site, span_ns: tuple[int, int]) -> dict[Carrier, Meter]:
    """Carriers whose purchase is accounted from an entry meter in that time, each with its first such meter."""
    found: dict[Carrier, Meter] = {}
    for meter in site.meters:
        there = any(_stands(item, span_ns) for item in meter.installations)
        if meter.role is Role.ENTRY and there and scopes_of(meter):
            found.setdefault(meter.carrier, meter)
    return found


def fuel_drafts(
    site: Site, book: ActivityBook, days: tuple[date, date], metered: dict[Carrier, Meter], factors: FactorTable
) -> Iterator[tuple[Consumption, Draft, tuple[str, ...]] | Problem]:
    """Per fuel of the book's movements: what was burnt, its draft, and the rows behind it; or what is wrong with it."""
    by_fuel: dict[str, list[FuelMovement]] = defaultdict(list)
    for row in book.fuel_movements:
        by_fuel[row.fuel].append(row)
    counted = {fuel: meter for carrier, meter in metered.items() for fuel in FUELS_OF.get(carrier, ())}
    for fuel, rows in sorted(by_fuel.items()):
        if fuel in counted:
            yield Problem(
                rows[0].ref,
                f"{fuel} is metered at {counted[fuel].id} as well, it would count twice: "
                "remove these rows, or give the meter another role than entry",
            )
            continue
        burnt = consumption_of(rows)
        if isinstance(burnt, Problem):
            yield burnt
            continue
        values = fuel_values(factors, site.fuel_family, fuel, days, book.fuel_qualities)
        if values.per != burnt.unit:
            yield Problem(burnt.rows[0], f"{fuel} is counted in {burnt.unit}, its factors are per {values.per}")
            continue
        inputs, factor_rows, batches = own_values(values)
        amount = Input("fc", burnt.quantity, burnt.unit)
        draft = Draft(Scope.SCOPE_1, Category.COMBUSTION, "combustion.carbon_balance/1", (amount, *inputs), factor_rows)
        yield burnt, draft, batches


def own_values(values: FuelValues) -> tuple[tuple[Input, ...], tuple[tuple[str, Factor], ...], tuple[str, ...]]:
    """Measured values as inputs, defaults as rows with their roles, and the analyses as "fuel_quality/<key>"."""
    inputs: list[Input] = []
    rows: list[tuple[str, Factor]] = []
    batches: dict[str, None] = {}
    for role, item in (("ncv", values.ncv), ("cc", values.carbon_content), ("of", values.oxidation_rate)):
        if item.row is None:
            inputs.append(Input(role, item.value, item.unit))
            batches |= dict.fromkeys(f"fuel_quality/{key}" for key in item.batches)
        else:
            rows.append((role, item.row))
    return tuple(inputs), tuple(rows), tuple(batches)


def _stands(item: Installation, span_ns: tuple[int, int]) -> bool:
    begins = item.start_ns is None or item.start_ns < span_ns[1]
    return begins and (item.end_ns is None or item.end_ns > span_ns[0])
