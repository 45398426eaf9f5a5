"""One instrument between the plant and the library that speaks its protocol.

It hands out register steps and secondary-side momentary values, and tells the truth log what it showed.
"""

from shutan_sim.devices import Device
from shutan_sim.gauges import NOMINAL_V, Gauges
from shutan_sim.plant import Plant
from shutan_sim.registers import Register, build_registers
from shutan_sim.truth import Truth

HIGH_VOLTAGE_V = 5773.5  # phase voltage of 10 kV


class Instrument:
    """Registers and momentary values of one device at a time.

    served: (meter, metric) pairs are noted in `truth` when a register is asked for and the node keeps it
    """

    def __init__(self, device: Device, plant: Plant, truth: Truth | None = None) -> None:
        self.device = device
        self.registers: dict[str, Register] = build_registers(device, plant)
        self.gauges = Gauges(device, plant, HIGH_VOLTAGE_V if device.pt > 1 else NOMINAL_V)
        self._truth = truth
        self._kept = frozenset(device.metrics)

    def steps(self, metric: str, t_ms: int) -> int:
        """What a register shows, in its own steps."""
        register = self.registers[metric]
        steps = register.steps(t_ms)
        if self._truth is not None and metric in self._kept:
            self._truth.note(register.meter, metric, t_ms, register.shown(steps))
        return steps

    def secondary(self, metric: str, t_ms: int) -> float:
        """A momentary value on the meter's side of its transformers."""
        return self.gauges.value(metric, t_ms) / self.ratio_of(metric)

    def ratio_of(self, metric: str) -> int:
        """Primary / secondary of a momentary value."""
        device = self.device
        if metric.startswith("voltage_"):
            return device.pt
        if metric.startswith("current_"):
            return device.ct
        return device.ratio if metric.endswith(("_w", "_var", "_va")) else 1

    def value(self, metric: str, t_ms: int) -> int | float:
        """Primary-side value as a faithful reader gets it: an int for a register, a float otherwise."""
        register = self.registers.get(metric)
        if register is None:
            return self.gauges.value(metric, t_ms)
        return register.shown(self.steps(metric, t_ms))
