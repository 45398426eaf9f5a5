"""`readings.csv`: exact integers, every malformed row by its line, and the same readings as any other store."""

import contextlib
import csv
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.errors import RequestError, SeriesError, SeriesFileError
from shutan_collector.periods import iso
from shutan_collector.series import open_reader
from shutan_collector.series.base import Source
from shutan_collector.series.csv import CsvReader
from support.accounting import SECOND, SHANGHAI, at

WH = "active_energy_import_wh"
ENTRY = Source("energy", "jiuniang", "n01", "m-entry")
HEADER = "time,node,device,metric,register"
START, END = at("2025-06-01"), at("2025-06-02")

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes lines into readings.csv; returns its address."""

    def written(*lines: str, header: str = HEADER, encoding: str = "utf-8") -> str:
        path = tmp_path / "readings.csv"
        path.write_text("\n".join((header, *lines)) + "\n", encoding=encoding)
        return f"csv:{path}"

    return written


def line(t_ns: int, register: int, *more: str, device: str = "m-entry") -> str:
    return ",".join((iso(t_ns, SHANGHAI), "n01", device, WH, str(register), *more))


def read(address: str, source: Source = ENTRY, start: int = START, end: int = END) -> Sequence[tuple[int, int]]:
    with open_reader(address) as reader:
        found = reader.read(source, WH, start, end)
        return list(zip(found.times_ns, found.values, strict=True))


def test_registers_come_back_exactly_in_order_and_half_open(write: Write) -> None:
    readings = [(START, 0), (START + 1, 2**53 + 1), (START + 2, 2**63 - 1), (END - 1, -(2**63)), (END, 8)]
    lines = [line(*reading) for reading in readings]
    random.shuffle(lines)
    assert read(write(*lines)) == readings[:-1]


def test_a_row_that_is_there_twice_counts_once_and_another_register_at_that_time_stays(write: Write) -> None:
    address = write(line(START + SECOND, 7), line(START, 5), line(START + SECOND, 7), line(START, 4))
    assert read(address) == [(START, 4), (START, 5), (START + SECOND, 7)]


def test_columns_stand_in_any_order_and_a_byte_order_mark_is_no_column(write: Write) -> None:
    header = "register,metric,device,node,time,quality"
    address = write(f"12,{WH},m-entry,n01,2025-06-01T00:00Z,", header=header, encoding="utf-8-sig")
    assert read(address) == [(at("2025-06-01T08:00"), 12)]


def test_only_the_asked_device_and_metric(write: Write) -> None:
    address = write(line(START, 1), line(START, 2, device="m-other"), line(START, 3, device=""))
    assert read(address) == [(START, 1)]
    assert read(address, Source("energy", "any", "n01", "")) == [(START, 3)]
    assert read(address, Source("energy", "any", "n02", "m-entry")) == []


def test_readings_that_are_not_good_are_counted_and_left_out(write: Write) -> None:
    lines = [line(START + SECOND * n, n, quality) for n, quality in enumerate(["", "192", "0", "500", "-1", "0"])]
    address = write(*lines, lines[-1], header=f"{HEADER},quality")
    with open_reader(address) as reader:
        found = reader.read(ENTRY, WH, START, START + 5 * SECOND)
        assert (list(found.values), found.bad_quality) == ([0, 1], 3)
        assert reader.read(ENTRY, WH, START, END).bad_quality == 4


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2025-06-01T00:00:00,n01,m,w,1", "time '2025-06-01T00:00:00': write ISO 8601 with its offset"),
        ("yesterday,n01,m,w,1", "time 'yesterday'"),
        ("9999-06-01T00:00:00+08:00,n01,m,w,1", "time '9999-06-01T00:00:00+08:00'"),
        ("2025-06-01T00:00:00.1234567891+08:00,n01,m,w,1", "time "),
        ("2025-06-01T00:00:00+08:00,n01,m,w,1.0", "register '1.0': write an integer"),
        ("2025-06-01T00:00:00+08:00,n01,m,w,1e3", "register '1e3'"),
        ("2025-06-01T00:00:00+08:00,n01,m,w,１２", "register '１２'"),
        ("2025-06-01T00:00:00+08:00,n01,m,w,9223372036854775808", "register '9223372036854775808'"),
        ("2025-06-01T00:00:00+08:00,n01,m,w,", "register ''"),
        ("2025-06-01T00:00:00+08:00,n01,m,1", "has 4 fields; 5 are named"),
        ("2025-06-01T00:00:00+08:00,,m,w,1", "node and metric are not empty"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(write: Write, row: str, said: str) -> None:
    address = write(line(START, 1), "", row, line(START, 2))
    with pytest.raises(SeriesFileError) as caught:
        open_reader(address)
    told = caught.value.lines()
    assert len(told) == 1
    assert "readings.csv: line 4: " + said in told[0]
    assert isinstance(caught.value, SeriesError)


def test_a_wrong_quality_is_named(write: Write) -> None:
    with pytest.raises(SeriesFileError, match="line 2: quality 'good': leave it empty"):
        open_reader(write(line(START, 1, "good"), header=f"{HEADER},quality"))


def test_the_first_twenty_malformed_rows_are_told_and_the_rest_counted(write: Write) -> None:
    with pytest.raises(SeriesFileError) as caught:
        open_reader(write(*(f"x{n}" for n in range(33)), line(START, 1)))
    told = caught.value.lines()
    assert len(told) == 21
    assert "line 21: " in told[19]
    assert told[20].endswith("further lines: 13 more malformed rows")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("time,node,device,metric", "the header lacks register; write time,node,device,metric,register,[quality]"),
        ("time;node;device;metric;register", "the header lacks time, node"),
        (f"{HEADER},value", "the header has value"),
        (f"{HEADER},time", "the header has a column twice"),
    ],
)
def test_a_wrong_header_says_what_to_write(write: Write, header: str, said: str) -> None:
    with pytest.raises(SeriesFileError) as caught:
        open_reader(write(line(START, 1), header=header))
    assert said in str(caught.value)


def test_an_empty_file_has_no_header(tmp_path: Path) -> None:
    (tmp_path / "readings.csv").write_bytes(b"")
    with pytest.raises(SeriesFileError, match="line 1: the header lacks time"):
        open_reader(f"csv:{tmp_path / 'readings.csv'}")


def test_what_is_not_csv_or_not_text_is_told_in_one_line(write: Write, tmp_path: Path) -> None:
    with pytest.raises(SeriesFileError, match=r"is not CSV \(.*\); what follows was not read"):
        open_reader(write(line(START, 1), '"open'))
    (tmp_path / "binary.csv").write_bytes(HEADER.encode() + b"\n\xff\xfe\n")
    with pytest.raises(RequestError, match="is not UTF-8 text"):
        open_reader(str(tmp_path / "binary.csv"))


def test_a_bare_path_is_accepted_and_a_missing_file_named(tmp_path: Path, write: Write) -> None:
    assert read(write(line(START, 3)).removeprefix("csv:")) == [(START, 3)]
    with pytest.raises(RequestError, match=r"nowhere\.csv: cannot be read: No such file"):
        open_reader(str(tmp_path / "nowhere.csv"))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_by_its_own_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "readings.csv"
    path.write_bytes(f"{HEADER}\n{text}".encode("utf-8", "replace"))
    with contextlib.suppress(SeriesFileError):
        CsvReader(str(path)).close()


MEMORY = """
import resource, sys
from shutan_collector.series import open_reader
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_reader(sys.argv[1]):
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_readings_are_held_in_columns(tmp_path: Path) -> None:
    """16 bytes a reading and what growing arrays spare; Python objects would be 100 and more."""
    path, count = tmp_path / "readings.csv", 200_000
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER.split(","))
        for step in range(count // 40):
            text = iso(START + step * 900 * SECOND, SHANGHAI)
            rows.writerows((text, "n01", f"m{meter}", WH, step * meter) for meter in range(40))
    done = subprocess.run([sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < count * 50
