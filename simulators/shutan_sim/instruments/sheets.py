"""Modbus meters out of their makers' register lists: a list as data (TOML), the instrument made from it.

    maker = "Eastron"                      # this and what follows it: for the table of instruments
    [modbus]
    numbering = 30001                      # the maker's number of the register that is 0000 on the wire
    functions = [4]
    [[register]]
    number = 30073                         # as the maker numbers it (0x... where the list is in hex)
    metric = "active_energy_import_wh"     # what it is in the catalogue; "" for a register that only exists
    type = "float32"                       # uint16 int16 uint32 int32 int64 float32
    unit = "kWh"                           # one count of the register, such as "0.01 kWh"

A list speaks the maker's language: his numbers, his units, his word order. What a driver has to ask and by what it has
to multiply is worked out nowhere here, so that the two can disagree. Frames, CRC and exceptions are pymodbus's.
"""

import struct
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice

from shutan_sim.instruments.modbus_bus import ModbusBus

# struct code and what the maker's unit is of the catalogue's (W, Wh, V, A, Hz, L, kJ)
_TYPES = {"uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "int64": "q", "float32": "f"}
_UNITS = {
    "V": 1, "A": 1, "mA": Fraction(1, 1000), "W": 1, "kW": 1000, "var": 1, "kvar": 1000, "VA": 1, "kVA": 1000,
    "Wh": 1, "kWh": 1000, "varh": 1, "kvarh": 1000, "Hz": 1, "": 1, "L": 1, "m3": 1000, "kJ": 1, "MJ": 1000,
}  # fmt: skip
Number = Fraction | float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in neighbouring registers.

    at: first register on the wire; kind: struct code; step: one count in the catalogue's unit
    low_first: the word with the low 16 bits comes first
    """

    metric: str
    at: int
    kind: str
    step: Fraction
    low_first: bool

    @property
    def width(self) -> int:
        """Registers."""
        return struct.calcsize(self.kind) // 2

    def raw(self, value: Number) -> int | float:
        """What the register holds for a value in the catalogue's unit; None: what the maker sends for "not there"."""
        if value is None:
            return float("nan") if self.kind == "f" else -(2**63) if self.kind == "q" else 0
        counts = Fraction(value) / self.step
        return float(counts) if self.kind == "f" else round(counts)

    def shown(self, raw: float) -> Fraction:
        """The exact value, in the catalogue's unit, of what a register holds: of its float32 where it is one."""
        return Fraction(struct.unpack(">f", struct.pack(">f", raw))[0] if self.kind == "f" else raw) * self.step

    def words(self, raw: float) -> list[int]:
        """The registers' content in their order."""
        words = list(struct.unpack(f">{self.width}H", struct.pack(">" + self.kind, raw)))
        return words[::-1] if self.low_first else words


@dataclass(frozen=True, slots=True)
class Sheet:
    """A maker's register list."""

    cells: tuple[Cell, ...]
    functions: tuple[int, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """What the instrument measures, by catalogue names."""
        return tuple(cell.metric for cell in self.cells if cell.metric)


def _step(unit: str) -> Fraction:
    """Catalogue units in one count: "0.01 kWh" is 10 (Wh), "V" is 1, "0.001" is a thousandth of one."""
    number, _, name = unit.rpartition(" ")
    if not number and name not in _UNITS:
        number, name = name, ""
    return Fraction(number or 1) * Fraction(_UNITS[name])


def _cell(entry: Mapping[str, Any], numbering: int, low_first: bool) -> Cell:
    known = {"number", "metric", "type", "unit"}
    if set(entry) != known:
        raise ValueError(f"register {entry.get('number')}: keys {sorted(set(entry) ^ known)}")
    at = entry["number"] - numbering
    return Cell(entry["metric"], at, _TYPES[entry["type"]], _step(entry["unit"]), low_first)


def read_sheet(path: Path) -> Sheet:
    """A list from its file. Raises KeyError or ValueError where it is not one."""
    with path.open("rb") as file:
        content = tomllib.load(file)
    modbus = content["modbus"]
    low_first = modbus.get("words", "high first") == "low first"
    cells = tuple(_cell(entry, modbus["numbering"], low_first) for entry in content["register"])
    taken = [number for cell in cells for number in range(cell.at, cell.at + cell.width)]
    if len(taken) != len(set(taken)):
        raise ValueError(f"{path}: registers overlap")
    return Sheet(cells, tuple(modbus["functions"]))


class SheetMeter(ModbusBus):
    """One instrument alone on a bus, made from its maker's list.

    reading: what it measures at plant time t_ms, by catalogue name in the catalogue's unit; None: the meter lacks it
    Registers outside of the list are answered with exception 02, functions that it does not know with silence.
    """

    def __init__(self, sheet: Sheet, unit: int, reading: Callable[[str, int], Number]) -> None:
        self._sheet = sheet
        self._reading = reading
        data = [SimData(cell.at, values=[0] * cell.width, datatype=DataType.REGISTERS) for cell in sheet.cells]
        super().__init__([SimDevice(unit, data, action=self._refresh)], sheet.functions)

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
        for cell in self._sheet.cells:
            if cell.metric and address <= cell.at < address + count:
                words = cell.words(cell.raw(self._reading(cell.metric, self.now_ms)))
                registers[cell.at - start : cell.at - start + cell.width] = words
        return None
