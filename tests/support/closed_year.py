"""Two months of the simulated distillery, from files to a closed ledger, for tests of what stands above it."""

import csv
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from shutan_collector.accounting.inputs import Places, open_basis
from shutan_collector.accounting.month import Basis
from support.year import Year, make_year

MONTHS = ("2025-01", "2025-02")
AS_OF = "2026-01-15"
AT = "2026-01-15T08:00:00.000000Z"
LATE_DAY = "2025-02-11"
METERS = 12


@dataclass(frozen=True)
class Months:
    """The files: `late` holds the readings without one day of the entry meter, `whole` all of them."""

    year: Year
    whole: Path
    late: Path

    @contextmanager
    def basis(self, *, whole: bool = True, release: str = "2026.1") -> Generator[Basis]:
        """Everything that a computation rests on."""
        folder = self.year.folder
        series = str(self.whole if whole else self.late)
        places = Places(str(folder / "site.toml"), str(folder / "activity"), series, release=release, as_of=AS_OF)
        with open_basis(places, MONTHS[-1]) as opened:
            yield opened


def make_months(folder: Path) -> Months:
    """Write the files."""
    year = make_year(folder, date(2025, 1, 1), 59, METERS, kinds=())
    late = folder / "without_a_day.csv"
    with year.readings.open(encoding="utf-8", newline="") as source, late.open("w", encoding="utf-8") as target:
        rows = csv.reader(source)
        writer = csv.writer(target)
        writer.writerow(next(rows))
        late_key = ["m-entry", "active_energy_import_wh"]
        writer.writerows(row for row in rows if not (row[2:4] == late_key and row[0].startswith(LATE_DAY)))
    return Months(year, year.readings, late)
