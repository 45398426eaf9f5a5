"""Pack a folder of .mpy files into a ROM file system image (MicroPython 1.25 and newer).

Usage: build_rom.py LIBDIR IMAGE

Modules in it run in place and stay out of the heap: of a node's 88 KB at its peak 58 KB remain (`make bench`).

On an ESP32 it lies in a flash partition named `romfs`, which the firmware mounts at /rom. For the unix port
tests/support/nodes.py does the same with a file mapped into memory.

| record    | content                                          |
|-----------|--------------------------------------------------|
| image     | D2 CD 31, length, records                        |
| directory | 4, length, name with its length, records         |
| file      | 5, length, name with its length, data            |
| data      | 2, length, the bytes                             |
"""

import argparse
import sys
from pathlib import Path


def _number(value: int) -> bytes:
    """Big-endian groups of seven bits, all but the last with the top bit set."""
    groups = [value & 127]
    while value := value >> 7:
        groups.insert(0, value & 127 | 128)
    return bytes(groups)


def _record(kind: int, content: bytes) -> bytes:
    return _number(kind) + _number(len(content)) + content


def _named(name: str) -> bytes:
    return _number(len(name)) + name.encode()


def _folder(folder: Path) -> bytes:
    out = b""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            out += _record(4, _named(path.name) + _folder(path))
        else:
            out += _record(5, _named(path.name) + _record(2, path.read_bytes()))
    return out


def image(folder: Path) -> bytes:
    """The image of everything below a folder."""
    records = _folder(folder)
    length = _number(len(records))
    if (3 + len(length) + len(records)) % 2:
        length = b"\x80" + length
    return b"\xd2\xcd\x31" + length + records


def main() -> int:
    """Run from the command line; exit code 1 when a file cannot be read or written."""
    parser = argparse.ArgumentParser(prog="build_rom.py", description="Pack .mpy files into a ROM file system image.")
    parser.add_argument("libdir", type=Path)
    parser.add_argument("image", type=Path)
    arguments = parser.parse_args()
    try:
        size = arguments.image.write_bytes(image(arguments.libdir))
    except OSError as error:
        print(f"build_rom: {error}", file=sys.stderr)
        return 1
    print(f"build_rom: {size} B in {arguments.image}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
