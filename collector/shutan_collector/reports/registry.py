"""The reports, registered here by name and nowhere else; each is a folder of its own.

A folder holds README.md, build.py (the pure model), page.py (tables and plots), report.typ (the PDF's template),
sample.json (arguments of a run) and testcases/*.json. To add one: make the folder, add a line to REPORTS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from shutan_collector.accounting.summary import MonthSummary, YearSummary
from shutan_collector.carbon.lines import Scope
from shutan_collector.errors import RequestError
from shutan_collector.exact import exact_text
from shutan_collector.reports.document import to_plain
from shutan_collector.reports.energy_form.build import build_energy_form
from shutan_collector.reports.energy_form.page import energy_form_page
from shutan_collector.reports.ghg_annual.build import build_ghg
from shutan_collector.reports.ghg_annual.page import ghg_page
from shutan_collector.reports.metering.build import build_metering
from shutan_collector.reports.metering.page import metering_page
from shutan_collector.reports.monthly.build import build_monthly
from shutan_collector.reports.monthly.page import monthly_page
from shutan_collector.reports.page import page_pdf, page_xlsx
from shutan_collector.reports.table import NoData
from shutan_collector.reports.zero_carbon_factory.build import Evidence, build_zero_carbon
from shutan_collector.reports.zero_carbon_factory.page import zero_carbon_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_collector.carbon.sectors import Method
    from shutan_collector.control.budget import Budget
    from shutan_collector.reports.fonts import Typeface
    from shutan_collector.reports.monthly.build import MonthlyModel
    from shutan_collector.reports.page import Page

__all__ = ["REPORTS", "Arguments", "Published", "ReportKind", "find_report"]


@dataclass(frozen=True, slots=True)
class Arguments:
    """What reports are built from; each takes what it needs.

    before        month of comparison, for the monthly report
    method        figure of electricity that sector form and budget go by; None = what the guideline uses, or
                  location-based for a monthly budget
    budget        carbon budget of the year
    year_so_far   months from January on, for the budget of a monthly report
    evidence      what a person states for the zero-carbon sheet
    """

    summary: MonthSummary | YearSummary
    before: MonthSummary | None = None
    method: Method | None = None
    budget: Budget | None = None
    year_so_far: tuple[MonthSummary, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def month(self) -> MonthSummary:
        """The summary of a month; RequestError for a year."""
        if not isinstance(self.summary, MonthSummary):
            raise RequestError("--period", f"{self.summary.period!r} is a year; this report is of a month (2025-06)")
        return self.summary

    @property
    def year(self) -> YearSummary:
        """The summary of a year; RequestError for a month."""
        if not isinstance(self.summary, YearSummary):
            raise RequestError("--period", f"{self.summary.period!r} is a month; this report is of a year (2025)")
        return self.summary


@dataclass(frozen=True, slots=True)
class Published:
    """A report that is built, ready for any format."""

    schema: str
    model: object
    page: Page

    def to_document(self) -> dict[str, object]:
        """Plain JSON values: schema, key figures, then the model, nothing rounded."""
        model = to_plain(self.model)
        figures = [
            {
                "zh": item.title.zh,
                "en": item.title.en,
                "value": None if isinstance(item.value, NoData) else exact_text(item.value),
                "unit": item.unit,
                "missing": to_plain(item.value.missing) if isinstance(item.value, NoData) else None,
            }
            for item in self.page.figures
        ]
        return {"schema": self.schema, "key_figures": figures, **(model if isinstance(model, dict) else {})}

    def to_xlsx(self) -> bytes:
        """The workbook."""
        return page_xlsx(self.page)

    def to_pdf(self, typeface: Typeface) -> bytes:
        """The document for people."""
        return page_pdf(self.page, typeface)


@dataclass(frozen=True, slots=True)
class ReportKind:
    """One report: its name on the command line, folder, builder of the model, and how the model is laid out."""

    name: str
    folder: str
    build: Callable[[Arguments], Any]  # each report has a model type of its own
    layout: Callable[[Any], Page]  # takes what build returns

    def publish(self, arguments: Arguments) -> Published:
        """Build and lay out. Raises RequestError for the wrong kind of period."""
        model = self.build(arguments)
        return Published(model.heading.schema, model, self.layout(model))


def _monthly(given: Arguments) -> MonthlyModel:
    scope = given.method.bought if given.method else Scope.SCOPE_2_LOCATION
    return build_monthly(given.month, given.before, given.budget, given.year_so_far, method=scope)


REPORTS: Final = (
    ReportKind("monthly", "monthly", _monthly, monthly_page),
    ReportKind("ghg", "ghg_annual", lambda given: build_ghg(given.year, given.method, given.budget), ghg_page),
    ReportKind("energy-form", "energy_form", lambda given: build_energy_form(given.summary), energy_form_page),
    ReportKind(
        "zero-carbon",
        "zero_carbon_factory",
        lambda given: build_zero_carbon(given.summary, given.evidence),
        zero_carbon_page,
    ),
    ReportKind("metering", "metering", lambda given: build_metering(given.summary), metering_page),
)


def find_report(name: str) -> ReportKind:
    """The report of that name; KeyError if none is registered."""
    return {kind.name: kind for kind in REPORTS}[name]
