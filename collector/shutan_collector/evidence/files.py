"""Evidence on the disk: F.zip with .pub and .sig, and the query for a time stamp; nothing there is overwritten."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import EvidenceError

if TYPE_CHECKING:
    from pathlib import Path

    from shutan_collector.evidence.bundle import Evidence

__all__ = ["refuse_existing", "timestamp_query", "write_evidence"]

_SUFFIXES: Final = ("", ".pub", ".sig")
_QUERY: Final = ".tsq"


def refuse_existing(out: Path, *, timestamp_query: bool = False) -> None:
    """Raise EvidenceError if one of the files is there already, or there is no folder to write to."""
    for suffix in (*_SUFFIXES, _QUERY) if timestamp_query else _SUFFIXES:
        if (there := _beside(out, suffix)).exists():
            raise EvidenceError(str(there), "is there already; evidence is never overwritten, choose another name")
    if not out.absolute().parent.is_dir():
        raise EvidenceError(str(out), "its folder does not exist; make it first")


def write_evidence(evidence: Evidence, out: Path, *, timestamp_query: bool = False) -> None:
    """Write the files of an evidence; the signature last, and each whole or not at all. Raises EvidenceError."""
    refuse_existing(out, timestamp_query=timestamp_query)
    try:
        for name, content in evidence.files(out.name):
            _write(out.with_name(name), content)
    except OSError as error:
        raise EvidenceError(str(out), f"cannot be written: {error.strerror}") from None
    if timestamp_query:
        _query(out)


def timestamp_query(out: Path) -> Path:
    """Where the query for a time-stamp authority lies: F.zip.tsq; its answer belongs beside it as F.zip.tsr."""
    return _beside(out, _QUERY)


def _query(out: Path) -> None:
    """RFC 3161 query over F.zip, by openssl."""
    program = shutil.which("openssl")
    if program is None:
        raise EvidenceError("openssl", "is not in PATH; the time-stamp query needs it (the evidence itself is written)")
    arguments = [program, "ts", "-query", "-data", str(out), "-sha256", "-cert", "-out", str(timestamp_query(out))]
    done = subprocess.run(arguments, capture_output=True, check=False)  # noqa: S603 - no shell, our own arguments
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise EvidenceError(str(timestamp_query(out)), f"openssl made no query: {said[-1] if said else 'no reason'}")


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(out.name + suffix)


def _write(path: Path, content: bytes) -> None:
    """Write, flush to the disk, then give it its name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
