"""Runs a file of test functions under a MicroPython port and gives each function's outcome.

The node's packages and the test file are compiled to .mpy first, as on a board: compiling on the device would need
heap that the tests want for themselves.
"""

import ast
import functools
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import build_node
from support.places import REPO, tool

RUNTIMES = ("micropython", "micropython32")
FILE_LIMIT_S = 120
RUNNER = Path(__file__).resolve().parents[1] / "runtimes/run_functions.py"


@dataclass(frozen=True)
class Both:
    """A file that runs on every runtime: its test functions and the heap it asks for (None: the port's default)."""

    path: Path
    functions: tuple[str, ...]
    heap: str | None

    @classmethod
    def read(cls, path: Path) -> "Both":
        """Find functions and the constant HEAP without importing the file."""
        heap: str | None = None
        functions: list[str] = []
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                functions.append(node.name)
            elif isinstance(node, ast.Assign) and "HEAP" in [ast.unparse(target) for target in node.targets]:
                heap = cast("str", ast.literal_eval(node.value))
        return cls(path, tuple(functions), heap)


@dataclass(frozen=True)
class Outcome:
    """What became of one function, with the traceback or the interpreter's own last words."""

    state: str
    trace: str


@functools.cache
def _compiled() -> TemporaryDirectory[str]:
    """The node's packages, chips for its drivers and the runner, compiled once a session (removed when it ends)."""
    folder = TemporaryDirectory(prefix="shutan-mpy-")
    lib = Path(folder.name, "lib")
    build_node.build(lib)
    for name in ("simulators/shutan_sim/__init__.py", "tests/support/sensor_bench.py"):
        inside = Path(name).relative_to(name.split("/")[0])
        build_node.compile_file(REPO / name, name, lib / inside.with_suffix(".mpy"))
    for source in sorted((REPO / "simulators/shutan_sim/chips").glob("*.py")):
        build_node.compile_file(source, source.name, lib / "shutan_sim/chips" / f"{source.stem}.mpy")
    build_node.compile_file(RUNNER, RUNNER.name, Path(folder.name, "run_functions.mpy"))
    return folder


def _parse(lines: list[str], functions: tuple[str, ...], last_words: str) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    for line in lines:
        if line.startswith("@@"):
            report = cast("dict[str, str]", json.loads(line[2:]))
            outcomes[report["function"]] = Outcome(report["state"], report.get("trace", last_words))
    nothing = outcomes.get("", Outcome("never started", last_words))
    return {name: outcomes.get(name, nothing) for name in functions}


@functools.cache
def run(runtime: str, both: Both) -> dict[str, Outcome]:
    """Run all functions of a file once a session; the outcome of each."""
    program = tool(runtime)
    folder = Path(_compiled().name)
    module = both.path.stem
    with TemporaryDirectory(prefix="shutan-test-") as own:
        build_node.compile_file(both.path, str(both.path.relative_to(REPO)), Path(own, f"{module}.mpy"))
        command = [str(program), *(["-X", f"heapsize={both.heap}"] if both.heap else []), "-m", "run_functions", module]
        path = os.pathsep.join((own, str(folder), str(folder / "lib"), ".frozen"))
        try:
            done = subprocess.run(
                command,
                cwd=REPO,
                env={**os.environ, "MICROPYPATH": path},
                capture_output=True,
                text=True,
                timeout=FILE_LIMIT_S,
                check=False,
                errors="replace",
            )
        except subprocess.TimeoutExpired as late:
            printed = (late.stdout or b"").decode(errors="replace")
            return _parse(
                printed.splitlines(), both.functions, f"still running after {FILE_LIMIT_S} s\n{printed[-2000:]}"
            )
    last_words = f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return _parse(done.stdout.splitlines(), both.functions, last_words)
