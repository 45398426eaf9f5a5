"""What really passed, hour by hour: counted up from the plant by carrying remainders, never from a register.

`truth.json` (schema `shutan.sim.year/1`):

    start_ns, hours     first hour, how many
    meters.<id>         unit, hours: what passed in each, in whole steps of the instrument that stood there;
                        total: their sum; passed: [exact total of the plant x 60, 60]
    events              what was planted: kind, meter, start_ns, end_ns, and
                        lost: [[hour_ns, value], ...] that no reader of registers can know (reset, negative step)
"""

from collections.abc import Sequence

from shutan_sim.year.plan import Change, Kind
from shutan_sim.year.plant import UNITS, part_of
from shutan_sim.year.spec import MeterSpec

__all__ = ["Account"]

_PER_HOUR = 4


class Account:
    """Hours of one metering point. A step belongs to the hour in which it is completed, as on the register."""

    def __init__(self, spec: MeterSpec, per_reading: int) -> None:
        """per_reading: quarters from one reading to the next (1, 2 or 4)."""
        self._spec = spec
        self._per_reading = per_reading
        self._carry = 0
        self._wh = spec.step * spec.ratio
        self.hours: list[int] = []
        self.passed = 0
        self.lost: list[tuple[Change, int]] = []

    def day(self, energies: Sequence[int], changes: Sequence[Change], *, kept: bool) -> None:
        """One day of 96 quarters; kept: whether it belongs to the year, or only moves the remainder on."""
        for hour in range(len(energies) // _PER_HOUR):
            first = hour * _PER_HOUR
            inside = [change for change in changes if first <= change.quarter < first + _PER_HOUR]
            quarters = energies[first : first + _PER_HOUR]
            value = self._changed_hour(quarters, first, inside) if inside else self._take(sum(quarters))
            if kept:
                self.hours.append(value)
        if kept:
            self.passed += sum(energies)

    def _take(self, energy: int) -> int:
        steps, self._carry = divmod(self._carry + energy, self._wh * UNITS)
        return steps * self._wh

    def _changed_hour(self, quarters: Sequence[int], first: int, changes: Sequence[Change]) -> int:
        values: list[int] = []
        for number, energy in enumerate(quarters, start=first):
            change = next((change for change in changes if change.quarter == number), None)
            if change is None:
                values.append(self._take(energy))
                continue
            head = part_of(energy, change.minute)
            before = self._take(head)
            if change.kind is not Kind.NEGATIVE_STEP:
                self._carry = 0  # the instrument was without power: what had not made a step is gone
            if change.kind is Kind.CT_CHANGE:
                self._wh = self._spec.step * change.ct[0] // change.ct[1]
            if change.kind is Kind.RESET:
                since = (number - first) // self._per_reading * self._per_reading
                self.lost.append((change, sum(values[since:]) + before))
            values.append(before + self._take(energy - head))
        self.lost += [
            (change, sum(values[since : since + self._per_reading]))
            for change in changes
            if change.kind is Kind.NEGATIVE_STEP
            for since in [(change.quarter - first) // self._per_reading * self._per_reading]
        ]
        return sum(values)
