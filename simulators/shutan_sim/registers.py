"""Counters of an instrument: exact totals of the plant, cut to what the instrument can show.

A register shows whole steps only, begins again after its span, and never runs backwards in between. Its value on the
primary side (times CT x PT, in the catalogue's unit) is computed here from the shown digits alone, with `Fraction`
where the instrument shows a float: an account of the reading that shares nothing with the node's.
"""

import struct
from collections.abc import Callable
from fractions import Fraction

from shutan_sim.devices import ENERGY_SPAN, ENERGY_STEP_WH, PULSE_SPAN, PULSE_STEP, Device, Kind
from shutan_sim.local_time import TARIFFS
from shutan_sim.plant import UNITS_PER_HOUR, Plant

_TARIFF_SHARE = {1: 90, 2: 330, 3: 290, 4: 290}  # permille of what the register showed on the first day


def as_float32(value: float) -> float:
    """Nearest float32, as an instrument with float registers shows it."""
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


class Register:
    """One counter of one instrument.

    meter, metric: where it stands in the site model and in the catalogue
    """

    def __init__(
        self, meter: str, metric: str, energy: Callable[[int], int], *, step: int, ratio: int, start: int, span: int
    ) -> None:
        """See class.

        energy: rate x ms since the plant's anchor, by plant time; step: Wh (L, kJ) on the meter's side
        start:  steps at the anchor; span: steps until it begins again
        """
        self.meter = meter
        self.metric = metric
        self._energy = energy
        self._units = step * ratio * UNITS_PER_HOUR
        self._start = start
        self.step = step
        self.ratio = ratio
        self.span = span

    def steps(self, t_ms: int) -> int:
        """What the instrument shows, in its own steps, 0 <= steps < span."""
        return (self._start + self._energy(t_ms) // self._units) % self.span

    def shown(self, steps: int) -> int:
        """Primary-side value of shown steps, in the catalogue's unit."""
        return steps * self.step * self.ratio

    def value(self, t_ms: int) -> int:
        """Primary-side value at a time, in the catalogue's unit."""
        return self.shown(self.steps(t_ms))


class FloatRegister(Register):
    """A counter shown as float32 kWh in steps of 0.01 kWh."""

    def kwh(self, steps: int) -> float:
        """The float32 that goes over the bus."""
        return as_float32(steps * self.step / 1000)

    def shown(self, steps: int) -> int:
        """Nearest whole unit (half to even) of the float32, times CT x PT: the float is exact as a fraction."""
        return round(Fraction(self.kwh(steps)) * 1000 * self.ratio)


def _constant(_: int) -> int:
    return 0


def build_registers(device: Device, plant: Plant) -> dict[str, Register]:
    """All counters of an instrument by metric, whether the node reads them or not."""
    if device.kind is Kind.PULSE:
        return {
            metric: Register(
                meter, metric, _of(plant, channel),
                step=PULSE_STEP[metric], ratio=device.ratio, start=start, span=PULSE_SPAN,
            )
            for metric, (meter, channel, start) in device.pulses.items()
        }  # fmt: skip
    kind = device.kind
    make = FloatRegister if kind is Kind.SDM630 else Register

    def register(metric: str, energy: Callable[[int], int], start: int) -> Register:
        step, span = ENERGY_STEP_WH[kind], ENERGY_SPAN[kind]
        return make(device.id, metric, energy, step=step, ratio=device.ratio, start=start, span=span)

    forward = _of(plant, device.channel)
    registers = [register("active_energy_import_wh", forward, device.start)]
    if kind is not Kind.PZEM:
        tan = device.tan_permille
        back = _of(plant, device.reverse) if device.reverse else _constant
        registers += [
            register("active_energy_export_wh", back, 0),
            register("reactive_energy_import_varh", lambda t: forward(t) * tan // 1000, device.start * tan // 1000),
            register("reactive_energy_export_varh", _constant, 0),
        ]
    if kind is Kind.DLT645:
        registers += [
            register(
                f"active_energy_import_t{tariff}_wh",
                _of_tariff(plant, device.channel, tariff),
                device.start * _TARIFF_SHARE[tariff] // 1000,
            )
            for tariff in TARIFFS
        ]
    return {one.metric: one for one in registers}


def _of(plant: Plant, channel: str) -> Callable[[int], int]:
    return lambda t: plant.energy(channel, t)


def _of_tariff(plant: Plant, channel: str, tariff: int) -> Callable[[int], int]:
    return lambda t: plant.tariff_energy(channel, tariff, t)
