"""Power cuts on a model of a disk: what a gateway wrote is recorded, then every state a cut may leave is built from it.

The model promises no more than POSIX does. Durable is what was there at the last fdatasync of the file and the last
fsync of the folder. Of everything later each 512 byte sector, each new length and each name may or may not be there.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.spool.disk import Disk

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    import pytest

SECTOR = 512


class Registry(NamedTuple):
    """registry.sqlite and its write-ahead log, as bytes."""

    database: bytes
    log: bytes


class Event(NamedTuple):
    """One step towards the disk: `what` says which fields count."""

    what: str  # create, write, sync, truncate, unlink, rename, folder (of the spool), parent (data_dir), registry
    name: str = ""
    offset: int = 0  # of a write; size of create and truncate
    data: bytes = b""
    target: str = ""
    registry: Registry | None = None


class Trace:
    """Everything that goes to the disk of one gateway folder, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.acks: list[tuple[int, str, int]] = []  # (events before it, node topic, record)
        self._index = b""

    def add(self, event: Event) -> None:
        """A step of the spool, after what the registry committed before it."""
        self.look()
        self.events.append(event)

    def look(self) -> None:
        """Note what the registry has committed since the last look."""
        paths = [self.folder / f"registry.sqlite{ending}" for ending in ("", "-wal", "-shm")]
        if not all(path.exists() for path in paths):
            return
        with paths[2].open("rb") as file:
            index = file.read(48)  # the head of SQLite's index changes with every commit
        if index != self._index:
            self._index = index
            found = Registry(*(path.read_bytes() for path in paths[:2]))
            self.events.append(Event("registry", registry=found))

    def acked(self, topic: str, upto: int) -> None:
        """A node was told that its records up to this one are safe."""
        self.look()
        self.acks.append((len(self.events), topic, upto))


