"""Momentary values of an instrument, consistent with the plant's power: P = sum of U x I x PF over the phases.

Gauges carry no truth (energy comes from registers), so they are floats.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from shutan_sim.local_time import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_sim.devices import Device
    from shutan_sim.plant import Plant

NOMINAL_V = 230.0
_DEMAND_MS = 15 * MINUTE_MS
_PHASE_OFFSET = (0, 21_011, 44_207)
_NEIGHBOUR = {1: 2, 2: 3, 3: 1}


def _ripple(seed: int, second: int) -> float:
    """-1..1, jumping from second to second, the same for the same second."""
    mixed = (second * 2_654_435_761 + seed * 40_503) & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 15) * 2_246_822_519 & 0xFFFFFFFF
    return (mixed ^ mixed >> 13) / 0x80000000 - 1.0


class Gauges:
    """Primary-side momentary values of one device by metric name.

    nominal_v: phase voltage (230 V, or 5774 V behind a PT of 10 kV/100 V)
    """

    def __init__(self, device: Device, plant: Plant, nominal_v: float = NOMINAL_V) -> None:
        self._device = device
        self._plant = plant
        self._nominal_v = nominal_v
        self._tan = device.tan_permille / 1000
        self._seed = plant.seed + sum(device.id.encode())
        self._by_name: dict[str, Callable[[int], float]] = {
            "active_power_w": lambda t: float(self.power(t)),
            "reactive_power_var": lambda t: self.power(t) * self._tan,
            "apparent_power_va": self._apparent,
            "power_factor": self._power_factor,
            "frequency_hz": lambda t: 50.0 + 0.02 * _ripple(plant.seed, t // 1000),
            "current_n_a": self._neutral,
            "active_power_demand_w": self._demand,
            "gas_flow_l_h": lambda t: float(plant.rate("gas", t)),
            "alarm_code": lambda _: 0.0,
        }
        for phase in (1, 2, 3):
            self._add_phase(phase)

    def _add_phase(self, phase: int) -> None:
        share = self._device.phases[phase - 1] / 1000
        name = self._by_name
        name[f"voltage_l{phase}_v"] = lambda t: self.voltage(phase, t)
        name[f"voltage_l{phase}_l{_NEIGHBOUR[phase]}_v"] = lambda t: (
            math.sqrt(3) * (self.voltage(phase, t) + self.voltage(_NEIGHBOUR[phase], t)) / 2
        )
        name[f"current_l{phase}_a"] = lambda t: self._current(phase, t)
        name[f"active_power_l{phase}_w"] = lambda t: self.power(t) * share
        name[f"reactive_power_l{phase}_var"] = lambda t: self.power(t) * share * self._tan
        name[f"apparent_power_l{phase}_va"] = lambda t: self._apparent(t) * share
        name[f"power_factor_l{phase}"] = self._power_factor

    def names(self) -> frozenset[str]:
        """All metrics that can be asked for."""
        return frozenset(self._by_name)

    def value(self, metric: str, t_ms: int) -> float:
        """Primary-side value; KeyError for a metric that this device does not have."""
        return self._by_name[metric](t_ms)

    def power(self, t_ms: int) -> int:
        """Active power in W, negative while it feeds back."""
        device = self._device
        watts = self._plant.rate(device.channel, t_ms)
        return watts - self._plant.rate(device.reverse, t_ms) if device.reverse else watts

    def voltage(self, phase: int, t_ms: int) -> float:
        """Phase voltage: nominal, a little lower under load, with a ripple."""
        droop = abs(self.power(t_ms)) / 1e6 * 0.02
        ripple = 0.004 * _ripple(self._seed + _PHASE_OFFSET[phase - 1], t_ms // 1000)
        return self._nominal_v * (1.008 - droop + ripple) if self._device.phases[phase - 1] else 0.0

    def _current(self, phase: int, t_ms: int) -> float:
        share = self._device.phases[phase - 1]
        apparent = self._apparent(t_ms) * share / 1000
        return apparent / self.voltage(phase, t_ms) if share else 0.0

    def _apparent(self, t_ms: int) -> float:
        return abs(self.power(t_ms)) * math.hypot(1.0, self._tan)

    def _power_factor(self, _: int) -> float:
        return 1 / math.hypot(1.0, self._tan)

    def _neutral(self, t_ms: int) -> float:
        """Amount of the vector sum of the three currents, 120 degrees apart."""
        i1, i2, i3 = (self._current(phase, t_ms) for phase in (1, 2, 3))
        return math.sqrt(max(0.0, i1 * i1 + i2 * i2 + i3 * i3 - i1 * i2 - i2 * i3 - i3 * i1))

    def _demand(self, t_ms: int) -> float:
        """Mean power of the last 15 minutes."""
        begin = max(self._plant.anchor_ms, t_ms - _DEMAND_MS)
        if t_ms <= begin:
            return 0.0
        channel = self._device.channel
        return (self._plant.energy(channel, t_ms) - self._plant.energy(channel, begin)) / (t_ms - begin)
