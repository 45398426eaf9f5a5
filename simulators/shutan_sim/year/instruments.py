"""The register of one metering point, quarter by quarter, through everything that happens to its instrument."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from shutan_sim.year.plan import Change, Kind
from shutan_sim.year.plant import UNITS, part_of
from shutan_sim.year.spec import MeterSpec

__all__ = ["Installed", "Instrument"]


@dataclass(frozen=True, slots=True)
class Installed:
    """One instrument in the place, from one swap or change of transformer to the next (换表记录).

    from_ms, to_ms     ms since 1970, None = open
    start, end         register at both, primary side, in the metric's unit; None = open
    """

    device: str
    serial: str
    ct: tuple[int, int]
    from_ms: int | None
    to_ms: int | None
    start: int | None
    end: int | None


class Instrument:
    """Cuts the plant's exact energy to what the register shows: whole steps, primary side, beginning again at its span.

    installed   the instruments so far, the present one last and open
    rollovers   when the register began again: ms since 1970 of the first reading after it
    """

    def __init__(self, spec: MeterSpec, start: int) -> None:
        """start: steps that it shows in the first moment."""
        self.spec = spec
        self.device = spec.device
        self.rollovers: list[int] = []
        self._ct = spec.ct
        self._serial = spec.serial
        self._begin(spec.ratio, start)
        self.installed = [Installed(spec.device, spec.serial, spec.ct, None, None, None, None)]

    @property
    def register(self) -> int:
        """What it shows now, primary side."""
        return (self._start + self._passed // self._units) % self.spec.span * self._size

    def advance(self, energies: Sequence[int], first_ms: int, quarter_ms: int) -> list[int]:
        """Registers at the ends of quarters; first_ms: the first of these ends."""
        start, units, span, size = self._start, self._units, self.spec.span, self._size
        passed = list(accumulate(energies, initial=self._passed))
        shown = [(start + one // units) % span * size for one in passed]
        self._passed = passed[-1]
        if shown[-1] < shown[0]:
            at = next(number for number in range(1, len(shown)) if shown[number] < shown[number - 1])
            self.rollovers.append(first_ms + (at - 1) * quarter_ms)
        return shown[1:]

    def change(self, change: Change, energy: int) -> int:
        """Take the first minutes of the quarter of a change, then make it; returns what is left of the quarter."""
        head = part_of(energy, change.minute)
        self._passed += head
        before, steps = self.register, self._start + self._passed // self._units
        if change.kind is Kind.NEGATIVE_STEP:
            self._start -= change.steps
        elif change.kind is Kind.RESET:
            self._begin(self.spec.ratio, 0)
        elif change.kind is Kind.CT_CHANGE:
            self._ct = change.ct
            self._begin(change.ct[0] // change.ct[1], steps % self.spec.span)
            self._install(change, before)
        elif change.kind is Kind.SWAP:
            self.device, self._serial = f"{self.spec.device}-2", f"{self._serial}-2"
            self._begin(self.spec.ratio, change.steps)
            self._install(change, before)
        return energy - head

    def _begin(self, ratio: int, start: int) -> None:
        self._size = self.spec.step * ratio
        self._units = self._size * UNITS
        self._start = start
        self._passed = 0

    def _install(self, change: Change, before: int) -> None:
        old = self.installed[-1]
        self.installed[-1] = Installed(old.device, old.serial, old.ct, old.from_ms, change.at_ms, old.start, before)
        self.installed.append(
            Installed(self.device, self._serial, self._ct, change.at_ms, None, self.register, None)
        )  # fmt: skip
