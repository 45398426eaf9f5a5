"""Backup of a gateway's data folder beside the running gateway, and its restoration elsewhere.

One tar file: `data/` (registry, spool, dead letters, audit, state of sources), `stores/` (SQLite stores outside of the
data folder), `config/`, and last `manifest.json` with the SHA-256 of every member. What holds together:

1. registry first: its watermarks say no more than what the spool copied after it holds;
2. then the spool's segments (a group that is being written is a torn tail there, cut at the next start);
3. the registry again, for the births of records that came meanwhile and the places of stores that moved on;
4. then everything else; a store that is ahead of its place gets repeats, which change nothing.

Records that were acknowledged after the backup are not in it, and the nodes have let them go. After a restoration their
numbers are counted as a gap (those that a store was ahead with too); registers and daily freezes keep the energy whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shutan_gateway.errors import TellPerson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shutan_gateway.config import GatewayConfig

__all__ = ["Contents", "backup", "restore"]

MANIFEST = "manifest.json"
FORMAT = "shutan.backup/1"
_LEFT_OUT = ("-wal", "-shm", "-journal", ".sock")
_BLOCK = 1 << 20
_SQLITE = b"SQLite format 3\0"
_REGISTRY = "registry.sqlite"


class Contents(NamedTuple):
    """What a backup holds: when it was begun (UTC ms), member -> (bytes, SHA-256)."""

    begun_ms: int
    members: dict[str, tuple[int, str]]

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(size for size, _ in self.members.values())


class _Writer:
    """Adds members to the tar and notes their hashes."""

    def __init__(self, tar: tarfile.TarFile, tell: Callable[[str], None]) -> None:
        self._tar = tar
        self._tell = tell
        self.members: dict[str, tuple[int, str]] = {}

    def add(self, name: str, path: Path) -> bool:
        """Copy a file as it is now; False when it is gone."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return False
        with file:
            size = os.fstat(file.fileno()).st_size
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = size, int(time.time()), 0o600
            reading = _Hashing(file, size)
            self._tar.addfile(info, cast("Any", reading))
        self.members[name] = (size, reading.hexdigest())
        self._tell(name)
        return True


class _Hashing:
    """Reads exactly `size` bytes of a file that may grow or shrink meanwhile, and hashes what it gave."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file = file
        self._left = size
        self._hash = hashlib.sha256()

    def read(self, most: int) -> bytes:
        wanted = min(most, self._left)
        data = self._file.read(wanted)
        data += bytes(wanted - len(data))  # truncated below us: a spool segment that was finished
        self._left -= wanted
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _is_sqlite(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE
    return False


def _copy_database(path: Path, copy: Path) -> None:
    """A consistent copy of a database that others write, by SQLite's own backup."""
    with (
        contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target, pages=1000, sleep=0)


def _merge(first: Path, second: Path, first_segment: int) -> None:
    """Into the first copy of the registry: births and sessions of the second, and places below what was copied."""
    with contextlib.closing(sqlite3.connect(first, isolation_level=None)) as conn:
        conn.execute("ATTACH ? AS later", (str(second),))
        conn.execute("BEGIN")
        for table in ("schema", "session"):
            conn.execute(f"INSERT OR IGNORE INTO main.{table} SELECT * FROM later.{table}")  # noqa: S608 - constants
        conn.execute(
            "INSERT OR REPLACE INTO main.store SELECT * FROM later.store WHERE name IN "
            "(SELECT name FROM main.store WHERE segment < ?)",
            (first_segment,),
        )
        conn.execute("COMMIT")
        conn.execute("DETACH later")


def backup(
    config: GatewayConfig, config_path: Path, out: Path, *, secrets: bool = False, tell: Callable[[str], None] = print
) -> Contents:
    """Write a backup; `out` appears only when it is whole. secrets: passwords and keys go in as well.

    tell: called with each member's name. Raises TellPerson, sqlite3.Error or OSError.
    """
    folder = config.gateway.data_dir
    if not (folder / _REGISTRY).is_file():
        raise TellPerson(f"{folder}: holds no {_REGISTRY}; is this the data folder of a gateway?")
    begun_ms = time.time_ns() // 1_000_000
    partial = out.with_name(out.name + ".partial")
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".shutan-backup-") as scratch:
        copies = Path(scratch)
        with partial.open("wb") as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
            writer = _Writer(tar, tell)
            _copy_database(folder / _REGISTRY, copies / "first")
            numbers = [
                int(path.stem)
                for path in sorted((folder / "spool").glob("*.seg"))
                if writer.add(f"data/spool/{path.name}", path)
            ]
            _copy_database(folder / _REGISTRY, copies / "second")
            _merge(copies / "first", copies / "second", min(numbers, default=0))
            writer.add(f"data/{_REGISTRY}", copies / "first")
            _add_rest(writer, folder, copies, config)
            _add_config(writer, config_path, config, secrets=secrets)
            contents = Contents(begun_ms, writer.members)
            text = json.dumps({"format": FORMAT, "begun_ms": begun_ms, "members": writer.members}, indent=1).encode()
            info = tarfile.TarInfo(MANIFEST)
            info.size, info.mode = len(text), 0o600
            tar.addfile(info, io.BytesIO(text))
        with partial.open("rb") as raw:
            os.fsync(raw.fileno())
    partial.chmod(0o600)
    partial.replace(out)
    return contents


