"""Device times to UTC ms. A time that says nothing certain becomes None: then the receive time stands for it.

Nothing is dropped for its time alone. A clock that was never set (before 2020) and one that runs ahead of the gateway
by more than ten minutes are not believed; a time long ago is, since a device may send what it kept.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from shutan_gateway.adapters.exact import exact

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from shutan_gateway.adapters.json_text import Json

__all__ = ["Clock", "TimeFormat"]

TimeFormat = Literal["iso", "unix_s", "unix_ms"]

_EARLIEST_MS = 1_577_836_800_000  # 2020-01-01: older than any device that this gateway meets
_AHEAD_MS = 600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Reads times of one adapter. zone: what local times without an offset mean; None = they are not used."""

    def __init__(self, zone: ZoneInfo | None) -> None:
        self._zone = zone

    def read(self, value: Json, form: TimeFormat, received_ms: int) -> int | None:
        """UTC ms of a device's time, None when the receive time is the better one."""
        if form == "iso":
            found = self._iso(value, received_ms) if isinstance(value, str) else None
        else:
            number = exact(value)
            found = None if number is None else round(number * (1000 if form == "unix_s" else 1))
        if found is None or not _EARLIEST_MS <= found <= received_ms + _AHEAD_MS:
            return None
        return found

    def _iso(self, text: str, received_ms: int) -> int | None:
        try:
            found = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
        try:
            if found.tzinfo is None:
                if self._zone is None:
                    return None
                # An hour that a change of clocks repeats: the reading nearer to its arrival is meant.
                both = [_ms(found.replace(tzinfo=self._zone, fold=fold)) for fold in (0, 1)]
                return min(both, key=lambda t_ms: abs(t_ms - received_ms))
            return _ms(found)
        except OverflowError:
            return None


def _ms(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
