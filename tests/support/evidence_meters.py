"""Meters of the month made by hand: rollover, swaps, reset, negative step, gaps and estimates in plain documents."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

from support.evidence_month import AS_OF, END_NS, HOUR_NS, HOURS, MONTH, QUANTITY, SPAN, START_NS, Month

__all__ = ["AS_OF", "END_NS", "MONTH", "Register", "add_meters"]


class Register:
    """Readings of one metering point, written down hour by hour."""

    def __init__(self, meter: str, carrier: str, role: str, unit: str, register: int) -> None:
        self.place = {"meter": meter, "carrier": carrier, "role": role, "unit": unit}
        self.register, self.owner = register, 0
        self.t_ns: list[int] = []
        self.registers: list[int] = []
        self.owners: list[int] = []
        self.breaks: list[dict[str, Any]] = []
        self.boundaries: list[list[int] | None] = [None] * (HOURS + 1)
        self.declared: list[str] = []
        self.read(0)

    def read(self, hour: int, *, offset_ns: int = 0, step: int = 0) -> None:
        """A reading at an hour, `step` above the last one; it serves the hour's boundary."""
        self.register += step
        self._take(START_NS + hour * HOUR_NS + offset_ns)
        self.boundaries[hour] = [START_NS + hour * HOUR_NS, len(self.t_ns) - 1, len(self.t_ns) - 1]

    def roll_over(self, hour: int, step: int) -> None:
        """A reading after the register has turned over."""
        self.register -= SPAN
        self.read(hour, step=step)
        self._break("rollover", step, exact=True)

    def reset(self, hour: int, register: int) -> None:
        """A reading after the register was set to zero."""
        self.register = 0
        self.read(hour, step=register)
        self._break("reset", register, exact=False)

    def fall(self, hour: int, register: int) -> None:
        """A reading below the last one that nothing explains."""
        self.register = register
        self.read(hour)
        self._break("negative_step", 0, exact=False)

    def swap(self, hour: int, step: int, register: int, *, sealed: bool) -> None:
        """Half an hour past: last reading of the old instrument, first of the new one, at the same time if sealed."""
        t_ns = START_NS + hour * HOUR_NS + HOUR_NS // 2
        self.register += step
        self._take(t_ns)
        self.register, self.owner = register, self.owner + 1
        self._take(t_ns if sealed else t_ns + 60 * 10**9)
        self._break("swap", 0, exact=sealed)

    def estimate(self, hour: int) -> None:
        """A boundary between the last reading and the next one that will be written."""
        self.boundaries[hour] = [START_NS + hour * HOUR_NS, len(self.t_ns) - 1, len(self.t_ns)]

    def document(self) -> dict[str, Any]:
        """The readings document, its flows counted reading by reading."""
        meter = self.place["meter"]
        count, counts = 0, [0]
        for at in range(1, len(self.registers)):
            passed = self.registers[at] - self.registers[at - 1]
            for cut in self.breaks:
                if cut["at"] == at:
                    passed = cut["counted"]
            count += passed
            counts.append(count)
        known = [(number, *boundary) for number, boundary in enumerate(self.boundaries) if boundary]
        values: list[tuple[int, int]] = []
        for number, t_ns, low, high in known:
            share = Fraction(0) if low == high else Fraction(t_ns - self.t_ns[low], self.t_ns[high] - self.t_ns[low])
            values.append((number, counts[low] + int((counts[high] - counts[low]) * share)))
        flows = [[i, j, b - a, (j - i) * 4 - 1, (j - i) * 4] for (i, a), (j, b) in pairwise(values)]
        return {
            **self.place,
            "schema": "shutan.readings/1",
            "name": meter,
            "name_zh": "表计",
            "level": 1,
            "parent": "",
            "metric": "register",
            "instruments": [self._instrument(number) for number in range(self.owner + 1)],
            "t_ns": self.t_ns,
            "register": self.registers,
            "instrument": self.owners,
            "breaks": self.breaks,
            "boundaries": self.boundaries,
            "flows": flows,
            "events": [],
            "bad_quality": 0,
            "interval_ns": 900 * 10**9,
            "declared_missing": self.declared,
            "fingerprint": [["2025-06-01", 96, 1, 2]],
        }

    def _take(self, t_ns: int) -> None:
        self.t_ns.append(t_ns)
        self.registers.append(self.register)
        self.owners.append(self.owner)

    def _break(self, kind: str, counted: int, *, exact: bool) -> None:
        self.breaks.append({"at": len(self.t_ns) - 1, "kind": kind, "counted": counted, "exact": exact})

    def _instrument(self, number: int) -> dict[str, Any]:
        return {
            "source": f"n01/{self.place['meter']}-{number} #2019041{number}",
            "node": "n01",
            "device": f"{self.place['meter']}-{number}",
            "serial": f"2019041{number}",
            "from_ns": 1_600_000_000 * 10**9,
            "to_ns": 1_900_000_000 * 10**9,
            "ct": "40",
            "pt": "1",
            "rollover": SPAN,
            "accuracy_class": "0.5S",
            "calibrated": "2024-05-01",
            "calibration_due": "2026-05-01",
        }


