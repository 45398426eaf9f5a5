"""Records again to a store, and dead letters again: nothing twice, nothing lost, whatever is in between."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from shutan_gateway.counters import Counters
from shutan_gateway.deliver.dead_letters import DeadLetters, record_letter, row_letter
from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.rows import Row, RowReader
from shutan_gateway.spool.log import Spool
from shutan_gateway.spool.view import segments
from shutan_gateway.stores.base import Rejected, StoreRefused, Written
from shutan_gateway.upkeep.letters import files_of, letters_in, retry
from shutan_gateway.upkeep.replay import Outcome, Span, offer, replay, selected
from support.delivery import JsonReader, MemoryStore, record, refuse_bad, undecodable
from support.store_rows import row, series

RECEIVED_MS = 1_795_000_000_000  # of record 0 (support.delivery)
READER = cast("RowReader", JsonReader())


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    """A spool with 300 records, one row each; every hundredth gives none."""
    spool = Spool.open(tmp_path / "spool", segment_bytes=65_536, max_bytes=2**30, counters=Counters())
    for n, one in enumerate(series(300), 1):
        spool.append_batch([record(one, number=n) if n % 100 else undecodable(n)])
        spool.sync()
    spool.close()
    return tmp_path / "spool"


def run(folder: Path, store: MemoryStore, span: Span, below: int = 300) -> Outcome:
    return replay(selected(segments(folder), span, below), READER, store, span)


def test_a_span_by_receive_time_is_written_again_and_only_it(spool_dir: Path) -> None:
    store = MemoryStore()
    outcome = run(spool_dir, store, Span(RECEIVED_MS + 50, RECEIVED_MS + 150))
    assert (outcome.records, outcome.rows, outcome.undecodable) == (99, 99, 1)
    assert sorted(one.record or 0 for one in store.rows.values()) == [n for n in range(50, 150) if n != 100]
    again = run(spool_dir, store, Span(RECEIVED_MS, RECEIVED_MS + 1000))
    assert (again.rows, len(store.rows)) == (297, 297)


def test_a_span_by_sample_time_looks_at_the_samples(spool_dir: Path) -> None:
    store = MemoryStore()
    rows = series(300)
    low, high = rows[9].t_ns // 1_000_000, rows[19].t_ns // 1_000_000
    outcome = run(spool_dir, store, Span(low, high, sampled=True))
    assert sorted(store.rows) == sorted(one[:5] for one in rows[9:19])
    assert outcome.records == 10


def test_what_the_gateway_has_not_delivered_yet_is_left_to_it(spool_dir: Path) -> None:
    store = MemoryStore()
    run(spool_dir, store, Span(0, 2**50), below=20)
    assert max(one.record or 0 for one in store.rows.values()) == 20


def test_refused_rows_are_counted_by_reason_and_progress_is_told(spool_dir: Path) -> None:
    store = MemoryStore()
    store.script = lambda rows: Written(len(rows), (Rejected(0, "conflict: other"), Rejected(1, "conflict: more")))
    outcome = run(spool_dir, store, Span(0, 2**50))
    assert dict(outcome.refused) == {"conflict": 2}
    assert outcome.rows == 295


def test_a_store_that_breaks_off_goes_on_and_one_that_a_person_must_mend_ends_it() -> None:
    store = MemoryStore()
    calls: list[int] = []

    def script(rows: Sequence[Row]) -> Written | None:
        calls.append(len(rows))
        if len(calls) == 1:
            return Written(3, (Rejected(1, "number: nan"),), retry_after_s=0.0)
        if len(calls) == 2:
            raise StoreUnavailable("away", retry_after_s=0.0)
        return Written(len(rows), (Rejected(0, "number: nan"),))

    store.script = script
    assert [entry.index for entry in offer(store, series(10))] == [1, 3]
    assert calls == [10, 7, 7]

    def refuse(_rows: Sequence[Row]) -> Written | None:
        raise StoreRefused("HTTP 401")

    store.script = refuse
    with pytest.raises(StoreRefused):
        offer(store, series(1))

    def away(_rows: Sequence[Row]) -> Written | None:
        raise StoreUnavailable("away", retry_after_s=0.0)

    store.script = away
    with pytest.raises(StoreUnavailable):
        offer(store, series(1), patience_s=0.0)


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """Dead letters of the store "memory": 30 rows over several files, two of them bad for ever, and a record."""
    letters = DeadLetters(tmp_path / "dead", "memory", Counters(), file_bytes=2_000, files=9)
    rows = [one._replace(values=("bad", 0.5)) if n % 20 == 7 else one for n, one in enumerate(series(30))]
    letters.write([row_letter(one, "unavailable: it was full") for one in rows])
    letters.write([record_letter(record(row({"x_f": 1.5}), number=99), "no_schema: gone")])
    letters.write([record_letter(undecodable(), "no_schema: gone")])
    return tmp_path / "dead"


def test_letters_are_found_oldest_first_and_of_this_store_only(dead: Path) -> None:
    (dead / "memory2.jsonl").write_text("{}\n")
    (dead / "memory.txt.jsonl").write_text("{}\n")
    names = [path.name for path in files_of(dead, "memory")]
    assert names[-1] == "memory.jsonl"
    assert names[:-1] == [f"memory.{n}.jsonl" for n in range(len(names) - 1, 0, -1)]
    letters = [letter for path in files_of(dead, "memory") for letter in letters_in(path)]
    assert len(letters) == 32
    assert [cast("Any", letter).kind for letter in letters[-2:]] == ["record", "record"]


def test_a_retry_stores_what_is_mended_and_keeps_the_rest(dead: Path) -> None:
    store = MemoryStore()
    store.script = refuse_bad
    with (dead / "memory.jsonl").open("ab") as file:
        file.write(b"a line of a person\n" + b'{"reason": "torn", "row": {"fam')
    assert retry(dead, store, READER) == (29, 3, 1)
    assert len(store.rows) == 29
    assert [path.name for path in files_of(dead, "memory")] == ["memory.retried.jsonl"]
    kept = (dead / "memory.retried.jsonl").read_bytes().splitlines()
    assert len(kept) == 4
    assert b"a line of a person" in kept
    reasons = [json.loads(line)["reason"] for line in kept if line.startswith(b"{")]
    assert sorted(reason.partition(":")[0] for reason in reasons) == ["conflict", "conflict", "schema"]
    # The same again: nothing more is stored, nothing more is lost.
    assert retry(dead, store, READER) == (0, 3, 1)
    store.script = lambda _rows: None
    assert retry(dead, store, READER) == (2, 1, 1)


def test_a_retry_that_fails_keeps_every_letter_and_new_ones_join(dead: Path) -> None:
    store = MemoryStore()

    def refuse(_rows: Sequence[Row]) -> Written | None:
        raise StoreRefused("HTTP 401")

    store.script = refuse
    with pytest.raises(StoreRefused):
        retry(dead, store, READER)
    more = DeadLetters(dead, "memory", Counters(), file_bytes=2_000, files=9)
    more.write([row_letter(row({"y_f": 1.5}, at=1), "conflict: new")])
    store.script = lambda _rows: None
    assert retry(dead, store, READER) == (32, 1, 0)
    assert len(store.rows) == 32


def test_a_letter_that_the_gateway_writes_during_the_retry_is_not_lost(dead: Path) -> None:
    store = MemoryStore()
    late = row_letter(row({"y_f": 1.5}, at=1), "conflict: in the same moment").line()
    handle = (dead / "memory.jsonl").open("ab")

    def write_late(_rows: Sequence[Row]) -> Written | None:
        if not handle.closed:
            handle.write(late)
            handle.close()
        return None

    store.script = write_late
    retry(dead, store, READER)
    assert any(late in path.read_bytes() for path in files_of(dead, "memory"))
    retry(dead, store, READER)
    assert len(store.rows) == 32
