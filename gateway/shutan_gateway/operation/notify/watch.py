"""The watch: every few minutes the gateway looks at itself as `shutan doctor` does, and tells channels what changed.

A finding counts when it is there at two looks in a row, and is over when it is missing at two: a node that reconnects
is no news. What each channel was told is kept in data_dir/watch.json, so that a restart tells nothing twice.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, cast

from shutan_gateway.config import read_secret
from shutan_gateway.operation.doctor.checks_gateway import Limits
from shutan_gateway.operation.doctor.checks_machine import ClockWatch
from shutan_gateway.operation.doctor.checks_stores import meter_findings
from shutan_gateway.operation.doctor.finding import Finding
from shutan_gateway.operation.doctor.run import examine_inside
from shutan_gateway.operation.doctor.texts import TEXTS
from shutan_gateway.operation.notify.channel import Channel, only_known
from shutan_gateway.operation.page import Facts
from shutan_gateway.supervise import Supervised

if TYPE_CHECKING:
    from pathlib import Path

    from shutan_gateway.config import GatewayConfig
    from shutan_gateway.config.notify import NotifyConfig
    from shutan_gateway.operation.notify import Inside

__all__ = ["Watch"]

log = logging.getLogger("shutan.notify")

FILE = "watch.json"
_LOOKS = 2  # in a row, before a change counts
_METERS_S = 1800.0  # registers are looked at less often: an hour of rows is read
_SECRETS = ("url_file", "token_file", "password_file", "key_file", "secret_file")
_END_S = 2.0


class Watch:
    """Runs in a thread of its own; whatever goes wrong here never ends the service."""

    def __init__(self, config: GatewayConfig, inside: Inside) -> None:
        """Raises ConfigError when a secret file cannot be read or is empty."""
        for channel in config.notify:
            _check_secrets(channel)
        self._config = config
        self._inside = inside
        self._limits = Limits(silent_s=config.watch.silent_s)
        self._clock = ClockWatch()
        self._path = config.gateway.data_dir / FILE
        told = _load(self._path)
        self._channels = [Channel(one, inside.counters, dict(told.get(one.name, {}))) for one in config.notify]
        self.active: dict[str, Finding] = {}
        for channel in self._channels:
            self.active.update(channel.told)
        self._streak: dict[str, int] = {}  # looks in a row that contradict `active`
        self._meters: tuple[float, list[Finding]] = (float("-inf"), [])
        self._began_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = Supervised(
            "watch", self._run, counters=inside.counters, stop=self._stop, give_up=lambda _name: None
        )

    def start(self) -> None:
        """Begin to look, after the first interval."""
        self._thread.start()

    def stop(self) -> None:
        """End; a message under way is not waited for longer than two seconds."""
        self._stop.set()
        self._thread.join(_END_S)

    def follow(self, config: GatewayConfig) -> None:
        """Look with another configuration from the next time on; who hears stays."""
        self._config = config

    def _run(self) -> None:
        while not self._stop.wait(self._config.watch.interval_s):
            self.look()

    def look(self) -> None:
        """One look, and the messages that follow from it."""
        self.take(self._findings())
        self.tell()

    def tell(self, after_s: float = 0) -> None:
        """Send what is due, as if `after_s` later."""
        now_s, at_ms = time.monotonic() + after_s, time.time_ns() // 1_000_000
        host = socket.gethostname()
        channels = [channel for channel in self._channels if not self._stop.is_set()]
        if sum(channel.tell(host, self.active, now_s, at_ms) for channel in channels):
            self._save()

    def _findings(self) -> list[Finding]:
        numbers = {key: float(value) for key, value in self._inside.numbers().items()}
        facts = Facts(numbers, dict(self._inside.health()[1]), self._inside.nodes())
        found = [*examine_inside(self._config, facts, self._limits), *self._clock.look()]
        read_s, stuck = self._meters
        if time.monotonic() - read_s >= _METERS_S:
            stuck = list(meter_findings(self._config))
            self._meters = (time.monotonic(), stuck)
        return [*found, *stuck]

    def take(self, findings: list[Finding]) -> None:
        """Let what was found at two looks in a row become what is wrong."""
        found = {finding.key: finding for finding in findings}
        settling = time.monotonic() - self._began_s < self._limits.silent_s
        for key in found.keys() ^ self.active.keys():
            if key in self.active and settling and self.active[key].kind.startswith("node."):
                continue  # a node that was not heard since the start is neither well nor not
            self._streak[key] = self._streak.get(key, 0) + 1
            if self._streak[key] < _LOOKS:
                continue
            if key in found:
                self.active[key] = found[key]
            else:
                del self.active[key]
        self._streak = {key: n for key, n in self._streak.items() if (key in found) != (key in self.active)}
        for severity in ("error", "warning", "info"):
            count = sum(finding.severity == severity for finding in self.active.values())
            self._inside.counters.set("shutan_findings", count, severity=severity)

    def _save(self) -> None:
        body = {
            channel.name: {
                key: {"kind": finding.kind, "subject": finding.subject, "facts": dict(finding.facts)}
                for key, finding in channel.told.items()
            }
            for channel in self._channels
        }
        fresh = self._path.with_suffix(".tmp")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                json.dump(body, file, ensure_ascii=False, default=str)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            log.warning("%s: %s; a restart may tell the same again", self._path, error.strerror or error)


def _check_secrets(channel: NotifyConfig) -> None:
    for name in _SECRETS:
        path = getattr(channel, name, None)
        if path is not None:
            read_secret(path, f"notify.{channel.name}.{name}")


def _load(path: Path) -> dict[str, dict[str, Finding]]:
    """What each channel was told, by its name; nothing when there is no such file, or one that cannot be read."""
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    tables = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    return {
        name: only_known(cast("dict[str, object]", entries), _finding)
        for name, entries in tables.items()
        if isinstance(entries, dict)
    }


def _finding(entry: object) -> Finding | None:
    """One finding of the file; its words must be sayable."""
    table = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    kind, facts = table.get("kind"), table.get("facts")
    if kind not in TEXTS or not isinstance(facts, dict):
        return None
    finding = Finding(str(kind), str(table.get("subject", "")), cast("dict[str, object]", facts))
    try:
        for language in ("en", "zh"):
            finding.what(language)
            finding.remedy(language)
    except (KeyError, IndexError, ValueError):
        return None
    return finding
