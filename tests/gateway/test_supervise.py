"""A thread that fails is started again, said once, counted, and given up when it goes on failing."""

import threading

import pytest

from shutan_gateway import supervise
from shutan_gateway.counters import HELP, Counters, Key, prometheus_text


def run(failures: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Counters, list[str], int]:
    monkeypatch.setattr(supervise, "_PAUSE_S", 0.0)
    counters, given_up, runs = Counters(), list[str](), list[int]()

    def work() -> None:
        runs.append(1)
        if len(runs) <= failures:
            raise ZeroDivisionError("planted")

    thread = supervise.Supervised("x", work, counters=counters, stop=threading.Event(), give_up=given_up.append)
    thread.start()
    assert thread.join(30)
    return counters, given_up, len(runs)


def test_a_failing_thread_is_started_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    counters, given_up, runs = run(3, monkeypatch)
    assert (counters.get("shutan_thread_restarts_total", thread="x"), given_up, runs) == (3, [], 4)
    assert [record.getMessage().count("\n") for record in caplog.records] == [0, 0, 0]
    assert "test_supervise.py" in caplog.records[0].getMessage(), "the place of the failure"


def test_a_thread_that_goes_on_failing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    counters, given_up, runs = run(100, monkeypatch)
    assert (counters.get("shutan_thread_restarts_total", thread="x"), given_up, runs) == (6, ["x"], 6)


def test_counters_need_a_help_text_and_add_up() -> None:
    counters = Counters()
    with pytest.raises(KeyError):
        counters.inc("shutan_surprise_total")
    counters.inc("shutan_rejected_total", reason='odd "one"\n')
    counters.inc("shutan_rejected_total", 2, reason="b")
    counters.set("shutan_link_up", 1)
    counters.add_many([(Key("shutan_received_total"), 3)])
    assert counters.total("shutan_rejected_total") == 3
    assert prometheus_text(counters.snapshot()) == (
        f"# HELP shutan_link_up {HELP['shutan_link_up']}\n"
        "# TYPE shutan_link_up gauge\n"
        "shutan_link_up 1\n"
        f"# HELP shutan_received_total {HELP['shutan_received_total']}\n"
        "# TYPE shutan_received_total counter\n"
        "shutan_received_total 3\n"
        f"# HELP shutan_rejected_total {HELP['shutan_rejected_total']}\n"
        "# TYPE shutan_rejected_total counter\n"
        'shutan_rejected_total{reason="b"} 2\n'
        'shutan_rejected_total{reason="odd \\"one\\"\\n"} 1\n'
    )
