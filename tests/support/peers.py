"""The independent Sparkplug client from PyPI, in its own environment (.tools/peers, made by scripts/bootstrap)."""

import json
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from support.places import REPO, TOOLS

PYTHON = TOOLS / "peers/bin/python"
STOP_LIMIT_S = 10
SCRIPTS = REPO / "tests/peers"


class Talk:
    """A script that answers each JSON line with a JSON line."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        self._process = process
        self._errors = errors

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send one order and read its answer; AssertionError when the script ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait(STOP_LIMIT_S)
            self._errors.seek(0)
            raise AssertionError(f"the independent client ended with code {code}: {self._errors.read()[-2000:]}")
        return json.loads(line)


@contextmanager
def talk(script: str, arguments: Sequence[str | Path] = ()) -> Generator[Talk]:
    """Start a script of tests/peers in the client's environment; it ends when its stdin is closed."""
    assert PYTHON.is_file(), "the independent client is missing: run scripts/bootstrap"
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [PYTHON, SCRIPTS / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Talk(process, errors)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
