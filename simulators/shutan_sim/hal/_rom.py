"""What a board with a `romfs` partition does before main.py: mount it at /rom, so that modules run in place.

The image is a file (environment SHUTAN_SIM_ROM), mapped into memory: its bytes are not on the heap, as flash is not.
"""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import os
import sys

import ffi
import uctypes
import vfs

_READ, _PRIVATE = 1, 2


def mount(path: str) -> None:
    """Mount the image at /rom and look for modules there before the file system."""
    libc = ffi.open(None)
    size = os.stat(path)[6]  # noqa: PTH116 - MicroPython
    number = libc.func("i", "open", "si")(path, 0)
    address = libc.func("p", "mmap", "pLiiiL")(None, size, _READ, _PRIVATE, number, 0)
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), "/rom")
    sys.path.insert(1, "/rom")


mount(os.getenv("SHUTAN_SIM_ROM"))
del sys.modules["_rom"]
