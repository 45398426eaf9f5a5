"""What spreadsheets and text files do to numbers, dates and characters."""

import random
import zipfile
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.activity.cells import (
    BadCell,
    CellError,
    day_of,
    decimal_shown,
    moment_of,
    month_of,
    number_of,
    text_of,
)
from shutan_collector.activity.sheets import column_letter, read_file
from shutan_collector.errors import Problem
from support.activities import mistakes, read, write_csv, write_xlsx

AREA = ["key", "start", "area [m2]"]
NS_PER_H = 3600 * 10**9


def _at(*parts: int) -> datetime:
    return datetime(*parts)  # noqa: DTZ001  # pyright: ignore[reportArgumentType] - cells have no zone; parts are y, m, d


def _ns(*parts: int) -> int:
    return int((datetime(*parts, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9


@pytest.mark.parametrize(
    ("cell", "exact"),
    [
        (0.1, "0.1"),
        (1.1, "1.1"),
        (1234.5678, "1234.5678"),
        (123456789012345, "123456789012345"),
        (2.5e-7, "0.00000025"),
    ],
)
def test_xlsx_number_is_the_decimal_a_person_sees(cell: float, exact: str, tmp_path: Path) -> None:
    write_xlsx(tmp_path / "land_area.xlsx", AREA, ["L1", _at(2024, 1, 1), cell])
    assert read(tmp_path).book.land_areas[0].area_m2 == Fraction(exact)


@pytest.mark.parametrize("cell", [1 / 3, 2 / 3])
def test_xlsx_number_that_a_calculation_left_over_is_refused(cell: float, tmp_path: Path) -> None:
    write_xlsx(tmp_path / "land_area.xlsx", AREA, ["L1", _at(2024, 1, 1), cell])
    [found] = mistakes(tmp_path)
    assert found.startswith(f"land_area.xlsx:land_area:2 area (C): {cell!r} has more than 15 significant digits; round")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3))
def test_a_decimal_of_fifteen_digits_survives_a_spreadsheet(value: object) -> None:
    assert decimal_shown(float(str(value))) == value


@given(st.floats())
def test_any_binary_number_is_exact_or_refused(value: float) -> None:
    found = decimal_shown(value)
    assert isinstance(found, BadCell) or float(found) == value


@given(st.integers(-(10**14), 10**14), st.integers(0, 12))
def test_number_text_is_exact(digits: int, places: int) -> None:
    text = f"{digits / 10**places:.0f}" if not places else f"{digits // 10**places}.{digits % 10**places:0{places}d}"
    if digits >= 0:
        assert number_of(text) == Fraction(digits, 10**places)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,234.5", "1234.5"), ("１２３．５", "123.5"), ("+7", "7"), ("-7", "-7"), ("1.5E3", "1500"), ("1e-3", "0.001")],
)
def test_number_in_the_ways_people_write_it(text: str, value: str) -> None:
    assert number_of(text) == Fraction(value)


@pytest.mark.parametrize(
    "text", ["1.234,5", "1 234", "12,34", "0x1F", "1/2", "1_000", "", "inf", "1e999", "٣", "9" * 65]
)
def test_what_is_not_a_number(text: str) -> None:
    with pytest.raises(CellError):
        number_of(text)


@given(st.text(max_size=20))
def test_readers_raise_nothing_but_their_own_error(text: str) -> None:
    for reader in (number_of, day_of, moment_of, month_of, text_of):
        try:
            reader(text)
        except CellError:
            continue


@pytest.mark.parametrize("text", ["2025-06-01", "2025/6/1", "2025.06.01", "2025年6月1日", "２０２５-０６-０１"])
def test_day_in_the_ways_people_write_it(text: str) -> None:
    assert day_of(text).isoformat() == "2025-06-01"


@pytest.mark.parametrize("text", ["2025-06", "2025/6", "2025年6月", "2025年06月"])
def test_month_in_the_ways_people_write_it(text: str) -> None:
    assert month_of(text) == "2025-06"
    assert month_of(_at(2025, 6, 1)) == "2025-06"


def test_month_that_a_spreadsheet_made_a_day_of_is_only_the_first() -> None:
    with pytest.raises(CellError, match="a month such as 2025-06"):
        month_of(_at(2025, 6, 2))


@pytest.mark.parametrize("text", ["2025", "2025-13", "2025-0", "1025-06", "June"])
def test_what_is_not_a_month(text: str) -> None:
    with pytest.raises(CellError):
        month_of(text)


def test_moment_is_local_unless_it_has_an_offset(tmp_path: Path) -> None:
    heading: list[object] = ["key", "meter", "time", "register", "unit", "person"]
    times = ("2025-07-01 08:00", "2025/7/1 8:00:30", "2025-07-01T00:01:00Z", _at(2025, 7, 1, 8, 2))
    rows = [[f"M{number}", "m", time, "5", "kWh", "Li"] for number, time in enumerate(times)]
    write_xlsx(tmp_path / "manual_reading.xlsx", heading, *rows)
    start_ns = _ns(2025, 7, 1)
    assert [row.time_ns - start_ns for row in read(tmp_path).book.readings] == [
        0,
        30 * 10**9,
        60 * 10**9,
        120 * 10**9,
    ]


