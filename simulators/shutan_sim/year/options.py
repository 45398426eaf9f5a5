"""Words of the command line that become an order; each mistake is one line with what would be right."""

from datetime import date, timedelta

from shutan_sim.errors import SetupError
from shutan_sim.year.meters import METERS
from shutan_sim.year.plan import Kind
from shutan_sim.year.run import Order

__all__ = ["MOST_DAYS", "MOST_METERS", "make_order"]

MOST_DAYS = 3660
MOST_METERS = len(METERS)
_INTERVALS = {"15min": 15, "30min": 30, "1h": 60}


def make_order(*, start: str, days: int, meters: int, interval: str, seed: int, events: str, only_days: str) -> Order:
    """The order in words. events: "all", "none" or kinds with commas; only_days: dates and A..B with commas, "" = all.

    Raises SetupError.
    """
    if interval not in _INTERVALS:
        raise SetupError("--interval", f"{interval!r} is not known", f"give {', '.join(_INTERVALS)}")
    return Order(
        _date(start, "--start"), days, meters, _INTERVALS[interval], seed, _kinds(events),
        _days(only_days) if only_days else None,
    )  # fmt: skip


def _date(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SetupError(option, f"{text!r} is not a date", "write for example 2025-01-01") from None


def _kinds(text: str) -> frozenset[Kind]:
    if text == "all":
        return frozenset(Kind)
    if text == "none":
        return frozenset()
    known = {kind.value: kind for kind in Kind}
    words = [word.strip() for word in text.split(",")]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise SetupError(
            "--events", f"{', '.join(unknown)!r} is not known", f"give all, none or some of {', '.join(known)}"
        )
    return frozenset(known[word] for word in words)


def _days(text: str) -> frozenset[date]:
    found: set[date] = set()
    for part in text.split(","):
        first, dots, last = part.strip().partition("..")
        start = _date(first, "--only-days")
        end = _date(last, "--only-days") if dots else start
        if not start <= end <= start + timedelta(days=MOST_DAYS):
            raise SetupError(
                "--only-days", f"{part.strip()!r} does not rise", "write for example 2025-06-01..2025-06-03"
            )
        found.update(start + timedelta(days=number) for number in range((end - start).days + 1))
    return frozenset(found)
