"""Counters and gauges of the gateway: every number that /metrics shows has its help text here.

Totals count **records** (data messages; births of foreign nodes that carry samples are records too) unless the name
says otherwise. `received = duplicates + rejected + accepted`; per store `accepted = stored + dead + pending`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["HELP", "PERSISTENT", "Counters", "Key", "prometheus_text"]

HELP: dict[str, str] = {
    "shutan_received_total": "records taken from the broker and decided",
    "shutan_duplicates_total": "records that were already on disk (repeats); acknowledged again",
    "shutan_rejected_total": "records dropped for good, by reason; never acknowledged",
    "shutan_accepted_total": "records committed to the spool",
    "shutan_values_total": "metric values inside accepted records",
    "shutan_conflicts_total": "records kept with sub-millisecond digits: same device and time, other values",
    "shutan_faults_total": "protocol faults seen, by kind; a fault alone discards nothing",
    "shutan_births_total": "NBIRTH and DBIRTH messages taken",
    "shutan_deaths_total": "NDEATH and DDEATH messages that ended a session",
    "shutan_rebirth_requests_total": "rebirth commands sent",
    "shutan_acks_total": "acknowledgement commands sent",
    "shutan_gap_unsaved_total": "record numbers that a node lost with its RAM and that never came",
    "shutan_gap_overwritten_total": "record numbers that a node overwrote while offline and that never came",
    "shutan_bad_values_total": "values marked bad, by cause (nan, range, null, width, type)",
    "shutan_messages_total": "MQTT messages taken from the broker, all kinds",
    "shutan_link_up": "1 while connected to the broker",
    "shutan_link_attempts_total": "times that a session with the broker was tried",
    "shutan_link_connects_total": "sessions opened with the broker",
    "shutan_link_lost_total": "sessions with the broker that broke",
    "shutan_queue_messages": "messages between network thread and intake",
    "shutan_queue_blocked_total": "times the network thread waited for a full queue (TCP back-pressure)",
    "shutan_held_messages": "messages waiting for the birth that explains them",
    "shutan_nodes": "edge nodes known, by state (online, offline)",
    "shutan_devices_stale": "devices whose values are stale",
    "shutan_shape_hits_total": "payloads decoded by a learned shape",
    "shutan_shape_misses_total": "payloads decoded by the full parser",
    "shutan_spool_syncs_total": "fdatasync calls of the spool",
    "shutan_spool_errors_total": "failed writes or syncs of the spool, by kind (full, limit, write, sync)",
    "shutan_spool_blocked": "1 while the spool cannot take records; nothing is acknowledged then",
    "shutan_spool_bytes": "bytes of segment files held",
    "shutan_spool_damaged_total": "records found damaged on disk (bit rot) and skipped",
    "shutan_spool_torn_total": "torn tails cut when the spool was opened",
    "shutan_state_errors_total": "failed commits of the registry",
    "shutan_store_accepted_total": "accepted records since this store was configured",
    "shutan_store_stored_total": "records stored",
    "shutan_store_dead_total": "records in the dead-letter file or damaged, at least one row refused for good",
    "shutan_store_pending": "records still to be delivered",
    "shutan_store_retries_total": "deliveries tried again",
    "shutan_store_up": "1 while the store takes rows",
    "shutan_store_requests_total": "write calls to the store",
    "shutan_store_rows_total": "rows accepted by the store, repeats included",
    "shutan_store_dead_rows_total": "rows that the store refused for good",
    "shutan_store_dead_letters_dropped_total": "dead letters not kept because their file is full",
    "shutan_store_oldest_pending_seconds": "age of the oldest record that waits for the store",
    "shutan_quarantine_total": "refused inputs kept in the quarantine folder with their bytes, by reason",
    "shutan_quarantine_dropped_total": "refused inputs not kept or not any more, by cause (rate, queue, disk, oldest)",
    "shutan_thread_restarts_total": "threads started again after an unexpected error",
    "shutan_start_time_seconds": "start of this process, Unix time",
}

# Committed with the watermarks, so that they go on counting after a restart; a scan of the spool's tail corrects them.
PERSISTENT = frozenset(
    {
        "shutan_received_total",
        "shutan_duplicates_total",
        "shutan_rejected_total",
        "shutan_accepted_total",
        "shutan_conflicts_total",
        "shutan_gap_unsaved_total",
        "shutan_gap_overwritten_total",
    }
)


class Key(NamedTuple):
    """Name of a number with its labels, sorted by label name."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()


class Counters:
    """Named numbers behind one lock; a snapshot is a consistent moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[Key, int | float] = {}

    def inc(self, name: str, n: int = 1, **labels: str) -> None:
        """Add n to a counter. Raises KeyError for a name without help text."""
        key = _key(name, labels)
        with self._lock:
            self._numbers[key] = self._numbers.get(key, 0) + n

    def add_many(self, deltas: Iterable[tuple[Key, int]]) -> None:
        """Add several deltas at the same moment, so that no snapshot sees half of them."""
        with self._lock:
            for key, n in deltas:
                self._numbers[key] = self._numbers.get(key, 0) + n

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge. Raises KeyError for a name without help text."""
        key = _key(name, labels)
        with self._lock:
            self._numbers[key] = value

    def get(self, name: str, **labels: str) -> int | float:
        """Value of one number, 0 when it was never touched."""
        with self._lock:
            return self._numbers.get(_key(name, labels), 0)

    def total(self, name: str) -> int | float:
        """Sum over all labels of one name."""
        with self._lock:
            return sum(value for key, value in self._numbers.items() if key.name == name)

    def snapshot(self) -> dict[Key, int | float]:
        """Copy of all numbers at one moment."""
        with self._lock:
            return dict(self._numbers)

    def load(self, numbers: Mapping[Key, int]) -> None:
        """Start values from the registry."""
        with self._lock:
            self._numbers.update(numbers)


def _key(name: str, labels: dict[str, str]) -> Key:
    if name not in HELP:
        raise KeyError(f"counter {name} has no help text in shutan_gateway.counters.HELP")
    return Key(name, tuple(sorted(labels.items())))


def prometheus_text(numbers: Mapping[Key, int | float]) -> str:
    """Prometheus text exposition format 0.0.4 of a snapshot; counters end in `_total`, the rest are gauges."""
    lines: list[str] = []
    last = ""
    for key in sorted(numbers):
        if key.name != last:
            last = key.name
            kind = "counter" if key.name.endswith("_total") else "gauge"
            lines += [f"# HELP {key.name} {HELP[key.name]}", f"# TYPE {key.name} {kind}"]
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in key.labels)
        lines.append(f"{key.name}{{{labels}}} {numbers[key]}" if labels else f"{key.name} {numbers[key]}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
