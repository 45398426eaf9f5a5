"""The plant's Modbus RTU instruments: what lies in their registers, brought up to date when a request touches them."""

import struct
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice

from shutan_sim.devices import Kind
from shutan_sim.instruments.instrument import Instrument
from shutan_sim.instruments.modbus_bus import ModbusBus
from shutan_sim.registers import FloatRegister


class _Form(Enum):
    """How a value lies in its registers; the value of the member is how many there are, and a letter."""

    FLOAT = "2f"  # float32 of a momentary value, high word first
    KWH = "2k"  # float32 of an energy register
    U16 = "1h"
    U32_LOW_FIRST = "2l"  # low word first
    U32 = "2w"

    @property
    def width(self) -> int:
        """Registers."""
        return int(self.value[0])


class _Cell(NamedTuple):
    """Neighbouring registers with one value; per_unit: displayed steps in one unit of a momentary value."""

    metric: str
    form: _Form = _Form.FLOAT
    per_unit: int = 1


def _phases(start: int, pattern: str) -> dict[int, _Cell]:
    return {start + 2 * (phase - 1): _Cell(pattern.format(phase)) for phase in (1, 2, 3)}


SDM630: dict[int, _Cell] = {
    **_phases(0x0000, "voltage_l{}_v"),
    **_phases(0x0006, "current_l{}_a"),
    **_phases(0x000C, "active_power_l{}_w"),
    **_phases(0x0012, "apparent_power_l{}_va"),
    **_phases(0x0018, "reactive_power_l{}_var"),
    **_phases(0x001E, "power_factor_l{}"),
    0x0034: _Cell("active_power_w"),
    0x0038: _Cell("apparent_power_va"),
    0x003C: _Cell("reactive_power_var"),
    0x003E: _Cell("power_factor"),
    0x0046: _Cell("frequency_hz"),
    0x0048: _Cell("active_energy_import_wh", _Form.KWH),
    0x004A: _Cell("active_energy_export_wh", _Form.KWH),
    0x004C: _Cell("reactive_energy_import_varh", _Form.KWH),
    0x004E: _Cell("reactive_energy_export_varh", _Form.KWH),
    0x00C8: _Cell("voltage_l1_l2_v"),
    0x00CA: _Cell("voltage_l2_l3_v"),
    0x00CC: _Cell("voltage_l3_l1_v"),
    0x00E0: _Cell("current_n_a"),
}
PZEM: dict[int, _Cell] = {
    0x0000: _Cell("voltage_l1_v", _Form.U16, 10),
    0x0001: _Cell("current_l1_a", _Form.U32_LOW_FIRST, 1000),
    0x0003: _Cell("active_power_w", _Form.U32_LOW_FIRST, 10),
    0x0005: _Cell("active_energy_import_wh", _Form.U32_LOW_FIRST),
    0x0007: _Cell("frequency_hz", _Form.U16, 10),
    0x0008: _Cell("power_factor", _Form.U16, 100),
    0x0009: _Cell("alarm_code", _Form.U16),
}
PULSE: dict[int, _Cell] = {
    0x0000: _Cell("gas_volume_l", _Form.U32),
    0x0002: _Cell("steam_heat_kj", _Form.U32),
}
MAPS: Mapping[Kind, Mapping[int, _Cell]] = {Kind.SDM630: SDM630, Kind.PZEM: PZEM, Kind.PULSE: PULSE}


def _float(cell: _Cell, instrument: Instrument, t_ms: int) -> float:
    """What a float register shows."""
    if cell.form is _Form.FLOAT:
        return instrument.secondary(cell.metric, t_ms)
    register = instrument.registers[cell.metric]
    if not isinstance(register, FloatRegister):
        raise TypeError(cell.metric)
    return register.kwh(instrument.steps(cell.metric, t_ms))


def _words(cell: _Cell, instrument: Instrument, t_ms: int) -> list[int]:
    """The 16-bit registers of a cell."""
    if cell.form in (_Form.FLOAT, _Form.KWH):
        return list(struct.unpack(">2H", struct.pack(">f", _float(cell, instrument, t_ms))))
    if cell.metric in instrument.registers:
        number = instrument.steps(cell.metric, t_ms)
    else:
        number = round(abs(instrument.secondary(cell.metric, t_ms)) * cell.per_unit)
    high, low = number >> 16 & 0xFFFF, number & 0xFFFF
    if cell.form is _Form.U16:
        return [low]
    return [low, high] if cell.form is _Form.U32_LOW_FIRST else [high, low]


class _Unit:
    """One instrument and the library's device that holds its registers. now_ms: when the registers stand."""

    def __init__(self, instrument: Instrument, now_ms: Callable[[], int]) -> None:
        self._instrument = instrument
        self._cells = MAPS[instrument.device.kind]
        self._now_ms = now_ms
        # a list of zeros, not count=: the library multiplies by its count twice
        data = [SimData(at, values=[0] * c.form.width, datatype=DataType.REGISTERS) for at, c in self._cells.items()]
        self.device = SimDevice(int(instrument.device.address), data, action=self._refresh)

    async def _refresh(
        self,
        _function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Bring the requested registers up to date; called by the library before it answers."""
        if written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        for at, cell in self._cells.items():
            if address <= at < address + count:
                registers[at - start : at - start + cell.form.width] = _words(cell, self._instrument, self._now_ms())
        return None


class ModbusMeters(ModbusBus):
    """The plant's Modbus instruments on one bus. Registers can be read only; another unit's request meets silence."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        super().__init__([_Unit(one, lambda: self.now_ms).device for one in instruments])
