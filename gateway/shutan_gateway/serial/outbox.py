"""Readings on their way into the offers, and what is known to be durable of each meter."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from typing import TYPE_CHECKING, cast

from shutan_gateway.intake.offers import Offer

if TYPE_CHECKING:
    from pathlib import Path

    from shutan_gateway.counters import Counters
    from shutan_gateway.intake.offers import Offers
    from shutan_wire.model import Metric

__all__ = ["Outbox", "Progress"]

log = logging.getLogger("shutan.serial")

_AGAIN_S = 0.5
_VERSION = 1


class Progress:
    """Time of the last durable good reading of each meter, in a small file of the data folder.

    `note` is called by the intake thread, everything else by the thread of the buses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last_ms: dict[str, int] = {}
        self._saved: dict[str, int] = {}
        try:
            found = json.loads(path.read_bytes())
            table = cast("dict[str, object]", found["meters"])
            self._last_ms = {key: value for key, value in table.items() if isinstance(value, int)}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s cannot be read (%s): gaps before this start are not filled by themselves", path, error)
        self._saved = dict(self._last_ms)

    def note(self, key: str, t_ms: int) -> None:
        """A reading of this time is durable."""
        if t_ms > self._last_ms.get(key, 0):
            self._last_ms[key] = t_ms

    def last_ms(self, key: str) -> int:
        """0 where none is known."""
        return self._last_ms.get(key, 0)

    def save(self) -> None:
        """Write the file if something changed; a failure is told and tried again with the next change."""
        now = dict(self._last_ms)
        if now == self._saved:
            return
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_text(json.dumps({"version": _VERSION, "meters": now}), encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error.strerror)
        self._saved = now


class Outbox:
    """Puts readings into the offers without waiting; while those are full the newest reading of each meter is kept.

    Older ones are dropped and counted: a register keeps its energy exact over the gap.
    """

    def __init__(self, offers: Offers, counters: Counters, progress: Progress) -> None:
        self._offers = offers
        self._counters = counters
        self._progress = progress
        self._held: dict[str, Offer] = {}

    def __len__(self) -> int:
        return len(self._held)

    def _offer(self, key: str, metrics: tuple[Metric, ...], now_ms: int, durable_ms: int) -> Offer:
        site, node, device = key.split("/")
        settled = functools.partial(self._progress.note, key, durable_ms) if durable_ms else None
        return Offer(site, node, device, metrics, now_ms, settled)

    def send(self, key: str, metrics: tuple[Metric, ...], now_ms: int, durable_ms: int = 0) -> None:
        """Offer a reading. durable_ms: the time to remember once it is durable, 0 for none."""
        offer = self._offer(key, metrics, now_ms, durable_ms)
        if key in self._held:
            self._counters.inc("shutan_serial_dropped_total", node=offer.node, meter=offer.device)
        elif self._offers.put(offer, 0):
            return
        self._held[key] = offer

    async def send_all(self, key: str, metrics: tuple[Metric, ...], now_ms: int) -> None:
        """Offer what must not be dropped, however long that takes."""
        offer = self._offer(key, metrics, now_ms, 0)
        while True:
            if self._offers.put(offer, 0):
                return
            await asyncio.sleep(_AGAIN_S)

    async def run(self) -> None:
        """Offer again what was kept, for ever."""
        while True:
            await asyncio.sleep(_AGAIN_S)
            for key, offer in list(self._held.items()):
                if not self._offers.put(offer, 0):
                    break
                del self._held[key]
