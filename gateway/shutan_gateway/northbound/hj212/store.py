"""HJ 212 as a store: samples of the configured factors go durably into the state file; a thread makes and sends data.

Minute, hour and day data ask for an answer (9014) and are sent until it came; real-time data is sent once, as it is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from shutan_gateway.config import read_secret
from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.northbound.durable import Document, Durable
from shutan_gateway.northbound.hj212.answers import Answers
from shutan_gateway.northbound.hj212.data import (
    DAY,
    HOUR,
    MINUTE,
    REAL_TIME,
    TABLES,
    Calendar,
    Latest,
    period_fields,
    real_time,
)
from shutan_gateway.northbound.hj212.frame import ANSWER, MAX_SEGMENT, SPLIT, VERSIONS, Packet
from shutan_gateway.northbound.hj212.link import HostLink
from shutan_gateway.northbound.worker import Worker
from shutan_gateway.stores.base import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shutan_gateway.config.northbound import Hj212Config, Hj212Factor
    from shutan_gateway.counters import Counters
    from shutan_gateway.rows import Row

__all__ = ["Hj212Store"]

# Samples are needed until the day that they belong to is settled; what comes later is too late for its day.
_SAMPLE_DAYS: Final = 3
_DAY_MS: Final = 86_400_000
_HEAD_SIGNS: Final = 170  # QN to Flag, PNUM, PNO and CP=&&&& with the longest MN
_AGAIN_MS: Final = 60_000
_TICK_S: Final = 0.25  # how soon a request of the host is seen


class Hj212Store:
    """Store kind "hj212". `start` begins to send; without it rows are only kept."""

    def __init__(
        self, config: Hj212Config, counters: Counters, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self.name = config.name
        self._config = config
        self._counters = counters
        self._now_ms = now_ms
        self._pw = read_secret(config.password_file, "password_file")
        self._factors: dict[tuple[str, str, str, str], list[Hj212Factor]] = {}
        for factor in config.factor:
            self._factors.setdefault((factor.site, factor.node, factor.device, factor.metric), []).append(factor)
        self._devices = {key[:3] for key in self._factors}
        self._calendar = Calendar(config.utc_offset_h, config.minutes)
        self._state = Durable(config.state, TABLES)
        self._latest: dict[str, Latest] = {}
        self._link = HostLink(config.host, config.port, config.reply_timeout_s, counters, config.name)
        self._answers = Answers(config, self._calendar, self._state, self._pw)
        self._worker = Worker(config.name, self._work, counters)
        self._next_rtd_ms = 0
        self._last_qn_ms = 0
        self._swept_ms = 0

    def start(self) -> None:
        """Begin to send."""
        self._worker.start()

    def write(self, rows: Sequence[Row]) -> Written:
        """Keep the samples of the factors among rows. Raises StoreUnavailable or StoreRefused."""
        oldest_ms = self._now_ms() - _SAMPLE_DAYS * _DAY_MS
        samples: list[tuple[str, int, int | float, int]] = []
        late = 0
        for row in rows:
            if row[1:4] not in self._devices:
                continue
            codes = dict(row.qualities)
            for metric, value in zip(row.metrics, row.values, strict=True):
                for factor in self._factors.get((*row[1:4], metric), ()):
                    if isinstance(value, str) or (factor.cumulative and not isinstance(value, int)):
                        continue
                    t_ms = row.t_ns // 1_000_000
                    if t_ms < oldest_ms:
                        late += 1
                        continue
                    samples.append((factor.code, t_ms, value, int(metric not in codes)))
        if late:
            self._counters.inc("shutan_hj212_late_total", late, store=self.name)
        if samples:
            self._keep(samples)
        return Written(len(rows))

    def _keep(self, samples: Sequence[tuple[str, int, int | float, int]]) -> None:
        cumulative = {factor.code for factor in self._config.factor if factor.cumulative}
        touched: set[tuple[str, int]] = set()
        for code, t_ms, _, _ in samples:
            for cn in (MINUTE, HOUR, DAY):
                begin_ms = self._calendar.begin_ms(cn, t_ms)
                touched.add((cn, begin_ms))
                if code in cumulative:  # the reading before the next period's beginning
                    touched.add((cn, self._calendar.end_ms(cn, begin_ms)))
        with self._state.transaction() as conn:
            conn.executemany("INSERT OR REPLACE INTO sample VALUES (?, ?, ?, ?)", samples)
            conn.executemany("INSERT OR IGNORE INTO touched VALUES (?, ?)", sorted(touched))
        for code, t_ms, value, good in samples:
            before = self._latest.get(code)
            if before is None or before.t_ms <= t_ms:
                self._latest[code] = Latest(t_ms, value, bool(good))

    def close(self) -> None:
        """End the sending thread, close connection and file; what is not acknowledged is sent after the next start."""
        self._worker.stop()
        self._link.close()
        self._state.close()

    def make_documents(self) -> int:
        """Work out the periods that are over and settled; returns how many documents are new or changed."""
        now_ms = self._now_ms()
        settled_ms = now_ms - int(self._config.settle_s * 1000)
        found = [(str(cn), int(str(begin))) for cn, begin in self._state.rows("SELECT cn, begin_ms FROM touched")]
        done = [(cn, begin) for cn, begin in found if self._calendar.end_ms(cn, begin) <= settled_ms]
        made = 0
        for cn, begin_ms in done:
            with self._state.transaction() as conn:
                end_ms = self._calendar.end_ms(cn, begin_ms)
                fields = period_fields(conn, self._config.factor, begin_ms, end_ms)
            if fields:
                document = Document(cn, self._calendar.text(begin_ms), "\n".join(fields), 0)
                made += self._state.put(document, now_ms)
            self._state.many("DELETE FROM touched WHERE cn = ? AND begin_ms = ?", [(cn, begin_ms)])
        if now_ms - self._swept_ms > _DAY_MS // 24:
            self._swept_ms = now_ms
            self._state.many("DELETE FROM sample WHERE t_ms < ?", [(now_ms - (_SAMPLE_DAYS + 1) * _DAY_MS,)])
            self._state.forget(now_ms - self._config.keep_days * _DAY_MS)
        return made

    def _work(self) -> float:
        """Once: make what is due, answer the host, send. Raises RetryLater when the host is away."""
        self.make_documents()
        self._counters.set("shutan_hj212_waiting", self._state.waiting(), store=self.name)
        self._link.open()
        self._serve(0.0)
        for document in self._state.due(self._now_ms()):
            if self._worker.ending:
                return 0.0
            self._deliver(document)
        self._counters.set("shutan_hj212_waiting", self._state.waiting(), store=self.name)
        self._send_real_time()
        return _TICK_S

    def _deliver(self, document: Document) -> None:
        """Send one document until it is answered, ReCount times more at most. Raises StoreUnavailable."""
        for _ in range(1 + self._config.resend):
            qn = self._new_qn()
            packets = self._packets(qn, document, ANSWER)
            for packet in packets:
                self._link.send(packet)
                self._counters.inc("shutan_hj212_packets_total", store=self.name, cn=document.kind)
            if self._answered(qn, len(packets)):
                self._state.acknowledged(document, self._now_ms())
                return
        self._state.failed(document, self._now_ms() + _AGAIN_MS, "no answer")
        self._link.close()
        raise StoreUnavailable(f"{self._config.host}:{self._config.port}: no answer to CN={document.kind}")

    def _answered(self, qn: str, parts: int) -> bool:
        """Wait for the answer to all parts; one answer without a packet number stands for all."""
        end_s = time.monotonic() + self._config.reply_timeout_s
        seen: set[int] = set()
        while (left_s := end_s - time.monotonic()) > 0 and not self._worker.ending:
            for packet in self._serve(min(left_s, 0.5)):
                if packet.cn == "9014" and packet.qn == qn:
                    seen.add(packet.pno)
            if 0 in seen or len(seen) == parts:
                return True
        return False

    def _serve(self, timeout_s: float) -> list[Packet]:
        """Read what the host sent; requests are answered here, the other packets are returned."""
        others: list[Packet] = []
        for packet in self._link.receive(timeout_s):
            replies = self._answers.to(packet, self._new_qn)
            if replies is None:
                others.append(packet)
            for reply in replies or ():
                for part in self._packets(reply.qn, reply.document, 0, reply.st) if reply.document else [reply.packet]:
                    if part is not None:
                        self._link.send(part)
        return others

    def _send_real_time(self) -> None:
        now_ms, interval_s = self._now_ms(), self._config.rtd_interval_s
        if not interval_s or now_ms < self._next_rtd_ms:
            return
        self._next_rtd_ms = now_ms + int(interval_s * 1000)
        fields = real_time(self._config.factor, self._latest, now_ms - int(2000 * interval_s) - 60_000)
        if fields:
            document = Document(REAL_TIME, self._calendar.text(now_ms), "\n".join(fields), 0)
            for packet in self._packets(self._new_qn(), document, 0):
                self._link.send(packet)
                self._counters.inc("shutan_hj212_packets_total", store=self.name, cn=REAL_TIME)

    def _packets(self, qn: str, document: Document, answer: int, st: str = "") -> list[Packet]:
        """A document as one packet, or several where its fields are too long for one."""
        head = f"DataTime={document.key}"
        parts: list[str] = []
        for field in document.body.split("\n"):
            if parts and _HEAD_SIGNS + len(parts[-1]) + 1 + len(field) <= MAX_SEGMENT:
                parts[-1] += f";{field}"
            else:
                parts.append(f"{head};{field}")
        flag = VERSIONS[self._config.edition] << 2 | answer | (SPLIT if len(parts) > 1 else 0)
        several = len(parts) if len(parts) > 1 else 0
        config = self._config
        return [
            Packet(
                qn,
                st or config.st,
                document.kind,
                self._pw.reveal(),
                config.mn,
                flag,
                cp,
                several,
                number if several else 0,
            )
            for number, cp in enumerate(parts, 1)
        ]

    def _new_qn(self) -> str:
        """A request number that was not used before: the time, a millisecond later where that one was."""
        self._last_qn_ms = max(self._now_ms(), self._last_qn_ms + 1)
        return self._calendar.qn(self._last_qn_ms)