def _add_rest(writer: _Writer, folder: Path, copies: Path, config: GatewayConfig) -> None:
    """Everything else of the data folder, and SQLite stores wherever they are."""
    outside = {
        f"stores/{store.name}.sqlite": store.path
        for store in config.store
        if store.kind == "sqlite" and not store.path.absolute().is_relative_to(folder.absolute())
    }
    inside = {
        f"data/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(_LEFT_OUT) and path.name not in {"lock", _REGISTRY}
    }
    for name, path in [*inside.items(), *outside.items()]:
        if name.startswith("data/spool/"):
            continue
        if _is_sqlite(path):
            copy = copies / "copy"
            copy.unlink(missing_ok=True)
            _copy_database(path, copy)
            writer.add(name, copy)
        else:
            writer.add(name, path)


def _add_config(writer: _Writer, path: Path, config: GatewayConfig, *, secrets: bool) -> None:
    writer.add(f"config/{path.name}", path)
    if not secrets:
        return
    for file in sorted(set(_named_files(config.model_dump()))):
        if file.is_file():
            writer.add(f"config/files/{file.name}", file)


def _named_files(tree: object) -> Iterator[Path]:
    """Files that the configuration names: certificates, keys, passwords, tokens."""
    if isinstance(tree, dict):
        for key, value in cast("dict[str, object]", tree).items():
            if isinstance(value, Path) and key.endswith("_file"):
                yield value
            else:
                yield from _named_files(value)
    elif isinstance(tree, list | tuple):
        for value in cast("list[object]", tree):
            yield from _named_files(value)


def restore(file: Path, folder: Path, *, tell: Callable[[str], None] = print) -> Contents:
    """Unpack a backup into a folder that must not exist yet, and check every byte. Raises TellPerson."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TellPerson(f"{folder}: there is something already; restore into a new folder")
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists():
        raise TellPerson(f"{partial}: left by an earlier attempt; remove it first")
    found: dict[str, tuple[int, str]] = {}
    manifest: Any = None
    try:
        with tarfile.open(file) as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isfile() else None
                if source is None:
                    raise TellPerson(f"{file}: {member.name} is no plain file; this is no backup of ours")
                if member.name == MANIFEST:
                    manifest = json.load(source)
                    continue
                found[member.name] = _unpack(source, partial / _safe(file, member.name))
                tell(member.name)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise TellPerson(f"{file}: cannot be read as a backup: {error}") from error
    wanted = _wanted(file, manifest)
    for name in sorted(wanted | found):
        if found.get(name) != wanted.get(name):
            raise TellPerson(f"{file}: {name} is not what the manifest says; nothing was restored ({partial} is left)")
    if folder.exists():
        folder.rmdir()
    partial.replace(folder)
    return Contents(int(manifest["begun_ms"]), found)


def _safe(file: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.parts[:1] not in {("data",), ("stores",), ("config",)}:
        raise TellPerson(f"{file}: {name} does not belong into a backup")
    return path


def _unpack(source: Any, path: Path) -> tuple[int, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as target:
        path.chmod(0o600)
        while block := source.read(_BLOCK):
            digest.update(block)
            size += len(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return size, digest.hexdigest()


def _wanted(file: Path, manifest: Any) -> dict[str, tuple[int, str]]:
    try:
        if manifest["format"] != FORMAT:
            raise TellPerson(f"{file}: format {manifest['format']!r} is not known here; use a newer version")
        return {name: (int(size), str(digest)) for name, (size, digest) in manifest["members"].items()}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise TellPerson(f"{file}: has no manifest: it is no backup, or it was cut off") from error
