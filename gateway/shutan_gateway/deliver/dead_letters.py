"""Dead letters: what a store refused for good, with the reason, as JSON lines that a person or a program can read.

    data_dir/dead/<store>.jsonl          the newest; <store>.1.jsonl is older, up to <store>.<files - 1>.jsonl
    {"reason": "...", "row": {...}}      a row as it was offered to the store
    {"reason": "...", "record": {...}}   a spool record that could not be decoded, with its raw payload in hex

The size is bounded: the oldest file goes, and its letters are counted.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.errors import RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from shutan_gateway.counters import Counters
    from shutan_gateway.rows import Row
    from shutan_gateway.spool.log import SpoolRecord

__all__ = ["DeadLetters", "Letter", "record_letter", "row_letter"]


class Letter(NamedTuple):
    """One dead letter: `kind` is "row" or "record", `body` what was refused."""

    reason: str
    kind: str
    body: Mapping[str, object]

    def line(self) -> bytes:
        """The letter as one line of JSON, with its end."""
        return _json({"reason": self.reason, self.kind: self.body}) + b"\n"

    def digest(self) -> bytes:
        """Identity of what was refused; a second refusal may be worded differently."""
        return hashlib.blake2b(_json({self.kind: self.body}), digest_size=16).digest()


def row_letter(row: Row, reason: str) -> Letter:
    """The letter for a row that a store refused."""
    body: dict[str, object] = {
        "family": row.family,
        "site": row.site,
        "node": row.node,
        "device": row.device,
        "t_ns": row.t_ns,
        "record": row.record,
        "boot": row.boot,
        "received_ms": row.received_ms,
        "metrics": {name: _plain(value) for name, value in zip(row.metrics, row.values, strict=False)},
    }
    if row.qualities:
        body["qualities"] = dict(row.qualities)
    return Letter(reason, "row", body)


def record_letter(record: SpoolRecord, reason: str) -> Letter:
    """The letter for a spool record that gave no rows."""
    return Letter(reason, "record", {**record._asdict(), "raw": record.raw.hex()})


def _plain(value: object) -> object:
    """A value that JSON has: NaN and infinities as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _json(tree: Mapping[str, object]) -> bytes:
    # A lone surrogate becomes its \udXXX escape, which is JSON too.
    return json.dumps(tree, ensure_ascii=False, allow_nan=False, default=str).encode("utf-8", "backslashreplace")


class DeadLetters:
    """The dead-letter files of one store, used by its delivery thread."""

    def __init__(self, folder: Path, store: str, counters: Counters, *, file_bytes: int, files: int) -> None:
        self._folder = folder
        self._store = store
        self._counters = counters
        self._file_bytes = file_bytes
        self._files = files
        # Letters on disk whose delivery is not committed: a repeat of the batch does not write them again.
        self._uncommitted: Counter[bytes] | None = None

    def path(self, age: int = 0) -> Path:
        """File of an age, 0 = the newest."""
        return self._folder / (f"{self._store}.{age}.jsonl" if age else f"{self._store}.jsonl")

    def write(self, letters: Iterable[Letter]) -> None:
        """Make letters durable; those already written since the last `committed` are left out. Raises RetryLater."""
        try:
            if self._uncommitted is None:
                self._uncommitted = self._open()
            met: Counter[bytes] = Counter()
            lines: list[bytes] = []
            for letter in letters:
                digest = letter.digest()
                met[digest] += 1
                if met[digest] > self._uncommitted[digest]:
                    lines.append(letter.line())
            if lines:
                self._append(lines)
                self._uncommitted |= met
        except OSError as error:
            self._uncommitted = None
            raise RetryLater(f"dead letters {self.path()}: {error.strerror or error}") from error

    def committed(self) -> None:
        """The delivery of all letters so far is committed, so none of them comes again."""
        if self._uncommitted:
            self._uncommitted.clear()

    def _open(self) -> Counter[bytes]:
        """Cut a torn last line (its letter was never committed) and learn what is in the newest file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self.path()
        if not path.is_file():
            return Counter()
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)
        return Counter(filter(None, map(_digest_of_line, data[:whole].splitlines())))

    def _append(self, lines: list[bytes]) -> None:
        """Lines to the newest file, each file durable before it is rotated away; only a huge line exceeds the bound."""
        path = self.path()
        size = path.stat().st_size if path.is_file() else 0
        part: list[bytes] = []
        for line in lines:
            if size and size + len(line) > self._file_bytes:
                self._write_durably(path, part)
                self._rotate()
                part, size = [], 0
            part.append(line)
            size += len(line)
        self._write_durably(path, part)

    def _write_durably(self, path: Path, lines: list[bytes]) -> None:
        self._counters.inc("shutan_fsyncs_total", _write_durably(path, lines), of="dead")

    def _rotate(self) -> None:
        oldest = self.path(self._files - 1)
        if oldest.is_file():
            lost = oldest.read_bytes().count(b"\n")
            oldest.unlink()
            self._counters.inc("shutan_store_dead_letters_dropped_total", lost, store=self._store)
        for age in range(self._files - 1, 0, -1):
            if self.path(age - 1).is_file():
                self.path(age - 1).replace(self.path(age))


def _digest_of_line(line: bytes) -> bytes | None:
    try:
        tree = json.loads(line)
        kind = "row" if "row" in tree else "record"
        return Letter("", kind, tree[kind]).digest()
    except (ValueError, TypeError, KeyError):  # not ours: a person may have edited the file
        return None


def _write_durably(path: Path, lines: list[bytes]) -> int:
    """Add lines to a file; returns how many fsyncs that took."""
    if not lines:
        return 0
    is_new = not path.is_file()
    with path.open("ab") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return 1 + is_new
