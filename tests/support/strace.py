"""System calls of a running program made to fail or to come late, by strace."""

import contextlib
import subprocess
from collections.abc import Generator
from pathlib import Path

from support.places import tool
from support.servers import wait_until


@contextlib.contextmanager
def injected(pid: int, calls: str, what: str, folder: Path) -> Generator[None]:
    """While inside, `calls` ("fsync,fdatasync") of the process do `what` ("error=EIO", "delay_enter=300000": us)."""
    log = folder / "strace.log"
    rules = ["-e", f"trace={calls}", "-e", f"inject={calls}:{what}"]
    with (folder / "strace.err").open("w+b") as said:
        command = [tool("strace"), "-f", *rules, "-o", log, "-p", str(pid)]
        process = subprocess.Popen(command, stderr=said, stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: _attached(process, folder / "strace.err"), 30, "strace is attached")
            yield
        finally:
            process.terminate()  # it lets the program go
            process.wait(30)


def _attached(process: subprocess.Popen[bytes], said: Path) -> bool:
    text = said.read_text(encoding="utf-8", errors="replace")
    assert process.poll() is None, f"strace ended: {text}"
    return "attached" in text


def hits(folder: Path) -> int:
    """Calls that were made to fail or to wait by the last `injected` in this folder."""
    text = (folder / "strace.log").read_text(encoding="utf-8", errors="replace")
    return text.count("(INJECTED)") + text.count("(DELAYED)")
