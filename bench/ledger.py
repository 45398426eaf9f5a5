"""Carbon ledger: seconds and memory from series to closed, signed periods, at three sizes, and one late day.

The simulated distillery (`shutan sim year`) lies in the gateway's embedded store. A process of its own on one core
(bench/_ledger.py) accounts every month, closes it in an SQLite ledger, closes the year, and exports signed evidence.
Then the day of the entry meter that came late is put into the store: finding what changed, computing it again and
restating the month is the late-day figure. Cost per meter-day is to be the same at all sizes.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
if str(REPO / "tests") not in sys.path:
    sys.path.insert(0, str(REPO / "tests"))

from support.year import make_year, store_readings  # noqa: E402 - the folder is known only now

START = date(2025, 1, 1)
SIZES = {"small": (10, 90), "half": (20, 181), "year": (40, 365)}  # meters, days: whole months each

BARS = {
    "year_seconds": ("at most", 60),
    "year_rss_mb": ("at most", 500),
    "year_late_day_seconds": ("at most", 2),
    "growth_year_to_small": ("at most", 1.5),
}


def measure(folder: Path, meters: int, days: int) -> dict[str, int | float]:
    """One size; figures without its name."""
    year = make_year(folder, START, days, meters)
    store = folder / "series.db"
    readings = store_readings([year.readings], store)
    worker = [sys.executable, "-m", "bench._ledger", str(folder), str(days)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = ["taskset", "-c", "0", *worker] if Path("/usr/bin/taskset").exists() else worker
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    figures: dict[str, int | float] = json.loads(done.stdout.splitlines()[-1])
    figures["readings"] = readings
    figures["ms_per_meter_day"] = round(figures["seconds"] * 1000 / (meters * days), 3)
    return figures


def main() -> Mapping[str, int | float]:
    """All sizes; figure -> value."""
    figures: dict[str, int | float] = {}
    for name, (meters, days) in SIZES.items():
        with tempfile.TemporaryDirectory(prefix="shutan-bench-") as folder:
            figures |= {f"{name}_{key}": value for key, value in measure(Path(folder), meters, days).items()}
    figures["growth_year_to_small"] = round(figures["year_ms_per_meter_day"] / figures["small_ms_per_meter_day"], 2)
    return figures


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
