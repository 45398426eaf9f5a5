"""Filling days that were lost from the meters' daily freezes: what to ask for, and the request of a person."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple, cast

from shutan_meters.freeze import DAYS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DAY_MS", "REQUEST", "Job", "Request", "days_back", "frozen_ms", "leave_request", "take_request"]

log = logging.getLogger("shutan.serial")

DAY_MS = 86_400_000
REQUEST = "serial-backfill.json"


class Job(NamedTuple):
    """Freezes of one meter with a time in from_ms .. to_ms (UTC). back: which of them are still to be read."""

    key: str
    from_ms: int
    to_ms: int
    back: list[int]


class Request(NamedTuple):
    """What a person asks for. keys: meters as site/node/device; empty: all."""

    from_ms: int
    to_ms: int
    keys: tuple[str, ...]


def days_back(from_ms: int, to_ms: int, now_ms: int, utc_offset_h: float) -> list[int]:
    """Indexes of the freezes (1 the newest) that can lie in the span, oldest first; a day more on both sides.

    A freeze is taken when a day of the meter's clock begins, so the newest is that of today.
    """
    offset_ms = round(utc_offset_h * 3_600_000)
    today = (now_ms + offset_ms) // DAY_MS
    first = today - (to_ms + offset_ms) // DAY_MS
    last = today - (from_ms + offset_ms) // DAY_MS
    return list(range(min(last + 2, DAYS), max(first, 1) - 1, -1)) if to_ms >= from_ms else []


def frozen_ms(taken: tuple[int, int, int, int, int], utc_offset_h: float) -> int:
    """UTC milliseconds of a freeze's own time; 0 for one that is no date."""
    try:
        moment = datetime(*taken, tzinfo=timezone(timedelta(hours=utc_offset_h)))
    except ValueError:
        return 0
    return int(moment.astimezone(UTC).timestamp() * 1000)


def leave_request(folder: Path, request: Request) -> None:
    """Leave a request for the gateway that uses the folder. Raises OSError."""
    fresh = folder / (REQUEST + ".new")
    fresh.write_text(json.dumps(request._asdict()), encoding="utf-8")
    fresh.replace(folder / REQUEST)


def take_request(folder: Path) -> Request | None:
    """The request that was left, which is removed; None without one."""
    path = folder / REQUEST
    try:
        text = path.read_bytes()
        path.unlink()
        found = cast("dict[str, object]", json.loads(text))
        from_ms, to_ms, keys = found["from_ms"], found["to_ms"], cast("list[object]", found["keys"])
        if isinstance(from_ms, int) and isinstance(to_ms, int):
            return Request(from_ms, to_ms, tuple(str(key) for key in keys))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("%s: not a request (%s)", path, error)
        return None
    log.warning("%s: not a request", path)
    return None
