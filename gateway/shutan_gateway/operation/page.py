"""What a running gateway says about itself over HTTP on loopback: /metrics, /healthz, /nodes, read back as values."""

from __future__ import annotations

import http.client
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shutan_gateway.counters import Key

if TYPE_CHECKING:
    from shutan_gateway.config import HttpSection
    from shutan_gateway.intake.node_table import NodeFacts

__all__ = ["Facts", "fetch", "parse_metrics"]

_TIMEOUT_S = 5.0
_PAGE_BYTES = 64_000_000
_LINE = re.compile(r"([a-z0-9_]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z0-9_]+)="((?:[^"\\]|\\.)*)"')
_PLAIN = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Facts(NamedTuple):
    """One moment of a gateway: its numbers, whether it is whole, its nodes and devices."""

    numbers: dict[Key, float]
    health: dict[str, Any]
    nodes: list[NodeFacts]

    def number(self, name: str, **labels: str) -> float:
        """One number, 0 when it is not there."""
        return self.numbers.get(Key(name, tuple(sorted(labels.items()))), 0)

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """All numbers of one name, by the value of one label."""
        return {dict(key.labels).get(label, ""): n for key, n in self.numbers.items() if key.name == name}


def parse_metrics(text: str) -> dict[Key, float]:
    """Numbers of a Prometheus text (format 0.0.4); lines that are none are passed over."""
    found: dict[Key, float] = {}
    for line in text.splitlines():
        match = None if line.startswith("#") else _LINE.fullmatch(line)
        if match is not None:
            labels = [(name, _unescaped(value)) for name, value in _LABEL.findall(match[2] or "")]
            found[Key(match[1], tuple(sorted(labels)))] = float(match[3])
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda match: _PLAIN.get(match[0], match[0]), text)


def fetch(settings: HttpSection) -> Facts | None:
    """The gateway of a configuration, now; None when none answers (port 0 cannot be asked)."""
    if settings.port == 0:
        return None
    try:
        metrics = _get(settings, "/metrics")
        health: object = json.loads(_get(settings, "/healthz"))
        nodes: object = json.loads(_get(settings, "/nodes"))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    if not isinstance(health, dict) or not isinstance(nodes, list):
        return None
    return Facts(parse_metrics(metrics), cast("dict[str, Any]", health), cast("list[NodeFacts]", nodes))


def _get(settings: HttpSection, path: str) -> str:
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(_PAGE_BYTES)
        if path != "/healthz" and answer.status == 404:
            return "[]"  # an older gateway without this page
        return body.decode()
    finally:
        connection.close()