class TraceDisk(Disk):
    """The real disk; every step is recorded. Names are relative to the spool's folder."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._names: dict[int, str] = {}

    def create(self, path: Path, size: int) -> int:
        descriptor = super().create(path, size)
        self._names[descriptor] = path.name
        self._trace.add(Event("create", path.name, size))
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write(descriptor, data, offset)
        self._trace.add(Event("write", self._names[descriptor], offset, bytes(data)))

    def sync_data(self, descriptor: int) -> None:
        super().sync_data(descriptor)
        self._trace.add(Event("sync", self._names[descriptor]))

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self._trace.add(Event("folder" if folder.name == "spool" else "parent"))

    def truncate(self, path: Path, size: int) -> None:
        super().truncate(path, size)
        self._trace.add(Event("truncate", path.name, size))

    @contextlib.contextmanager
    def names(self, patch: pytest.MonkeyPatch) -> Generator[None]:
        """Record removals and renames too: the spool asks the system for them itself."""
        unlink: Callable[..., None] = os.unlink
        rename: Callable[..., None] = os.rename
        spool = self._trace.folder / "spool"

        def traced_unlink(path: str | os.PathLike[str], *more: object, **named: object) -> None:
            unlink(path, *more, **named)
            if os.path.dirname(path) == str(spool):  # noqa: PTH120 - any path, as the system call takes it
                self._trace.add(Event("unlink", os.path.basename(path)))  # noqa: PTH119

        def traced_rename(path: str | os.PathLike[str], target: str | os.PathLike[str], **named: object) -> None:
            rename(path, target, **named)
            if os.path.dirname(path) == str(spool):  # noqa: PTH120
                self._trace.add(Event("rename", os.path.basename(path), target=os.path.basename(target)))  # noqa: PTH119

        with patch.context() as here:
            here.setattr(os, "unlink", traced_unlink)
            here.setattr(os, "rename", traced_rename)
            yield


@dataclass
class _File:
    """durable: what a cut leaves for certain; pending: (offset, data), or (size, None) for a new length."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list[tuple[int, bytes | None]])

    def content(self, keep: Callable[[], float], chance: random.Random) -> bytes:
        """What is there when each sector written since the last sync is on the disk with probability `keep()`."""
        out = bytearray(self.durable)
        for offset, data in self.pending:
            share = keep()
            if data is None:
                if chance.random() < share:
                    out = out[:offset].ljust(offset, b"\0")
                continue
            place = offset
            while place < offset + len(data):
                stop = min(offset + len(data), (place // SECTOR + 1) * SECTOR)
                if chance.random() < share:
                    out = out.ljust(stop, b"\0")
                    out[place:stop] = data[place - offset : stop - offset]
                place = stop
        return bytes(out)


class Cut(NamedTuple):
    """A state of the disk: `after` events were asked for; files of the spool; the registry."""

    after: int
    files: dict[str, bytes]
    registry: Registry

    def write(self, folder: Path) -> None:
        """Put the state into an empty folder."""
        spool = folder / "spool"
        spool.mkdir(parents=True)
        for name, data in self.files.items():
            (spool / name).write_bytes(data)
        if self.registry.database:
            (folder / "registry.sqlite").write_bytes(self.registry.database)
            (folder / "registry.sqlite-wal").write_bytes(self.registry.log)


class Model:
    """The disk while the events of a trace happen one after the other."""

    def __init__(self, start: Cut | None = None) -> None:
        self._durable: dict[str, _File] = {}
        self._now: dict[str, _File] = {}
        self._names: list[dict[str, _File]] = []  # the folder after each change of names since it was synced
        self._registry = Registry(b"", b"") if start is None else start.registry
        self._stays = start is not None  # the spool's folder itself is on the disk for certain
        if start is not None:
            self._durable = {name: _File(data) for name, data in start.files.items()}
            self._now = dict(self._durable)

    def apply(self, event: Event) -> None:
        """One event has happened."""
        if event.what == "registry":
            assert event.registry is not None
            self._registry = event.registry
        elif event.what == "parent":
            self._stays = True
        elif event.what == "folder":
            self._durable = dict(self._now)
            self._names.clear()
        elif event.what in {"create", "unlink", "rename"}:
            moved = self._now.pop(event.name, None)
            if event.what == "create":
                self._now[event.name] = _File(pending=[(event.offset, None)])
            elif event.what == "rename" and moved is not None:
                self._now[event.target] = moved
            self._names.append(dict(self._now))
        else:
            file = self._now[event.name]
            if event.what == "write":
                file.pending.append((event.offset, event.data))
                return
            if event.what == "truncate":
                file.pending.append((event.offset, None))
            file.durable, file.pending = file.content(lambda: 1.0, _NO_CHANCE), []

    def cuts(self, after: int, following: Event | None, chance: random.Random, count: int) -> Iterator[Cut]:
        """Everything kept; nothing kept; then `count` states between the two, at random."""
        for number in range(count + 2):
            share = (1.0, 0.0)[number] if number < 2 else None
            names = self._now if share == 1 else self._durable
            if share is None:
                names = chance.choice([self._durable, *self._names, self._now])

            def keep(share: float | None = share) -> float:
                return chance.choice((0.0, 0.2, 0.5, 0.8, 1.0)) if share is None else share

            if not self._stays and (share == 0 or (share is None and chance.random() < 0.2)):
                names = {}
            files = {name: file.content(keep, chance) for name, file in names.items()}
            registry = self._registry
            if share is None and following is not None and following.registry is not None:
                registry = _torn(registry, following.registry, chance)
            yield Cut(after, files, registry)


class _Never:
    """Chance where nothing is left to it."""

    def random(self) -> float:
        return 0.0


_NO_CHANCE: random.Random = _Never()  # pyright: ignore[reportAssignmentType]  # the one method that is used


def _torn(now: Registry, following: Registry, chance: random.Random) -> Registry:
    """A registry whose next commit is under way: some sectors of what it adds to its log are there."""
    if now.database != following.database or not following.log.startswith(now.log):
        return now
    file = _File(now.log, [(len(now.log), following.log[len(now.log) :])])
    return Registry(now.database, file.content(lambda: chance.choice((0.5, 0.9, 1.0)), chance))


def cuts(trace: Trace, chance: random.Random, count: int, start: Cut | None = None) -> Iterator[Cut]:
    """States at every place of a trace: `count` + 2 of them at each. start: what was on the disk before the trace."""
    model = Model(start)
    for after in range(len(trace.events) + 1):
        following = trace.events[after] if after < len(trace.events) else None
        yield from model.cuts(after, following, chance, count)
        if following is not None:
            model.apply(following)