def add_meters(month: Month) -> None:
    """Six meters with their lines."""
    factor = month.value
    average, reporting = factor("GRID-SC-2023"), factor("GRID-CN-REP-05703")
    entry = Register("m-entry", "electricity", "entry", "Wh", 999_350_000)
    for hour in range(1, 14):
        step = 100_000 + 7_919 * hour % 50_021
        if hour == 6:
            entry.roll_over(hour, step)
        elif hour == 11:
            entry.swap(10, step // 3, 5_000, sealed=True)
            entry.read(hour, step=step - step // 3)
        else:
            entry.read(hour, step=step, offset_ns=-37 * 10**9 if hour % 2 else 0)
    entry.read(714, step=70_000_001)
    for hour in range(715, HOURS + 1):
        entry.read(hour, step=90_001 + hour)
    for scope, row, ef in (
        ("scope2_location", "GRID-SC-2023", average),
        ("scope2_reporting", "GRID-CN-REP-05703", reporting),
    ):
        for flow, span, value, marks in _flows(month, entry):
            month.line(
                f"meter:m-entry|{scope}", "electricity.average/1", Fraction(value, 1000) * ef,
                [("energy", value, "Wh")], [("ef", row)], flow=flow, span=span, marks=["provisional", *marks],
            )  # fmt: skip
    export = Register("m-export", "electricity", "export", "Wh", 10)
    export.read(HOURS, step=1_234_567)
    for scope, row, ef in (
        ("memo_export", "GRID-SC-2023", average),
        ("memo_export_reporting", "GRID-CN-REP-05703", reporting),
    ):
        for flow, span, value, _ in _flows(month, export):
            month.line(
                f"meter:m-export|{scope}", "electricity.average/1", Fraction(value, 1000) * ef,
                [("energy", value, "Wh")], [("ef", row)], flow=flow, span=span, marks=["provisional"],
            )  # fmt: skip
    _gas(month)
    _heat(month)
    still = Register("m-still", "electricity", "sub", "Wh", 0)
    still.swap(3, 400, 77, sealed=False)
    still.read(HOURS, step=4_000)
    _flows(month, still)


def _gas(month: Month) -> None:
    gas = Register("m-gas", "natural_gas", "entry", "L", 500)
    gas.declared = ["declared_missing/DM-1"]
    for hour in range(1, 5):
        gas.read(hour, step=31_007)
    gas.estimate(5)
    gas.estimate(6)
    gas.read(7, step=100_000)
    gas.read(HOURS, step=5_000_000)
    rows = {"ncv": "FUELB-NATURALGAS-NCV", "cc": "FUELB-NATURALGAS-CC", "of": "FUELB-NATURALGAS-OF"}
    ncv, cc, of = (month.value(row) for row in rows.values())
    for flow, span, value, marks in _flows(month, gas):
        normal = Fraction(value, 1000) * Fraction("273.15") / Fraction("293.15") * 1 / 10_000
        month.line(
            "meter:m-gas|scope1", "combustion.metered_gas/1",
            normal * ncv * cc * of * 44 / 12 / 100,
            [("volume", value, "L"), ("temperature", 20, "Cel"), ("pressure", Fraction("101.325"), "kPa")],
            list(rows.items()), flow=flow, span=span, marks=marks,
        )  # fmt: skip


def _heat(month: Month) -> None:
    ef, deduction = month.value("HEAT-CN"), month.value("HEAT-STEAM-SATREF")
    steam = Register("m-steam", "steam", "entry", "g", 3_000_000)
    steam.read(1, step=777_777)
    steam.reset(718, 123_456)
    steam.read(HOURS, step=9)
    for flow, span, value, marks in _flows(month, steam):
        month.line(
            "meter:m-steam|scope2_heat", "heat.steam_mass/1",
            Fraction(value, 10**6) * (Fraction("2763.5") - deduction) * ef,
            [("mass", Fraction(value, 10**6), "t"), ("enthalpy", Fraction("2763.5"), "kJ/kg")],
            [("deduction", "HEAT-STEAM-SATREF"), ("ef", "HEAT-CN")], flow=flow, span=span, marks=marks,
        )  # fmt: skip
    heat = Register("m-heat", "heat", "entry", "kJ", 800_000)
    heat.fall(9, 700_000)
    heat.read(HOURS, step=222_222)
    for flow, span, value, marks in _flows(month, heat):
        if flow:  # as if the factor changed within it
            month.unvalued("meter:m-heat", span, value, "kJ")
            continue
        month.line(
            "meter:m-heat|scope2_heat", "heat.metered/1", Fraction(value, 1000) * ef,
            [("heat", value, "kJ")], [("ef", "HEAT-CN")], flow=flow, span=span, marks=marks,
        )  # fmt: skip


def _flows(month: Month, register: Register) -> list[tuple[int, tuple[int, int], int, list[str]]]:
    """Number, span, value and marks of each flow; the readings document is put among the others."""
    body = register.document()
    month.documents[f"readings/{body['meter']}"] = body
    found: list[tuple[int, tuple[int, int], int, list[str]]] = []
    for number, (i, j, value, *_) in enumerate(body["flows"]):
        left, right = body["boundaries"][i], body["boundaries"][j]
        marks = ["estimated"] if left[1] != left[2] or right[1] != right[2] else []
        if any(not cut["exact"] and left[1] < cut["at"] <= right[2] for cut in body["breaks"]):
            marks.append("inexact")
        found.append((number, (left[0], right[0]), value, marks))
    assert body["unit"] in QUANTITY
    return found
