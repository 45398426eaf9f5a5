"""A delivery with the real spool and registry; rows are written into the records as JSON, stores follow a script."""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

from shutan_gateway.backoff import Backoff
from shutan_gateway.counters import Counters
from shutan_gateway.deliver.deliverer import Deliverer, Limits
from shutan_gateway.errors import Refusal
from shutan_gateway.registry.state import State
from shutan_gateway.rows import Row
from shutan_gateway.spool.log import DATA, Spool, SpoolRecord
from shutan_gateway.stores.base import Rejected, Store, Written
from support.servers import wait_until

LIMIT_S = 30.0
QUICK = Limits(linger_s=0)


def record(*rows: Row, number: int = 1) -> SpoolRecord:
    """A spool record that gives these rows."""
    return SpoolRecord(DATA, 1, 1, number, 1_795_000_000_000 + number, 0, json.dumps(rows).encode())


def records(rows: Iterable[Row]) -> list[SpoolRecord]:
    """A record for each row."""
    return [record(row, number=number) for number, row in enumerate(rows, 1)]


def undecodable(number: int = 1) -> SpoolRecord:
    """A record whose payload nothing explains."""
    return record(number=number)._replace(raw=b"?")


class JsonReader:
    """Rows out of the records that `record` makes; one metrics tuple for each shape, as the real reader has."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def rows(self, record: SpoolRecord) -> list[Row]:
        """See RowReader."""
        if record.raw == b"?":
            raise Refusal("schema", "no birth explains this payload")
        found: list[Row] = []
        for fields in json.loads(record.raw):
            row = Row._make(fields)
            names = self._names.setdefault(tuple(row.metrics), tuple(row.metrics))
            qualities = tuple((name, code) for name, code in row.qualities)
            found.append(row._replace(metrics=names, values=tuple(row.values), qualities=qualities))
        return found

    def rows_of(self, record: SpoolRecord, samples: object) -> list[Row]:
        """See RowReader; the fixture has no samples beside its records."""
        del samples
        return self.rows(record)


class MemoryStore:
    """A store in memory: rows by key, and what to do before a call by `script`."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.rows: dict[tuple[object, ...], Row] = {}
        self.calls: list[int] = []
        self.script: Callable[[Sequence[Row]], Written | None] = lambda _rows: None
        self.closed = False
        self.called = threading.Semaphore(0)

    def write(self, rows: Sequence[Row]) -> Written:
        """What the script says; else all rows are stored."""
        self.calls.append(len(rows))
        self.called.release()
        written = self.script(rows) or Written(len(rows))
        refused = {entry.index for entry in written.rejected}
        self.rows.update({row[:5]: row for n, row in enumerate(rows[: written.accepted]) if n not in refused})
        return written

    def close(self) -> None:
        """See Store."""
        self.closed = True


def refuse_bad(rows: Sequence[Row]) -> Written:
    """A script that refuses the rows whose first value is the text "bad"."""
    places = [n for n, row in enumerate(rows) if row.values[0] == "bad"]
    return Written(len(rows), tuple(Rejected(n, "conflict: it is bad") for n in places))


class Line:
    """Spool, registry and the deliverers of some stores in one folder, as a gateway has them."""

    def __init__(
        self,
        folder: Path,
        *stores: Store,
        limits: Limits = QUICK,
        backoff: Callable[[], Backoff] = lambda: Backoff(first_s=0.01, cap_s=0.05),
    ) -> None:
        self.counters = Counters()
        self.dead_dir = folder / "dead"
        self.state = State.open(folder / "registry.sqlite")
        self.spool = Spool.open(folder / "spool", segment_bytes=65_536, max_bytes=2**30, counters=self.counters)
        for store in stores:
            self.state.add_store(store.name, self.spool.first)
        self.deliverers = [
            Deliverer(
                store,
                spool=self.spool,
                reader=JsonReader(),
                state=self.state,
                counters=self.counters,
                dead_dir=self.dead_dir,
                limits=limits,
                backoff=backoff(),
                now_ms=lambda: 1_795_000_100_000,
            )
            for store in stores
        ]

    def __enter__(self) -> Self:
        for deliverer in self.deliverers:
            deliverer.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        for deliverer in self.deliverers:
            assert deliverer.stop(), "the delivery thread did not end"
        self.spool.close()
        self.state.close()

    def append(self, records: Sequence[SpoolRecord], group: int = 50) -> None:
        """Accept records, in groups, each durable."""
        for start in range(0, len(records), group):
            self.spool.append_batch(records[start : start + group])
            self.spool.sync()

    def wait_delivered(self) -> None:
        """Until every store is at the end of the spool."""
        end = self.spool.end
        wait_until(lambda: all(d.position == end for d in self.deliverers), LIMIT_S, "everything delivered")

    def totals(self, store: str = "memory") -> tuple[int, int, int]:
        """(stored, dead, pending) of a store at one moment."""
        progress = next(d.progress for d in self.deliverers if d.store_name == store)
        return progress.stored, progress.dead, self.spool.end.ordinal - progress.position.ordinal

    def letters(self, store: str = "memory") -> list[dict[str, object]]:
        """The dead letters of a store, oldest first."""
        files = [*sorted(self.dead_dir.glob(f"{store}.*.jsonl"), reverse=True), self.dead_dir / f"{store}.jsonl"]
        return [json.loads(line) for file in files if file.is_file() for line in file.read_text().splitlines()]
