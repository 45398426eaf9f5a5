"""sd_notify over a real datagram socket, path and abstract; the watchdog goes hungry when a thread hangs."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shutan_gateway.operation import systemd


@pytest.fixture(params=["path", "abstract"])
def heard(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], str]]:
    """A manager's socket; the function gives the next datagram."""
    place = str(tmp_path / "notify") if request.param == "path" else f"@shutan-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + place[1:] if place[0] == "@" else place)
        receiver.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", place)
        yield lambda: receiver.recv(4096).decode()


def test_each_word_is_one_datagram(heard: Callable[[], str]) -> None:
    assert systemd.ready("3 stores\nup")
    assert heard() == "READY=1\nSTATUS=3 stores up"
    assert systemd.ready()
    assert heard() == "READY=1"
    assert systemd.status("12 nodes")
    assert heard() == "STATUS=12 nodes"
    assert systemd.watchdog()
    assert heard() == "WATCHDOG=1"
    assert systemd.stopping()
    assert heard() == "STOPPING=1"


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.ready()
    monkeypatch.setenv("NOTIFY_SOCKET", "relative/place")
    assert not systemd.ready()


def test_a_manager_that_is_gone_costs_a_line_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not systemd.ready()


@pytest.mark.parametrize(
    ("limit", "process", "expected"),
    [("30000000", "", 30.0), ("30000000", "1", None), ("", "", None), ("often", "", None), ("0", "", None)],
)
def test_watchdog_is_asked_for_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, limit: str, process: str, expected: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.setenv("WATCHDOG_PID", process)
    assert systemd.watchdog_interval_s() == expected


def test_a_thread_that_hangs_stops_the_feeding_and_one_that_goes_on_starts_it_again(
    heard: Callable[[], str],
) -> None:
    now_s = [0.0]
    pulses = systemd.Pulses(lambda: now_s[0])
    link, intake = pulses.watch("link", 60), pulses.watch("intake", 10)
    dog = systemd.Watchdog(pulses.late)
    now_s[0] = 9
    assert dog.feed()
    assert heard() == "WATCHDOG=1"
    now_s[0] = 20
    link()
    assert pulses.late() == ["intake"]
    assert not dog.feed()
    assert heard() == "STATUS=no progress of: intake"
    intake()
    assert dog.feed()
    assert heard() == "WATCHDOG=1"
    now_s[0] = 1000
    pulses.clear()
    assert dog.feed()


def test_the_thread_feeds_by_itself(heard: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    dog = systemd.Watchdog(systemd.Pulses().late)
    dog.start()
    try:
        assert [heard(), heard(), heard()] == ["WATCHDOG=1"] * 3
    finally:
        dog.stop()
