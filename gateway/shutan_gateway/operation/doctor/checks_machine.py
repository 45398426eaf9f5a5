"""The machine: can the data folder be written, how much room and how fast, is the clock right and kept right."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from shutan_gateway.operation.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shutan_gateway.config import GatewayConfig

__all__ = ["ClockWatch", "clock_findings", "disk_findings"]

_FULL_BYTES = 64_000_000  # below this even the registry may fail
_PROBE_BYTES = 4_000_000
_SYNCS = 8
_SLOW_SYNC_S = 0.25
_SLOW_MB_S = 2.0
_BORN_S = 1_767_225_600  # 2026-01-01: this program is younger
_OFFSET_S = 1.0
_JUMP_S = 2.0
_TOLD_S = 3600.0
_LOCAL_REFERENCE = "7F7F0101"  # chronyc's word for its own clock


def disk_findings(config: GatewayConfig, *, probe: bool) -> Iterator[Finding]:
    """Room below data_dir; with `probe` 4 MB are written beside the spool to see how fast the disk is."""
    folder = config.gateway.data_dir
    try:
        free = _free_bytes(folder)
    except OSError as error:
        yield Finding("disk.unwritable", str(folder), {"path": folder, "reason": error.strerror or error})
        return
    free_mb = free // 1_000_000
    wanted = max(0, config.spool.max_bytes - _spooled(folder / "spool"))
    if free < _FULL_BYTES:
        yield Finding("disk.full", str(folder), {"path": folder, "free_mb": free_mb})
    elif free < wanted:
        about = {"path": folder, "free_mb": free_mb, "wanted_mb": wanted // 1_000_000}
        yield Finding("disk.low", str(folder), about)
    if probe and free > _FULL_BYTES:
        yield from _speed(folder)


def _free_bytes(folder: Path) -> int:
    """What a user who is not root may still write."""
    return shutil.disk_usage(folder).free


def _spooled(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for path in folder.glob("*.seg"):
            with contextlib.suppress(OSError):
                total += path.stat().st_blocks * 512
    return total


def _speed(folder: Path) -> Iterator[Finding]:
    path = folder / f"doctor-{os.getpid()}.tmp"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            began_s = time.monotonic()
            os.write(descriptor, bytes(_PROBE_BYTES))
            os.fdatasync(descriptor)
            write_s = time.monotonic() - began_s
            took: list[float] = []
            for number in range(_SYNCS):
                began_s = time.monotonic()
                os.pwrite(descriptor, b"x" * 512, number * 4096)
                os.fdatasync(descriptor)
                took.append(time.monotonic() - began_s)
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)
    except OSError as error:
        yield Finding("disk.unwritable", str(folder), {"path": folder, "reason": error.strerror or error})
        return
    sync_s = sorted(took)[len(took) // 2]
    rate = _PROBE_BYTES / 1e6 / max(write_s, 1e-6)
    if sync_s > _SLOW_SYNC_S or rate < _SLOW_MB_S:
        about = {"path": folder, "sync_ms": round(sync_s * 1000), "write_mb_s": round(rate, 1)}
        yield Finding("disk.slow", str(folder), about)


def clock_findings(chronyc: str = "chronyc") -> Iterator[Finding]:
    """The clock by itself, and by what chrony says of it (`chronyc -c tracking`)."""
    if time.time() < _BORN_S:
        yield Finding("clock.wrong", "", {"now": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())})
    program = shutil.which(chronyc)
    if program is None:
        if not _kernel_synchronised():
            yield Finding("clock.unsynchronised", "", {"reason": "chrony is not installed"})
        return
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [program, "-c", "tracking"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Finding("clock.unsynchronised", "", {"reason": error})
        return
    yield from _tracking(done.stdout.strip(), done.returncode)


def _tracking(line: str, code: int) -> Iterator[Finding]:
    """Fields of chronyc's report: reference id, name, stratum, reference time, offset of the system clock in s, ..."""
    fields = line.split(",")
    if code or len(fields) < 5:
        yield Finding("clock.unsynchronised", "", {"reason": line or "chronyd does not answer"})
    elif fields[0] == "00000000":
        yield Finding("clock.unsynchronised", "", {"reason": "chrony has no source yet"})
    elif fields[0] == _LOCAL_REFERENCE:
        yield Finding("clock.local")
    else:
        try:
            offset_s = float(fields[4])
        except ValueError:
            return
        if abs(offset_s) > _OFFSET_S:
            yield Finding("clock.offset", "", {"offset_ms": round(offset_s * 1000)})


def _kernel_synchronised() -> bool:
    """Whether another program keeps the clock: systemd-timesyncd leaves a file when it has a time."""
    return os.path.exists("/run/systemd/timesync/synchronized")  # noqa: PTH110 - one question


class ClockWatch:
    """Tells jumps of the wall clock against the monotonic one between two looks."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()
        self._jumped: tuple[float, float] | None = None  # monotonic time and size of the last one

    def look(self, wall_s: float | None = None, monotonic_s: float | None = None) -> Iterator[Finding]:
        """A finding for an hour after the clock was set; slow corrections (500 ppm) are no jump."""
        wall_s = time.time() if wall_s is None else wall_s
        monotonic_s = time.monotonic() if monotonic_s is None else monotonic_s
        jump_s = wall_s - monotonic_s - self._offset_s
        self._offset_s += jump_s
        if abs(jump_s) > _JUMP_S:
            self._jumped = (monotonic_s, jump_s)
        if self._jumped is not None and monotonic_s - self._jumped[0] < _TOLD_S:
            yield Finding("clock.jumped", "", {"jump_s": round(self._jumped[1], 1)})
