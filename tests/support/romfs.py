"""A ROM file system image (MicroPython 1.25 and newer): modules in it run in place and stay out of the heap.

On an ESP32 it lies in a flash partition named `romfs`, which the firmware mounts at /rom. For the unix port `MOUNT`
does the same with a file mapped into memory.

| record    | content                                          |
|-----------|--------------------------------------------------|
| image     | D2 CD 31, length, records                        |
| directory | 4, length, name with its length, records         |
| file      | 5, length, name with its length, data            |
| data      | 2, length, the bytes                             |
"""

from pathlib import Path

MOUNT = """\
import ffi, os, sys, uctypes, vfs

libc = ffi.open(None)
size = os.stat("rom.img")[6]
address = libc.func("p", "mmap", "pLiiiL")(None, size, 1, 2, libc.func("i", "open", "si")("rom.img", 0), 0)
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), "/rom")
sys.path.insert(1, "/rom")
"""


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
