"""What a report prints, after its model is built: key figures, tables and plots, the same for PDF and XLSX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shutan_collector.reports.heading import excel_foot, heading_data, heading_rows
from shutan_collector.reports.table import NO_DATA, Column, NoData, cell_text
from shutan_collector.reports.typeset import Manuscript, to_pdf, to_png
from shutan_collector.reports.workbook import to_xlsx

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from shutan_collector.reports.fonts import Typeface
    from shutan_collector.reports.heading import Heading
    from shutan_collector.reports.table import Both, Table

__all__ = ["KeyFigure", "Page", "Plot", "page_pdf", "page_png", "page_xlsx"]


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A figure that stands at the top of a report."""

    title: Both
    value: Fraction | int | NoData
    unit: str
    places: int
    mark: str = ""

    def to_data(self) -> dict[str, object]:
        """Plain JSON values for the template."""
        missing = isinstance(self.value, NoData)
        column = Column(self.title, self.unit, self.places)
        text = str(NO_DATA) if missing else cell_text(self.value, column)
        return {
            "zh": self.title.zh, "en": self.title.en, "text": text, "unit": "" if missing else self.unit,
            "mark": self.mark, "none": missing,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture with its place in the template."""

    key: str
    title: Both
    svg: str
    notes: tuple[Both, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A report ready for a renderer.

    folder  of the report, which holds its template
    plots   draws them in a font family; called for PDF only
    """

    folder: str
    title: Both
    heading: Heading
    figures: tuple[KeyFigure, ...]
    tables: tuple[Table, ...]
    plots: Callable[[str], tuple[Plot, ...]]


def page_pdf(page: Page, typeface: Typeface) -> bytes:
    """The report as PDF; the same page and font give the same bytes."""
    return to_pdf(_manuscript(page, typeface), typeface)


def page_png(page: Page, typeface: Typeface) -> list[bytes]:
    """The same as pictures, one a page."""
    return to_png(_manuscript(page, typeface), typeface)


def page_xlsx(page: Page) -> bytes:
    """The report as a workbook; the same page gives the same bytes."""
    head = (
        *heading_rows(page.heading, page.title),
        *((str(figure.title), _with_unit(figure)) for figure in page.figures),
    )
    return to_xlsx(page.tables, head, excel_foot(page.heading), page.heading.as_of, str(page.title))


def _with_unit(figure: KeyFigure) -> str:
    data = figure.to_data()
    return " ".join(str(data[key]) for key in ("text", "unit", "mark") if data[key])


def _manuscript(page: Page, typeface: Typeface) -> Manuscript:
    plots = page.plots(typeface.family)
    data: dict[str, object] = {
        "heading": heading_data(page.heading, page.title),
        "figures": [figure.to_data() for figure in page.figures],
        "tables": {table.key: table.to_data() for table in page.tables},
        "plots": {
            plot.key: {
                "zh": plot.title.zh, "en": plot.title.en, "file": f"{plot.key}.svg",
                "notes": [{"zh": note.zh, "en": note.en} for note in plot.notes],
            }
            for plot in plots
        },
    }  # fmt: skip
    return Manuscript(page.folder, data, page.heading.as_of, {f"{plot.key}.svg": plot.svg for plot in plots})
