"""The programs that the demo starts: each one a child that dies with the demo.

A child is started in its own session, so that Ctrl-C reaches the demo alone and the demo decides the order of
stopping; the kernel ends it if the demo itself is killed (``PR_SET_PDEATHSIG``, Linux).
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from shutan_demo.errors import PartFailedError

PR_SET_PDEATHSIG = 1
POLL_S = 0.02

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], limit_s: float) -> bool:
    """Poll ``condition`` until it holds (True) or ``limit_s`` seconds have passed (False)."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)
    return True


def listens(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


class Part:
    """One program: start, wait until ready, kill, start again, stop."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        ready: Callable[[], bool],
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.kills = 0
        self._command = list(command)
        self._folder = folder
        self._ready = ready
        self._environment = {**os.environ, **(environment or {})}
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self, limit_s: float = 20.0) -> None:
        """Start and wait until ready. Raises PartFailedError if it ends or is not ready within the limit."""
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - the demo's own fixed command lines
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl call, no Python state is touched
            )
        child = self._child
        if not wait_until(lambda: child.poll() is not None or self._ready(), limit_s):
            raise PartFailedError(self.name, f"not ready after {limit_s:.0f} s", self.log)
        if child.poll() is not None:
            raise PartFailedError(self.name, f"ended with code {child.returncode}", self.log)

    def check(self) -> None:
        """Raise PartFailedError if it has ended by itself."""
        if self._child is not None and self._child.poll() is not None:
            raise PartFailedError(self.name, f"ended with code {self._child.returncode}", self.log)

    def kill(self) -> None:
        """SIGKILL, as a power cut or the kernel's out-of-memory killer would."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self.kills += 1

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.pid is not None and self._child is not None:
            self._child.send_signal(number)

    def stop(self, limit_s: float = 10.0) -> None:
        """SIGTERM, then SIGKILL after the limit. Idempotent."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.poll() is None:
            child.terminate()
        try:
            child.wait(limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
