"""A fault test's figures against its bars, and the result file of a long run (tests/faults/README.md)."""

from __future__ import annotations

import json
import operator
import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from support.places import REPO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["SHORT", "Fault", "Figure", "Settings", "commit_now", "file_name", "misses", "row_id"]

SHORT, LONG = "short", "long"
Figure = int | float | str | bool
T = TypeVar("T")

_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_BAR = re.compile(r"(==|<=|>=|<|>) (-?\d+(?:\.\d+)?)")
_PROGRESS_EVERY_S = 5.0
_SOURCES = ("gateway", "firmware", "simulators", "tests/faults", "tests/support", "bench")


class Settings(NamedTuple):
    """How this session runs.

    form: short (inside `make test`) or long (`make faults`); results: folder for result files, None writes none;
    say: prints one line although pytest captures the output; commit: what runs, "+" behind it with changes of its own.
    """

    form: str
    results: Path | None
    say: Callable[[str], None]
    commit: str = ""


class Fault:
    """One fault test: sizes by form, progress, and its result."""

    def __init__(self, settings: Settings, test: str) -> None:
        self.form = settings.form
        self.long = settings.form == LONG
        self._settings = settings
        self._test = test
        self._began_s = time.monotonic()
        self._said_s = 0.0
        self.recorded = False

    def size(self, short: T, long: T) -> T:
        """The one of two sizes that belongs to this form."""
        return long if self.long else short

    def progress(self, text: str) -> None:
        """A line on stderr in the long form, at most one in five seconds."""
        now_s = time.monotonic()
        if self.long and now_s - self._said_s >= _PROGRESS_EVERY_S:
            self._said_s = now_s
            self._settings.say(f"{self._test} {now_s - self._began_s:.0f} s: {text}")

    def record(
        self,
        row: str,
        *,
        measured: Mapping[str, Figure],
        bar: Mapping[str, str],
        long_bar: Mapping[str, str] | None = None,
        part: str = "",
        note: str = "",
    ) -> None:
        """Check each bar, write the result, then fail if a bar is missed.

        row: "C1"; measured: figure -> value, with the unit in the name (`recovery_p99_s`); bar: figure -> "== 0",
        "< 2", ...; long_bar: bars of the long form alone (times, sizes); part: one of several tests of the same row,
        lower case; note: what was scaled or left out and why, or how the figure was taken.
        """
        self.recorded = True
        bars = {**bar, **((long_bar or {}) if self.long else {})}
        missed = misses(measured, bars)
        name = file_name(row, part)
        result = {
            "id": row_id(row),
            "part": part,
            "bar": bars,
            "measured": dict(measured),
            "passed": not missed,
            "form": self.form,
            "note": note,
            "test": self._test,
            "command": f'make faults ARGS="-k {self._test}"',
            "seconds": round(time.monotonic() - self._began_s, 1),
            "commit": self._settings.commit,
            **_origin(),
        }
        if self._settings.results is not None:
            text = json.dumps(result, ensure_ascii=False, indent=1)
            (self._settings.results / name).write_text(text + "\n", encoding="utf-8")
        figures = ", ".join(f"{key} {value}" for key, value in measured.items())
        if self.long:
            self._settings.say(f"{name}: {'passed' if not missed else 'MISSED'}: {figures}")
        assert not missed, f"{row}: {'; '.join(missed)} ({figures})"


def row_id(row: str) -> str:
    """C1 and C01 are the same row: "C1"."""
    found = re.fullmatch(r"C0?(\d{1,2})", row)
    number = int(found[1]) if found else 0
    assert 1 <= number <= 24, f"no row {row!r} in the matrix"
    return f"C{number}"


def file_name(row: str, part: str) -> str:
    """Name of the result file: C05-eio.json."""
    assert re.fullmatch(r"[a-z0-9_]*", part), f"part {part!r}: lower case letters, digits and _"
    return f"C{int(row_id(row)[1:]):02d}{'-' if part else ''}{part}.json"


def misses(measured: Mapping[str, Figure], bar: Mapping[str, str]) -> list[str]:
    """Every bar that is missed, in words. AssertionError for a bar that cannot be read or that nothing measures."""
    assert bar, "a result without a bar does not count"
    found: list[str] = []
    for name, text in bar.items():
        parts = _BAR.fullmatch(text)
        assert parts, f"bar {name}: {text!r} is not a sign and a number"
        value = measured.get(name)
        assert isinstance(value, int | float), f"bar {name}: nothing was measured under this name"
        if not _SIGNS[parts[1]](value, float(parts[2])):
            found.append(f"{name} is {value}, the bar {text}")
    return found


def _origin() -> dict[str, Figure]:
    """Date, machine and how busy it was (processes that wanted a core in the last minute)."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "load_1min": round(os.getloadavg()[0], 1),
        "machine": f"{_processor()}, Linux {platform.release()}, Python {platform.python_version()}",
    }


def commit_now() -> str:
    """The commit of the working tree, for the start of a session; "+" behind it when something was changed since."""
    changed = _git("status", "--porcelain", "--", *_SOURCES) != ""
    return _git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=REPO, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a file of the kernel
        names = re.findall(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    return f"{len(names)} x {names[0]}" if names else platform.machine()
