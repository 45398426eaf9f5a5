"""Reader of `readings.csv`: a year of registers in a plain file, for an account without a running service.

| column     | what it holds                                                                               |
|------------|---------------------------------------------------------------------------------------------|
| `time`     | ISO 8601 with an offset: `2025-01-01T00:15:00+08:00`; up to nine digits of a second         |
| `node`     | edge node that read the instrument                                                          |
| `device`   | instrument behind the node; empty = the node itself                                         |
| `metric`   | counter of the metric catalogue, `active_energy_import_wh`                                  |
| `register` | integer in the metric's step, on the primary side of the transformers (CT × PT)             |
| `quality`  | may be left out; empty or 192 is good, any other Sparkplug code is counted, not used        |

The header names the columns, in any order. The file is of one site, so a source's site and family are not looked at.
Rows may stand in any order; a row that is there twice counts once. The whole file is read when it is opened: 16 bytes
a reading.
"""

from __future__ import annotations

import csv
import re
from array import array
from bisect import bisect_left
from datetime import datetime
from itertools import islice, pairwise
from operator import lt
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from shutan_collector.errors import Problem, RequestError, SeriesFileError
from shutan_collector.periods import to_ns
from shutan_collector.samples import Samples
from shutan_collector.series.base import fingerprints_of
from shutan_wire.quality import GOOD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_collector.series.base import Fingerprint, Source

__all__ = ["COLUMNS", "OPTIONAL", "CsvReader"]

COLUMNS: Final = ("time", "node", "device", "metric", "register")
OPTIONAL: Final = "quality"
_TOLD: Final = 20  # malformed rows that are told one by one; the rest are counted
_ACCEPTED: Final = ",".join((*COLUMNS, f"[{OPTIONAL}]"))
_FRACTION: Final = re.compile(r"(.+T\d\d:\d\d:\d\d)[.,](\d{1,9})(Z|[+-]\d\d:?\d\d)")
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_LARGEST: Final = 2**63 - 1


class _Series:
    """One counter of one device: readings in time order, and the times of those that are not good."""

    __slots__ = ("bad_ns", "times_ns", "values")

    def __init__(self) -> None:
        self.times_ns, self.values, self.bad_ns = array("q"), array("q"), array("q")

    def arrange(self) -> None:
        """Sort, and drop what is there twice; nothing to do for a file in time order."""
        if not all(map(lt, self.times_ns, islice(self.times_ns, 1, None))):
            rows = sorted(set(zip(self.times_ns, self.values, strict=True)))
            self.times_ns = array("q", (t_ns for t_ns, _ in rows))
            self.values = array("q", (value for _, value in rows))
        if any(right <= left for left, right in pairwise(self.bad_ns)):
            self.bad_ns = array("q", sorted(set(self.bad_ns)))


_Key = tuple[str, str, str]


class _Places(NamedTuple):
    """Where each column stands; quality is -1 where there is none."""

    time: int
    node: int
    device: int
    metric: int
    register: int
    quality: int


