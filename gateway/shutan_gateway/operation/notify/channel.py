"""One channel: what it has been told, what it should be told, when the next message may go.

There is no queue that could overflow: what is to be sent is the difference between what is wrong now and what the
channel was told last. So a finding that came and went while the network was away is not told at all, and after a
failure the next message says how things are then. Bounded: at most `FINDINGS` are told at a time, the rest are counted.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

from shutan_gateway.errors import ConfigError
from shutan_gateway.operation.doctor.finding import worst
from shutan_gateway.operation.notify.message import Change
from shutan_gateway.operation.notify.senders import NotSentError, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shutan_gateway.config.notify import NotifyConfig
    from shutan_gateway.counters import Counters
    from shutan_gateway.operation.doctor.finding import Finding

__all__ = ["FINDINGS", "Channel"]

log = logging.getLogger("shutan.notify")

FINDINGS = 500
_FIRST_PAUSE_S = 30.0
_LONGEST_PAUSE_S = 3600.0


class Channel:
    """Belongs to the watch's thread. told: key -> finding, as the channel knows it."""

    def __init__(self, config: NotifyConfig, counters: Counters, told: dict[str, Finding]) -> None:
        self._config = config
        self._counters = counters
        self.told = told
        self._not_before_s = float("-inf")
        self._pause_s = _FIRST_PAUSE_S
        self._trouble: str | None = None
        self._chance = random.Random()  # noqa: S311 - jitter only

    @property
    def name(self) -> str:
        """Name of its [[notify]]."""
        return self._config.name

    def changes(self, active: Mapping[str, Finding], at_ms: int) -> list[Change]:
        """What the channel does not know yet: errors first; what is well again comes last."""
        least = self._config.least
        wanted = {key: finding for key, finding in active.items() if _tells(finding, least)}
        new = worst([finding for key, finding in wanted.items() if key not in self.told])
        room = max(0, FINDINGS - len(self.told))
        if len(new) > room:
            self._counters.inc("shutan_notifications_dropped_total", len(new) - room, notify=self.name)
        gone = [finding for key, finding in self.told.items() if key not in wanted]
        return [*(Change(f, True, at_ms) for f in new[:room]), *(Change(f, False, at_ms) for f in gone)]

    def tell(self, host: str, active: Mapping[str, Finding], now_s: float, at_ms: int) -> bool:
        """Send what is due; True when `told` changed. now_s: monotonic."""
        if now_s < self._not_before_s:
            return False
        changes = self.changes(active, at_ms)
        if not changes:
            return False
        try:
            send(self._config, host, changes)
        except (NotSentError, ConfigError) as error:
            self._failed(str(error), now_s)
            return False
        self._counters.inc("shutan_notifications_sent_total", notify=self.name)
        if self._trouble is not None:
            log.info("notify %s: goes through again", self.name, extra={"notify": self.name})
        self._trouble, self._pause_s = None, _FIRST_PAUSE_S
        self._not_before_s = now_s + self._config.min_interval_s
        for change in changes:
            if change.appeared:
                self.told[change.finding.key] = change.finding
            else:
                self.told.pop(change.finding.key, None)
        return True

    def _failed(self, reason: str, now_s: float) -> None:
        self._counters.inc("shutan_notifications_failed_total", notify=self.name)
        if self._trouble is None:
            log.warning("notify %s: %s; tried again until it goes", self.name, reason, extra={"notify": self.name})
        self._trouble = reason
        self._not_before_s = now_s + self._pause_s * self._chance.uniform(0.5, 1.0)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


def _tells(finding: Finding, least: str) -> bool:
    return finding.severity == "error" or (finding.severity == least == "warning")


def only_known(entries: Mapping[str, object], make: Callable[[object], Finding | None]) -> dict[str, Finding]:
    """Findings read back from a file; what this version does not know is left out."""
    found = {key: make(entry) for key, entry in entries.items()}
    return {key: finding for key, finding in found.items() if finding is not None}
