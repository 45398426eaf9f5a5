"""A simulated year as the collector's tests and benchmarks take it: written once, and put into the gateway's store."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from shutan_collector.periods import to_ns
from shutan_gateway.rows import Row
from shutan_gateway.stores.sqlite.store import SqliteStore
from shutan_sim.year.files import write_year
from shutan_sim.year.plan import Kind
from shutan_sim.year.run import Order

SITE = "jiuniang"
_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Year:
    """Folder of a simulated year (or less) and its account."""

    folder: Path
    truth: Mapping[str, Any]

    @property
    def readings(self) -> Path:
        """readings.csv."""
        return self.folder / "readings.csv"

    def hours(self, meter: str) -> list[int]:
        """What really passed, by hour."""
        return self.truth["meters"][meter]["hours"]

    def total(self, meter: str) -> int:
        """What really passed in all."""
        return self.truth["meters"][meter]["total"]

    def events(self, meter: str, *, order_only: bool = False) -> list[dict[str, Any]]:
        """What was planted at a meter; without order_only: only what changes registers or leaves readings out."""
        harmless = {"duplicates", "out_of_order"}
        return [
            event
            for event in self.truth["events"]
            if meter in event["meters"] and (order_only or event["kind"] not in harmless)
        ]

    def lost(self, meter: str) -> int:
        """What no register of the meter knows."""
        return sum(value for event in self.events(meter) for _, value in event["lost"])


def make_year(
    folder: Path, start: date, days: int, meters: int = 40, *, kinds: Iterable[Kind] = Kind, seed: int = 1
) -> Year:
    """Write a year."""
    write_year(Order(start, days, meters, 15, seed, frozenset(kinds)), folder, lambda _done, _of: None)
    return Year(folder, json.loads((folder / "truth.json").read_text(encoding="utf-8")))


def store_readings(paths: Iterable[Path], store_path: Path) -> int:
    """Write the rows of readings files through the gateway's own store; returns how many."""
    store = SqliteStore("year", store_path)
    total = 0
    rows = _rows(paths)
    while batch := list(islice(rows, _BATCH)):
        written = store.write(batch)
        assert not written.rejected, written
        total += len(batch)
    store.close()
    return total


def _rows(paths: Iterable[Path]) -> Iterator[Row]:
    shapes: dict[str, tuple[str]] = {}
    text, t_ns = "", 0
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            next(lines)
            for number, (when, node, device, metric, register) in enumerate(lines, start=1):
                if when != text:
                    text, t_ns = when, to_ns(datetime.fromisoformat(when))
                metrics = shapes.setdefault(metric, (metric,))
                yield Row("energy", SITE, node, device, t_ns, number, 1, t_ns // 10**6, metrics, (int(register),), ())
