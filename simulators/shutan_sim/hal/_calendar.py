"""The calendar half of `time`: seconds since 2000-01-01 by a simulated RTC that runs at the simulation's RATE."""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import machine
from utime import gmtime as _gmtime_1970
from utime import ticks_diff, ticks_ms

_EPOCH_2000_S = 946684800
_DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


class _Rtc:
    """Milliseconds since 2000 at the last look, and the tick of that look."""

    ms = 0
    tick = machine.BORN


def rtc_ms() -> int:
    """Milliseconds since 2000 by the RTC. Must be asked at least once in half a ticks period (6 days)."""
    now = ticks_ms()
    _Rtc.ms += ticks_diff(now, _Rtc.tick) * machine.RATE
    _Rtc.tick = now
    return _Rtc.ms


def set_rtc_ms(ms: int) -> None:
    """Set the RTC."""
    _Rtc.ms = ms
    _Rtc.tick = ticks_ms()


def time() -> int:
    """Whole seconds since 2000-01-01, by the RTC."""
    return rtc_ms() // 1000


def time_ns() -> int:
    """Nanoseconds since 2000-01-01, by the RTC, in steps of a millisecond."""
    return rtc_ms() * 1000000


def gmtime(seconds: object = None) -> tuple:
    """(year, month, day, hour, minute, second, weekday, yearday) of seconds since 2000."""
    if seconds is None:
        seconds = time()
    return tuple(_gmtime_1970(int(seconds) + _EPOCH_2000_S)[:8])


localtime = gmtime  # a board has no time zone


def mktime(parts: tuple) -> int:
    """Seconds since 2000 of a broken-down time; fields may be out of their range, as on a board."""
    year = parts[0] + (parts[1] - 1) // 12
    month = (parts[1] - 1) % 12
    leap = month > 1 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 - 730119  # days from year 1 to 2000-01-01
    days += _DAYS_BEFORE_MONTH[month] + (1 if leap else 0) + parts[2] - 1
    return ((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5]
