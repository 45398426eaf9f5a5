"""The spool: what it gives back is what was committed, whatever happened to the disk or the process."""

import errno
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.counters import Counters
from shutan_gateway.errors import SpoolFull, SpoolWriteError
from shutan_gateway.spool.disk import Disk
from shutan_gateway.spool.log import DATA, GAP, ORIGIN, Position, Spool, SpoolRecord

SEGMENT = 65536


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - test data that comes out the same each time


def record(number: int, size: int = 20) -> SpoolRecord:
    raw = seeded(number).randbytes(size)
    return SpoolRecord(DATA, number % 7, number % 3, number, 1_780_000_000_000 + number, number % 1_000_000, raw)


def open_spool(
    folder: Path,
    *,
    disk: Disk | None = None,
    durable: Position = ORIGIN,
    max_bytes: int = 2**30,
    counters: Counters | None = None,
) -> Spool:
    return Spool.open(
        folder,
        segment_bytes=SEGMENT,
        max_bytes=max_bytes,
        counters=counters or Counters(),
        disk=disk,
        durable=durable,
    )


def read_all(spool: Spool, position: Position = ORIGIN, max_bytes: int = 5000) -> tuple[list[SpoolRecord], Position]:
    found: list[SpoolRecord] = []
    while True:
        records, following = spool.read(position, max_bytes)
        if following == position:
            return found, position
        assert following > position
        found += records
        position = following


def commit(spool: Spool, records: list[SpoolRecord]) -> Position:
    spool.append_batch(records)
    return spool.sync()


def newest(folder: Path) -> Path:
    return max(folder.glob("*.seg"))


@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=7),
    reopen=st.sets(st.integers(0, 11)),
    max_bytes=st.integers(1, 100_000),
)
def test_random_batches_come_back_in_order_over_restarts(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], sizes: list[int], reopen: set[int], max_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = open_spool(folder)
    written: list[SpoolRecord] = []
    for index, count in enumerate(batches):
        batch = [record(len(written) + i, sizes[(len(written) + i) % len(sizes)]) for i in range(count)]
        end = commit(spool, batch)
        written += batch
        assert end.ordinal == len(written)
        if index in reopen:
            spool.close()
            spool = open_spool(folder, durable=end)
            assert spool.end == end
    found, position = read_all(spool, max_bytes=max_bytes)
    assert found == written
    assert position.ordinal == len(written)
    spool.close()