def test_time_of_day_in_a_day_cell_is_refused(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "land_area.xlsx", AREA, ["L1", _at(2024, 1, 1, 8), 1], ["L2", 45292, 1])
    assert mistakes(tmp_path) == [
        "land_area.xlsx:land_area:2 start (B): found '2024-01-01 08:00:00'; accepted: a day without a time",
        "land_area.xlsx:land_area:3 start (B): found '45292'; accepted: a day such as 2025-06-01",
    ]


def test_long_number_as_key_has_lost_digits(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "land_area.xlsx", AREA, [1234567890123456, _at(2024, 1, 1), 1], [17, _at(2025, 1, 1), 1])
    [found] = mistakes(tmp_path)
    assert found.startswith(
        "land_area.xlsx:land_area:2 key (A): found '1234567890123456'; accepted: text; format the cell"
    )


def test_formula_counts_with_its_stored_result_only(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "land_area.xlsx", AREA, ["L1", _at(2024, 1, 1), "=2+3"])
    [found] = mistakes(tmp_path)
    assert found == (
        "land_area.xlsx:land_area:2 area (C): is a formula without a stored result; write the value itself;"
        " accepted: number in m2"
    )
    _patch(path, b"<f>2+3</f><v />", b"<f>2+3</f><v>5</v>")
    assert read(tmp_path).book.land_areas[0].area_m2 == 5
    _patch(path, b"<f>2+3</f><v>5</v>", b"<f>2+3</f><v>0.30000000000000004</v>")
    assert "has more than 15 significant digits" in mistakes(tmp_path)[0]


def test_error_value_in_a_cell_is_told(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(AREA)
    sheet.append(["L1", _at(2024, 1, 1), "#N/A"])
    book.save(tmp_path / "land_area.xlsx")
    assert mistakes(tmp_path) == ["land_area.xlsx:Sheet:2 area (C): holds the error #N/A; accepted: number in m2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_encoding_is_found_and_told(encoding: str, tmp_path: Path) -> None:
    write_csv(
        tmp_path / "land_area.csv", "编号,起始日,面积 [平方米],备注", "地块一,2024-01-01,5,厂区", encoding=encoding
    )
    imported = read(tmp_path)
    assert (imported.book.land_areas[0].key, imported.book.land_areas[0].note) == ("地块一", "厂区")
    assert imported.files[0].encoding == encoding.removesuffix("-sig")


def test_csv_in_another_encoding_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "land_area.csv", "key,start,area [m2]", encoding="utf-16")
    (tmp_path / "bill.csv").write_bytes(b"key\xff\xff,start\r\n")
    assert mistakes(tmp_path) == [
        "bill.csv: is neither UTF-8 nor GB18030 text (byte 4); save it as CSV UTF-8",
        "land_area.csv: is UTF-16 text; save it as CSV UTF-8",
    ]


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    write_csv(tmp_path / "land_area.csv", "", "key,start,area [m2],note", "", 'L1,2024-01-01,5,"two\nlines"', "L2,x,5,")
    assert [found.partition(":")[2].partition(" ")[0] for found in mistakes(tmp_path)] == ["4", "5"]


def test_csv_with_an_open_quote_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "land_area.csv", "key,start,area [m2]", 'L1,2024-01-01,"5')
    assert mistakes(tmp_path) == ["land_area.csv: is not a CSV file after row 1: unexpected end of data"]


@pytest.mark.parametrize(("index", "letter"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_column_letter(index: int, letter: str) -> None:
    assert column_letter(index) == letter


def test_damaged_workbook_is_a_problem_never_a_crash(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "land_area.xlsx", AREA, ["L1", _at(2024, 1, 1), 5], ["L2", _at(2025, 1, 1), 6])
    whole = path.read_bytes()
    chance = random.Random(7)  # noqa: S311 - which bits are flipped is no secret
    refused = 0
    for number in range(60):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged[: chance.randrange(len(damaged))] if number % 3 == 0 else damaged)
        refused += isinstance(read_file(path, "land_area.xlsx"), Problem)
    assert refused > 10  # a flipped bit in a member that is not read stays without effect


def test_file_that_is_no_workbook(tmp_path: Path) -> None:
    (tmp_path / "bill.xlsx").write_bytes(b"<html>")
    assert mistakes(tmp_path) == [
        "bill.xlsx: cannot be read as an XLSX workbook; open it in a spreadsheet and save it as .xlsx again"
    ]


def test_workbook_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "land_area.xlsx", AREA)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as members, members.open("xl/zeros.bin", "w") as member:
        for _ in range(513):
            member.write(bytes(1024 * 1024))
    assert path.stat().st_size < 1024 * 1024
    assert mistakes(tmp_path) == ["land_area.xlsx: holds more than 512 MiB unpacked; divide it"]


def test_file_that_is_too_large_is_not_even_opened(tmp_path: Path) -> None:
    with (tmp_path / "bill.csv").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    assert mistakes(tmp_path) == ["bill.csv: is larger than 64 MiB; divide it"]


def _patch(path: Path, old: bytes, new: bytes) -> None:
    """Replace bytes in the first sheet of a workbook."""
    with zipfile.ZipFile(path) as before:
        members = {name: before.read(name) for name in before.namelist()}
    name = "xl/worksheets/sheet1.xml"
    assert old in members[name], members[name]
    members[name] = members[name].replace(old, new)
    with zipfile.ZipFile(path, "w") as after:
        for member, content in members.items():
            after.writestr(member, content)
