"""Dead letters read again: listed, and offered to their store once more after a repair.

The gateway may be running and adding letters meanwhile, so files are taken by renaming them, and what stays refused is
kept in a file of its own, which the gateway does not write:

    <store>.jsonl, <store>.<n>.jsonl     the gateway's (dead_letters.py)
    <store>.taken-<n>.jsonl              taken for a retry; after a crash the next retry takes them again
    <store>.retried.jsonl                refused again
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shutan_gateway.deliver.dead_letters import Letter, row_letter
from shutan_gateway.errors import Refusal
from shutan_gateway.rows import Row
from shutan_gateway.spool.segment import SpoolRecord
from shutan_gateway.upkeep.replay import offer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from shutan_gateway.rows import RowReader
    from shutan_gateway.stores.base import Store

__all__ = ["Retried", "files_of", "letters_in", "retry", "row_of"]

_BATCH_LETTERS = 2_000


class Retried(NamedTuple):
    """Outcome of a retry, in letters: stored now, refused again, and lines that are no letters (kept as they are)."""

    stored: int
    refused: int
    strange: int


def files_of(folder: Path, store: str) -> list[Path]:
    """All dead-letter files of a store, oldest first."""
    name = re.compile(re.escape(store) + r"(?:\.(\d+|retried|taken-\d+))?\.jsonl")
    found = [path for path in folder.glob(f"{store}*.jsonl") if name.fullmatch(path.name)]
    return sorted(found, key=lambda path: _age(path.name.removeprefix(store).split(".")[1]))


def _age(part: str) -> tuple[int, int]:
    """Sort key: refused again, taken, then the rotated files from the highest number down, the newest last."""
    if part == "retried":
        return 0, 0
    if part.startswith("taken-"):
        return 1, int(part[6:])
    return (2, -int(part)) if part.isdigit() else (3, 0)


def letters_in(path: Path) -> Iterator[Letter | bytes]:
    """The letters of a file; a line that is none comes as it is. A torn last line is left out: it is written again."""
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            return
        try:
            tree = json.loads(line)
            kind = "row" if "row" in tree else "record"
            body = cast("dict[str, Any]", tree[kind])
            (row_of if kind == "row" else record_of)(body)
            yield Letter(str(tree["reason"]), kind, body)
        except (ValueError, TypeError, KeyError):  # a person may have edited the file
            yield line


def row_of(body: dict[str, Any]) -> Row:
    """The row in a letter. Raises KeyError, TypeError or ValueError for a body that is none."""
    metrics, qualities = cast("dict[str, Any]", body["metrics"]), cast("dict[str, int]", body.get("qualities", {}))
    key = [body[name] for name in Row._fields[:8]]
    return Row._make([*key, tuple(metrics), tuple(metrics.values()), tuple(qualities.items())])


def record_of(body: dict[str, Any]) -> SpoolRecord:
    """The spool record in a letter. Raises KeyError, TypeError or ValueError for a body that is none."""
    numbers = [int(body[name]) for name in SpoolRecord._fields[:6]]
    return SpoolRecord._make([*numbers, bytes.fromhex(body["raw"])])


def retry(folder: Path, store: Store, reader: RowReader) -> Retried:
    """Offer every letter again; what is stored now leaves the files. Raises what `offer` raises; then all stay."""
    taken = _take(folder, store.name)
    refused: list[bytes] = []
    counts = [0, 0, 0]
    batch: list[Letter] = []
    sizes = {path: path.stat().st_size for path in taken}
    for path in taken:
        for letter in letters_in(path):
            if isinstance(letter, bytes):
                refused.append(letter)
                counts[2] += 1
                continue
            batch.append(letter)
            if len(batch) >= _BATCH_LETTERS:
                _offer(batch, store, reader, refused, counts)
                batch = []
    _offer(batch, store, reader, refused, counts)
    _keep(folder / f"{store.name}.retried.jsonl", refused)
    for path, size in sizes.items():
        if path.stat().st_size == size:  # else the gateway had it open when it was renamed: taken again next time
            path.unlink()
    return Retried(*counts)


def _take(folder: Path, store: str) -> list[Path]:
    """Rename all letter files out of the gateway's way; it begins a new one with its next letter."""
    found = files_of(folder, store)
    numbers = [_age(path.name.removeprefix(store).split(".")[1]) for path in found]
    number = max([age for kind, age in numbers if kind == 1], default=0)
    taken: list[Path] = []
    for path, (kind, _) in zip(found, numbers, strict=True):
        target = path
        if kind != 1:
            number += 1
            target = folder / f"{store}.taken-{number}.jsonl"
            path.rename(target)
        taken.append(target)
    return taken


def _offer(batch: Sequence[Letter], store: Store, reader: RowReader, refused: list[bytes], counts: list[int]) -> None:
    """One batch: rows of all letters in one call; a letter with any refused row is kept as rows."""
    rows: list[Row] = []
    owners: list[int] = []
    lost: dict[int, str] = {}
    for number, letter in enumerate(batch):
        body = cast("dict[str, Any]", letter.body)
        try:
            found = [row_of(body)] if letter.kind == "row" else reader.rows(record_of(body))
        except Refusal as refusal:
            lost[number] = str(refusal)
            continue
        rows += found
        owners += [number] * len(found)
    again = set(lost)
    refused += [letter._replace(reason=lost[n]).line() for n, letter in enumerate(batch) if n in lost]
    for entry in offer(store, rows):
        again.add(owners[entry.index])
        refused.append(row_letter(rows[entry.index], entry.reason).line())
    counts[0] += len(batch) - len(again)
    counts[1] += len(again)


def _keep(path: Path, lines: Sequence[bytes]) -> None:
    """Replace the file of what was refused again, durably, before the taken files go."""
    if not lines:
        return  # an old one was taken with the others
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
