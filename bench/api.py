"""Read API: a thousand concurrent reads while a whole closed year is recomputed and restated by another process.

The simulated distillery's year is closed in an SQLite ledger, `shutan api` serves it, and `shutan restate` values all
twelve months once more as of another day. Reads of periods, emissions, energy, lines and the chain run beside it.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from pathlib import Path

import httpx

REPO = Path(__file__).resolve().parents[1]
if str(REPO / "tests") not in sys.path:
    sys.path.insert(0, str(REPO / "tests"))

from shutan_collector.accounting.inputs import Places, open_basis  # noqa: E402 - the folder is known only now
from shutan_collector.ledger.entries import now  # noqa: E402
from shutan_collector.ledger.operations import close_period  # noqa: E402
from shutan_collector.ledger.store import open_ledger  # noqa: E402
from support.servers import HOST, free_port, listens, wait_until  # noqa: E402
from support.year import make_year  # noqa: E402

READS = 1000
CLIENTS, CONNECTIONS_EACH = 25, 8
LIMIT_S = 300.0
SHUTAN = Path(sys.executable).with_name("shutan")
PATHS = (
    "/periods",
    "/periods/2025",
    "/periods/2025-06",
    "/periods/2025-05/emissions",
    "/periods/2025-06/energy?meter=m-entry",
    "/periods/2025-07/lines?source=meter:m-entry&offset=400&limit=100",
    "/ledger/head",
    "/ledger/entries?limit=50",
)
BARS = {"errors": ("at most", 0), "months_restated": ("at least", 12)}


def closed_year(folder: Path) -> str:
    """Address of a ledger with the year closed."""
    year = make_year(folder, date(2025, 1, 1), 365, 40)
    places = Places(str(folder / "site.toml"), str(folder / "activity"), str(year.readings), as_of="2026-01-15")
    url = f"sqlite:{folder / 'ledger.db'}"
    with open_ledger(url, create=True) as ledger, open_basis(places, "2025") as basis:
        close_period(ledger, basis, "2025", "bench", now())
    return url


async def read_all(port: int) -> list[tuple[int, float]]:
    """Status and seconds of each read, all asked for at once over a bounded number of connections."""

    async def some(paths: list[str]) -> list[tuple[int, float]]:
        limits = httpx.Limits(max_connections=CONNECTIONS_EACH)
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", limits=limits, timeout=LIMIT_S) as client:

            async def read(path: str) -> tuple[int, float]:
                begin = time.perf_counter()
                try:
                    status = (await client.get(path)).status_code
                except httpx.HTTPError:
                    status = 0
                return status, time.perf_counter() - begin

            return await asyncio.gather(*map(read, paths))

    paths = [PATHS[number % len(PATHS)] for number in range(READS)]
    found = await asyncio.gather(*(some(paths[number::CLIENTS]) for number in range(CLIENTS)))
    return [answer for part in found for answer in part]


def main() -> Mapping[str, int | float]:
    """Measure; figure -> value."""
    with tempfile.TemporaryDirectory(prefix="shutan-bench-") as name:
        folder, port = Path(name), free_port()
        url = closed_year(folder)
        serve = [SHUTAN, "api", "--ledger", url, "--site", folder / "site.toml", "--port", str(port)]
        restate = [SHUTAN, "restate", "--ledger", url, "--factor-release", "2026.1", "--period", "2025", "--json"]
        restate += ["--as-of", "2026-02-01", "--author", "bench", "--reason", "another report date"]
        api = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: listens(port), 60, "the API listens")
            writer = subprocess.Popen(restate, stdout=subprocess.PIPE, text=True)
            begin = time.perf_counter()
            answers = asyncio.run(read_all(port))
            seconds = time.perf_counter() - begin
            beside = writer.poll() is None
            out, _ = writer.communicate(timeout=LIMIT_S)
            restated = time.perf_counter() - begin
        finally:
            api.terminate()
            api.wait(20)
    months = [month for month in json.loads(out)["months"] if month["version"] == 2]
    spent = sorted(second for _, second in answers)
    return {
        "reads": len(answers),
        "errors": sum(status != HTTPStatus.OK for status, _ in answers),
        "reads_per_second": round(READS / seconds),
        "median_ms": round(spent[READS // 2] * 1000),
        "slowest_ms": round(spent[-1] * 1000),
        "months_restated": len(months),
        "restate_seconds": round(restated, 2),
        "writer_still_at_work_when_reads_ended": int(beside),
    }


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
