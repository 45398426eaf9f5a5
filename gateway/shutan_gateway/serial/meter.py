"""One wired meter: its device, its place in time, and what of a reading is offered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.intake.offers import sample
from shutan_gateway.serial.budget import char_s
from shutan_gateway.serial.profiles import device_of, wanted_of
from shutan_gateway.serial.schedule import Slot
from shutan_wire import catalogue
from shutan_wire.quality import GOOD, STALE

if TYPE_CHECKING:
    from shutan_gateway.config.serial import SerialBus, SerialMeter
    from shutan_wire.model import Metric

__all__ = ["WiredMeter"]

_REQUEST_BYTES = 24


class WiredMeter:
    """A meter of a bus. key: `site/node/device`; wanted: mask of the items that are read, None = all."""

    def __init__(self, bus: SerialBus, config: SerialMeter, phase_s: float) -> None:
        """See class. phase_s: how far behind the full interval it is read. Raises ProfileError."""
        self.config = config
        self.id = config.id
        self.key = f"{bus.site}/{bus.node}/{config.id}"
        self.device = device_of(config)
        profile = self.device.profile
        self.wanted = wanted_of(profile, config.metrics)
        self.timeout_ms = config.timeout_ms or profile.timeout_ms
        cost_ms = self.timeout_ms + round(1000 * _REQUEST_BYTES * char_s(bus))
        self.slot = Slot(bus.interval_of(config) * 1000, round(phase_s * 1000), cost_ms)
        found = [catalogue.by_id(number) for number in profile.ids]
        self.metrics = [metric for metric in found if metric is not None]
        self._shown: list[int | None] = [None] * len(self.metrics)
        self.lost_ms = 0
        self.answers = False  # it answered once and is not lost

    def samples(self, t_ms: int) -> tuple[Metric, ...]:
        """The last reading: every good value, and what is not good where it was good or unknown before."""
        return tuple(
            self._sample(i, self.device.values[i], self.device.qualities[i], t_ms)
            for i in range(len(self.metrics))
            if (self.wanted is None or self.wanted[i])
            and (self.device.qualities[i] == GOOD or self._shown[i] != self.device.qualities[i])
        )

    def stale(self, t_ms: int) -> tuple[Metric, ...]:
        """What was good until now is stale; nothing the second time."""
        return tuple(self._sample(i, None, STALE, t_ms) for i, shown in enumerate(self._shown) if shown == GOOD)

    def frozen(self, values: list[tuple[int, int]], t_ms: int) -> tuple[Metric, ...]:
        """Registers of a daily freeze; they say nothing about the present."""
        return tuple(sample(self.metrics[i].name, self.metrics[i].datatype, value, t_ms) for i, value in values)

    def _sample(self, i: int, value: float | None, code: int, t_ms: int) -> Metric:
        self._shown[i] = code
        return sample(self.metrics[i].name, self.metrics[i].datatype, value, t_ms, code)
