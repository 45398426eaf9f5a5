"""Local calendar of the simulated site: Asia/Shanghai, UTC+8 without daylight saving, in integers.

Time is milliseconds since 1970 UTC everywhere else; here it becomes day number and minute of the day.
"""

from datetime import timedelta, timezone

ZONE = timezone(timedelta(hours=8))
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MINUTES_A_DAY = 1440
OFFSET_MS = 8 * HOUR_MS

# Time-of-use periods 尖峰平谷 (T1 critical peak, T2 peak, T3 flat, T4 valley): (from minute, to minute, tariff).
# An example schedule in the shape of Sichuan's summer one; the meters know nothing of prices.
TARIFF_PERIODS = (
    (0, 420, 4),
    (420, 600, 3),
    (600, 720, 2),
    (720, 900, 3),
    (900, 960, 2),
    (960, 1080, 1),
    (1080, 1260, 2),
    (1260, 1380, 3),
    (1380, 1440, 4),
)
TARIFFS = (1, 2, 3, 4)


def day_of(t_ms: int) -> int:
    """Local day number, 0 = 1970-01-01."""
    return (t_ms + OFFSET_MS) // DAY_MS


def day_start_ms(day: int) -> int:
    """First millisecond of a local day."""
    return day * DAY_MS - OFFSET_MS


def weekday(day: int) -> int:
    """0 = Monday .. 6 = Sunday."""
    return (day + 3) % 7


def midsummer_distance(day: int) -> int:
    """Days from the nearest 21 June, 0..182 (a year is taken as 1461/4 days)."""
    of_year = (day * 4 % 1461) // 4
    return abs((of_year - 171 + 182) % 365 - 182)
