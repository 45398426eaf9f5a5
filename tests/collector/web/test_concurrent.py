"""A thousand readers while a writer recomputes and restates: no error, nobody waits for the other.

The service is the real command in a process of its own. The figures are properties of the test.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from shutan_collector.accounting.documents import PeriodDocuments
from shutan_collector.ledger.closing import close_month
from shutan_collector.ledger.store import open_ledger
from support.ledgers import AT
from support.servers import HOST, free_port, listens, wait_until
from support.year import Year

READS = 1000
CLIENTS, CONNECTIONS_EACH = 25, 8  # a pool takes time with the square of what waits for it
LIMIT_S = 120.0
PATHS = (
    "/periods",
    "/periods/2025-05",
    "/periods/2025-06",
    "/periods/2025-05/emissions",
    "/periods/2025-06/energy?meter=m-entry",
    "/periods/2025-06/lines?source=meter:m-entry&offset=400&limit=100",
    "/ledger/head",
    "/ledger/entries?limit=50",
)
COMMAND = [sys.executable, "-c", "from shutan_collector.commands.api import app; app()"]


@contextmanager
def service(url: str, site: Path, folder: Path) -> Generator[int]:
    """The command on a free port, ended by its process id."""
    port = free_port()
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "--ledger", url, "--site", str(site), "--port", str(port)], stdout=log, stderr=log
        )
    try:
        wait_until(lambda: listens(port) or process.poll() is not None, 60, "the API listens")
        assert process.poll() is None, (folder / "api.log").read_text()
        yield port
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(20)
    assert "Traceback" not in (folder / "api.log").read_text()


async def read_all(port: int) -> list[tuple[str, httpx.Response, float]]:
    """All reads at once, over a bounded number of connections."""

    async def some(paths: list[str]) -> list[tuple[str, httpx.Response, float]]:
        limits = httpx.Limits(max_connections=CONNECTIONS_EACH)
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", limits=limits, timeout=LIMIT_S) as client:

            async def read(path: str) -> tuple[str, httpx.Response, float]:
                begin = time.perf_counter()
                answer = await client.get(path)
                return path, answer, time.perf_counter() - begin

            return await asyncio.gather(*map(read, paths))

    paths = [PATHS[number % len(PATHS)] for number in range(READS)]
    found = await asyncio.gather(*(some(paths[number::CLIENTS]) for number in range(CLIENTS)))
    return [answer for part in found for answer in part]


WRITER = """
import sys
from dataclasses import replace
from datetime import date
from itertools import count
from shutan_collector.accounting.inputs import Places, open_basis
from shutan_collector.accounting.month import account_month
from shutan_collector.ledger.closing import restate_month
from shutan_collector.ledger.entries import now
from shutan_collector.ledger.store import open_ledger

url, folder = sys.argv[1:]
places = Places(f"{folder}/site.toml", f"{folder}/activity", f"{folder}/readings.csv", as_of="2026-01-15")
with open_basis(places, "2025-05") as basis, open_ledger(url) as ledger:
    for number in count(1):  # until it is killed
        again = replace(basis, as_of=date(2026, 2, number % 28 + 1))
        restate_month(ledger, account_month(again, "2025-05"), "li", f"restatement {number}", now())
        print(number, flush=True)
"""


class Writer:
    """A program that recomputes May for another report date and restates it, again and again."""

    def __init__(self, url: str, folder: Path, log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            command = [sys.executable, "-c", WRITER, url, str(folder)]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)

    @property
    def restated(self) -> int:
        """How often so far."""
        lines = self._log.read_text().splitlines()
        assert all(line.isdecimal() for line in lines), lines
        return len(lines)

    def wait_for(self, number: int) -> None:
        """Wait for that many restatements."""
        wait_until(lambda: self.restated >= number, LIMIT_S, f"{number} restatements", step_s=0.1)
        assert self._process.poll() is None

    def end(self) -> None:
        """Kill it, whatever it is at."""
        self._process.kill()
        self._process.wait(20)


def consistent(path: str, body: Any) -> None:
    """What one answer says agrees with itself, whichever version it is of."""
    if path == "/periods/2025-05":
        assert body["version"] == len(body["versions"]) == body["versions"][-1]["version"]
        for scope in body["totals"]["by_scope"]:
            parts = [item["co2e_g"] for item in body["totals"]["by_source"] if item["scope"] == scope["scope"]]
            assert sum(parts) == scope["co2e_g"]
    elif path == "/ledger/entries?limit=50":
        assert [entry["seq"] for entry in body["entries"]] == list(range(1, 51))
    elif "/lines" in path:
        assert len(body["lines"]) == 100


@pytest.fixture
def served(url: str, year: Year, documents: tuple[PeriodDocuments, ...], tmp_path: Path) -> Generator[int]:
    """Port of the service over a ledger in which both months are closed."""
    with open_ledger(url, create=True) as ledger:
        for month in documents:
            close_month(ledger, month, "zeng", AT)
    with service(url, year.folder / "site.toml", tmp_path) as port:
        yield port


@pytest.mark.flow
def test_a_thousand_reads_while_a_month_is_recomputed(
    url: str, served: int, year: Year, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    writer = Writer(url, year.folder, tmp_path / "writer.log")
    try:
        writer.wait_for(1)
        begin = time.perf_counter()
        answers = asyncio.run(read_all(served))
        seconds = time.perf_counter() - begin
        beside = writer.restated
        writer.wait_for(beside + 1)  # the readers have not locked it out
    finally:
        writer.end()
    assert [answer.status_code for _, answer, _ in answers] == [200] * READS
    tags: set[str] = set()
    for path, answer, _ in answers:
        consistent(path, json.loads(answer.content))
        tags.add(answer.headers["etag"])
    spent = sorted(spent for _, _, spent in answers)
    for name, value in (
        ("reads_per_s", round(READS / seconds)),
        ("median_ms", round(spent[READS // 2] * 1000)),
        ("slowest_ms", round(spent[-1] * 1000)),
        ("restatements_beside", beside - 1),
        ("heads_seen", len(tags)),
    ):
        record_property(name, value)
    with open_ledger(url) as ledger:
        assert ledger.check_chain() is None
