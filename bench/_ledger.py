"""One run of the ledger benchmark in a process of its own: `python -m bench._ledger FOLDER DAYS`; prints JSON.

FOLDER holds a simulated year whose readings are in series.db; late.csv is put in after the closing.
"""

import json
import resource
import sys
import time
from datetime import date, timedelta
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
if str(REPO / "tests") not in sys.path:
    sys.path.insert(0, str(REPO / "tests"))

from shutan_collector.accounting.inputs import Places, open_basis  # noqa: E402 - the folder is known only now
from shutan_collector.accounting.month import account_month  # noqa: E402
from shutan_collector.evidence.bundle import export  # noqa: E402
from shutan_collector.evidence.keys import SiteKey, create_key  # noqa: E402
from shutan_collector.ledger.closing import accept_proposal, claimed_elsewhere, close_month, close_year  # noqa: E402
from shutan_collector.ledger.entries import now  # noqa: E402
from shutan_collector.ledger.operations import find_late  # noqa: E402
from shutan_collector.ledger.store import Ledger, open_ledger  # noqa: E402
from shutan_collector.series import open_reader  # noqa: E402
from support.year import store_readings  # noqa: E402

START = date(2025, 1, 1)
AUTHOR = "bench"


def months(days: int) -> list[str]:
    """The whole months of the run."""
    return sorted({f"{START + timedelta(days=number):%Y-%m}" for number in range(days)})


def places(folder: Path) -> Places:
    """Where the inputs lie."""
    return Places(
        site=str(folder / "site.toml"),
        activity=str(folder / "activity"),
        series=f"sqlite:{folder / 'series.db'}",
        as_of="2026-01-15",
    )


def run(folder: Path, ledger: Ledger, key: SiteKey, periods: list[str]) -> dict[str, float]:
    """Series to closed and signed periods; seconds of each part."""
    spent: dict[str, float] = {"account": 0.0, "close": 0.0, "evidence": 0.0}
    with open_basis(places(folder), periods[-1]) as basis:
        for month in periods:
            begin = time.perf_counter()
            documents = account_month(basis, month, claimed=claimed_elsewhere(ledger, month))
            after = time.perf_counter()
            close_month(ledger, documents, AUTHOR, now())
            spent["account"] += after - begin
            spent["close"] += time.perf_counter() - after
    begin = time.perf_counter()
    if len(periods) == 12:
        close_year(ledger, periods[0][:4], AUTHOR, now())
    spent["close"] += time.perf_counter() - begin
    begin = time.perf_counter()
    for period in [periods[0][:4]] if len(periods) == 12 else periods:
        export(ledger, period, key)
    spent["evidence"] = time.perf_counter() - begin
    return spent


def late_day(folder: Path, ledger: Ledger) -> tuple[float, int]:
    """Seconds from a late day in the store to the restated month, looking at every closed month; days that differed."""
    store_readings([folder / "late.csv"], folder / "series.db")
    begin, found = time.perf_counter(), 0
    with open_reader(f"sqlite:{folder / 'series.db'}") as reader:
        for late in list(find_late(ledger, reader, now())):
            found += len(late.days)
            if late.proposal is not None:
                accept_proposal(ledger, late.proposal.seq, AUTHOR, "late readings", now())
    return time.perf_counter() - begin, found


def main() -> None:
    """Measure and print."""
    folder, periods = Path(sys.argv[1]), months(int(sys.argv[2]))
    key = create_key(folder / "site.key")
    with open_ledger(f"sqlite:{folder / 'ledger.db'}", create=True) as ledger:
        begin = time.perf_counter()
        spent = run(folder, ledger, key, periods)
        seconds = time.perf_counter() - begin
        rss_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        late, days = late_day(folder, ledger)
        entries = ledger.head().seq
    figures = {"seconds": round(seconds, 2)} | {f"{name}_seconds": round(value, 2) for name, value in spent.items()}
    figures |= {
        "rss_mb": rss_mb,
        "late_day_seconds": round(late, 2),
        "late_days_found": days,
        "ledger_entries": entries,
    }
    figures["ledger_mb"] = round((folder / "ledger.db").stat().st_size / 2**20, 1)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
