"""What a running gateway's own numbers say: intake, sources, stores, spool, refused input, nodes, their clocks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.operation.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shutan_gateway.config import GatewayConfig
    from shutan_gateway.intake.node_table import DeviceFacts, NodeFacts
    from shutan_gateway.operation.page import Facts

__all__ = ["Limits", "gateway_findings"]

_DAY_MS = 86_400_000
_REASONS = 8  # named in one line
_NODES = 200  # findings of one kind about nodes


class Limits(NamedTuple):
    """From when on something is said. silent_s: a device that is online and says nothing; behind_s: a store."""

    silent_s: float = 900.0
    behind_s: float = 300.0
    clock_s: float = 30.0
    spool_percent: float = 50.0


def gateway_findings(config: GatewayConfig, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """All that a gateway's pages tell."""
    yield from _process(facts)
    yield from _stores(facts, limits)
    yield from _spool(config, facts, limits)
    yield from _nodes(facts, limits)
    faults = facts.by_label("shutan_faults_total", "kind")
    if faults and not any("faults" in node for node in facts.nodes):
        kinds = ", ".join(f"{kind} {int(n)}" for kind, n in sorted(faults.items()))
        yield Finding("node.faults", "(all)", {"node": "(all together)", "kinds": kinds})


def _process(facts: Facts) -> Iterator[Finding]:
    state = str(facts.health.get("status", ""))
    if state == "failing" and facts.health.get("spool") != "blocked":
        yield Finding("gateway.failing", "", {"state": state})
    if facts.health.get("broker") != "connected":
        yield Finding("broker.away")
    restarts = int(sum(facts.by_label("shutan_thread_restarts_total", "thread").values()))
    if restarts:
        yield Finding("gateway.threads", "", {"count": restarts})
    for name, text in dict(facts.health.get("sources") or {}).items():
        if text != "ok":
            yield Finding("source.trouble", str(name), {"name": name, "text": text})


def _stores(facts: Facts, limits: Limits) -> Iterator[Finding]:
    oldest = facts.by_label("shutan_store_oldest_pending_seconds", "store")
    pending = facts.by_label("shutan_store_pending", "store")
    for name, state in dict(facts.health.get("stores") or {}).items():
        if state != "ok":
            yield Finding("store.unreachable", str(name), {"name": name, "reason": state})
    for name, seconds in oldest.items():
        if seconds > limits.behind_s and pending.get(name):
            about = {"name": name, "pending": int(pending[name]), "oldest_s": int(seconds)}
            yield Finding("store.behind", name, about)
    for name, dead in facts.by_label("shutan_store_dead_total", "store").items():
        if dead:
            yield Finding("store.dead", name, {"name": name, "dead": int(dead)})


def _spool(config: GatewayConfig, facts: Facts, limits: Limits) -> Iterator[Finding]:
    if facts.number("shutan_spool_blocked"):
        yield Finding("spool.blocked")
    percent = 100 * facts.number("shutan_spool_bytes") / config.spool.max_bytes
    behind = any(facts.by_label("shutan_store_pending", "store").values())
    if percent >= limits.spool_percent and (behind or not config.store):
        yield Finding("spool.filling", "", {"percent": int(percent)})
    damaged = int(facts.number("shutan_spool_damaged_total"))
    if damaged:
        yield Finding("spool.damaged", "", {"count": damaged})


def _nodes(facts: Facts, limits: Limits) -> Iterator[Finding]:
    now_ms = time.time_ns() // 1_000_000
    up_s = now_ms / 1000 - facts.number("shutan_start_time_seconds")
    told: dict[str, int] = {}
    for node in facts.nodes:
        for finding in _of_node(node, now_ms, up_s, limits):
            told[finding.kind] = told.get(finding.kind, 0) + 1
            if told[finding.kind] <= _NODES:
                yield finding


def _of_node(node: NodeFacts, now_ms: int, up_s: float, limits: Limits) -> Iterator[Finding]:
    name = f"{node['site']}/{node['node']}"
    faults = node.get("faults")
    if faults:
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(faults.items()))
        yield Finding("node.faults", name, {"node": name, "kinds": kinds})
    heard_ms = max((device["heard_ms"] for device in node["devices"]), default=0)
    if not node["online"]:
        if up_s > limits.silent_s or heard_ms:
            minutes = (now_ms - heard_ms) // 60_000
            since = f", last heard {minutes} minutes ago" if heard_ms else ""
            yield Finding("node.offline", name, {"node": name, "since": since})
        return
    for device in node["devices"]:
        yield from _of_device(name, device, now_ms, up_s, limits)


def _of_device(name: str, device: DeviceFacts, now_ms: int, up_s: float, limits: Limits) -> Iterator[Finding]:
    if not device["device"] and not device["heard_ms"]:
        return  # a node that measures nothing itself
    place = f"{name}/{device['device']}" if device["device"] else name
    silent_s = (now_ms - device["heard_ms"]) / 1000 if device["heard_ms"] else up_s
    if silent_s > limits.silent_s:
        yield Finding("node.silent", place, {"device": place, "minutes": int(silent_s // 60)})
        return
    if not device["sample_ms"]:
        return
    offset_s = (device["sample_ms"] - device["heard_ms"]) / 1000
    if abs(offset_s) > limits.clock_s:
        ahead = offset_s > 0
        words = {"direction": "ahead of" if ahead else "behind", "direction_zh": "超前" if ahead else "落后"}
        yield Finding("node.clock", place, {"device": place, "offset_s": round(abs(offset_s)), **words})


def input_findings(data_dir: Path) -> Iterator[Finding]:
    """What was put into quarantine during the last day, by reason."""
    from shutan_gateway.quarantine import FOLDER, Item, items  # noqa: PLC0415 - only who asks pays for it

    since_ms = time.time_ns() // 1_000_000 - _DAY_MS
    counts: dict[str, int] = {}
    try:
        for item in items(data_dir / FOLDER):
            if isinstance(item, Item) and item.received_ms >= since_ms:
                counts[item.reason] = counts.get(item.reason, 0) + 1
    except OSError:
        return  # another user's folder: checks of the disk say so
    if counts:
        most = sorted(counts.items(), key=lambda pair: -pair[1])[:_REASONS]
        yield Finding("input.rejected", "", {"reasons": ", ".join(f"{reason} {n}" for reason, n in most)})
