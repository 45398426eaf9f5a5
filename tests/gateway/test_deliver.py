"""Delivery: each record ends in the store or in the dead letters, whatever the store, the disk or the process does."""

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from shutan_gateway.backoff import Backoff
from shutan_gateway.deliver.deliverer import Limits
from shutan_gateway.errors import StateUnavailable, StoreUnavailable
from shutan_gateway.rows import Row
from shutan_gateway.stores.base import Rejected, StoreRefused, Written
from support.delivery import LIMIT_S, Line, MemoryStore, record, records, refuse_bad, undecodable
from support.servers import wait_until
from support.store_rows import row, series

Script = Sequence[Written | Exception | None]


def by_turns(store: MemoryStore, script: Script) -> None:
    """Let the store answer its next calls by this script, and take everything afterwards."""
    left = list(script)

    def answer(_rows: Sequence[Row]) -> Written | None:
        turn = left.pop(0) if left else None
        if isinstance(turn, Exception):
            raise turn
        return turn

    store.script = answer


def test_everything_accepted_before_and_after_the_start_is_delivered(tmp_path: Path) -> None:
    store = MemoryStore()
    line = Line(tmp_path, store)
    line.append(records(series(300)))
    with line:
        line.append(records(series(200, first=301)))
        line.wait_delivered()
        assert line.totals() == (500, 0, 0)
    assert sorted(store.rows) == sorted(one[:5] for one in series(500))
    assert store.closed


def test_delivery_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with Line(tmp_path, MemoryStore()) as line:
        line.append(records(series(100)))
        line.wait_delivered()
    second = MemoryStore()
    with Line(tmp_path, second) as line:
        line.append(records(series(50, first=101)))
        line.wait_delivered()
        assert line.totals() == (150, 0, 0)
    assert len(second.rows) == 50, "what was committed is not sent again"


def test_a_record_with_a_refused_row_is_dead_and_its_other_rows_are_stored(tmp_path: Path) -> None:
    store = MemoryStore()
    store.script = refuse_bad
    bad = row({"x_s": "bad"}, device="b", qualities={"y_f": 0})
    with Line(tmp_path, store) as line:
        line.append([record(*series(2), bad), record(series(3)[2]), record(bad._replace(device="c"), bad), record()])
        line.wait_delivered()
        assert line.totals() == (2, 2, 0)
        assert line.counters.get("shutan_store_dead_rows_total", store="memory", reason="conflict") == 3
        assert line.counters.get("shutan_store_rows_total", store="memory") == 3
        letters = line.letters()
    assert len(store.rows) == 3
    assert letters[0] == {
        "reason": "conflict: it is bad",
        "row": {
            "family": "energy",
            "site": "jiuniang",
            "node": "n01",
            "device": "b",
            "t_ns": bad.t_ns,
            "record": 1,
            "boot": 2**63 + 5,
            "received_ms": bad.received_ms,
            "metrics": {"x_s": "bad"},
            "qualities": {"y_f": 0},
        },
    }
    assert len(letters) == 3


def test_a_record_that_cannot_be_decoded_is_kept_as_it_came(tmp_path: Path) -> None:
    with Line(tmp_path, MemoryStore()) as line:
        line.append([*records(series(3)), undecodable(7), *records(series(2))])
        line.wait_delivered()
        assert line.totals() == (5, 1, 0)
        (letter,) = line.letters()
    assert letter["reason"] == "schema: no birth explains this payload"
    assert letter["record"] == {**undecodable(7)._asdict(), "raw": "3f"}


