"""What a reader finds in the files: exact totals, the ledger's mark on each page, Chinese glyphs, the same bytes."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from shutan_collector.accounting.summary import LedgerMark
from shutan_collector.exact import exact_text
from shutan_collector.reports.document import json_text
from shutan_collector.reports.fonts import Typeface, find_typeface
from shutan_collector.reports.registry import REPORTS, Arguments, Published, find_report
from shutan_collector.reports.table import Both, cell_text
from support.places import REPO
from support.report_files import Cells, fonts, missing_glyphs, pdf_text, pdf_texts, xlsx_cells
from support.summary_year import MARK, month, year

NAMES = [kind.name for kind in REPORTS]


@pytest.fixture(scope="module")
def typeface() -> Typeface:
    return find_typeface(REPO / ".tools" / "fonts" / "share")


def published(name: str, **changes: Any) -> Published:
    """A report of the closed year, or of June where it is of a month."""
    summary = month("2025-06") if name == "monthly" else year()
    before = month("2025-05") if name == "monthly" else None
    return find_report(name).publish(Arguments(changes.get("summary", summary), before))


@cache
def closed_pdf(name: str) -> bytes:
    """The PDF of the closed period, set once for all tests."""
    return published(name).to_pdf(find_typeface(REPO / ".tools" / "fonts" / "share"))


@cache
def closed_texts(name: str) -> tuple[str, ...]:
    """Its pages."""
    return tuple(pdf_texts(closed_pdf(name)))


@pytest.mark.parametrize("name", NAMES)
def test_every_page_of_a_pdf_carries_head_and_fingerprint(name: str) -> None:
    report = published(name)
    pages = closed_texts(name)
    for number, text in enumerate(pages, start=1):
        flat = text.replace(" ", "")
        assert f"#{MARK.head_seq}{MARK.head_hash}" in flat
        assert MARK.key_fingerprint in flat
        assert report.schema in text
        assert "closed, version 1" in text
        assert f"{number} / {len(pages)}" in text
        assert "NOT CLOSED" not in text


@pytest.mark.parametrize("name", NAMES)
def test_an_open_period_says_so_on_every_page(name: str, typeface: Typeface) -> None:
    summary = month("2025-06", closed=False) if name == "monthly" else year(closed=False)
    for text in pdf_texts(published(name, summary=summary).to_pdf(typeface)):
        assert "未结账 NOT CLOSED" in text
        assert "no ledger mark" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_same_figures_give_the_same_bytes(name: str, typeface: Typeface) -> None:
    first, again = published(name), published(name)
    assert first.to_pdf(typeface) == closed_pdf(name)
    assert first.to_xlsx() == again.to_xlsx()
    assert json_text(first.to_document()) == json_text(again.to_document())


@pytest.mark.parametrize("name", NAMES)
def test_every_sign_has_its_glyph(name: str) -> None:
    pdf = closed_pdf(name)
    assert missing_glyphs(pdf) == 0
    assert {font.partition("-")[0] for font in fonts(pdf)} <= {"NotoSansCJKsc", "NotoSansMonoCJKsc"}


def test_a_missing_glyph_would_be_found(typeface: Typeface) -> None:
    summary = month("2025-06")
    named = replace(summary, site=replace(summary.site, organisation="某\ue000公司"))
    assert missing_glyphs(published("monthly", summary=named).to_pdf(typeface)) > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_the_model_stands_in_the_pdf(name: str) -> None:
    report = published(name)
    text = "\n".join(closed_texts(name))
    lacking = [
        cell_text(cell, column)
        for table in report.page.tables
        for row in table.rows
        for cell, column in zip(row.cells, table.columns, strict=True)
        if isinstance(cell, int | Fraction) and column.numeric and cell_text(cell, column) not in text
    ]
    assert lacking == []


def test_monthly_totals_to_the_gram() -> None:
    text = "\n".join(closed_texts("monthly"))
    # 93 480 000 L × 2016 g/m3 + 480 875 g + 2 520 000 g, and 403 440 kWh × 156 g
    assert "191.456555" in text
    assert "62.936640" in text
    assert "254.393195" in text
    assert "403,440.000" in text  # kWh of the grid entry
    assert "410,440,000" in text  # its register at the end, Wh


@pytest.mark.parametrize("name", NAMES)
def test_cells_of_the_workbook_are_the_figures_of_the_model(name: str) -> None:
    report = published(name)
    cells = xlsx_cells(report.to_xlsx())
    sheets = list(cells.values())[1:]
    assert len(sheets) == len(report.page.tables)
    for table, sheet in zip(report.page.tables, sheets, strict=True):
        assert str(table.title) == sheet[0][0]
        for row, found in zip(table.rows, sheet[2:], strict=False):
            for cell, column, value in zip(row.cells, table.columns, found, strict=False):
                if isinstance(cell, int | Fraction) and column.numeric:
                    assert _same(value, Fraction(cell)), (table.key, row, value)
                elif isinstance(cell, Both) and not row.mark:
                    assert value == str(cell)


def _same(found: Any, figure: Fraction) -> bool:
    """The very figure where it ends within 15 digits, or as text; 15 digits of it where it never ends."""
    text = exact_text(figure)
    if isinstance(found, str):
        return found == text
    value = Decimal(repr(found))
    if "/" in text:
        return abs(Fraction(value) - figure) <= abs(figure) / 10**14
    return value == Decimal(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_workbook_is_plain(name: str) -> None:
    cells: Cells = xlsx_cells(published(name).to_xlsx())
    values = [value for rows in cells.values() for row in rows for value in row if isinstance(value, str)]
    assert not [value for value in values if value.startswith("=")]
    cover = [row[1] for row in next(iter(cells.values()))]
    assert any(MARK.head_hash in str(value).replace(" ", "") for value in cover)


def test_a_key_that_is_not_at_hand_is_said(typeface: Typeface) -> None:
    mark = LedgerMark(7, MARK.head_hash, "")
    report = find_report("metering").publish(Arguments(replace(month("2025-06"), mark=mark)))
    assert all("key fingerprint 未提供 not given" in text for text in pdf_texts(report.to_pdf(typeface)))


def test_an_incomplete_month_says_so(typeface: Typeface) -> None:
    report = published("monthly", summary=month("2025-06", closed=False, gap=True))
    first = pdf_texts(report.to_pdf(typeface))[0]
    assert "数据不完整" in first
    assert "DATA INCOMPLETE" in first
    assert "254.393 tCO2e 暂用 不完整" in first
    assert "2,592" in first  # readings present, of 2880
    assert "90.00" in first
    assert "meter:e-grid" in first
    cover = [str(row[1]) for row in next(iter(xlsx_cells(report.to_xlsx()).values()))]
    assert any("DATA INCOMPLETE" in text for text in cover)


def test_no_data_names_what_is_missing() -> None:
    report = published("zero-carbon")
    text = "\n".join(closed_texts("zero-carbon"))
    assert "无数据 no data" in text
    assert "缺设备能效等级台账" in text
    sheet = list(xlsx_cells(report.to_xlsx()).values())[1]
    assert any("no register of equipment by energy efficiency" in str(value) for row in sheet for value in row)


def test_a_document_holds_no_float() -> None:
    def refuse(text: str) -> float:
        raise AssertionError(text)

    for name in NAMES:
        json.loads(json_text(published(name).to_document()), parse_float=refuse)


def test_text_that_looks_like_markup_stays_text(typeface: Typeface) -> None:
    summary = month("2025-06")
    name = 'A & <b> #strong[x] "q" \\ =1+1'
    report = published("monthly", summary=replace(summary, site=replace(summary.site, organisation=name)))
    assert name in pdf_text(report.to_pdf(typeface))
    assert [name] == [row[1] for row in next(iter(xlsx_cells(report.to_xlsx()).values()))[1:2]]
