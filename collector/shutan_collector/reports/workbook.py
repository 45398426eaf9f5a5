"""Tables as an XLSX workbook: frozen heads, real numbers, no links, no macros, the same bytes for the same tables.

A cell of Excel is a binary double, good for 15 decimal digits. A number that ends within 15 digits is written as that
number; one that ends later is written as text, so that no digit is lost; one that never ends is written to 15 digits.
"""

# XlsxWriter leaves some parameters without types; its own documentation gives them.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from shutan_collector.exact import exact_text
from shutan_collector.reports.table import Both, NoData, cell_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xlsxwriter.workbook import Format, Workbook
    from xlsxwriter.worksheet import Worksheet

    from shutan_collector.reports.table import Cell, Column, Row, Table

__all__ = ["excel_number", "to_xlsx"]

_DIGITS: Final = 15
_SHEET_NAME_LENGTH: Final = 31
_FONT: Final = "Noto Sans CJK SC"
_HEAD_FILL: Final = "#E8EEF2"
_TOTAL_FILL: Final = "#F4F6F8"


def excel_number(value: Fraction | int) -> Decimal | str:
    """What a cell holds: the number itself, text where Excel would lose digits, 15 digits of one that never ends."""
    text = exact_text(value)
    if "/" in text:
        context = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN)
        fraction = Fraction(value)
        return context.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))
    number = Decimal(text)
    return number if len(number.normalize(Context(prec=10_000)).as_tuple().digits) <= _DIGITS else text


def to_xlsx(tables: Sequence[Table], head: Sequence[tuple[str, str]], foot: str, dated: date, title: str) -> bytes:
    """A workbook: a cover of `head` (label, text) pairs, then a sheet a table; `foot` is printed on each page."""
    import xlsxwriter  # noqa: PLC0415 a heavy library, needed only where a workbook is written

    memory = BytesIO()
    book = xlsxwriter.Workbook(
        memory, {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False, "strings_to_numbers": False}
    )
    # Naive on purpose: XlsxWriter writes it as it stands, and every machine has to write the same.
    book.set_properties({"title": title, "created": datetime.combine(dated, time(), UTC).replace(tzinfo=None)})
    styles = _Styles(book)
    _cover(book, styles, head, foot)
    for table in tables:
        _sheet(book, styles, table, foot)
    book.close()
    return memory.getvalue()


class _Styles:
    """Cell formats, each made once."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Format] = {}

    def get(self, **keys: Any) -> Format:
        """The format of these XlsxWriter properties."""
        key = tuple(sorted(keys.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format({"font_name": _FONT, "font_size": 10, "valign": "top", **keys})
        return self._made[key]


def _page(sheet: Worksheet, foot: str, *, landscape: bool) -> None:
    sheet.set_paper(9)  # A4
    if landscape:
        sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.9)
    sheet.set_footer(f"&L&6{foot.replace('&', '&&')}&R&8&P / &N")


def _cover(book: Workbook, styles: _Styles, head: Sequence[tuple[str, str]], foot: str) -> None:
    sheet = book.add_worksheet("封面 Cover")
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 90)
    for number, (label, text) in enumerate(head):
        top = number == 0
        sheet.write_string(number, 0, label, styles.get(bold=True, font_size=14 if top else 10))
        sheet.write_string(number, 1, text, styles.get(bold=top, font_size=14 if top else 10, text_wrap=True))
    _page(sheet, foot, landscape=False)


def _sheet(book: Workbook, styles: _Styles, table: Table, foot: str) -> None:
    sheet = book.add_worksheet(_sheet_name(table))
    sheet.write_string(0, 0, str(table.title), styles.get(bold=True, font_size=12))
    for at, column in enumerate(table.columns):
        unit = f"\n{column.unit}" if column.unit else ""
        head = f"{column.title.zh}\n{column.title.en}{unit}"
        sheet.write_string(1, at, head, styles.get(bold=True, text_wrap=True, bg_color=_HEAD_FILL, bottom=1))
        sheet.set_column(at, at, column.width)
    sheet.set_row(1, 45)
    for number, row in enumerate(table.rows, start=2):
        _row(sheet, styles, table.columns, row, number)
    for number, note in enumerate(table.notes, start=len(table.rows) + 3):
        sheet.write_string(number, 0, str(note), styles.get(font_size=8, font_color="#555555"))
    sheet.freeze_panes(2, 1)
    sheet.repeat_rows(0, 1)
    _page(sheet, foot, landscape=True)


def _row(sheet: Worksheet, styles: _Styles, columns: Sequence[Column], row: Row, number: int) -> None:
    look: dict[str, Any] = {"bold": True, "bg_color": _TOTAL_FILL, "top": 1} if row.total else {}
    for at, (cell, column) in enumerate(zip(row.cells, columns, strict=True)):
        first = at == 0
        if isinstance(cell, int | Fraction) and column.numeric:
            _number(sheet, partial(styles.get, **look), (number, at), excel_number(cell), column.places or 0)
            continue
        text = _text(cell, column) + (f" {row.mark}" if first and row.mark else "")
        keys = look | {"indent": row.level if first else 0, "text_wrap": True}
        keys |= {"align": "right"} if column.numeric else {}
        keys |= {"font_color": "#9A3324"} if isinstance(cell, NoData) else {}
        sheet.write_string(number, at, text, styles.get(**keys))


def _number(
    sheet: Worksheet, style: Callable[..., Format], at: tuple[int, int], value: Decimal | str, places: int
) -> None:
    pattern = "#,##0" + ("." + "0" * places if places else "")
    if isinstance(value, str):
        sheet.write_string(*at, value, style(align="right", num_format="@"))
    else:
        sheet.write_number(*at, value, style(num_format=pattern))  # pyright: ignore[reportArgumentType] a Decimal is written digit by digit; the annotation says float


def _text(cell: Cell, column: Column) -> str:
    if isinstance(cell, NoData):
        return f"{cell}: {cell.missing}"
    return str(cell) if isinstance(cell, Both) else cell_text(cell, column)


def _sheet_name(table: Table) -> str:
    r"""Short and unique by its key; Excel forbids []:*?/\\ and more than 31 characters."""
    zh = "".join(sign for sign in table.title.zh if sign not in "[]:*?/\\")
    return f"{zh[: _SHEET_NAME_LENGTH - 1 - len(table.key)]} {table.key}"
