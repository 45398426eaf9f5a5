"""Log records as the journal gets them, read back from a real datagram socket."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shutan_gateway.operation import journal
from support.places import REPO
from support.servers import wait_until


def parse(entry: bytes) -> dict[str, str]:
    """An entry of the native protocol, read by its description."""
    fields: dict[str, str] = {}
    while entry:
        head, _, rest = entry.partition(b"\n")
        if b"=" in head:
            key, _, value = head.partition(b"=")
            entry = rest
        else:
            key, length = head, int.from_bytes(rest[:8], "little")
            value, entry = rest[8 : 8 + length], rest[9 + length :]
        fields[key.decode()] = value.decode()
    return fields


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        receiver.settimeout(5)
        yield receiver


@pytest.fixture
def _root_logger() -> Iterator[logging.Logger]:
    """The root logger, as it was before when the test is over."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("_root_logger")
def test_a_record_arrives_with_its_fields(
    daemon: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    journal.set_up_logging(place=str(tmp_path / "socket"))
    log = logging.getLogger("shutan.test")
    log.warning("store %s is away", "local", extra={"store": "local", "waits-s": 3, "thing": object()})
    log.debug("not asked for")
    log.error("two\nlines 数碳")
    first, second = parse(daemon.recv(65536)), parse(daemon.recv(65536))
    assert first["MESSAGE"] == "store local is away"
    assert (first["PRIORITY"], first["LOGGER"], first["SYSLOG_IDENTIFIER"]) == ("4", "shutan.test", "shutan")
    assert {key: value for key, value in first.items() if key.startswith("SHUTAN_")} == {
        "SHUTAN_STORE": "local",
        "SHUTAN_WAITS_S": "3",
    }
    assert second["MESSAGE"] == "two\nlines 数碳"
    assert second["PRIORITY"] == "3"


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("store %s is back after %.1f s", ("local", 3.0), {"SHUTAN_STORE": "local"}),
        ("node %s/%s: online", ("plant", "n01"), {"SHUTAN_SITE": "plant", "SHUTAN_NODE": "n01"}),
        ("bus %s: meter %s: daily freeze %d: %s", ("b1", "m7", 3, "x"), {"SHUTAN_BUS": "b1", "SHUTAN_METER": "m7"}),
        ("after %.1f s: %d %% of store %s", (1.0, 5, "far"), {"SHUTAN_STORE": "far"}),
        ("%s failed at %s", ("intake", "x"), {}),
        ("nothing to say about store", (), {}),
        ("store %s of %s", (), {}),
    ],
)
def test_what_a_line_names_is_a_field(text: str, arguments: tuple[object, ...], expected: dict[str, str]) -> None:
    record = logging.LogRecord("shutan", 30, "", 0, text, arguments, None)
    assert journal.told_fields(record) == expected


def test_the_lines_of_the_gateway_name_what_they_are_about() -> None:
    """The formats are those that the code really has."""
    code = "".join(path.read_text(encoding="utf-8") for path in (REPO / "gateway/shutan_gateway").rglob("*.py"))
    for text in ('"node %s/%s: online"', '"store %s is back after %.1f s"', '"broker %s: connected"'):
        assert text in code


def test_a_value_cannot_forge_a_field(daemon: socket.socket, tmp_path: Path) -> None:
    with contextlib.closing(journal.JournalHandler(str(tmp_path / "socket"))) as handler:
        record = logging.makeLogRecord({"msg": "x", "levelno": 20, "node": "a\nPRIORITY=0\nSHUTAN_STORE=b"})
        handler.emit(record)
    fields = parse(daemon.recv(65536))
    assert fields["SHUTAN_NODE"] == "a\nPRIORITY=0\nSHUTAN_STORE=b"
    assert fields["PRIORITY"] == "6"
    assert "SHUTAN_STORE" not in fields


def test_a_long_text_is_cut_and_arrives(daemon: socket.socket, tmp_path: Path) -> None:
    with contextlib.closing(journal.JournalHandler(str(tmp_path / "socket"))) as handler:
        handler.emit(logging.makeLogRecord({"msg": "y" * 1_000_000, "levelno": 40}))
    assert 1000 < len(parse(daemon.recv(1_000_000))["MESSAGE"]) < 100_000


@pytest.mark.usefixtures("_root_logger")
def test_elsewhere_it_is_a_line_on_stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    journal.set_up_logging()
    logging.getLogger("shutan.test").warning("away", extra={"store": "local"})
    assert capsys.readouterr().err.endswith(" WARNING shutan.test: away [store=local]\n")
    assert logging.getLogger().level == logging.INFO


@pytest.mark.usefixtures("_root_logger")
def test_a_storm_of_nodes_is_a_few_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    handler = journal.set_up_logging()
    log = logging.getLogger("shutan.test")
    for number in range(1000):
        log.info("node %s/%s: online", "plant", f"n{number}")
        log.warning("store %s: away", number)
    log.info("another kind")
    lines = capsys.readouterr().err.splitlines()
    assert sum("online" in line for line in lines) == 20
    assert sum("away" in line for line in lines) == 1000
    assert lines[-1].endswith("another kind")
    handler.close()
    last = capsys.readouterr().err
    assert "INFO shutan.test: node ...: online: 980 more within" in last, "told before the end, not after it"
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_what_a_storm_left_out_is_told_with_its_number() -> None:
    told: list[logging.LogRecord] = []
    calm = journal.Calm(told.append, most=2, interval_s=1.0)

    def say(text: str, *values: object) -> bool:
        return calm.filter(logging.LogRecord("shutan.host", logging.INFO, "", 0, text, values, None))

    assert [say("node %s/%s: online", "plant", number) for number in range(7)] == [True] * 2 + [False] * 5
    assert say("node %s/%s: offline", "plant", 1)
    wait_until(lambda: bool(told), 10, "the summary")
    assert [record.getMessage() for record in told] == ["node ...: online: 5 more within 1 s"]
    assert (told[0].name, calm.filter(told[0])) == ("shutan.host", True)
    assert say("node %s/%s: online", "plant", 8), "a new interval"


def test_a_journal_that_is_gone_leaves_the_line_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.closing(journal.JournalHandler(str(tmp_path / "gone"))) as handler:
        handler.emit(logging.makeLogRecord({"msg": "away", "levelno": 30, "levelname": "WARNING", "name": "shutan"}))
    assert "WARNING shutan: away" in capsys.readouterr().err
