"""Delivered records stay for a replay while there is time and room; what is not delivered never goes for either."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shutan_gateway.counters import Counters
from shutan_gateway.errors import SpoolFull
from shutan_gateway.spool.disk import Disk
from shutan_gateway.spool.log import DATA, ORIGIN, Position, Spool, SpoolRecord
from shutan_gateway.spool.retention import Retention

SEGMENT = 65_536
DAY_S = 86_400.0
NOW_S = 1_795_000_000.0


class SmallDisk(Disk):
    """A disk with room for so many segments."""

    def __init__(self, segments: int) -> None:
        self._segments = segments

    def create(self, path: Path, size: int) -> int:
        if len(list(path.parent.glob("*.seg"))) >= self._segments:
            raise OSError(errno.ENOSPC, "no space left")
        return super().create(path, size)


def opened(folder: Path, keep_s: float, *, segments: int = 100, disk: Disk | None = None) -> Spool:
    retention = Retention(keep_s, now_s=lambda: NOW_S)
    return Spool.open(
        folder,
        segment_bytes=SEGMENT,
        max_bytes=segments * SEGMENT,
        counters=Counters(),
        disk=disk,
        retention=retention,
    )


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Spool]:
    spool = opened(tmp_path / "spool", 7 * DAY_S, segments=6)
    yield spool
    spool.close()


def fill(spool: Spool, segments: int) -> Position:
    """Records of 60 kB, one a segment; the position behind the last one."""
    for n in range(segments):
        spool.append_batch([SpoolRecord(DATA, 1, 1, n, int(NOW_S * 1000), 0, bytes(60_000))])
        spool.sync()
    return spool.end


def numbers(spool: Spool) -> list[int]:
    return [int(path.stem) for path in sorted(spool._folder.glob("*.seg"))]  # pyright: ignore[reportPrivateUsage] - its files


def age(spool: Spool, days: dict[int, float]) -> None:
    for path in spool._folder.glob("*.seg"):  # pyright: ignore[reportPrivateUsage] - its files
        changed_s = NOW_S - DAY_S * days.get(int(path.stem), 0)
        os.utime(path, (changed_s, changed_s))


def test_delivered_segments_stay_until_they_are_old(kept: Spool) -> None:
    end = fill(kept, 5)
    age(kept, {1: 9, 2: 8, 3: 6, 4: 8})
    assert kept.drop_below(end) == 2
    assert numbers(kept) == [3, 4, 5], "none goes before an older one"
    assert kept.drop_below(end) == 0


def test_without_keeping_they_go_when_they_are_delivered(tmp_path: Path) -> None:
    spool = opened(tmp_path / "spool", 0)
    assert spool.drop_below(fill(spool, 5)) == 3
    assert numbers(spool) == [4, 5]
    spool.close()


def test_room_for_new_records_comes_from_the_oldest_delivered_one_at_a_time(kept: Spool) -> None:
    kept.drop_below(fill(kept, 5))
    fill(kept, 2)
    assert numbers(kept) == [2, 3, 4, 5, 6, 7]
    fill(kept, 1)
    assert numbers(kept) == [3, 4, 5, 6, 7, 8]


def test_what_is_not_delivered_never_goes_for_room(kept: Spool) -> None:
    fill(kept, 6)
    _, second = kept.read(ORIGIN, 1)
    kept.drop_below(second)
    fill(kept, 1)
    assert numbers(kept) == [2, 3, 4, 5, 6, 7], "the first was delivered"
    with pytest.raises(SpoolFull, match="spool limit"):
        fill(kept, 1)
    assert numbers(kept) == [2, 3, 4, 5, 6, 7]
    kept.drop_below(kept.end)
    fill(kept, 1)
    assert numbers(kept)[-1] == 8


def test_a_full_disk_takes_delivered_segments_first(tmp_path: Path) -> None:
    spool = opened(tmp_path / "spool", 7 * DAY_S, disk=SmallDisk(4))
    fill(spool, 4)
    with pytest.raises(SpoolFull, match="no space left"):
        fill(spool, 1)
    spool.drop_below(spool.end)
    fill(spool, 3)
    assert numbers(spool) == [4, 5, 6, 7]
    with pytest.raises(SpoolFull):
        fill(spool, 1)
    spool.close()
