"""Material for tests of the collector: instants, a small site, a reader in memory, and a way to fill a real store."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from shutan_collector.periods import to_ns
from shutan_collector.samples import Samples
from shutan_collector.series.base import Fingerprint, Source, fingerprints_of
from shutan_gateway.rows import Row
from shutan_gateway.stores.sqlite.store import SqliteStore

SHANGHAI = ZoneInfo("Asia/Shanghai")
SECOND = 1_000_000_000
Readings = Sequence[tuple[int, int]]
Key = tuple[str, str, str]  # node, device, metric

SITE = """\
[site]
id = "jiuniang"
name = "Jiuniang Distillery"
name_zh = "九酿酒厂"
region = "CN-SC"

[[meter]]
id = "entry"
name = "Grid entry"
name_zh = "总进线"
carrier = "electricity"
role = "entry"
level = 1
node = "n01"
device = "m-entry"
ct = [200, 5]
rollover_wh = 40000000000

[[meter]]
id = "bottling"
name = "Bottling line"
name_zh = "灌装线"
carrier = "electricity"
role = "sub"
level = 2
parent = "entry"
node = "n02"
device = "m-bottling"
rollover_wh = 1000000000

[[meter]]
id = "boiler-gas"
name = "Boiler gas"
name_zh = "锅炉天然气"
carrier = "natural_gas"
role = "entry"
level = 1
metric = "gas_volume_l"
node = "n03"
device = "g-boiler"
rollover_l = 429496729600
gas_reference = { temperature_c = 20, pressure_kpa = 101.325 }
"""


def at(text: str) -> int:
    """UTC nanoseconds of a local time in Shanghai: at("2026-06-01T08:00")."""
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI))


class MemoryReader:
    """A series store in a dictionary: node, device, metric -> readings."""

    def __init__(self, series: Mapping[Key, Readings]) -> None:
        self.series = series
        self.closed = False

    def read(self, source: Source, metric: str, start_ns: int, end_ns: int) -> Samples:
        readings = self.series.get((source.node, source.device, metric), ())
        inside = [reading for reading in readings if start_ns <= reading[0] < end_ns]
        return Samples([t_ns for t_ns, _ in inside], [value for _, value in inside])

    def fingerprints(self, source: Source, metric: str, day_edges_ns: Sequence[int]) -> tuple[Fingerprint, ...]:
        return fingerprints_of(self.read(source, metric, day_edges_ns[0], day_edges_ns[-1]), day_edges_ns)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def steady(start: str, hours: int, per_hour: int, first: int = 0, interval_s: int = 600) -> list[tuple[int, int]]:
    """Readings of a meter with constant consumption, both ends included; per_hour x interval must be whole steps."""
    begin, number = at(start), hours * 3600 // interval_s
    return [
        (begin + step * interval_s * SECOND, first + per_hour * interval_s * step // 3600) for step in range(number + 1)
    ]


def rows(
    node: str, device: str, metric: str, readings: Readings, qualities: Mapping[int, int] | None = None
) -> list[Row]:
    """Store rows of one counter; qualities: Sparkplug code per time where it is not good."""
    bad = qualities or {}
    metrics = (metric,)
    records = count(1)
    return [
        Row(
            family="energy",
            site="jiuniang",
            node=node,
            device=device,
            t_ns=t_ns,
            record=next(records),
            boot=1,
            received_ms=t_ns // 1_000_000,
            metrics=metrics,
            values=(value,),
            qualities=((metric, bad[t_ns]),) if t_ns in bad else (),
        )
        for t_ns, value in readings
    ]


def fill_sqlite(path: Path, batches: Iterable[Sequence[Row]]) -> None:
    """Write rows with the gateway's own store."""
    store = SqliteStore("test", path)
    for batch in batches:
        written = store.write(batch)
        assert not written.rejected, written
    store.close()
