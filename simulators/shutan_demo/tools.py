"""Where the programs are that the demo starts."""

import shutil
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def tool(name: str) -> str | None:
    """Path of a program: the checkout's own ``.tools/bin`` first, then PATH; None if there is none."""
    own = REPO / ".tools" / "bin" / name
    return str(own) if own.is_file() else shutil.which(name)


def shutan() -> str:
    """Path of the ``shutan`` command that belongs to this interpreter."""
    return str(Path(sys.executable).with_name("shutan"))


def not_run() -> list[str]:
    """Lines that say what could not be had on this machine, as ``scripts/fetch-tools`` wrote them."""
    listing = REPO / ".tools" / "not-run.txt"
    return listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
