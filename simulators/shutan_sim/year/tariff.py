"""Time-of-use tariff 尖峰平谷 of the simulated site: an invented example in the shape of a Sichuan one, not official.

July and August have a critical peak in the afternoon, December and January one in the evening.
"""

from datetime import date
from functools import cache

from shutan_sim.year.plant import QUARTER_MIN

__all__ = ["BANDS", "PRICES", "bands_of", "tariff_toml"]

BANDS = ("sharp", "peak", "flat", "valley")
PRICES = {"sharp": 11_240, "peak": 9_370, "flat": 5_860, "valley": 2_640}  # 1e-4 yuan per kWh, invented
_SUMMER, _WINTER = (7, 8), (12, 1)
_SOURCE = "invented example of the simulator, no official price"

_COMMON = (("00:00-07:00", "valley"), ("07:00-10:00", "flat"), ("10:00-12:00", "peak"), ("12:00-15:00", "flat"))
_AFTERNOON = {
    "summer": (("15:00-16:00", "peak"), ("16:00-18:00", "sharp"), ("18:00-21:00", "peak")),
    "winter": (("15:00-19:00", "peak"), ("19:00-21:00", "sharp")),
    "other": (("15:00-21:00", "peak"),),
}
_EVENING = (("21:00-23:00", "flat"), ("23:00-24:00", "valley"))


def _season(month: int) -> str:
    return "summer" if month in _SUMMER else "winter" if month in _WINTER else "other"


def _windows(season: str) -> tuple[tuple[str, str], ...]:
    return (*_COMMON, *_AFTERNOON[season], *_EVENING)


@cache
def _bands(season: str) -> tuple[str, ...]:
    bands: list[str] = []
    for window, band in _windows(season):
        start, end = (int(text[:2]) * 60 + int(text[3:]) for text in window.split("-"))
        bands += [band] * ((end - start) // QUARTER_MIN)
    return tuple(bands)


def bands_of(day: date) -> tuple[str, ...]:
    """Band of each of the 96 quarters of a day."""
    return _bands(_season(day.month))


def tariff_toml(start: date) -> str:
    """`tariff.toml`, in force from the first of January before `start` on."""
    first = date(start.year - 1, 1, 1)
    lines = [
        "# Time-of-use tariff 分时电价 of the simulated site.",
        f"# {_SOURCE[0].upper()}{_SOURCE[1:]}.",
        "",
        "[[period]]",
        f"from = {first}",
        f'source = "{_SOURCE}"',
    ]
    for season in _AFTERNOON:
        months = ", ".join(str(month) for month in range(1, 13) if _season(month) == season)
        lines += ["", "[[period.day]]", f"months = [{months}]", "", "[period.day.windows]"]
        lines += [f'"{window}" = "{band}"' for window, band in _windows(season)]
    lines += ["", "[[price]]", f"from = {first}", f'source = "{_SOURCE}"']
    lines += [f"{band}_yuan_per_kwh = {price // 10_000}.{price % 10_000:04d}" for band, price in PRICES.items()]
    return "\n".join(lines) + "\n"
