"""Audit record of writes: JSON lines, one file a month, each line with the hash of the one before it.

    data_dir/audit/2026-11.jsonl
    {"at": "2026-11-23T08:00:00.000Z", "user": .., "uid": .., "pid": .., "what": .., "outcome": .., "previous": hash}

A line is synced before the caller goes on. Nothing here deletes: GB/T 22239-2019 asks for six months at least, and the
rate limit of the allow table bounds the growth. The chain shows a changed or missing line to who kept a later one.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from shutan_gateway.errors import RetryLater

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FOLDER", "Audit", "first_break", "lines"]

FOLDER = "audit"  # below gateway.data_dir
_START = "0" * 64
_TEXT_CHARS = 500


class Audit:
    """The audit files of one gateway; any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._previous: str | None = None

    def write(self, **facts: str | float | bool | None) -> None:
        """Make one line durable. Raises RetryLater when the disk refuses; then nothing may be sent."""
        now_s = time.time()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_s)) + f".{int(now_s * 1000) % 1000:03d}Z"
        cut = {key: value[:_TEXT_CHARS] if isinstance(value, str) else value for key, value in facts.items()}
        with self._lock:
            try:
                if self._previous is None:
                    self._previous = self._begin()
                line = json.dumps({"at": moment, **cut, "previous": self._previous}, ensure_ascii=False)
                self._append(self._folder / f"{moment[:7]}.jsonl", line)
                self._previous = _hash(line)
            except OSError as error:
                self._previous = None
                raise RetryLater(f"audit record in {self._folder}: {error.strerror or error}") from error

    def _begin(self) -> str:
        """Hash of the newest whole line; a torn last line (its write never returned) is cut."""
        self._folder.mkdir(parents=True, exist_ok=True)
        files = sorted(self._folder.glob("*.jsonl"))
        if files:
            data = files[-1].read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(files[-1], whole)
        last = _START
        for line in lines(self._folder):
            last = _hash(line)
        return last

    def _append(self, path: Path, line: str) -> None:
        new = not path.is_file()
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def lines(folder: Path) -> list[str]:
    """All lines, oldest first."""
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]


def first_break(texts: list[str]) -> int | None:
    """Index of the first line that does not continue the one before it, None when all do."""
    previous = _START
    for index, text in enumerate(texts):
        try:
            tree: Any = json.loads(text)
            sound = tree["previous"] == previous
        except (ValueError, TypeError, KeyError):
            sound = False
        if not sound:
            return index
        previous = _hash(text)
    return None