def test_records_are_seen_only_after_sync(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append_batch([record(1)])
    assert spool.read(ORIGIN, 1000) == ([], ORIGIN)
    assert not spool.wait(ORIGIN, 0)
    seen: list[Position] = []
    spool.sync(lambda: seen.append(spool.end))
    assert seen == [ORIGIN], "counters move before readers see the records"
    assert spool.wait(ORIGIN, 0)
    assert spool.read(ORIGIN, 1000)[0] == [record(1)]
    spool.close()


def test_a_waiting_reader_wakes_on_new_data_and_on_close(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    answers: list[bool] = []

    def wait_at(position: Position) -> threading.Thread:
        waiter = threading.Thread(target=lambda: answers.append(spool.wait(position, 60)))
        waiter.start()
        return waiter

    waiter = wait_at(commit(spool, [record(1)]))
    end = commit(spool, [record(2)])
    waiter.join(60)
    waiter = wait_at(end)
    spool.close()
    waiter.join(60)
    assert answers == [True, False]


@pytest.mark.fault
def test_torn_tail_at_every_byte_keeps_what_was_committed_before(tmp_path: Path) -> None:
    """A power cut leaves any prefix of the last, never acknowledged group: earlier groups stay, the start succeeds."""
    spool = open_spool(tmp_path / "whole")
    first = [record(1), record(2)]
    durable = commit(spool, first)
    last = [record(3), record(4), record(5)]
    commit(spool, last)
    path = newest(tmp_path / "whole")
    data = path.read_bytes()[: spool.end.offset]
    spool.close()
    states = 0
    for zeros in (0, 4096):
        for cut in range(durable.offset, len(data) + 1):
            folder = tmp_path / f"{zeros}-{cut}"
            folder.mkdir()
            (folder / path.name).write_bytes(data[:cut] + bytes(zeros))
            again = open_spool(folder, durable=durable)
            found, end = read_all(again)
            assert found[:2] == first, cut
            assert found[2:] == last[: len(found) - 2], cut
            assert end.ordinal == len(found), "nothing that was never acknowledged is counted as lost"
            commit(again, [record(99)])
            assert read_all(again)[0] == [*found, record(99)]
            again.close()
            states += 1
    assert states > 400


@pytest.mark.fault
def test_torn_tail_with_lost_sectors_keeps_what_was_committed_before(tmp_path: Path) -> None:
    """Sectors of the last group reach the disk in any order, 512 bytes at a time."""
    spool = open_spool(tmp_path / "whole")
    durable = commit(spool, [record(n, 700) for n in range(4)])
    last = [record(n, 700) for n in range(4, 12)]
    commit(spool, last)
    path = newest(tmp_path / "whole")
    data = path.read_bytes()[: spool.end.offset]
    spool.close()
    chance = seeded(1)
    for state in range(300):
        torn = bytearray(data[: durable.offset].ljust(len(data), b"\0"))
        for sector in range(durable.offset // 512, len(data) // 512 + 1):
            if chance.random() < 0.6:
                place = slice(max(sector * 512, durable.offset), min((sector + 1) * 512, len(data)))
                torn[place] = data[place]
        folder = tmp_path / str(state)
        folder.mkdir()
        (folder / path.name).write_bytes(torn)
        again = open_spool(folder, durable=durable)
        found, end = read_all(again)
        assert found[:4] == [record(n, 700) for n in range(4)]
        assert all(r in last for r in found[4:])
        assert end.ordinal == len(found)
        commit(again, [record(99)])
        assert read_all(again)[0] == [*found, record(99)]
        again.close()


@pytest.mark.fault
def test_bit_rot_costs_one_record_and_is_counted(tmp_path: Path) -> None:
    """One flipped bit at 1,000 places of committed segments: at most the record hit is lost, and never silently."""
    spool = open_spool(tmp_path / "whole")
    written: list[SpoolRecord] = []
    for _ in range(12):
        batch = [record(len(written) + i, 300) for i in range(25)]
        commit(spool, batch)
        written += batch
    end = spool.end
    spool.close()
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").glob("*.seg")}
    assert len(files) > 1
    chance = seeded(7)
    folder = tmp_path / "flipped"
    folder.mkdir()
    for _ in range(1000):
        name = chance.choice(sorted(files))
        place = chance.randrange(len(files[name]) * 8)
        for other, data in files.items():
            (folder / other).write_bytes(data)
        flipped = bytearray(files[name])
        flipped[place // 8] ^= 1 << place % 8
        (folder / name).write_bytes(flipped)
        counters = Counters()
        again = open_spool(folder, durable=end, counters=counters)
        found, position = read_all(again)
        assert position.ordinal == len(written)
        assert len(found) >= len(written) - 1, place
        assert [r for r in written if r in found] == found
        assert counters.get("shutan_spool_damaged_total") == len(written) - len(found)
        read_all(again)
        assert counters.get("shutan_spool_damaged_total") == len(written) - len(found), "counted once"
        again.close()
        for left in folder.iterdir():
            left.unlink()


@pytest.mark.fault
def test_a_lost_segment_costs_its_records_only(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for n in range(9):
        commit(spool, [record(10 * n + i, 2000) for i in range(10)])
    end = spool.end
    spool.close()
    files = sorted(tmp_path.glob("*.seg"))
    assert len(files) == 3
    for lost in (1, 2, 0):
        files[lost].unlink()
        again = open_spool(tmp_path, durable=end)
        found, position = read_all(again)
        assert position.ordinal == 90
        assert {r.record for r in found} < set(range(90))
        following = commit(again, [record(1000)])
        assert following.ordinal == 91
        assert read_all(again, position)[0] == [record(1000)]
        again.close()
        newest(tmp_path).unlink()


@pytest.mark.fault
def test_garbage_in_the_folder_never_refuses_to_start(tmp_path: Path) -> None:
    (tmp_path / "0000000001.seg").write_bytes(seeded(3).randbytes(5000))
    (tmp_path / "0000000002.seg").write_bytes(b"")
    (tmp_path / "x.seg").write_bytes(b"x")
    (tmp_path / "0000000003.rewrite").write_bytes(b"x")
    spool = open_spool(tmp_path)
    assert spool.end.ordinal == 0
    commit(spool, [record(1)])
    assert read_all(spool)[0] == [record(1)]
    assert list(tmp_path.glob("*.unreadable")), "put aside, not deleted"
    spool.close()


class FailingDisk(Disk):
    """Fails the operations named in `broken` with the given error."""

    def __init__(self) -> None:
        self.broken: dict[str, int] = {}

    def _check(self, step: str) -> None:
        if step in self.broken:
            raise OSError(self.broken[step], "injected")

    def create(self, path: Path, size: int) -> int:
        self._check("create")
        return super().create(path, size)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        if "write" in self.broken:
            super().write(descriptor, data[: len(data) // 2], offset)
        self._check("write")
        super().write(descriptor, data, offset)

    def sync_data(self, descriptor: int) -> None:
        self._check("sync")
        super().sync_data(descriptor)

    def truncate(self, path: Path, size: int) -> None:
        self._check("truncate")
        super().truncate(path, size)


@pytest.mark.fault
@pytest.mark.parametrize("step", ["create", "write"])
def test_disk_full_refuses_the_batch_and_takes_it_later(tmp_path: Path, step: str) -> None:
    disk = FailingDisk()
    spool = open_spool(tmp_path, disk=disk)
    if step == "write":
        commit(spool, [record(1)])
    before = read_all(spool)[0]
    disk.broken[step] = errno.ENOSPC
    for _ in range(3):
        with pytest.raises(SpoolFull):
            spool.append_batch([record(2), record(3)])
        assert spool.sync().ordinal == len(before)
    disk.broken.clear()
    commit(spool, [record(2), record(3)])
    assert read_all(spool)[0] == [*before, record(2), record(3)]
    spool.close()
    assert read_all(open_spool(tmp_path))[0] == [*before, record(2), record(3)]


@pytest.mark.fault
@pytest.mark.parametrize("also", [(), ("truncate",)])
def test_failed_sync_is_never_durable_and_leaves_no_double(tmp_path: Path, also: tuple[str, ...]) -> None:
    disk = FailingDisk()
    spool = open_spool(tmp_path, disk=disk)
    commit(spool, [record(1)])
    disk.broken = dict.fromkeys(("sync", *also), errno.EIO)
    told: list[int] = []
    spool.append_batch([record(2)])
    with pytest.raises(SpoolWriteError):
        spool.sync(lambda: told.append(1))
    assert not told
    assert read_all(spool)[0] == [record(1)]
    disk.broken.clear()
    commit(spool, [record(2)])
    commit(spool, [record(3)])
    assert read_all(spool)[0] == [record(1), record(2), record(3)]
    spool.close()
    again = open_spool(tmp_path)
    assert read_all(again)[0] == [record(1), record(2), record(3)]
    again.close()


def test_the_limit_stops_and_delivery_makes_room(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, max_bytes=2 * SEGMENT)
    sent = 0
    while spool.end.segment < 2 or spool.end.offset <= SEGMENT - 4096:
        commit(spool, [record(sent, 4000)])
        sent += 1
    assert sent > 20
    for _ in range(2):
        with pytest.raises(SpoolFull, match="limit"):
            spool.append_batch([record(sent, 4000)])
    assert spool.held_bytes <= 2 * SEGMENT
    spool.drop_below(spool.end)
    commit(spool, [record(sent, 4000)])
    found, _ = read_all(spool, spool.first)
    assert found[-1] == record(sent, 4000)
    spool.close()


def test_drop_below_keeps_one_delivered_segment_and_everything_above(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    positions: list[Position] = []
    for n in range(60):
        positions.append(spool.end)
        commit(spool, [record(n, 6000)])
    assert len(list(tmp_path.glob("*.seg"))) >= 6
    middle = positions[40]
    assert spool.drop_below(middle) > 0
    assert spool.first < middle
    assert read_all(spool, middle)[0] == [record(n, 6000) for n in range(40, 60)]
    found, end = read_all(spool, ORIGIN)
    assert end.ordinal == 60
    assert found == [record(n, 6000) for n in range(60 - len(found), 60)]
    spool.close()


def test_a_record_larger_than_a_segment_fits(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    big = SpoolRecord(GAP, 1, 1, 1, 1, 0, bytes(1_000_000))
    commit(spool, [record(1)])
    commit(spool, [big])
    commit(spool, [record(2)])
    assert read_all(spool, max_bytes=1000)[0] == [record(1), big, record(2)]
    spool.close()
