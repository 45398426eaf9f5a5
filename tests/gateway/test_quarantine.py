"""The quarantine keeps refused input for inspection, is bounded in every direction and never hurts its caller."""

import threading
from pathlib import Path

import pytest

from shutan_gateway.counters import Counters
from shutan_gateway.quarantine import Item, Limits, Quarantine, QuarantineError, items, load

WAIT_S = 30.0


def kept(folder: Path) -> list[Item]:
    return [item for item in items(folder) if isinstance(item, Item)]


def test_what_is_kept_can_be_read_again(tmp_path: Path) -> None:
    counters = Counters()
    quarantine = Quarantine(tmp_path / "q", counters)
    quarantine.keep(
        "mqtt", "truncated", "sparkplug: truncated", b"\x12\x7f\n", topic="spBv1.0/f/NDATA/n", received_ms=5
    )
    quarantine.keep("serial/bus1", "checksum", "odd \ud800 text", b"")
    quarantine.close()
    first, second = kept(tmp_path / "q")
    assert load(tmp_path / "q", first.number) == (first, b"\x12\x7f\n")
    assert (first.source, first.reason, first.received_ms, first.length) == ("mqtt", "truncated", 5, 3)
    assert second.detail == "odd \ud800 text"
    assert second.received_ms > 1_700_000_000_000, "the time of the call when none is given"
    assert counters.get("shutan_quarantine_total", reason="truncated") == 1


def test_a_long_payload_is_cut_and_its_length_and_digest_are_noted(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, Counters(), Limits(payload_bytes=10))
    quarantine.keep("mqtt", "oversize", "\U0001d306" * 10_000, b"0123456789abcdef", topic="\U0001d306" * 70_000)
    quarantine.close()
    item, raw = load(tmp_path, 1)
    assert (raw, item.length, item.kept) == (b"0123456789", 16, 10)
    assert item.sha256 == "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"
    assert len(item.topic) == 1024
    assert len(item.detail) == 500


@pytest.mark.parametrize("limits", [Limits(files=3), Limits(total_bytes=900)])
def test_the_oldest_goes_when_the_folder_is_full_also_after_a_restart(tmp_path: Path, limits: Limits) -> None:
    counters = Counters()
    for start in (0, 5):
        quarantine = Quarantine(tmp_path, counters, limits)
        for number in range(start, start + 5):
            quarantine.keep("mqtt", "malformed", "", bytes([number]))
        quarantine.close()
    numbers = [item.number for item in kept(tmp_path)]
    assert numbers == list(range(11 - len(numbers), 11))
    assert 1 <= len(numbers) <= 3
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 900
    assert counters.get("shutan_quarantine_dropped_total", cause="oldest") == 10 - len(numbers)
    assert load(tmp_path, 10)[1] == b"\x09"


def test_a_flood_of_one_kind_leaves_room_for_the_others(tmp_path: Path) -> None:
    counters = Counters()
    quarantine = Quarantine(tmp_path, counters, Limits(burst=4, per_s=0))
    for _ in range(1000):
        quarantine.keep("mqtt", "truncated", "", b"x")
    quarantine.keep("mqtt", "bad_utf8", "", b"x")
    quarantine.close()
    assert [item.reason for item in kept(tmp_path)] == ["truncated"] * 4 + ["bad_utf8"]
    assert counters.get("shutan_quarantine_dropped_total", cause="rate") == 996


def test_what_waits_for_a_stuck_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, counters = threading.Event(), Counters()
    write = Path.write_bytes

    def slow(path: Path, data: bytes) -> int:
        assert stuck.wait(WAIT_S)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", slow)
    quarantine = Quarantine(tmp_path, counters, Limits(queue_items=5, queue_bytes=1000))
    for number in range(100):
        quarantine.keep("mqtt", f"r{number}", "", b"x" * 100)
    stuck.set()
    assert quarantine.flush(WAIT_S)
    quarantine.close()
    quarantine.keep("mqtt", "late", "", b"")
    whole = len(kept(tmp_path))
    assert 5 <= whole <= 6, "five wait, one may be with the disk"
    assert counters.get("shutan_quarantine_dropped_total", cause="queue") == 101 - whole


def test_a_disk_that_refuses_is_told_once_and_used_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, counters = tmp_path / "q", Counters()
    folder.write_text("in the way")
    quarantine = Quarantine(folder, counters)
    for _ in range(3):
        quarantine.keep("mqtt", "malformed", "", b"x")
    assert quarantine.flush(WAIT_S)
    assert len(caplog.records) == 1
    folder.unlink()
    quarantine.keep("mqtt", "malformed", "", b"x")
    quarantine.close()
    assert len(kept(folder)) == 1
    assert counters.get("shutan_quarantine_dropped_total", cause="disk") == 3


def test_damaged_files_are_told_and_stop_nothing(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, Counters())
    for _ in range(4):
        quarantine.keep("mqtt", "malformed", "why", b"abc")
    quarantine.close()
    (tmp_path / "00000001.q").write_bytes(b"")  # a power cut
    (tmp_path / "00000002.q").write_bytes(b'{"number": 2}\nabc')
    whole = (tmp_path / "00000003.q").read_bytes()
    (tmp_path / "00000003.q").write_bytes(whole[:-1] + b"X")
    (tmp_path / "notes.txt").write_text("a person's")
    again = Quarantine(tmp_path, Counters())
    again.keep("mqtt", "malformed", "", b"new")
    again.close()
    found = list(items(tmp_path))
    assert [isinstance(item, QuarantineError) for item in found] == [True, True, False, False, False]
    assert load(tmp_path, 5)[1] == b"new"
    for number, words in ((1, "damaged"), (3, "damaged"), (77, "there is no such item")):
        with pytest.raises(QuarantineError, match=words):
            load(tmp_path, number)
    assert (tmp_path / "notes.txt").exists()
