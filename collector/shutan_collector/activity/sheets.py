"""CSV and XLSX files as sheets of cells; nothing here knows what the cells mean.

CSV is UTF-8 (a byte-order mark is allowed) or GB18030, which Excel saves in China: decided by strict decoding, UTF-8
first. XLSX is read by openpyxl in read-only mode; a binary number becomes the decimal that a person sees, a formula its
stored result.
"""

from __future__ import annotations

import csv
import hashlib
import io
import warnings
import zipfile
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol, cast

from shutan_collector.activity.cells import BadCell, Cell, decimal_shown
from shutan_collector.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Sheet", "SheetFile", "column_letter", "read_file"]

_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_UNPACKED: Final = 8 * _MOST_BYTES  # a small zip can hold any amount of zeros
_MOST_ROWS: Final = 500_000
_MOST_COLUMNS: Final = 200
_SEPARATORS: Final = {";": "semicolons", "\t": "tabs"}  # as spreadsheets of other countries write "CSV"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: rows that are not empty, with their number in the file (from 1)."""

    name: str
    rows: tuple[tuple[int, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True)
class SheetFile:
    """A file as it was read; `encoding` is "utf-8", "gb18030" or "xlsx", `sha256` of all its bytes in hex."""

    name: str
    sha256: str
    encoding: str
    sheets: tuple[Sheet, ...]


class _OpenpyxlCell(Protocol):
    value: object
    data_type: str


def column_letter(index: int) -> str:
    """Letter of a column as spreadsheets show it, from 0: A ... Z, AA ..."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def read_file(path: Path, name: str) -> SheetFile | Problem:
    """The sheets of a .csv or .xlsx file, or why it cannot be read. name: of the file in messages."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return Problem(name, f"is larger than {_MOST_BYTES // 1024 // 1024} MiB; divide it")
        content = path.read_bytes()
    except OSError as error:
        return Problem(name, f"cannot be read: {error.strerror or error}")
    sha256 = hashlib.sha256(content).hexdigest()
    if path.suffix.lower() == ".csv":
        return _csv(content, name, sha256)
    return _xlsx(content, name, sha256)


def _csv(content: bytes, name: str, sha256: str) -> SheetFile | Problem:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem(name, "is UTF-16 text; save it as CSV UTF-8")
    encoding = "utf-8"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        encoding = "gb18030"
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError as error:
            return Problem(name, f"is neither UTF-8 nor GB18030 text (byte {error.start + 1}); save it as CSV UTF-8")
    rows: list[tuple[int, tuple[Cell, ...]]] = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), start=1):
            if number > _MOST_ROWS:
                return Problem(name, f"has more than {_MOST_ROWS} rows; divide it")
            if number == 1 and len(row) == 1 and (mark := next((mark for mark in ";\t" if mark in row[0]), "")):
                return Problem(f"{name}:1", f"is separated by {_SEPARATORS[mark]}; save it as CSV with commas")
            cells = tuple(cell.strip() for cell in row)
            if any(cells):
                rows.append((number, cells))
    except csv.Error as error:
        return Problem(name, f"is not a CSV file after row {rows[-1][0] if rows else 0}: {error}")
    return SheetFile(name, sha256, encoding, (Sheet("", tuple(rows)),))


def _xlsx(content: bytes, name: str, sha256: str) -> SheetFile | Problem:
    unreadable = Problem(
        name, "cannot be read as an XLSX workbook; open it in a spreadsheet and save it as .xlsx again"
    )
    if not content.startswith(b"PK"):
        return unreadable
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of decoration that it does not read
            sheets = _workbook(content)
    except _TooLargeError as error:
        return Problem(name, str(error))
    except Exception:  # noqa: BLE001 - openpyxl raises whatever broken XML and zip members lead it to
        return unreadable
    return SheetFile(name, sha256, "xlsx", sheets)


class _TooLargeError(Exception):
    pass


def _workbook(content: bytes) -> tuple[Sheet, ...]:
    import openpyxl  # noqa: PLC0415 - heavy, and only needed where an XLSX file is read

    with zipfile.ZipFile(io.BytesIO(content)) as members:
        if sum(member.file_size for member in members.infolist()) > _MOST_UNPACKED:
            message = f"holds more than {_MOST_UNPACKED // 1024 // 1024} MiB unpacked; divide it"
            raise _TooLargeError(message)
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
    results: dict[str, list[tuple[_OpenpyxlCell, ...]]] = {}
    sheets: list[Sheet] = []
    for sheet in book.worksheets:
        rows: list[tuple[int, tuple[Cell, ...]]] = []
        for number, row in enumerate(_rows(sheet), start=1):
            if any(cell.data_type == "f" for cell in row) and sheet.title not in results:
                values = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
                results[sheet.title] = list(_rows(values[sheet.title]))
            cells = tuple(
                _result(results[sheet.title][number - 1][at]) if cell.data_type == "f" else _cell(cell)
                for at, cell in enumerate(row)
            )
            if any(cell != "" for cell in cells):
                rows.append((number, cells))
        sheets.append(Sheet(sheet.title, tuple(rows)))
    return tuple(sheets)


def _rows(sheet: object) -> Iterator[tuple[_OpenpyxlCell, ...]]:
    """All rows of a read-only sheet, whatever extent the file claims for it."""
    reader = cast("_ReadOnlySheet", sheet)
    reader.reset_dimensions()
    for number, row in enumerate(reader.iter_rows()):
        if number >= _MOST_ROWS or len(row) > _MOST_COLUMNS:
            message = f"has more than {_MOST_ROWS} rows or {_MOST_COLUMNS} columns; delete the empty ones or divide it"
            raise _TooLargeError(message)
        yield row


class _ReadOnlySheet(Protocol):
    def reset_dimensions(self) -> None: ...
    def iter_rows(self) -> Iterator[tuple[_OpenpyxlCell, ...]]: ...


def _result(cell: _OpenpyxlCell) -> Cell:
    if cell.value is None:
        return BadCell("is a formula without a stored result; write the value itself")
    return _cell(cell)


def _cell(cell: _OpenpyxlCell) -> Cell:
    value = cell.value
    if cell.data_type == "e":
        return BadCell(f"holds the error {value}")
    if isinstance(value, bool | datetime):
        return value
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return decimal_shown(value)
    if value is None or isinstance(value, str):
        return (value or "").strip()
    return BadCell(f"holds {type(value).__name__}, not a date, number or text")
