"""From a message to offers and back to its acknowledgement: reading, register repair, waiting for the spool, commit.

One thread does all of this (source.py); only `settled` is called by the gateway's intake thread. Bounded: the link
stops reading when `busy` says so, and the broker sends no more than its limit of unacknowledged messages.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
import traceback
from collections import deque
from typing import TYPE_CHECKING

from shutan_gateway.adapters.exact import whole
from shutan_gateway.adapters.memory import SEEN_MAX, Arrival, Memory, Place, Settled
from shutan_gateway.adapters.registers import Register, advance
from shutan_gateway.counters import Key
from shutan_gateway.errors import Refusal, StateUnavailable
from shutan_gateway.intake.offers import Offer, sample
from shutan_wire import datatypes as dt
from shutan_wire import quality

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shutan_gateway.adapters.readings import Adapter, DeviceSample, Inbound, Reading
    from shutan_gateway.sources import SourceTools
    from shutan_wire.model import Metric

__all__ = ["AdapterIntake", "Delivery"]

log = logging.getLogger("shutan.adapters")

_WAITING_MAX = 1_000  # messages whose samples are not durable yet
_REGISTERS_MAX = 20_000
_RETRY_S = 0.5  # between attempts while the state file cannot be written
_DRIFT_MS = 1_000  # receive times run ahead of the clock by no more than this


class Delivery:
    """One message on its way: what it changes, how many offers are open, how to acknowledge it (None = QoS 0)."""

    __slots__ = ("acknowledge", "arrival", "digest", "done", "left", "notes", "offers", "registers")

    def __init__(self, digest: bytes, acknowledge: Callable[[], None] | None) -> None:
        self.digest = digest
        self.acknowledge = acknowledge
        self.arrival = 0  # number of its note, when it has no time of its own
        self.offers: list[Offer] = []
        self.left = 0  # offers that are not durable yet
        self.done = False  # committed here
        self.registers: list[tuple[Place, Register]] = []
        self.notes: list[tuple[str, str, str | None]] = []


class AdapterIntake:
    """All adapters of one gateway behind their link."""

    def __init__(
        self, adapters: Sequence[Adapter], memory: Memory, tools: SourceTools, wake: Callable[[], None], tick_s: float
    ) -> None:
        """tick_s: least time between two transactions of the memory. Raises StartError for a damaged one."""
        self.adapters = adapters
        self._memory = memory
        self._tools = tools
        self._wake = wake
        self._tick_s = tick_s
        self._due_s = 0.0  # monotonic time from which the memory may be written again
        self._registers = memory.registers()
        self._offers: deque[Offer] = deque()  # not taken by the gateway yet
        self._open: dict[int, Delivery] = {}  # by identity, in order of arrival
        self._settled: deque[Delivery] = deque()  # filled by the gateway's intake thread
        self._last: deque[Delivery] = deque(maxlen=SEEN_MAX)  # committed and acknowledged
        self._again: list[Delivery] = []  # what a broker may send again in this session
        self._unnoted: list[tuple[Delivery, Arrival]] = []  # receive times that are not on disk yet
        self._arrived = memory.arrivals()
        self._arrivals = max((one.number for one in self._arrived), default=0)
        self._last_ms = 0
        for digest in memory.seen():
            known = Delivery(digest, None)
            known.done = True
            self._last.append(known)
        self.trouble: str | None = None
        tools.counters.set("shutan_adapter_waiting_messages", 0)

    @property
    def busy(self) -> bool:
        """Whether no further message should be read now."""
        return len(self._open) >= _WAITING_MAX or (bool(self._offers) and len(self._open) >= _WAITING_MAX // 2)

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._open

    @property
    def wait_s(self) -> float | None:
        """Time until `work` has something to do of itself; None = when something comes or settles."""
        return max(0.0, self._due_s - time.monotonic()) if self._unnoted or self._settled else None

    def new_session(self, *, kept: bool = True) -> None:
        """The broker may now send again what it has no acknowledgement for, unless it has not kept the session."""
        self._again = [*self._last, *self._open.values()] if kept else []
        if not kept and self._arrived:
            self._arrived = []
            with contextlib.suppress(StateUnavailable):  # they are looked at only when something comes again
                self._memory.forget_arrivals()
        for delivery in self._open.values():
            delivery.acknowledge = None

    def take(self, message: Inbound, *, again: bool, acknowledge: Callable[[], None] | None) -> None:
        """One message of the broker. again: it says that it sent this before (DUP); acknowledge None: QoS 0."""
        digest = hashlib.sha256(message.topic.encode() + b"\0" + message.payload).digest() if acknowledge else b""
        if again and acknowledge is not None and self._known(digest, acknowledge):
            self._tools.counters.inc("shutan_adapter_repeats_total")
            return
        delivery = Delivery(digest, acknowledge)
        self._open[id(delivery)] = delivery
        message = message._replace(received_ms=self._received(message.received_ms, delivery, again=again))
        adapter = next((one for one in self.adapters if one.claims(message.topic)), None)
        label = "none" if adapter is None else adapter.name
        self._tools.counters.inc("shutan_adapter_messages_total", adapter=label)
        timed = adapter is None or self._read(adapter, message, delivery)
        delivery.left = len(delivery.offers)
        if not delivery.offers:
            self._settled.append(delivery)
        elif timed or not digest or delivery.arrival:
            self._hand_over(delivery)
        else:
            self._arrivals += 1
            delivery.arrival = self._arrivals
            self._unnoted.append((delivery, Arrival(self._arrivals, digest, message.received_ms)))

    def _received(self, now_ms: int, delivery: Delivery, *, again: bool) -> int:
        """Receive time of a message: the noted one when it comes again, else now, but never one twice."""
        if again:
            for index, arrival in enumerate(self._arrived):
                if arrival.digest == delivery.digest:
                    del self._arrived[index]
                    delivery.arrival = arrival.number
                    return arrival.received_ms
        if self._last_ms - _DRIFT_MS < now_ms <= self._last_ms:
            now_ms = self._last_ms + 1
        self._last_ms = now_ms
        return now_ms

    def _hand_over(self, delivery: Delivery) -> None:
        """Its offers may go to the gateway, in order of arrival: behind those that wait for a note they wait too."""
        if self._unnoted:
            self._unnoted.append((delivery, Arrival(0, b"", 0)))
        else:
            self._offers.extend(delivery.offers)

    def _known(self, digest: bytes, acknowledge: Callable[[], None]) -> bool:
        """A message sent again: settled already (acknowledge it) or still on its way (its new number counts)."""
        for index, delivery in enumerate(self._again):
            if delivery.digest == digest:
                del self._again[index]
                if delivery.done:
                    acknowledge()
                else:
                    delivery.acknowledge = acknowledge
                return True
        return False

    def _read(self, adapter: Adapter, message: Inbound, delivery: Delivery) -> bool:
        """Offers of a message; whether all its samples have a time of their own."""
        try:
            samples = adapter.read(message)
        except Refusal as refusal:
            self._refuse(adapter, message, refusal.reason, refusal.detail)
            samples = []
        except Exception as error:  # noqa: BLE001 - one message of a stranger must not stop all others: logged, counted, kept
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            log.warning("adapter %s failed at %s: %r; the message is in the quarantine", adapter.name, where, error)
            self._refuse(adapter, message, "adapter_failed", f"{where}: {error!r}")
            samples = []
        delivery.notes = [(adapter.name, note.key, note.text) for note in adapter.notes()]
        delivery.offers = [self._offer(adapter, message, one, delivery) for one in samples]
        return all(one.t_ms is not None for one in samples)

    def _refuse(self, adapter: Adapter, message: Inbound, reason: str, detail: str) -> None:
        # Both at one moment: received = duplicates + rejected + accepted.
        rejected = Key("shutan_rejected_total", (("reason", reason),))
        self._tools.counters.add_many([(Key("shutan_received_total"), 1), (rejected, 1)])
        self._tools.quarantine.keep(
            f"adapter/{adapter.name}",
            reason,
            detail,
            message.payload,
            topic=message.topic,
            received_ms=message.received_ms,
        )

    def _offer(self, adapter: Adapter, message: Inbound, found: DeviceSample, delivery: Delivery) -> Offer:
        t_ms = message.received_ms if found.t_ms is None else found.t_ms
        # A retained value without a time of its own is older than its arrival by nobody knows how much.
        code = quality.STALE if message.retained and found.t_ms is None else quality.GOOD
        metrics: list[Metric] = []
        for reading in found.readings:
            if reading.register is not None:
                place = Place(adapter.site, found.node, found.device, reading.name)
                metrics += self._register(place, reading, t_ms, code, delivery)
            else:
                now = quality.BAD if reading.value is None else code
                metrics.append(sample(reading.name, reading.datatype, reading.value, t_ms, now))

        def settled() -> None:
            delivery.left -= 1  # by one thread only: the gateway's intake
            if delivery.left == 0:
                self._settled.append(delivery)
                self._wake()

        return Offer(adapter.site, found.node, found.device, tuple(metrics), message.received_ms, settled)

    def _register(self, place: Place, reading: Reading, t_ms: int, code: int, delivery: Delivery) -> list[Metric]:
        raw = reading.register
        assert raw is not None  # noqa: S101 - the caller looked
        shown = sample(f"{place.metric}_raw", reading.datatype, whole(raw), t_ms, code)
        known = self._registers.get(place)
        if known is None and len(self._registers) >= _REGISTERS_MAX:
            self._tools.counters.inc("shutan_faults_total", kind="too_many_registers")
            return [sample(place.metric, reading.datatype, whole(raw), t_ms, code), shown]
        step = advance(known, raw, t_ms)
        if step.register is not known:
            self._registers[place] = step.register
            delivery.registers.append((place, step.register))
        metrics = [sample(place.metric, reading.datatype, whole(step.repaired), t_ms, code), shown]
        if step.event and known is not None:
            text = f"{step.event}: {whole(known.raw)} -> {whole(raw)}, goes on at {whole(step.repaired)}"
            log.warning("%s/%s/%s %s: %s", *place, text)
            self._tools.counters.inc("shutan_adapter_register_events_total", kind=step.event)
            metrics.append(sample(f"{place.metric}_event", dt.STRING, text, t_ms))
        return metrics

    def work(self) -> None:
        """Write the memory once a tick, hand over what the gateway has room for, acknowledge what is durable."""
        now_s = time.monotonic()
        if (self._unnoted or self._settled) and now_s >= self._due_s:
            self._due_s = now_s + self._tick_s
            if not self._remember():
                self._due_s = now_s + _RETRY_S
        while self._offers and self._tools.offers.put(self._offers[0], 0):
            self._offers.popleft()
        self._tools.counters.set("shutan_adapter_waiting_messages", len(self._open))

    def _remember(self) -> bool:
        """One transaction: receive times of what may go on then, and all that has settled, to be acknowledged then."""
        ready = list(self._settled)
        changes = [Settled(one.digest, tuple(one.registers), tuple(one.notes), one.arrival) for one in ready]
        try:
            self._memory.commit(changes, [arrival for _, arrival in self._unnoted if arrival.number])
        except StateUnavailable as error:
            self._tools.counters.inc("shutan_state_errors_total")
            if self.trouble is None:
                log.warning("nothing is acknowledged to devices now: %s", error)
            self.trouble = str(error)
            return False
        self._tools.counters.inc("shutan_fsyncs_total", of="adapters")
        if self.trouble is not None:
            log.info("messages of devices are acknowledged again")
            self.trouble = None
        for delivery, _ in self._unnoted:
            self._offers.extend(delivery.offers)
        self._unnoted.clear()
        for delivery in ready:
            self._settled.popleft()
            del self._open[id(delivery)]
            delivery.done = True
            if delivery.digest:
                self._last.append(delivery)
            if delivery.acknowledge is not None:
                delivery.acknowledge()
        return True
