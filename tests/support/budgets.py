"""Material for tests of control: budgets and actuals of made-up years."""

from collections.abc import Sequence
from fractions import Fraction

from shutan_collector.control.actuals import Actual, Actuals, Basis, Volume
from shutan_collector.control.budget import Budget, BudgetLine, PlannedVolume

TONNE = 1_000_000


def actuals(months_t: Sequence[int], year: int = 2025, area: str = "", source: str = "meter:m") -> Actuals:
    """One source with these tonnes from January on."""
    rows = (
        Actual(f"{year}-{number:02}", source, area, "electricity", tonnes * TONNE)
        for number, tonnes in enumerate(months_t, start=1)
    )
    return Actuals(tuple(rows))


def joined(*parts: Actuals) -> Actuals:
    """Several actuals as one."""
    rows = tuple(row for part in parts for row in part.rows)
    return Actuals(rows, tuple(item for part in parts for item in part.volumes))


def volumes(values: Sequence[int], year: int = 2025, basis: Basis = Basis.PRODUCT, name: str = "p") -> Actuals:
    """Volumes from January on, without emissions."""
    items = (
        Volume(f"{year}-{number:02}", basis, name, Fraction(value)) for number, value in enumerate(values, start=1)
    )
    return Actuals((), tuple(items))


def line(
    annual_t: int, area: str = "", basis: Basis = Basis.TOTAL, product: str = "", volume: PlannedVolume | None = None
) -> BudgetLine:
    """A line: a total is planned evenly over the months, an intensity in grams per unit."""
    months = (Fraction(annual_t * TONNE, 12),) * 12 if basis is Basis.TOTAL else (Fraction(annual_t),) * 12
    whole = Fraction(annual_t * TONNE) if basis is Basis.TOTAL else Fraction(annual_t)
    return BudgetLine(area or "site", area, basis, product, whole, months, volume)


def budget(*lines: BudgetLine) -> Budget:
    """A budget of 2025 with three percent of tolerance."""
    return Budget(2025, "plan", "scope 1", Fraction(3, 100), lines)
