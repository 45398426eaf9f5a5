"""Registers read by a person (抄表): a counter of a meter without readings from an instrument, and a check on one with.

A manual reading is the register on the primary side in the metric's step, like every other reading, so that the rules
for rollover, reset and swap are the same ones (energy/registers.py).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.energy.counter import Counter, Installed, Reading
from shutan_collector.energy.registers import RegisterRule, track
from shutan_collector.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_collector.activity.rows import ManualReading
    from shutan_collector.site.model import Installation, Meter

__all__ = ["MANUAL", "ReadingCheck", "compare_readings", "manual_counter"]

MANUAL: Final = "manual 抄表"  # source of such readings in evidence; no instrument of a site is named so


@dataclass(frozen=True, slots=True)
class ReadingCheck:
    """A manual reading beside the instrument's nearest one; difference = manual - instrument, in the metric's step."""

    row: ManualReading
    instrument: Reading | None
    difference: int | None


def manual_counter(meter: Meter, rows: Iterable[ManualReading]) -> Counter:
    """The counter of a meter from manual readings alone; rows of other meters are left aside.

    Each reading belongs to the installation that stood then, so that a swap joins here as it does with instruments.
    """
    own = sorted((row for row in rows if row.meter == meter.id), key=lambda row: row.time_ns)
    installed: list[Installed] = []
    for item in meter.installations:
        stood = [row for row in own if _stood(item, row.time_ns)]
        samples = Samples([row.time_ns for row in stood], [row.register for row in stood])
        source = f"{MANUAL} #{item.serial}" if item.serial else MANUAL
        installed.append(Installed(source, track(samples, RegisterRule(item.span, item.max_per_hour))))
    return Counter(installed)


def compare_readings(rows: Iterable[ManualReading], counter: Counter, tolerance_ns: int) -> tuple[ReadingCheck, ...]:
    """Each manual reading with the instrument's nearest reading within the tolerance (抄表核对)."""
    checks: list[ReadingCheck] = []
    for row in sorted(rows, key=lambda row: row.time_ns):
        index = _nearest(counter, row.time_ns, tolerance_ns)
        if index is None:
            checks.append(ReadingCheck(row, None, None))
        else:
            reading = counter.reading(index)
            checks.append(ReadingCheck(row, reading, row.register - reading.register))
    return tuple(checks)


def _nearest(counter: Counter, t_ns: int, within_ns: int) -> int | None:
    """Index of the reading nearest to an instant, the earlier of two equals; None if none is within reach."""
    right = bisect_left(counter.times_ns, t_ns)
    near = [index for index in (right - 1, right) if 0 <= index < len(counter)]
    best = min(near, key=lambda index: abs(counter.times_ns[index] - t_ns), default=None)
    return best if best is not None and abs(counter.times_ns[best] - t_ns) <= within_ns else None


def _stood(item: Installation, t_ns: int) -> bool:
    return (item.start_ns is None or item.start_ns <= t_ns) and (item.end_ns is None or t_ns < item.end_ns)
