"""The independent Sparkplug client from PyPI, in its own environment (.tools/peers, made by scripts/bootstrap)."""

import json
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.places import REPO, TOOLS

PYTHON = TOOLS / "peers/bin/python"
SCRIPTS = REPO / "tests/peers"


class Talk:
    """A script that answers each JSON line with a JSON line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send one order and read its answer; AssertionError when the script ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the independent client ended with code {self._process.wait(10)}"
        return json.loads(line)


@contextmanager
def talk(script: str, arguments: Sequence[str | Path] = ()) -> Generator[Talk]:
    """Start a script of tests/peers in the client's environment; it ends when its stdin is closed."""
    assert PYTHON.is_file(), "the independent client is missing: run scripts/bootstrap"
    with subprocess.Popen(
        [PYTHON, SCRIPTS / script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Talk(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
