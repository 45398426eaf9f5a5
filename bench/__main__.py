"""Runs the benchmarks and prints machine, command and figures: `python -m bench [NAME...] [--json]`."""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
Value = int | float | str


class Benchmark(Protocol):
    """What a module of this folder offers; BARS is optional."""

    BARS: Mapping[str, tuple[str, float]]

    def main(self) -> Mapping[str, Value]:
        """Measure; figure -> value."""
        ...


def names() -> list[str]:
    """The benchmarks there are."""
    return sorted(path.stem for path in HERE.glob("[a-z]*.py"))


def machine() -> dict[str, Value]:
    """What a figure depends on: processor, cores, memory, kernel, interpreter, commit."""
    processor = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith(("model name", "Model"))
    ]
    git = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "processor": processor[0] if processor else platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": commit or "unknown",
    }


def verdict(value: Value, bar: tuple[str, float] | None) -> str:
    """How a figure stands to its bar; empty without a bar."""
    if bar is None or isinstance(value, str):
        return ""
    kind, limit = bar
    kept = value >= limit if kind == "at least" else value <= limit
    return f"{'kept' if kept else 'MISSED'}: {kind} {limit:,}"


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def _print(report: dict[str, object], results: dict[str, Mapping[str, Value]], verdicts: dict[str, str]) -> None:
    console = Console()
    for key, value in cast("dict[str, Value]", report["machine"]).items():
        console.print(f"{key}: {value}", highlight=False)
    console.print(f"command: {report['command']}\n", highlight=False)
    table = Table("benchmark", "figure", "value", "bar")
    table.columns[2].justify = "right"
    for name, figures in results.items():
        for figure, value in figures.items():
            table.add_row(name, figure, _text(value), verdicts.get(f"{name}.{figure}", ""))
    console.print(table)


def main() -> int:
    """Run from the command line; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(names())} (all by default)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(names()))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names())}")
    results: dict[str, Mapping[str, Value]] = {}
    verdicts: dict[str, str] = {}
    for name in arguments.names or names():
        module = cast("Benchmark", importlib.import_module(f"bench.{name}"))
        results[name] = module.main()
        bars: Mapping[str, tuple[str, float]] = getattr(module, "BARS", {})
        for figure, value in results[name].items():
            verdicts[f"{name}.{figure}"] = verdict(value, bars.get(figure))
    command = " ".join(["python", "-m", "bench", *sys.argv[1:]])
    report: dict[str, object] = {"machine": machine(), "command": command, "results": results, "bars": verdicts}
    if arguments.json:
        json.dump(report, sys.stdout, indent=1, default=dict)
        print()
    else:
        _print(report, results, verdicts)
    return 1 if any(text.startswith("MISSED") for text in verdicts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
