"""The load generator of the benchmarks (bench/_load.py) as a process beside a test."""

import json
import subprocess
import sys
from typing import Self

from support.places import REPO


class Load:
    """Numbered records of many QoS 0 nodes, 50 values each; ends by itself when `records` of each are acknowledged.

    window: most records that a node leaves unacknowledged; rate: messages a second of all nodes together;
    made: records of each node in a load before this one, with the same gateway
    """

    def __init__(
        self,
        port: int,
        *,
        nodes: int,
        records: int,
        window: int,
        rate: float = 1e9,
        resend_s: float = 2.0,
        made: int = 0,
    ) -> None:
        self.records = nodes * records
        self._command = [sys.executable, "-m", "bench._load", "--port", str(port), "--nodes", str(nodes)]
        self._command += ["--window", str(window), "--records", str(records), "--rate", str(rate)]
        self._command += ["--resend-s", str(resend_s), "--made", str(made)]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, cwd=REPO, stdout=subprocess.PIPE, text=True)
        return self

    def running(self) -> bool:
        """Whether records are still to be acknowledged."""
        assert self._process is not None
        return self._process.poll() is None

    def totals(self, limit_s: float) -> dict[str, int]:
        """What it counted, once it has ended."""
        assert self._process is not None
        out, _ = self._process.communicate(timeout=limit_s)
        assert self._process.returncode == 0, f"the load ended with {self._process.returncode}"
        found: dict[str, int] = json.loads(out)
        return found

    def __exit__(self, *_exc: object) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.communicate()
