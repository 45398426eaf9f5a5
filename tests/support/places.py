"""Where things lie: the repository, the fetched programs, and what cannot be had on this machine."""

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
TOOLS = REPO / ".tools"


def not_run_lines() -> list[str]:
    """What scripts/fetch-tools could not get here: "not run: <program>: <why>"."""
    path = TOOLS / "not-run.txt"
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def tool(name: str) -> Path:
    """Path of a fetched program; skips with the reason where fetch-tools said why it cannot be had, else fails."""
    for line in not_run_lines():
        if line.startswith(f"not run: {name}:"):
            pytest.skip(line)
    path = TOOLS / "bin" / name
    if not path.is_file():
        pytest.fail(f"{name} is missing: run scripts/fetch-tools (or `make test`, which does)", pytrace=False)
    return path
