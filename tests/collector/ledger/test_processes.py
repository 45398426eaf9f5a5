"""Several processes at one ledger, and processes that are killed: one chain, of whole transactions, always."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby

import pytest

from shutan_collector.errors import LedgerError
from shutan_collector.ledger.closing import close_month, current, history, restate_month, state
from shutan_collector.ledger.entries import now
from shutan_collector.ledger.store import Ledger, open_ledger
from support.ledgers import AT, month, record
from support.places import REPO

KILLS = int(os.environ.get("SHUTAN_KILLS", "6"))  # a nightly run takes hundreds
RECORDS = 40
LIMIT_S = 60


def report(name: str, **figures: int | str) -> None:
    """The figure of a fault test, on the captured output."""
    print(json.dumps({"test": name, **figures}))  # noqa: T201 - shown by pytest -rA


class Process:
    """A writer; its lines are read one by one."""

    def __init__(self, *arguments: object) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "support.ledger_writer", *map(str, arguments)],
            cwd=REPO / "tests",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> str:
        """The next line without its end; "" when there are no more."""
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def start(self) -> None:
        """Let it write."""
        assert self.popen.stdin is not None
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def kill(self) -> None:
        """As a power cut does to a process."""
        self.popen.send_signal(signal.SIGKILL)


@contextmanager
def writer(*arguments: object) -> Generator[Process]:
    """A writer that has opened the ledger and waits for start()."""
    process = Process(*arguments)
    with process.popen:
        try:
            assert process.read() == "ready"
            yield process
        finally:
            process.kill()


def check_whole(ledger: Ledger, records: int) -> Counter[str]:
    """The chain is whole, transactions follow one another unmixed and are whole; transactions by author."""
    assert ledger.check_chain() is None
    found: Counter[str] = Counter()
    for (author, _), group in groupby(ledger.headers(), lambda item: (item.author, item.key.split("/")[1])):
        assert [item.key.split("/")[2] for item in group] == [str(number) for number in range(records)]
        found[author] += 1
    return found


def test_two_processes_keep_one_chain(url: str) -> None:
    transactions, records = 25, 8
    with (
        writer(url, "first", transactions, records) as first,
        writer(url, "second", transactions, records) as second,
    ):
        for process in (first, second):
            process.start()
        for process in (first, second):
            process.popen.wait(LIMIT_S)
    with open_ledger(url) as ledger:
        assert check_whole(ledger, records) == {"first": transactions, "second": transactions}
        authors = [author for author, _ in groupby(ledger.headers(), lambda item: item.author)]
    report("two_processes", entries=2 * transactions * records, changes_of_hands=len(authors) - 1)


def test_a_second_writer_waits_for_the_first(url: str) -> None:
    with writer(url, "first", 1, 8, 4) as first, writer(url, "second", 1, 8) as second:
        first.start()
        assert first.read() == "inside"
        second.start()
        with open_ledger(url) as ledger:
            assert ledger.head().seq == 0  # a reader sees nothing of it, and does not wait
            first.start()
            assert (first.read(), second.read()) == ("done 0", "done 0")
            assert [header.author for header in ledger.headers()] == ["first"] * 8 + ["second"] * 8
            assert ledger.check_chain() is None


@pytest.mark.fault
def test_a_kill_inside_an_append_leaves_whole_transactions(url: str) -> None:
    """Killed with rows of the transaction already handed to the database: what was said to be done stays, no more."""
    for number in range(KILLS):
        with writer(url, f"w{number}", 2, RECORDS, (number * RECORDS + RECORDS // 2) // KILLS) as process:
            process.start()
            assert process.read() == "done 0"
            assert process.read() == "inside"
            process.kill()
    with open_ledger(url) as ledger:
        assert check_whole(ledger, RECORDS) == {f"w{number}": 1 for number in range(KILLS)}
        ledger.append([record(1)], "me", now())
        assert ledger.check_chain() is None
        report("kill_inside_an_append", database=url.partition(":")[0], kills=KILLS, lost=0, torn=0)


@pytest.mark.fault
def test_a_kill_at_any_moment_keeps_what_was_done(url: str) -> None:
    """Killed while it runs freely, after a different number of appends each time."""
    done = kept = 0
    for number in range(KILLS):
        author = f"w{number}"
        with writer(url, author, 1000, 4) as process:
            process.start()
            for transaction in range(number % 7 + 1):
                assert process.read() == f"done {transaction}"
            process.kill()
            said = number % 7 + 1
            while process.read():
                said += 1
        with open_ledger(url) as ledger:
            found = check_whole(ledger, 4)[author]
        # The one more is an append that was durable before its process could say so.
        assert said <= found <= said + 1
        done, kept = done + said, kept + found
    report("kill_at_any_moment", database=url.partition(":")[0], kills=KILLS, said=done, kept=kept)


def test_readers_are_not_hindered_by_a_writer(url: str) -> None:
    """1,000 reads from 16 threads while another process appends: no error, and nothing but whole months."""
    reads = 1000
    with open_ledger(url, create=True) as ledger:
        close_month(ledger, month(), "me", AT)
        with writer(url, "writer", 100_000, 8) as process, ThreadPoolExecutor(16) as pool:
            process.start()
            assert process.read() == "done 0"
            first = ledger.head().seq
            expected = month().to_object()

            def read(number: int) -> int:
                match number % 4:
                    case 0:
                        return ledger.head().seq
                    case 1:
                        assert current(ledger, "2025-06").to_object() == expected
                    case 2:
                        assert len(history(ledger, "2025-06")) == 1
                    case _:
                        assert state(ledger, "2025-06").version == 1
                return 0

            heads = [seq for seq in pool.map(read, range(reads)) if seq]
            process.kill()
        assert len(heads) == reads // 4
        assert max(heads) > first
        assert {(seq - first) % 8 for seq in heads} == {0}
        assert ledger.check_chain() is None
    report("reads_beside_a_writer", database=url.partition(":")[0], reads=reads, errors=0, appended=max(heads) - first)


def test_of_two_that_close_a_month_one_wins(url: str) -> None:
    with open_ledger(url, create=True) as ledger:
        start = threading.Barrier(6)

        def close(number: int) -> str:
            documents = month(energy_wh=1000 * (number + 1))
            start.wait()
            try:
                close_month(ledger, documents, f"author {number}", AT)
            except LedgerError as error:
                return error.reason
            return "closed"

        with ThreadPoolExecutor(6) as pool:
            said = sorted(pool.map(close, range(6)))
        assert said[0] == "closed"
        assert len(said[1:]) == sum("is closed already (version 1" in text for text in said) == 5
        assert len(history(ledger, "2025-06")) == 1
        assert ledger.check_chain() is None


def test_of_two_that_restate_a_version_one_wins(url: str) -> None:
    with open_ledger(url, create=True) as ledger:
        close_month(ledger, month(), "me", AT)
        start = threading.Barrier(4)

        def restate(number: int) -> str:
            documents = month(energy_wh=1000 * (number + 1))
            start.wait()
            try:
                restate_month(ledger, documents, f"author {number}", "why", AT, version=1)
            except LedgerError as error:
                return error.reason
            return "restated"

        with ThreadPoolExecutor(4) as pool:
            said = sorted(pool.map(restate, range(4)))
        assert said[0] == "restated"
        assert len(said[1:]) == sum("version 2 is current, not 1" in text for text in said) == 3
        assert [item.version for item in history(ledger, "2025-06")] == [1, 2]
