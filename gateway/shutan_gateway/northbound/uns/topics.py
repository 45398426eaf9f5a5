"""Rows to topics and payloads of the unified namespace; no I/O.

topic    enterprise/site/<area/line, or the node>/device/metric; values of the node itself: device = the node's name
payload  {"timestamp": "2026-11-18T08:00:00.000Z", "value": 230.1, "unit": "V", "quality": 192}
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from shutan_wire import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_gateway.config.northbound import UnsPlace
    from shutan_gateway.rows import Row

__all__ = ["Published", "Topics"]

GOOD: Final = 192
_TAKEN: Final = re.compile(r"[/+#\x00]")
_REMEMBERED: Final = 50_000


class Published(NamedTuple):
    """One retained message."""

    topic: str
    payload: bytes


class Topics:
    """Topics by the configured places; remembers what it has worked out, up to a bound."""

    def __init__(self, enterprise: str, places: Iterable[UnsPlace]) -> None:
        self._enterprise = enterprise
        self._places = {(one.site, one.node, one.device): one.path for one in places}
        self._known: dict[tuple[str, str, str, str], tuple[str, str]] = {}

    def messages(self, rows: Sequence[Row], oldest_ns: int, newest_ns: int) -> tuple[list[Published], int]:
        """The newest value of each topic among rows, as messages, and how many values lie outside of the two times."""
        newest: dict[str, tuple[int, bytes]] = {}
        history = 0
        for row in rows:
            if not oldest_ns <= row.t_ns <= newest_ns:
                history += len(row.values)
                continue
            codes = dict(row.qualities)
            for metric, value in zip(row.metrics, row.values, strict=True):
                topic, unit = self._topic(row, metric)
                before = newest.get(topic)
                if before is None or before[0] <= row.t_ns:
                    body = {
                        "timestamp": _iso(row.t_ns),
                        "value": value,
                        "unit": unit,
                        "quality": codes.get(metric, GOOD),
                    }
                    newest[topic] = (row.t_ns, orjson.dumps(body))
        return [Published(topic, payload) for topic, (_, payload) in newest.items()], history

    def _topic(self, row: Row, metric: str) -> tuple[str, str]:
        key = (row.site, row.node, row.device, metric)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            path = self._places.get(key[:3]) or self._places.get((row.site, row.node, None)) or segment(row.node)
            device = segment(row.device or row.node)
            known = catalogue.by_name(metric)
            topic = f"{self._enterprise}/{segment(row.site)}/{path}/{device}/{segment(metric)}"
            found = self._known[key] = (topic, "" if known is None else known.unit)
        return found


def segment(text: str) -> str:
    """A topic level out of any name: the signs that MQTT keeps for itself become "_"."""
    return _TAKEN.sub("_", text) or "_"


def _iso(t_ns: int) -> str:
    whole, rest = divmod(t_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"
