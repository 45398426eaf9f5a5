"""Memory, descriptors and CPU time of a running process over time, from /proc."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

MIB = 1024.0


class Look(NamedTuple):
    """One look: seconds since the start of the watch, KiB resident, open descriptors, CPU seconds so far."""

    at_s: float
    rss_kb: int
    fds: int
    cpu_s: float


def look(pid: int, at_s: float = 0.0) -> Look:
    """Look at a process now."""
    proc = Path("/proc") / str(pid)
    status = proc.joinpath("status").read_text(encoding="ascii")
    rss_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    fields = proc.joinpath("stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Look(at_s, rss_kb, len(os.listdir(proc / "fd")), ticks / os.sysconf("SC_CLK_TCK"))  # noqa: PTH208 - a count


class ProcessWatch:
    """A thread that looks at a process every so many seconds."""

    def __init__(self, pid: int, every_s: float) -> None:
        self.looks: list[Look] = []
        self._pid = pid
        self._every_s = every_s
        self._began_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.looks.append(look(self._pid, time.monotonic() - self._began_s))
            self._stop.wait(self._every_s)

    def after(self, warm_s: float) -> list[Look]:
        """The looks after the warm-up."""
        return [one for one in self.looks if one.at_s >= warm_s]

    def cpu_share(self) -> float:
        """CPU time per second of the whole watch."""
        first, last = self.looks[0], self.looks[-1]
        return (last.cpu_s - first.cpu_s) / max(last.at_s - first.at_s, 1e-9)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join(10)


def slope_mib_per_h(looks: Sequence[Look]) -> float:
    """Slope of the resident memory: least squares over all looks."""
    count = len(looks)
    if count < 2:
        return 0.0
    mean_t = sum(one.at_s for one in looks) / count
    mean_y = sum(one.rss_kb for one in looks) / count
    over = sum((one.at_s - mean_t) * (one.rss_kb - mean_y) for one in looks)
    under = sum((one.at_s - mean_t) ** 2 for one in looks)
    return over / under * 3600 / MIB if under else 0.0
