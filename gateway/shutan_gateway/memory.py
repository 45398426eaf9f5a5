"""Memory of the running process: what the collector and the C library's heap are told for a service that never ends."""

from __future__ import annotations

import contextlib
import gc

__all__ = ["settle"]

# Parameters of mallopt(3), glibc's <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 4_000_000  # batches and bodies are smaller: their memory is used again, not mapped afresh each time


def settle() -> None:
    """Call once, when everything is loaded and before threads start."""
    # What is alive now stays; without this every collection walks all modules again. Samples live for a second and
    # form no cycles: looking for some among them less often is all gain.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    # The interpreter lets one thread run at a time, so a heap for each thread only scatters what is free.
    with contextlib.suppress(ImportError, OSError, AttributeError):  # another C library, or none that can be loaded
        import ctypes  # noqa: PLC0415 - only here

        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _KEPT_BYTES), (_TRIM_THRESHOLD, _KEPT_BYTES)):
            mallopt(parameter, value)
