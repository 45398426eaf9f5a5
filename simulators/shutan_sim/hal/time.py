"""MicroPython's `time` as an ESP32 has it: the epoch is 2000-01-01 and a cold start begins there.

The unix port counts from 1970 and knows the host's clock. A board knows neither: its calendar is the RTC, which starts
at zero with power and moves when somebody sets it (`machine.RTC().datetime(...)`). Ticks, sleeps and therefore asyncio
stay the unix port's own and run in real time; the calendar, in `_calendar`, is loaded by whoever asks for it, since a
chip's own modules take nothing from the node's heap.
"""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

from utime import *  # noqa: F403 - the built-in module under its forcing name: ticks and sleeps pass through unchanged

del time, time_ns, gmtime, localtime, mktime  # noqa: F821 - they came with the line above, and count from 1970


def __getattr__(name: str) -> object:
    if name[0] == "_":
        raise AttributeError(name)
    import _calendar  # noqa: PLC0415 - see the module

    return getattr(_calendar, name)
