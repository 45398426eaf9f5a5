"""Counters and gauges of the gateway: every number that /metrics shows has its help text here.

Totals count **records** (data messages; births of foreign nodes that carry samples are records too) unless the name
says otherwise. `received = duplicates + rejected + accepted`; per store `accepted = stored + dead + pending`.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
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
    "shutan_spool_thinned_total": "undelivered gauge values dropped because the spool was full (when_full = thin)",
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
    "shutan_store_omitted_values_total": "values that a mirror cannot hold (strings, integers above 2^53)",
    "shutan_store_dead_rows_total": "rows that the store refused for good",
    "shutan_store_dead_letters_dropped_total": "dead letters not kept because their file is full",
    "shutan_store_oldest_pending_seconds": "age of the oldest record that waits for the store",
    "shutan_quarantine_total": "refused inputs kept in the quarantine folder with their bytes, by reason",
    "shutan_quarantine_dropped_total": "refused inputs not kept or not any more, by cause (rate, queue, disk, oldest)",
    "shutan_serial_reads_total": "readings that a wired meter answered",
    "shutan_serial_silent_total": "requests to a wired meter that nothing answered",
    "shutan_serial_damaged_total": "requests to a wired meter answered by bytes that held no whole answer",
    "shutan_serial_late_total": "readings begun more than 1.1 intervals after the one before, those left out included",
    "shutan_serial_dropped_total": "readings of wired meters given up for newer ones while intake took none",
    "shutan_serial_backfilled_total": "daily freezes of wired meters offered to fill a gap",
    "shutan_serial_reopened_total": "times that a bus was opened again after a loss",
    "shutan_serial_bus_up": "1 while the adapter or connection of a bus is open",
    "shutan_serial_meter_up": "1 while a wired meter answers",
    "shutan_serial_duty_percent": "share of the time that a bus was busy, over about a minute",
    "shutan_certificate_expiry_seconds": "seconds until it ends (negative: it has), of gateway, ca, crl, broker",
    "shutan_findings": "what is wrong now, by severity (error, warning, info), as `shutan doctor` words it",
    "shutan_notifications_sent_total": "messages sent, by [[notify]]",
    "shutan_notifications_failed_total": "messages that did not go through, by [[notify]]; they are tried again",
    "shutan_notifications_dropped_total": "findings not told because 500 are told already, by [[notify]]",
    "shutan_registry_damaged_total": "registry.sqlite found damaged at a start, by outcome (rebuilt, lost)",
    "shutan_files_days_written_total": "days written as Parquet files, repeats for late rows included",
    "shutan_files_errors_total": "days that could not be written; they stay open and are tried again",
    "shutan_uns_published_total": "values published into the unified namespace and acknowledged",
    "shutan_uns_history_total": "values not published because they are history, not the present state",
    "shutan_hj212_packets_total": "packets sent to the host computer, by command, repeats included",
    "shutan_hj212_waiting": "minute, hour and day data that the host computer has not acknowledged",
    "shutan_hj212_late_total": "samples that came too late for their day",
    "shutan_hj212_broken_frames_total": "frames of the host computer that could not be read",
    "shutan_key_energy_sent_total": "documents sent to the platform, by kind, repeats included",
    "shutan_key_energy_waiting": "documents that the platform has not acknowledged",
    "shutan_key_energy_missing": "indicators without a value in the period looked at last, by kind",
    "shutan_thread_restarts_total": "threads started again after an unexpected error",
    "shutan_receive_to_durable_seconds": "from the read of the broker's socket to the record synced in the spool",
    "shutan_durable_to_store_seconds": "from a record synced in the spool to its rows taken by the store",
    "shutan_spool_sync_seconds": "duration of one fdatasync of the spool",
    "shutan_fsyncs_total": "fsync and fdatasync calls, by what they are of (spool, registry, dead, store, adapters)",
    "shutan_adapter_messages_total": "MQTT messages of plain devices, by adapter (none: one that is gone)",
    "shutan_adapter_repeats_total": "messages that the broker sent again and that were settled or on their way already",
    "shutan_adapter_waiting_messages": "messages of plain devices whose samples are not durable yet",
    "shutan_adapter_register_events_total": "registers that lost or got back their count, by kind",
    "shutan_adapter_link_up": "1 while the adapters have their session with the broker",
    "shutan_adapter_link_attempts_total": "times that the adapters' session was tried",
    "shutan_adapter_link_connects_total": "sessions that the adapters opened",
    "shutan_adapter_link_lost_total": "sessions of the adapters that broke",
    "shutan_start_time_seconds": "start of this process, Unix time",
}

# Upper ends of a histogram's buckets in seconds; names that are observed end in _seconds and are no gauges.
BUCKETS = (
    *(0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.0175, 0.02, 0.0225, 0.025, 0.03, 0.035),
    *(0.04, 0.05, 0.06, 0.08, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 60.0),
)
_PARTS = ("_bucket", "_sum", "_count")

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


class _Histogram:
    """Counts per bucket (the last one is unbounded) and the sum of what was observed."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def numbers(self, key: Key) -> Iterable[tuple[Key, int | float]]:
        """As Prometheus has it: buckets count everything up to their end."""
        count = 0
        for end, n in zip((*map(str, BUCKETS), "+Inf"), self.counts, strict=True):
            count += n
            yield Key(f"{key.name}_bucket", tuple(sorted((*key.labels, ("le", end))))), count
        yield Key(f"{key.name}_count", key.labels), count
        yield Key(f"{key.name}_sum", key.labels), round(self.total, 6)