@pytest.mark.fault
def test_records_that_rotted_on_the_disk_are_counted_as_dead(tmp_path: Path) -> None:
    line = Line(tmp_path, MemoryStore())
    line.append(records(series(40)), group=10)
    (segment,) = (tmp_path / "spool").iterdir()
    data = bytearray(segment.read_bytes())
    at = data.index(b'"jiuniang"', len(data) // 8)
    data[at + 1] ^= 1
    segment.write_bytes(data)
    with line:
        line.append(records(series(5, first=41)))
        line.wait_delivered()
        assert line.totals() == (44, 1, 0)


def test_a_lost_store_is_said_once_and_so_is_its_return(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    by_turns(store, [StoreUnavailable("connection refused")] * 6)
    with caplog.at_level(logging.INFO), Line(tmp_path, store) as line:
        line.append(records(series(10)))
        line.wait_delivered()
        assert line.totals() == (10, 0, 0)
        assert line.deliverers[0].trouble is None
        assert line.counters.get("shutan_store_up", store="memory") == 1
        assert line.counters.get("shutan_store_retries_total", store="memory") == 6
    assert len(store.rows) == 10
    texts = [entry.getMessage() for entry in caplog.records]
    assert len(texts) == 2
    assert texts[0] == "store memory takes nothing now, its records wait in the spool: connection refused"
    assert texts[1].startswith("store memory is back after ")


def test_while_a_store_is_lost_its_records_are_pending_and_the_cause_is_shown(tmp_path: Path) -> None:
    store = MemoryStore()
    by_turns(store, [StoreUnavailable("no route")] * 1_000_000)
    with Line(tmp_path, store) as line:
        line.append(records(series(10)))
        wait_until(lambda: line.deliverers[0].trouble == "no route", LIMIT_S, "trouble shown")
        assert line.totals() == (0, 0, 10)
        assert line.counters.get("shutan_store_up", store="memory") == 0
        assert line.counters.get("shutan_store_oldest_pending_seconds", store="memory") == pytest.approx(99.999)
        by_turns(store, [])
        line.wait_delivered()
        wait_until(
            lambda: line.counters.get("shutan_store_oldest_pending_seconds", store="memory") == 0, LIMIT_S, "no age"
        )


def test_a_cause_that_a_person_must_mend_is_said_when_it_appears(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    refused = StoreRefused("HTTP 401: check the token")
    by_turns(store, [StoreUnavailable("gone"), StoreUnavailable("gone"), refused, refused, StoreUnavailable("gone")])
    with caplog.at_level(logging.INFO), Line(tmp_path, store) as line:
        line.append(records(series(10)))
        line.wait_delivered()
    assert [entry.getMessage().rpartition(": ")[2] for entry in caplog.records[:-1]] == ["gone", "check the token"]


def test_a_store_that_once_asks_for_a_moment_is_not_reported_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    by_turns(store, [StoreUnavailable("HTTP 429", 0.01), None, StoreUnavailable("HTTP 429", 0.01)])
    with caplog.at_level(logging.INFO), Line(tmp_path, store) as line:
        line.append(records(series(10)))
        line.wait_delivered()
        line.append(records(series(10, first=11)))
        line.wait_delivered()
    assert caplog.records == []


class Watched(Backoff):
    """Remembers the wishes it was asked to respect."""

    def __init__(self) -> None:
        super().__init__(first_s=0.01, cap_s=0.02)
        self.wishes: list[float | None] = []

    def next_s(self, wish_s: float | None = None) -> float:
        self.wishes.append(wish_s)
        return 0.001


def test_retry_after_reaches_the_wait(tmp_path: Path) -> None:
    store, watched = MemoryStore(), Watched()
    by_turns(store, [StoreUnavailable("x", 7.0), Written(4, (), 9.0), StoreUnavailable("y"), StateUnavailable("z")])
    with Line(tmp_path, store, backoff=lambda: watched) as line:
        line.append(records(series(10)))
        line.wait_delivered()
    assert watched.wishes == [7.0, 9.0, None, None]
    assert len(store.rows) == 10


def test_what_a_store_settled_is_not_offered_again_in_the_same_batch(tmp_path: Path) -> None:
    store = MemoryStore()
    by_turns(store, [Written(4), StoreUnavailable("later"), Written(3, (Rejected(1, "conflict: x"),))])
    line = Line(tmp_path, store)
    line.append(records(series(10)))
    with line:
        line.wait_delivered()
        assert line.totals() == (9, 1, 0)
    assert store.calls[:3] == [10, 6, 6]
    assert sum(store.calls[3:]) == 3
    assert [letter["row"]["record"] for letter in line.letters()] == [6]  # type: ignore[index]


def test_parts_shrink_to_a_single_row_so_that_any_progress_counts(tmp_path: Path) -> None:
    """A store that answers one small write between two breakdowns still gets everything."""
    store = MemoryStore()

    def weak(rows: Sequence[Row]) -> Written | None:
        if len(rows) > 1:
            raise StoreUnavailable("too much at once")
        return None

    store.script = weak
    line = Line(tmp_path, store, backoff=Watched)
    line.append(records(series(60)))
    with line:
        line.wait_delivered()
    assert len(store.rows) == 60
    assert store.calls[0] == 60
    store.script = lambda _rows: None
    with Line(tmp_path, store, limits=Limits(linger_s=0, batch_rows=64)) as line:
        store.calls.clear()
        line.append(records(series(500, first=61)))
        line.wait_delivered()
    assert max(store.calls) <= 64


def test_batches_are_bounded_in_rows_and_bytes(tmp_path: Path) -> None:
    store = MemoryStore()
    line = Line(tmp_path, store, limits=Limits(linger_s=0, batch_rows=70, batch_bytes=20_000))
    line.append(records(series(2000)), group=20)
    with line:
        line.wait_delivered()
    assert max(store.calls) == 70
    assert len(store.rows) == 2000


def test_one_slow_store_does_not_hold_back_another(tmp_path: Path) -> None:
    slow, quick = MemoryStore("slow"), MemoryStore("quick")
    free = threading.Event()

    def hang(_rows: Sequence[Row]) -> None:
        free.wait(LIMIT_S)

    slow.script = hang
    with Line(tmp_path, slow, quick) as line:
        line.append(records(series(100)))
        wait_until(lambda: line.totals("quick") == (100, 0, 0), LIMIT_S, "the quick one is done")
        assert line.totals("slow") == (0, 0, 100)
        free.set()
        line.wait_delivered()
    assert slow.rows == quick.rows


def test_what_comes_in_now_is_not_behind_an_old_backlog(tmp_path: Path) -> None:
    """The clock of the fixture is 100 s after the records of `records`: an outage's backlog."""
    store = MemoryStore()
    line = Line(tmp_path, store, limits=Limits(linger_s=0, batch_bytes=20_000))
    line.append(records(series(3000)))
    live = [row({"x_s": text}, device="live", at=n) for n, text in enumerate(["a", "bad", "c"])]
    first = threading.Event()
    go_on = threading.Event()

    def answer(rows: Sequence[Row]) -> Written:
        first.set()
        go_on.wait(LIMIT_S)
        return refuse_bad(rows)

    store.script = answer
    with line:
        assert first.wait(LIMIT_S)
        line.append([one._replace(received_ms=1_795_000_100_000) for one in records(live)])
        go_on.set()
        line.wait_delivered()
        order = list(store.rows)
        assert order.index(live[0][:5]) < 1500, "the live row waited for the backlog"
        assert line.totals() == (3002, 1, 0), "written twice, counted once"
        assert len(line.letters()) == 1
        assert len(store.rows) == 3002


def test_accepted_is_stored_and_dead_and_pending_at_every_moment(tmp_path: Path) -> None:
    store = MemoryStore()
    store.script = refuse_bad
    rows = [row({"x_s": "bad" if n % 7 == 0 else "good"}, at=n) for n in range(3000)]
    done = threading.Event()
    sums: set[int] = set()
    with Line(tmp_path, store, limits=Limits(linger_s=0, batch_rows=50, batch_bytes=20_000)) as line:

        def watch() -> None:
            while not done.is_set() or not sums:
                progress = line.state.progress()["memory"]
                sums.add(progress.position.ordinal - progress.stored - progress.dead)

        watcher = threading.Thread(target=watch)
        watcher.start()
        line.append(records(rows), group=25)
        line.wait_delivered()
        done.set()
        watcher.join()
        assert line.totals() == (3000 - 429, 429, 0)
    assert sums == {0}
    assert len(line.letters()) == 429


def test_stopping_is_prompt_while_waiting_and_while_backing_off(tmp_path: Path) -> None:
    for script in ([], [StoreUnavailable("gone", 800.0)] * 10):
        store = MemoryStore()
        by_turns(store, script)
        folder = tmp_path / str(len(script))
        folder.mkdir()
        line = Line(folder, store)
        with line:
            line.append(records(series(3)))
            assert store.called.acquire(timeout=LIMIT_S)
            started_s = time.monotonic()
        assert time.monotonic() - started_s < 5


def test_a_store_that_hangs_does_not_hang_the_stop(tmp_path: Path) -> None:
    store = MemoryStore()
    free = threading.Event()

    def hang(_rows: Sequence[Row]) -> None:
        free.wait(LIMIT_S)

    store.script = hang
    with Line(tmp_path, store) as line:
        line.append(records(series(3)))
        assert store.called.acquire(timeout=LIMIT_S)
        assert not line.deliverers[0].stop(timeout_s=0.05)
        assert not store.closed, "it is not closed under the thread that uses it"
        free.set()


def test_a_deliverer_that_never_ran_can_be_stopped(tmp_path: Path) -> None:
    store = MemoryStore()
    line = Line(tmp_path, store)
    line.__exit__()
    assert store.closed


def test_an_unexpected_error_is_one_log_line_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    by_turns(store, [ZeroDivisionError("a defect"), None])
    with caplog.at_level(logging.INFO), Line(tmp_path, store) as line:
        line.append(records(series(10)))
        line.wait_delivered()
        assert line.totals() == (10, 0, 0)
        assert line.counters.total("shutan_thread_restarts_total") == 1
    (entry,) = caplog.records
    assert "ZeroDivisionError('a defect')" in entry.getMessage()
    assert "\n" not in entry.getMessage()
