"""The one place where a ledger line is made: its formula evaluated in fractions, its figures quantised once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.formulas import evaluate
from shutan_collector.carbon.lines import FactorUse, Line, quantise_g

if TYPE_CHECKING:
    from shutan_collector.carbon.lines import Category, Input, Scope
    from shutan_collector.factors.rows import Factor, FuelFactors

__all__ = ["CO2", "Draft", "Origin", "fuel_rows", "make_line"]

CO2: Final = "co2"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is emitted, and by which formula.

    rows         factor rows with their roles, in the order of the formula
    activities   documents behind the inputs, as "<kind>/<key>"
    """

    scope: Scope
    category: Category
    formula: str
    inputs: tuple[Input, ...]
    rows: tuple[tuple[str, Factor], ...] = ()
    gas: str = CO2
    provisional: bool = False
    activities: tuple[str, ...] = ()

    def of_activity(self, quantity: Input, *, provisional: bool) -> Draft:
        """The same with the activity's quantity in front of the other inputs."""
        return replace(self, inputs=(quantity, *self.inputs), provisional=provisional)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when the activity happened, and how sure its quantity is."""

    id: str
    source: str
    start_ns: int
    end_ns: int
    flow: int | None = None
    activities: tuple[str, ...] = ()
    estimated: bool = False
    exact: bool = True


def make_line(draft: Draft, origin: Origin) -> Line:
    """The line of a draft. Raises FactorError if a row's unit does not fit its role."""
    emission = evaluate(draft.formula, draft.inputs, dict(draft.rows))
    return Line(
        id=origin.id,
        source=origin.source,
        scope=draft.scope,
        category=draft.category,
        gas=draft.gas,
        start_ns=origin.start_ns,
        end_ns=origin.end_ns,
        inputs=draft.inputs,
        factors=tuple(FactorUse(role, row.id) for role, row in draft.rows),
        formula=draft.formula,
        flow=origin.flow,
        activities=origin.activities,
        provisional=draft.provisional,
        estimated=origin.estimated,
        exact=origin.exact,
        gas_g=quantise_g(emission.gas_kg),
        co2e_g=quantise_g(emission.co2e_kg),
    )


def fuel_rows(fuel: FuelFactors) -> tuple[tuple[str, Factor], ...]:
    """The three rows of a fuel with the roles of the carbon balance."""
    return (("ncv", fuel.ncv), ("cc", fuel.carbon_content), ("of", fuel.oxidation_rate))
