"""The platform for key energy users as a store: readings go durably into the state file, a thread makes and sends.

A day is sent when it is over and settled, a month when all its indicators are complete enough; both again whenever a
late reading or the fill-in file changes them, and until the platform has acknowledged them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final

from shutan_gateway.config import read_secret
from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.northbound.durable import Document, Durable
from shutan_gateway.northbound.key_energy.documents import document, read_fill, refusal
from shutan_gateway.northbound.key_energy.periods import DAY, MONTH, TABLES, Days, day_item, month_item, month_of
from shutan_gateway.northbound.worker import Worker
from shutan_gateway.stores.base import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shutan_gateway.config.northbound import KeyEnergyConfig, KeyEnergyIndicator
    from shutan_gateway.counters import Counters
    from shutan_gateway.northbound.key_energy.periods import Item
    from shutan_gateway.rows import Row

__all__ = ["KeyEnergyStore"]

log = logging.getLogger("shutan.northbound")

_DAY_MS: Final = 86_400_000
_TICK_S: Final = 30.0
_AGAIN_MS: Final = 600_000
_ANSWER_BYTES: Final = 100_000
_UPSERT: Final = (
    "INSERT INTO midnight VALUES (?, ?, ?, ?) ON CONFLICT (code, day) DO UPDATE SET off_ms = excluded.off_ms, "
    "value = excluded.value WHERE excluded.off_ms < off_ms"
)


class KeyEnergyStore:
    """Store kind "key_energy". `start` begins to send; without it readings are only kept."""

    def __init__(
        self,
        config: KeyEnergyConfig,
        counters: Counters,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.name = config.name
        self._config = config
        self._counters = counters
        self._now_ms = now_ms
        self._days = Days(config.utc_offset_h)
        self._token = None if config.token_file is None else read_secret(config.token_file, "token_file")
        self._registers: dict[tuple[str, str, str, str], list[KeyEnergyIndicator]] = {}
        for one in config.indicator:
            self._registers.setdefault((one.site, one.node, one.device, one.metric), []).append(one)
        self._devices = {key[:3] for key in self._registers}
        self._state = Durable(config.state, TABLES)
        self._worker = Worker(config.name, self._work, counters)
        self._fill_seen: tuple[int, int] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._worker.start()

    def write(self, rows: Sequence[Row]) -> Written:
        """Keep the readings of the registers among rows. Raises StoreUnavailable or StoreRefused."""
        hours: set[tuple[str, str, int]] = set()
        ends: list[tuple[str, str, int, int]] = []
        touched: set[str] = set()
        tolerance_ms = int(self._config.tolerance_s * 1000)
        for row in rows:
            if row[1:4] not in self._devices or not 0 <= row.t_ns < 4 * 10**18:
                continue
            for metric, value in zip(row.metrics, row.values, strict=True):
                if type(value) is not int:  # a register is a whole number of its steps
                    continue
                for one in self._registers.get((*row[1:4], metric), ()):
                    t_ms = row.t_ns // 1_000_000
                    day, hour, since_ms = self._days.place(t_ms)
                    hours.add((one.code, day, hour))
                    touched.add(day)
                    for midnight, off_ms in ((day, since_ms), (self._following(t_ms), _DAY_MS - since_ms)):
                        if off_ms <= tolerance_ms:
                            ends.append((one.code, midnight, off_ms, value))
                            touched |= {midnight, self._days.place(t_ms - tolerance_ms - 1)[0]}
        if hours:
            with self._state.transaction() as conn:
                conn.executemany("INSERT OR IGNORE INTO hour VALUES (?, ?, ?)", sorted(hours))
                conn.executemany(_UPSERT, ends)
                conn.executemany("INSERT OR IGNORE INTO touched VALUES (?)", [(day,) for day in sorted(touched)])
        return Written(len(rows))

    def _following(self, t_ms: int) -> str:
        return self._days.place(t_ms + _DAY_MS)[0]

    def close(self) -> None:
        """End the sending thread and close the file; what is not acknowledged is sent after the next start."""
        self._worker.stop()
        self._state.close()

    def make_documents(self) -> int:
        """Work out the days and months that are over and settled; returns how many documents are new or changed."""
        self._read_fill()
        settled_ms = self._now_ms() - int(self._config.settle_s * 1000)
        days = [str(day) for (day,) in self._state.rows("SELECT day FROM touched ORDER BY day")]
        done = [day for day in days if self._days.end_ms(day) <= settled_ms]
        made = sum(self._make(DAY, day) for day in done)
        # Of a month that is not over, the days keep its last one touched.
        months = sorted({month_of(day) for day in done})
        made += sum(self._make(MONTH, month) for month in months if self._is_over(month, settled_ms))
        self._state.many("DELETE FROM touched WHERE day = ?", [(day,) for day in done])
        return made

    def _is_over(self, month: str, settled_ms: int) -> bool:
        return month_of(self._days.place(settled_ms)[0]) > month

    def _make(self, kind: str, period: str) -> bool:
        items: list[Item] = []
        missing: list[str] = []
        with self._state.transaction() as conn:
            for one in self._config.indicator:
                item = (day_item if kind == DAY else month_item)(conn, one, period)
                if item is not None and (kind == DAY or float(item.completeness) >= self._config.completeness):
                    items.append(item)
                else:
                    missing.append(one.code)
        self._counters.set("shutan_key_energy_missing", len(missing), store=self.name, kind=kind)
        if missing:
            log.warning(
                "store %s: %s %s has no value for %s: fill it in, or wait for late readings",
                self.name,
                kind,
                period,
                ", ".join(missing),
            )
        if not items or (kind == MONTH and missing):
            return False  # a month is sent whole
        config = self._config
        text = document(config.form, unit_code=config.unit_code, kind=kind, period=period, items=items, missing=missing)
        return self._state.put(Document(kind, period, text, 0), self._now_ms())

    def _read_fill(self) -> None:
        """Take the fill-in file over when it changed; a line that is wrong is said and left out."""
        path = self._config.fill_file
        if path is None:
            return
        try:
            status = path.stat()
            seen = (status.st_mtime_ns, status.st_size)
            if seen == self._fill_seen:
                return
            found, wrong = read_fill(path, {one.code for one in self._config.indicator})
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            log.warning("store %s: fill-in file %s is not read: %s", self.name, path, error)
            return
        for line in wrong:
            log.warning("store %s: fill-in file %s, %s", self.name, path, line)
        days = [one.period if len(one.period) > len("2026-11") else f"{one.period}-01" for one in found]
        with self._state.transaction() as conn:
            conn.executemany("INSERT OR REPLACE INTO fill VALUES (?, ?, ?)", found)
            conn.executemany("INSERT OR IGNORE INTO touched VALUES (?)", [(day,) for day in days])
        self._fill_seen = seen

    def _work(self) -> float:
        """Once: make what is due and send it. Raises StoreUnavailable when the platform does not take it."""
        self.make_documents()
        self._show()
        for one in self._state.due(self._now_ms()):
            if self._worker.ending:
                break
            self._send(one)
        self._show()
        return _TICK_S

    def _show(self) -> None:
        self._counters.set("shutan_key_energy_waiting", self._state.waiting(), store=self.name)

    def _send(self, one: Document) -> None:
        """Send one document. Raises StoreUnavailable; then it is due again later."""
        said = None
        try:
            self._put_file(one)
            if self._config.url is not None:
                said = self._post(one)
        except OSError as error:
            said = str(error)
        self._counters.inc("shutan_key_energy_sent_total", store=self.name, kind=one.kind)
        if said is None:
            self._state.acknowledged(one, self._now_ms())
            return
        self._state.failed(one, self._now_ms() + _AGAIN_MS, said)
        raise StoreUnavailable(f"{one.kind} {one.key}: {said}")

    def _put_file(self, one: Document) -> None:
        if self._config.folder is None:
            return
        self._config.folder.mkdir(parents=True, exist_ok=True)
        path = self._config.folder / f"{self._config.unit_code}-{one.kind}-{one.key}.{self._config.form}"
        temporary = path.with_name(f".{path.name}.part")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(one.body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def _post(self, one: Document) -> str | None:
        """None when the platform acknowledged, else what it said."""
        headers = {
            "Content-Type": f"application/{self._config.form}; charset=utf-8",
            "X-Document": f"{one.kind}/{one.key}",
        }
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        url = str(self._config.url)
        request = urllib.request.Request(url, one.body.encode(), headers)  # noqa: S310 - http(s) by the configuration
        try:
            with urllib.request.urlopen(request, timeout=self._config.timeout_s) as answer:  # noqa: S310 - see above
                return refusal(answer.status, answer.read(_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                return refusal(error.code, error.read(_ANSWER_BYTES))