class Counters:
    """Named numbers behind one lock; a snapshot is a consistent moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[Key, int | float] = {}
        self._histograms: dict[Key, _Histogram] = {}

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

    def observe(self, name: str, seconds: float, n: int = 1, **labels: str) -> None:
        """Add n equal times to a histogram. Raises KeyError for a name without help text."""
        key = _key(name, labels)
        with self._lock:
            histogram = self._histograms.get(key)
            if histogram is None:
                histogram = self._histograms[key] = _Histogram()
            histogram.counts[bisect_left(BUCKETS, seconds)] += n
            histogram.total += n * seconds

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
            numbers = dict(self._numbers)
            for key, histogram in self._histograms.items():
                numbers.update(histogram.numbers(key))
            return numbers

    def load(self, numbers: Mapping[Key, int]) -> None:
        """Start values from the registry."""
        with self._lock:
            self._numbers.update(numbers)


def _key(name: str, labels: dict[str, str]) -> Key:
    if name not in HELP:
        raise KeyError(f"counter {name} has no help text in shutan_gateway.counters.HELP")
    return Key(name, tuple(sorted(labels.items())))


def prometheus_text(numbers: Mapping[Key, int | float]) -> str:
    """Prometheus text format 0.0.4 of a snapshot; counters end in `_total`, what has buckets is a histogram."""
    lines: list[str] = []
    last = ""
    for key in sorted(numbers, key=_order):
        family = _family(key.name)
        if family != last:
            last = family
            kind = "histogram" if family != key.name else "counter" if family.endswith("_total") else "gauge"
            lines += [f"# HELP {family} {HELP[family]}", f"# TYPE {family} {kind}"]
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in key.labels)
        lines.append(f"{key.name}{{{labels}}} {numbers[key]}" if labels else f"{key.name} {numbers[key]}")
    return "\n".join(lines) + "\n"


def _family(name: str) -> str:
    """Name of the help text: that of a histogram for its parts."""
    if name in HELP:
        return name
    return next((name.removesuffix(part) for part in _PARTS if name.endswith(part)), name)


def _order(key: Key) -> tuple[str, str, list[tuple[str, str]], float]:
    """By name and labels, buckets by their ends."""
    others = [label for label in key.labels if label[0] != "le"]
    end = next((float(value) for name, value in key.labels if name == "le"), 0.0)
    return _family(key.name), key.name, others, end


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
