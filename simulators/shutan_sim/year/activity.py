"""`activity/`: the documents of the year that no meter writes, one CSV file a kind.

What can follow from the plant does (bills, output, ethanol, COD); the rest is invented and small.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from shutan_sim.year.observers import Observers
from shutan_sim.year.tariff import BANDS, PRICES

__all__ = ["write_activities"]

Rows = Iterable[Sequence[object]]
_BOTTLES_PER_MWH = 45_000  # 68 kW fill about 3,000 bottles an hour
_STEAM_GJ_PER_T_ETHANOL = 30
_COD_KG_PER_T_ETHANOL = 260
_BATCHES = {"base-liquor": ("05:30", "20:30"), "baijiu-500": ("08:00", "17:30")}


HEADERS = {
    "bill": "key,meter,start,end,energy [kWh],sharp [kWh],peak [kWh],flat [kWh],valley [kWh],demand [kW],power_factor,"
    "amount [yuan],source",
    "fuel_movement": "key,fuel,day,direction,quantity,unit,density,supplier,source",
    "fuel_quality": "key,fuel,start,end,batch,quantity,unit,ncv,ncv_unit,carbon_content [tC/TJ],oxidation_rate [%],"
    "laboratory,source",
    "refrigerant": "key,gas,equipment,start,end,method,opening [kg],bought [kg],closing [kg],recovered [kg],"
    "topped_up [kg],source",
    "fermentation": "key,day,ethanol [t],source",
    "wastewater": "key,start,end,cod_removed [kg],sludge_cod [kg],mcf,recovered_ch4 [kg],source",
    "certificate": "key,energy [MWh],vintage_start,vintage_end,technology,registry,retired_on,claimed_for,source",
    "green_power": "key,month,energy [MWh],certificate,supplier,source",
    "production": "key,product,batch,start,end,asset,line,good,scrap,unit,source",
    "value_added": "key,month,value [万元],source",
    "land_area": "key,start,area [m2],source",
    "supplier_input": "key,product,material,quantity,unit,factor,geography,year,primary,uncertainty [%],source",
}


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the year as far as it is simulated; both days inclusive."""

    name: str
    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """Its days."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


def _months(start: date, end: date) -> list[Month]:
    """The months between two days, both inclusive."""
    found: list[Month] = []
    first = start
    while first <= end:
        after = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        found.append(Month(f"{first:%Y-%m}", first, min(end, after - timedelta(days=1))))
        first = after
    return found


def write_activities(observers: Observers, folder: Path) -> list[str]:
    """Write the files into `folder`; returns their names."""
    writer = _Documents(observers)
    files: Mapping[str, Rows] = {
        "bill": writer.bills(),
        "fuel_movement": writer.fuel_movements(),
        "fuel_quality": writer.fuel_qualities(),
        "refrigerant": writer.refrigerants(),
        "fermentation": writer.fermentations(),
        "wastewater": writer.wastewaters(),
        "certificate": writer.certificates(),
        "green_power": writer.green_powers(),
        "production": writer.productions(),
        "value_added": writer.values_added(),
        "land_area": writer.land_areas(),
        "supplier_input": writer.supplier_inputs(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for kind, rows in files.items():
        lines = list(rows)
        if lines:
            with (folder / f"{kind}.csv").open("w", encoding="utf-8", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow(HEADERS[kind].split(","))
                out.writerows(lines)
            written.append(f"{kind}.csv")
        else:  # an earlier, longer run into the same folder left one
            (folder / f"{kind}.csv").unlink(missing_ok=True)
    return written


def _decimal(value: int, places: int) -> str:
    """Text of value / 10^places."""
    whole, rest = divmod(value, 10**places)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)


class _Documents:
    def __init__(self, observers: Observers) -> None:
        self._seen = observers
        self._start = observers.start
        self._end = observers.start + timedelta(days=observers.days - 1)
        self._months = _months(self._start, self._end)

    def _sum(self, channel: str, days: Iterable[date]) -> int:
        return sum(self._seen.daily[day][channel] for day in days)

    def bills(self) -> Iterator[Sequence[object]]:
        """26th to 25th in the first half of the year; from July on by calendar month."""
        stretches: list[tuple[date, date]] = []
        first = self._start
        while first <= self._end:
            if first.month <= 6 and first.day < 26:
                last = first.replace(day=25)
            elif first.month < 6:
                last = (first.replace(day=1) + timedelta(days=32)).replace(day=25)
            else:
                last = (first.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
            stretches.append((first, min(last, self._end)))
            first = last + timedelta(days=1)
        for first, last in stretches:
            days = Month("", first, last).days
            kwh = {band: sum(self._seen.bought_wh[day].get(band, 0) for day in days) // 1000 for band in BANDS}
            amount = sum(kwh[band] * PRICES[band] for band in BANDS) // 100  # 1e-2 yuan
            demand = max(self._seen.demand_w[day] for day in days) // 1000
            yield (
                f"EB-{last:%Y%m%d}", "m-entry", first, last, sum(kwh.values()), *(kwh[band] for band in BANDS),
                demand, "0.95", _decimal(amount, 2), f"EB-{last:%Y%m%d}.pdf",
            )  # fmt: skip

    def fuel_movements(self) -> Iterator[Sequence[object]]:
        """Diesel of forklifts and the stand-by set, in litres; a little coal of the reserve boiler, in tonnes."""
        stock_l, stock_kg = 1_800, 24_000
        for number, month in enumerate(self._months):
            bought = 2_000 if number % 2 == 0 else 1_500
            used = 1_650 + 40 * (number % 5)
            coal_bought = 60_000 if month.first.month in (1, 11, 12) else 0
            coal_used = 31_500 if month.first.month in (1, 2, 12) else 0
            coal_used = min(coal_used, stock_kg + coal_bought)
            for fuel, unit, density, amounts, places in (
                ("diesel", "L", "0.84", (stock_l, bought, stock_l + bought - used), 0),
                ("bituminous", "t", "", (stock_kg, coal_bought, stock_kg + coal_bought - coal_used), 3),
            ):
                head, tail = f"{fuel}-{month.name}", (unit, density)
                opening, purchase, closing = (_decimal(amount, places) for amount in amounts)
                yield f"{head}-o", fuel, month.first, "opening_stock", opening, *tail, "", "store book"
                if amounts[1]:
                    day = min(month.first + timedelta(days=8), month.last)
                    yield f"{head}-p", fuel, day, "purchase", purchase, *tail, "Example Fuels", f"INV-{head}"
                yield f"{head}-c", fuel, month.last, "closing_stock", closing, *tail, "", "store book"
            stock_l, stock_kg = stock_l + bought - used, stock_kg + coal_bought - coal_used

    def fuel_qualities(self) -> Iterator[Sequence[object]]:
        """Two batches of coal in each winter month, weighed differently."""
        for month in self._months:
            if month.first.month in (1, 2, 12):
                for batch, (quantity, ncv, content) in enumerate((("18.5", "22.35", "25.77"), ("13", "21.9", "25.9"))):
                    key = f"coal-{month.name}-{batch + 1}"
                    yield (
                        key, "bituminous", month.first, month.last, f"B{batch + 1}", quantity, "t", ncv, "GJ/t",
                        content, "93", "works laboratory", f"LAB-{key}",
                    )  # fmt: skip

    def refrigerants(self) -> Iterator[Sequence[object]]:
        """Top-ups of the chillers, one old HCFC unit, and SF6 of the switchgear over all the time."""
        by_month = {month.first.month: month for month in self._months}
        for of_year, gas, equipment, mass in ((4, "r410a", "chiller-1", "3.2"), (9, "hfc-134a", "chiller-2", "1.75"),
                                              (7, "hcfc-22", "old cold room", "0.9")):  # fmt: skip
            if month := by_month.get(of_year):
                yield (
                    f"ref-{of_year:02d}",
                    gas,
                    equipment,
                    month.first,
                    month.last,
                    "top_up",
                    "",
                    "",
                    "",
                    "",
                    mass,
                    "service",
                )
        balance = ("stock_balance", "12.50", "2", "14.10", "0.25", "")
        yield "sf6-1", "sf6", "10 kV switchgear", self._start, self._end, *balance, "switchgear log"

    def _ethanol_kg(self, month: Month) -> int:
        return self._sum("steam", month.days) // (_STEAM_GJ_PER_T_ETHANOL * 1000)

    def fermentations(self) -> Iterator[Sequence[object]]:
        """Ethanol of each month, from the steam of its distillation."""
        for month in self._months:
            yield f"ferm-{month.name}", month.last, _decimal(self._ethanol_kg(month), 3), "liquor store"

    def wastewaters(self) -> Iterator[Sequence[object]]:
        """COD of each month."""
        for month in self._months:
            removed = self._ethanol_kg(month) * _COD_KG_PER_T_ETHANOL // 1000
            recovered = _decimal(removed * 150 // 1000, 1)
            yield (
                f"ww-{month.name}",
                month.first,
                month.last,
                removed,
                removed // 12,
                "0.3",
                recovered,
                f"EP-{month.name}",
            )

    def _certified(self, month: Month) -> int:
        """MWh: a tenth of what the month buys, so that no claim is above consumption."""
        bought = sum(sum(self._seen.bought_wh[day].values()) for day in month.days)
        return bought // 10 // 1_000_000

    def certificates(self) -> Iterator[Sequence[object]]:
        """A wind and a solar certificate a month: bought alone, and delivered with green power; one still held."""
        registry = "example registry"
        for month in self._months:
            energy = self._certified(month)
            if not energy:
                continue
            retired = month.last + timedelta(days=12)
            for number, technology in enumerate(("wind", "solar"), start=1):
                key = f"GEC-{month.name}-{number}"
                yield key, energy, month.first, month.last, technology, registry, retired, month.name, f"{key}.pdf"
        yield "GEC-held-1", 25, self._start, self._end, "hydro", registry, "", "", "GEC-held-1.pdf"

    def green_powers(self) -> Iterator[Sequence[object]]:
        """Green power of each month, with the second certificate of the month."""
        for month in self._months:
            if energy := self._certified(month):
                yield f"gp-{month.name}", month.name, energy, f"GEC-{month.name}-2", "Example Green Power", "HT-GP-1"

    def productions(self) -> Iterator[Sequence[object]]:
        """A batch a working day: liquor of both lines, bottles of the filler."""
        for month in self._months:
            for day in month.days:
                if day.weekday() < 6:
                    yield from self._batches(day)

    def _batches(self, day: date) -> Iterator[Sequence[object]]:
        seen = self._seen.daily[day]
        for number in (1, 2):
            start, end = _BATCHES["base-liquor"]
            good = seen[f"dist_{number}"] // 1000  # about a kilogram of base liquor a kWh
            yield (
                f"L{number}-{day:%Y%m%d}", "base-liquor", f"L{number}-{day:%y%m%d}", f"{day} {start}", f"{day} {end}",
                f"distillation-{number}", f"line-{number}", good, good // 180, "kg", "MES",
            )  # fmt: skip
        start, end = _BATCHES["baijiu-500"]
        good = seen["bottling"] * _BOTTLES_PER_MWH // 1_000_000
        yield (
            f"B-{day:%Y%m%d}", "baijiu-500", f"B-{day:%y%m%d}", f"{day} {start}",
            f"{day} {'12:00' if day.weekday() == 5 else end}", "filler-1", "bottling-1", good, good // 170, "bottle",
            "MES",
        )  # fmt: skip

    def values_added(self) -> Iterator[Sequence[object]]:
        """Industrial value added of each month, invented per bottle."""
        for month in self._months:
            bottles = self._sum("bottling", month.days) * _BOTTLES_PER_MWH // 1_000_000
            yield f"va-{month.name}", month.name, _decimal(bottles * 17, 4), f"ledger {month.name}"

    def land_areas(self) -> Iterator[Sequence[object]]:
        """One deed."""
        yield "land-1", date(self._start.year - 3, 1, 1), 66_667, "deed (example)"

    def supplier_inputs(self) -> Iterator[Sequence[object]]:
        """What a bottle and a kilogram of base liquor take, with invented footprints."""
        year = self._start.year - 1
        for key, product, material, quantity, unit, factor, primary, uncertainty in (
            ("si-1", "baijiu-500", "glass bottle 500 mL", "0.42", "kg", "0.98", "yes", "10"),
            ("si-2", "baijiu-500", "cap", "0.012", "kg", "3.1", "no", "30"),
            ("si-3", "baijiu-500", "carton, a sixth", "0.055", "kg", "0.84", "no", "30"),
            ("si-4", "baijiu-500", "base liquor, other site", "0.06", "kg", "1.9", "yes", "20"),
            ("si-5", "base-liquor", "sorghum", "2.4", "kg", "0.55", "no", "40"),
            ("si-6", "base-liquor", "wheat for starter", "0.9", "kg", "0.47", "no", "40"),
        ):
            yield (
                key,
                product,
                material,
                quantity,
                unit,
                factor,
                "CN-SC",
                year,
                primary,
                uncertainty,
                "example data sheet",
            )
