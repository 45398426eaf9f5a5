"""The state of an installed service in a few lines: units, since when, counters, last sample."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from shutan_gateway.config import load_config
from shutan_gateway.operation.page import Facts, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["State", "look"]


class State(NamedTuple):
    """sound: all that is installed runs; lines for a person, facts for a program."""

    sound: bool
    lines: list[str]
    facts: dict[str, Any]


def look(config: Path, units: Sequence[dict[str, str]] | None) -> State:
    """units: what systemd says of each, None without systemd. Raises ConfigError when the configuration is unsound."""
    settings = load_config(config)
    facts = fetch(settings.http)
    lines: list[str] = []
    active = True
    if units is None:
        lines.append("systemd does not run here: units cannot be asked")
    for unit in units or ():
        state = f"{unit.get('ActiveState', 'unknown')} ({unit.get('SubState', '')})"
        since = unit.get("ActiveEnterTimestamp") or "never"
        text = unit.get("StatusText", "")
        restarts = unit.get("NRestarts", "0")
        lines.append(f"{unit.get('Id', '?')}: {state} since {since}, {restarts} restarts{', ' + text if text else ''}")
        active = active and (unit.get("ActiveState") == "active" or unit.get("LoadState") == "not-found")
    if facts is None:
        lines.append(f"gateway: no answer on http://{settings.http.host}:{settings.http.port}")
    else:
        lines += _gateway_lines(facts)
    sound = active and facts is not None and facts.health.get("status") == "ok"
    summary = None if facts is None else _summary(facts)
    return State(sound, lines, {"sound": sound, "units": units, "gateway": summary})


def _summary(facts: Facts) -> dict[str, Any]:
    heard = [(device["heard_ms"], node, device) for node in facts.nodes for device in node["devices"]]
    newest = max(heard, key=lambda item: item[0], default=None)
    last = None
    if newest is not None and newest[0]:
        at_ms, node, device = newest
        last = {"site": node["site"], "node": node["node"], "device": device["device"], "heard_ms": at_ms}
    return {
        "health": facts.health,
        "since_s": facts.number("shutan_start_time_seconds"),
        "received": int(facts.number("shutan_received_total")),
        "accepted": int(facts.number("shutan_accepted_total")),
        "duplicates": int(facts.number("shutan_duplicates_total")),
        "rejected": int(sum(facts.by_label("shutan_rejected_total", "reason").values())),
        "pending": {store: int(n) for store, n in facts.by_label("shutan_store_pending", "store").items()},
        "nodes_online": sum(node["online"] for node in facts.nodes),
        "nodes_offline": sum(not node["online"] for node in facts.nodes),
        "last_sample": last,
    }


def _gateway_lines(facts: Facts) -> list[str]:
    found = _summary(facts)
    health = found["health"]
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found["since_s"]))
    parts = f"{found['duplicates']} repeats + {found['rejected']} rejected + {found['accepted']} accepted"
    lines = [
        f"gateway: {health.get('status')}, broker {health.get('broker')}, spool {health.get('spool')}, since {since}",
        f"records: {found['received']} received = {parts}",
    ]
    for store, state in dict(health.get("stores") or {}).items():
        lines.append(f"store {store}: {state}, {found['pending'].get(store, 0)} pending")
    for source, state in dict(health.get("sources") or {}).items():
        lines.append(f"source {source}: {state}")
    lines.append(f"nodes: {found['nodes_online']} online, {found['nodes_offline']} offline")
    last = found["last_sample"]
    if last is None:
        lines.append("last sample: none since the start")
    else:
        age_s = max(0, time.time() - last["heard_ms"] / 1000)
        place = "/".join(part for part in (last["site"], last["node"], last["device"]) if part)
        lines.append(f"last sample: {age_s:.0f} s ago from {place}")
    return lines