class CsvReader:
    """One file, read when it is opened and held in memory; never written.

    Raises RequestError for a file that cannot be read, SeriesFileError with the malformed rows by line.
    """

    def __init__(self, path: str) -> None:
        loader = _Loader(path)
        try:
            with Path(path).open(encoding="utf-8-sig", newline="") as file:
                loader.load(csv.reader(file, strict=True))
        except OSError as error:
            raise RequestError("--series", f"{path}: cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise RequestError("--series", f"{path}: is not UTF-8 text (byte {error.start} of a block)") from error
        self._series = loader.finished()

    def read(self, source: Source, metric: str, start_ns: int, end_ns: int) -> Samples:
        """Good readings with start_ns <= time < end_ns."""
        series = self._series.get((source.node, source.device, metric))
        if series is None:
            return Samples()
        first, after = bisect_left(series.times_ns, start_ns), bisect_left(series.times_ns, end_ns)
        bad = bisect_left(series.bad_ns, end_ns) - bisect_left(series.bad_ns, start_ns)
        return Samples(series.times_ns[first:after], series.values[first:after], bad)

    def fingerprints(self, source: Source, metric: str, day_edges_ns: Sequence[int]) -> tuple[Fingerprint, ...]:
        """Per interval between neighbouring edges: good readings, sum of registers, sum of ms since its start."""
        return fingerprints_of(self.read(source, metric, day_edges_ns[0], day_edges_ns[-1]), day_edges_ns)

    def close(self) -> None:
        """Let the readings go."""
        self._series = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Loader:
    """Parses one file; every malformed row is noted and the rest read on, so that all mistakes are told at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._series: dict[_Key, _Series] = {}
        self._problems: list[Problem] = []
        self._malformed = 0

    def load(self, rows: Iterator[list[str]]) -> None:
        """Header and rows of an open `csv.reader`."""
        line = 1
        try:
            places = self._header(next(rows, list[str]()))
            if places is None:
                return
            self._rows(rows, places)
        except csv.Error as error:
            line = getattr(rows, "line_num", line)
            self._note(line, f"is not CSV ({error}); what follows was not read")

    def finished(self) -> dict[_Key, _Series]:
        """The series in time order; SeriesFileError if a row was malformed."""
        if self._malformed:
            more = self._malformed - len(self._problems)
            if more:
                self._problems.append(Problem("further lines", f"{more} more malformed rows"))
            raise SeriesFileError(self._path, tuple(self._problems))
        for series in self._series.values():
            series.arrange()
        return self._series

    def _header(self, names: list[str]) -> _Places | None:
        lacking = [name for name in COLUMNS if name not in names]
        unknown = [name for name in names if name not in COLUMNS and name != OPTIONAL]
        if lacking or unknown or len(set(names)) != len(names):
            said = f"lacks {', '.join(lacking)}" if lacking else f"has {', '.join(unknown) or 'a column twice'}"
            self._note(1, f"the header {said}; write {_ACCEPTED}")
            return None
        return _Places._make(names.index(name) if name in names else -1 for name in (*COLUMNS, OPTIONAL))

    def _rows(self, rows: Iterator[list[str]], places: _Places) -> None:
        width = len(COLUMNS) + (places.quality >= 0)
        last_text, t_ns = "", 0
        for row in rows:
            if len(row) != width:
                if row:  # an empty line says nothing, usually it is the last one
                    self._note_row(rows, f"has {len(row)} fields; {width} are named in the header")
                continue
            if row[places.time] != last_text:  # a file in time order has the same text once per meter
                found = _time_ns(row[places.time])
                if found is None:
                    self._note_row(rows, f"time {row[places.time]!r}: write ISO 8601 with its offset, {_EXAMPLE}")
                    continue
                last_text, t_ns = row[places.time], found
            reason = self._take(t_ns, row, places)
            if reason:
                self._note_row(rows, reason)

    def _take(self, t_ns: int, row: list[str], places: _Places) -> str:
        """File one reading; returns what is wrong with it, or nothing."""
        register = row[places.register]
        short = register.isdecimal() and register.isascii() and len(register) < 19
        if not short and not _is_integer(register):
            return f"register {register!r}: write an integer in the metric's step, of 64 bits"
        key = (row[places.node], row[places.device], row[places.metric])
        series = self._series.get(key)
        if series is None:
            if not key[0] or not key[2]:
                return "node and metric are not empty"
            series = self._series[key] = _Series()
        quality = row[places.quality] if places.quality >= 0 else ""
        if not quality or quality == _GOOD_TEXT:
            series.times_ns.append(t_ns)
            series.values.append(int(register))
        elif _INTEGER.fullmatch(quality):
            series.bad_ns.append(t_ns)
        else:
            return f"quality {quality!r}: leave it empty or write a Sparkplug code such as {GOOD}"
        return ""

    def _note_row(self, rows: Iterator[list[str]], reason: str) -> None:
        self._note(getattr(rows, "line_num", 0), reason)

    def _note(self, line: int, reason: str) -> None:
        self._malformed += 1
        if len(self._problems) < _TOLD:
            self._problems.append(Problem(f"line {line}", reason))


_GOOD_TEXT: Final = str(GOOD)
_EXAMPLE: Final = "2025-01-01T00:15:00+08:00"


def _is_integer(text: str) -> bool:
    """Whether a text is an integer of at most 64 bits with its sign."""
    return _INTEGER.fullmatch(text) is not None and -_LARGEST - 1 <= int(text) <= _LARGEST


def _time_ns(text: str) -> int | None:
    """UTC nanoseconds; None without an offset, or for what is no time. Nanoseconds are kept (a datetime cuts them)."""
    fraction_ns = 0
    if "." in text or "," in text:
        found = _FRACTION.fullmatch(text)
        if found is None:
            return None
        text = found[1] + found[3]
        fraction_ns = int(found[2].ljust(9, "0"))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None or not 1678 <= moment.year <= 2261:  # what 64 bits of nanoseconds hold
        return None
    return to_ns(moment) + fraction_ns
