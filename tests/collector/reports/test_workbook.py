"""Numbers on their way into a workbook: none loses a digit that Excel could keep."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from shutan_collector.exact import exact_text
from shutan_collector.reports.registry import REPORTS, Arguments
from shutan_collector.reports.table import Both, Column, NoData, Row, Table, grouped
from shutan_collector.reports.workbook import excel_number, to_xlsx
from support.report_files import xlsx_cells
from support.summary_year import MARK, month, year

DAY = date(2026, 1, 15)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Fraction(0), Decimal(0)),
        (Fraction("9.97"), Decimal("9.97")),
        (Fraction(-5, 4), Decimal("-1.25")),
        (Fraction(123456789012345), Decimal(123456789012345)),
        (Fraction(1234567890123456), "1234567890123456"),
        (Fraction("123456789.0123456"), "123456789.0123456"),
        (Fraction(12345678901234500000), Decimal(12345678901234500000)),
        (Fraction(1, 3), Decimal("0.333333333333333")),
        (Fraction(2, 3), Decimal("0.666666666666667")),
    ],
)
def test_excel_number(value: Fraction, written: Decimal | str) -> None:
    assert excel_number(value) == written
    assert type(excel_number(value)) is type(written)


@settings(deadline=None, max_examples=20)  # each example writes and reads a whole workbook
@given(st.lists(st.tuples(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 9)), min_size=1, max_size=40))
def test_fifteen_digits_go_through_a_double_and_back(numbers: list[tuple[int, int]]) -> None:
    values = [Fraction(digits, 10**places) for digits, places in numbers]
    table = Table("t", Both("", "t"), (Column(Both("", "v"), places=3),), tuple(Row((value,)) for value in values))
    (_, sheet) = xlsx_cells(to_xlsx((table,), (("a", "b"),), "foot", DAY, "title")).values()
    assert [Decimal(repr(row[0])) for row in sheet[2:]] == [Decimal(exact_text(value)) for value in values]


@given(st.integers(), st.integers(0, 9))
def test_grouping_changes_no_digit(number: int, places: int) -> None:
    value = Fraction(number, 10**places)
    assert Fraction(grouped(value, places).replace(",", "")) == value


def test_a_formula_or_link_in_a_text_stays_text() -> None:
    rows = (Row(("=1+1",)), Row(("https://example.org/",)), Row(("@SUM(A1)",)))
    table = Table("t", Both("表", "t"), (Column(Both("", "text")),), rows)
    xlsx = to_xlsx((table,), (("标题", "=2"),), "foot & more", DAY, "title")
    cover, sheet = xlsx_cells(xlsx).values()
    assert [row[0] for row in sheet[2:5]] == ["=1+1", "https://example.org/", "@SUM(A1)"]
    assert cover[0][1] == "=2"


def test_no_data_keeps_its_reason() -> None:
    lacking = NoData(Both("缺密度", "no density"))
    table = Table("t", Both("", "t"), (Column(Both("", "v"), places=2),), (Row((lacking,)), Row((None,))))
    (_, sheet) = xlsx_cells(to_xlsx((table,), (), "foot", DAY, "title")).values()
    assert [row[0] for row in sheet[2:4]] == ["无数据 no data: 缺密度 no density", "—"]


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="2 cells for 1 columns"):
        Table("t", Both("", "t"), (Column(Both("", "v")),), (Row(("a", "b")),))


def test_heads_are_frozen_and_feet_are_short_enough_for_excel() -> None:
    for kind in REPORTS:
        report = kind.publish(Arguments(month("2025-06") if kind.name == "monthly" else year()))
        book = load_workbook(BytesIO(report.to_xlsx()))
        for sheet in book.worksheets[1:]:
            assert sheet.freeze_panes == "B3"
            assert sheet.print_title_rows == "$1:$2"
        for sheet in book.worksheets:
            assert sheet.oddFooter is not None
            foot = str(sheet.oddFooter.left.text)
            assert MARK.head_hash in foot
            assert MARK.key_fingerprint in foot
            assert sheet.page_setup.paperSize == 9
        assert len(book.sheetnames) == len(set(book.sheetnames))
