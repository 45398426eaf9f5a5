"""Material for tests of activities: folders of files, and any row of any kind."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
from hypothesis import strategies as st

from shutan_collector.activity.book import Imported, read_activities
from shutan_collector.activity.kinds import (
    KINDS,
    ActivityBook,
    Direction,
    HeatForm,
    MissingMethod,
    RefrigerantMethod,
    Row,
)
from shutan_collector.errors import ActivityError

CHINA = ZoneInfo("Asia/Shanghai")
_TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=12)
_BY_TYPE = {
    "str": _TEXT,
    "int": st.integers(-(2**70), 2**70),
    "bool": st.booleans(),
    "date": st.dates(date(2024, 6, 1), date(2026, 6, 30)),
    "Fraction": st.fractions(),
    "Fraction | None": st.none() | st.fractions(),
    "date | None": st.none() | st.dates(),
    "Direction": st.sampled_from(Direction),
    "HeatForm": st.sampled_from(HeatForm),
    "MissingMethod": st.sampled_from(MissingMethod),
    "RefrigerantMethod": st.sampled_from(RefrigerantMethod),
}


# Around one year, so that periods and rows meet.
_MONTHS = st.builds("{}-{:02}".format, st.sampled_from((2024, 2025, 2026)), st.integers(1, 12))
_NEAR = st.integers(1_730_000_000, 1_790_000_000).map(lambda second: second * 10**9)
_BY_NAME = {
    "month": _MONTHS,
    "claimed_for": st.sampled_from(("", "2024", "2025", "2026")) | _MONTHS,
    "time_ns": _NEAR,
    "start_ns": _NEAR,
    "end_ns": _NEAR,
    "year": st.integers(2023, 2027),
    "certificate": st.sampled_from("abc"),
    "key": st.text("abc", min_size=1, max_size=2),
    "meter": st.sampled_from(("m1", "m2")),
}


def any_row(kind: type[Row]) -> st.SearchStrategy[Row]:
    """Rows of one kind with any values that its types allow."""
    return st.builds(
        kind, **{field.name: _BY_NAME.get(field.name, _BY_TYPE[str(field.type)]) for field in fields(kind)}
    )


def any_book() -> st.SearchStrategy[ActivityBook]:
    """Books of rows of all kinds."""
    rows = st.lists(st.sampled_from(sorted(KINDS)).flatmap(lambda name: any_row(KINDS[name])), max_size=8)
    return rows.map(lambda found: ActivityBook.of(found, CHINA))


def write_csv(path: Path, *rows: str, encoding: str = "utf-8") -> Path:
    """A CSV file of these lines."""
    path.write_bytes("".join(f"{row}\r\n" for row in rows).encode(encoding))
    return path


def csv_line(cells: list[str]) -> str:
    """One line of CSV, quoted where needed."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def write_xlsx(path: Path, *rows: Sequence[object], sheet: str = "") -> Path:
    """A workbook of one sheet."""
    book = openpyxl.Workbook()
    book.worksheets[0].title = sheet or path.stem
    for row in rows:
        book.worksheets[0].append(list(row))  # pyright: ignore[reportArgumentType] - what it accepts is the test
    book.save(path)
    return path


def read(folder: Path) -> Imported:
    """The folder in Chinese time, any meter accepted."""
    return read_activities(folder, CHINA)


def mistakes(folder: Path) -> list[str]:
    """What is wrong with a folder, without its path."""
    try:
        read(folder)
    except ActivityError as error:
        return [str(problem) for problem in error.problems]
    return []
