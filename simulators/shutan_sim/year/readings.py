"""Rows of `readings.csv` and `late.csv`: time, node, device, metric, register."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from shutan_sim.local_time import ZONE
from shutan_sim.year.plan import Kind, Plan, Stretch
from shutan_sim.year.spec import MeterSpec

__all__ = ["HEADER", "Column", "RowWriter", "iso"]

HEADER = "time,node,device,metric,register\n"


def iso(t_ms: int) -> str:
    """Local time with its offset."""
    return datetime.fromtimestamp(t_ms / 1000, UTC).astimezone(ZONE).isoformat()


@dataclass(frozen=True, slots=True)
class Column:
    """Registers of one instrument at the times of a day; None = another instrument stood there, or no reading."""

    spec: MeterSpec
    device: str
    values: Sequence[int | None]

    @property
    def head(self) -> str:
        """What stands between time and register."""
        return f",{self.spec.node},{self.device},{self.spec.metric},"


class RowWriter:
    """Writes days in time order, except for what the plan says of their rows.

    wanted   whether the reading of a time is written at all
    """

    def __init__(self, readings: TextIO, late: TextIO, plan: Plan, wanted: Callable[[int], bool]) -> None:
        self._readings, self._late = readings, late
        self._plan = plan
        self._wanted = wanted
        self._stuck: dict[str, int] = {}
        self.rows = 0
        self.late_rows = 0
        readings.write(HEADER)
        late.write(HEADER)

    def day(self, times_ms: Sequence[int], columns: Sequence[Column]) -> None:
        """Write one day."""
        today = [
            stretch
            for stretch in self._plan.stretches
            if stretch.from_ms <= times_ms[-1] and times_ms[0] < stretch.to_ms
        ]
        lists = [self._spoiled(column, times_ms, today).values for column in columns]
        heads = [column.head for column in columns]
        after: list[str] = []
        for place, (t_ms, registers) in enumerate(zip(times_ms, zip(*lists, strict=True), strict=True)):
            if not self._wanted(t_ms):
                continue
            text = iso(t_ms)
            lines = [
                f"{text}{head}{register}\n"
                for head, register in zip(heads, registers, strict=True)
                if register is not None
            ]
            self._readings.write("".join(lines))
            self.rows += len(lines)
            self._apart(place, t_ms, columns, today, after)
        self._readings.write("".join(after))
        self.rows += len(after)

    def _spoiled(self, column: Column, times_ms: Sequence[int], today: Sequence[Stretch]) -> Column:
        """The column without what is missing, late or in the wrong place, and stuck where it is stuck."""
        concerned = [stretch for stretch in today if stretch.hits(column.spec) and stretch.kind is not Kind.DUPLICATES]
        values = list(column.values)
        for stretch in concerned:
            for place, t_ms in enumerate(times_ms):
                if not stretch.from_ms <= t_ms < stretch.to_ms:
                    continue
                value = values[place]
                if stretch.kind is Kind.STUCK:
                    values[place] = None if value is None else self._stuck.setdefault(column.spec.id, value)
                else:
                    values[place] = None
        return Column(column.spec, column.device, values) if concerned else column

    def _apart(
        self, place: int, t_ms: int, columns: Sequence[Column], today: Sequence[Stretch], after: list[str]
    ) -> None:
        """Rows that go to late.csv, or to the end of the day."""
        for stretch in today:
            if stretch.kind not in (Kind.LATE, Kind.OUT_OF_ORDER, Kind.DUPLICATES):
                continue
            if not stretch.from_ms <= t_ms < stretch.to_ms:
                continue
            lines = [
                f"{iso(t_ms)}{column.head}{column.values[place]}\n"
                for column in columns
                if stretch.hits(column.spec) and column.values[place] is not None
            ]
            if stretch.kind is Kind.LATE:
                self._late.write("".join(lines))
                self.late_rows += len(lines)
            else:
                after.extend(lines)
