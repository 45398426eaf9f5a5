"""The file operations of the spool, in one place, so that a test can make each of them fail."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Disk"]


class Disk:
    """Plain POSIX calls; every method raises OSError as the system does. `syncs` counts fsync and fdatasync."""

    syncs = 0

    def create(self, path: Path, size: int) -> int:
        """New file of `size` zero bytes whose space is really taken; nothing is left behind on failure."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """All of `data` at `offset`."""
        with memoryview(data) as view:
            done = 0
            while done < len(data):
                done += os.pwrite(descriptor, view[done:], offset + done)

    def sync_data(self, descriptor: int) -> None:
        """Data of the file on stable storage (fdatasync)."""
        os.fdatasync(descriptor)
        self.syncs += 1

    def sync_folder(self, folder: Path) -> None:
        """New, renamed and deleted names of a folder on stable storage (fsync)."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
            self.syncs += 1
        finally:
            os.close(descriptor)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file and make the new length durable."""
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
            self.syncs += 1
        finally:
            os.close(descriptor)

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """Up to `size` bytes at `offset`; fewer only at the end of the file."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts: list[bytes] = []
            while size > 0:
                part = os.pread(descriptor, size, offset)
                if not part:
                    break
                parts.append(part)
                offset += len(part)
                size -= len(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)
        finally:
            os.close(descriptor)

    def close(self, descriptor: int) -> None:
        """Close; an error here changes nothing, since durability comes from sync_data alone."""
        with contextlib.suppress(OSError):
            os.close(descriptor)
