"""Intake: the thread that drains the mailbox on a tick, commits the batch with one fdatasync and then acknowledges."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shutan_gateway.errors import RetryLater, StateUnavailable
from shutan_gateway.intake.ack import ack_command, rebirth_command
from shutan_gateway.intake.host import Host, HostSettings
from shutan_gateway.intake.offered import Offered
from shutan_gateway.intake.recovery import recover, save
from shutan_gateway.link.mailbox import LINK_UP, Chunk, Message

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from shutan_gateway.config import IntakeSection
    from shutan_gateway.counters import Counters
    from shutan_gateway.intake.batch import Batch
    from shutan_gateway.intake.node_table import NodeTable
    from shutan_gateway.intake.offers import Offer, Offers
    from shutan_gateway.intake.sessions import Node
    from shutan_gateway.link.mailbox import Mailbox
    from shutan_gateway.payload.decoder import Shapes
    from shutan_gateway.quarantine import Quarantine
    from shutan_gateway.registry.state import State
    from shutan_gateway.spool.log import Spool

__all__ = ["Intake", "Parts", "Publisher"]

log = logging.getLogger("shutan.intake")

_DRAIN_MESSAGES = 1_000
_DRAIN_BYTES = 1_000_000
_DRAIN_OFFERS = 1_000
_IDLE_S = 0.1  # longest sleep: resolution of the timers
_RETRY_S = 0.5  # between attempts while the disk refuses: space that returns is used at once
_GAUGES_S = 1.0


class Publisher(Protocol):
    """The way back to the nodes."""

    @property
    def up(self) -> bool:
        """Whether there is a session with the broker."""
        ...

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send at QoS 0; False when there is no session (the node is told later)."""
        ...


def _nothing() -> None:
    """No watchdog."""


class Parts(NamedTuple):
    """What intake works with."""

    mailbox: Mailbox
    spool: Spool
    state: State
    counters: Counters
    publisher: Publisher
    shapes: Shapes
    offers: Offers
    quarantine: Quarantine | None = None
    nodes: NodeTable | None = None
    beat: Callable[[], None] = _nothing  # called at each round: systemd's watchdog


class Intake:
    """One run of intake; after an unexpected error a new one starts from what is durable."""

    def __init__(self, parts: Parts, settings: IntakeSection, stop: threading.Event) -> None:
        self._parts = parts
        self._settings = settings
        self._stop = stop
        self._host = Host(
            parts.state,
            HostSettings(
                settings.reorder_s,
                settings.rebirth_min_interval_s,
                settings.max_payload_bytes,
                settings.conflict_window,
            ),
            parts.shapes,
            quarantine=parts.quarantine,
        )
        self._offered = Offered(parts.state, parts.shapes, self._host.acceptor)
        if parts.nodes is not None:
            parts.nodes.attach(self._host.nodes, self._offered.devices, self._host.acceptor.faults)
        self._trouble: tuple[str, float] | None = None  # what refuses now, since when
        self._saved_s = self._shown_s = time.monotonic()
        self._began_s = self._sync_at_s = 0.0  # when the batch was closed, when the next sync may begin
        self._unsaved = False
        self._saving = True  # the last checkpoint was saved

    def recover(self) -> bool:
        """Watermarks, totals and windows from the disk; every known node is to be asked for its births."""
        parts = self._parts
        done = self._persist(lambda: recover(parts.state, parts.spool, parts.counters, self._host))
        self._host.handle(Message(LINK_UP, b"", 0), time.monotonic())
        return done

    def run(self, ready: Callable[[], None]) -> None:
        """Recover, call `ready`, then work until the stop event is set and the mailbox is empty."""
        mailbox, offers = self._parts.mailbox, self._parts.offers
        if not self.recover():
            return
        ready()
        tick_s = self._settings.tick_ms / 1000
        while not self._stop.is_set() or len(mailbox) or len(offers):
            self._parts.beat()
            mailbox.wait(_IDLE_S)
            chunks = self._gather()
            if chunks is None or not self._finish(chunks, offers.drain(_DRAIN_OFFERS)):
                return  # stopped while the disk refuses: memory is ahead of the disk and must not be saved
            self._sync_at_s = self._began_s + tick_s
        self.checkpoint()

    def _gather(self) -> list[Chunk] | None:
        """Put messages into the batch as they come, until it is time to sync; None when stopped before that.

        The first message after a pause is synced at once, the next ones a tick later: nothing waits longer than that.
        """
        mailbox = self._parts.mailbox
        chunks: list[Chunk] = []
        count = 0
        while True:
            new = mailbox.drain(_DRAIN_MESSAGES, _DRAIN_BYTES)
            if not all(map(self._take, new)):
                return None
            chunks += new
            count += sum([len(chunk.messages) for chunk in new])
            self._began_s = time.monotonic()
            left_s = self._sync_at_s - self._began_s
            if left_s <= 0 or count >= _DRAIN_MESSAGES or self._stop.is_set():
                return chunks
            mailbox.wait(left_s)

    def tick(self, chunks: Sequence[Chunk], offers: Sequence[Offer] = ()) -> bool:
        """Messages and offers to batch to disk, then the answers; False when stopped before the batch was durable."""
        return all(map(self._take, chunks)) and self._finish(chunks, offers)

    def _finish(self, chunks: Sequence[Chunk], offers: Sequence[Offer]) -> bool:
        """Sync what is in the batch and the offers, then answer; False when stopped before that."""
        host = self._host
        for offer in offers:
            if not self._persist(lambda offer=offer: self._offered.take(offer)):
                return False
        now_s = time.monotonic()
        ready = host.tick(now_s, linked=self._parts.publisher.up)
        batch = host.acceptor.take_batch()
        if chunks:
            batch.count("shutan_messages_total", sum([len(chunk.messages) for chunk in chunks]))
        if not self._persist(lambda: self._commit(batch)):
            return False
        self._note_times(chunks)
        self._unsaved = self._unsaved or bool(batch)
        self._answer(offers, ready, now_s)
        if now_s >= self._shown_s + _GAUGES_S:
            self._shown_s = now_s
            self._show()
        if self._unsaved and now_s >= self._saved_s + self._settings.checkpoint_interval_s:
            self.checkpoint()
        return True

    def _take(self, chunk: Chunk) -> bool:
        """One chunk into the batch: runs of usual messages the short way, the others one by one; False when stopped."""
        messages, received_ms, _ = chunk
        host = self._host
        at = 0
        while at < len(messages):
            now_s = time.monotonic()
            at = host.express.take(messages, at, received_ms, now_s)
            if at < len(messages):
                message = Message(*messages[at], received_ms)
                if not self._persist(lambda message=message: host.handle(message, time.monotonic())):
                    return False
                at += 1
        return True

    def _note_times(self, chunks: Sequence[Chunk]) -> None:
        """How long the messages of a batch that is durable now have taken."""
        now_s = time.monotonic()
        for messages, _, received_s in chunks:
            self._parts.counters.observe("shutan_receive_to_durable_seconds", now_s - received_s, len(messages))

    def _commit(self, batch: Batch) -> None:
        """Make the batch durable; its counters move at that moment, before delivery can see the records."""
        spool, counters = self._parts.spool, self._parts.counters
        deltas = batch.deltas()
        if not batch.records:
            counters.add_many(deltas)
            return
        self._parts.state.flush()  # births first: every record on disk can be explained
        start, recent = spool.end.ordinal, self._parts.shapes.recent
        end = spool.append_batch(batch.records)

        def durable() -> None:
            counters.add_many(deltas)
            if recent is not None:
                recent.put(start, end, batch.records, batch.samples, time.monotonic())

        spool.sync(durable)

    def _persist(self, act: Callable[[], None]) -> bool:
        """Do something that needs the disk until it works; False when stopped before. No acknowledgement meanwhile."""
        while True:
            self._parts.beat()  # a disk that refuses is no thread that hangs: a restart would not help
            try:
                act()
            except RetryLater as error:
                if self._trouble is None:
                    self._trouble = (str(error), time.monotonic())
                    self._parts.counters.set("shutan_spool_blocked", 1)
                    log.warning("nothing is acknowledged now: %s", error)
                if self._stop.wait(_RETRY_S):
                    return False
                continue
            if self._trouble is not None:
                log.info("records are acknowledged again after %.1f s", time.monotonic() - self._trouble[1])
                self._trouble = None
                self._parts.counters.set("shutan_spool_blocked", 0)
            return True

    def _answer(self, offers: Sequence[Offer], ready: Sequence[Node], now_s: float) -> None:
        """Everything in memory is durable: tell the sources and the nodes."""
        for offer in offers:
            if offer.settled is not None:
                offer.settled()
        if self._parts.publisher.up:
            for node in ready:
                self._parts.publisher.publish(*rebirth_command(node, _now_ms()))
            self._acknowledge(now_s)

    def _acknowledge(self, now_s: float) -> None:
        """Tell each node that is due its watermark: everything in memory is durable here."""
        due = self._host.acceptor.due
        if not due:
            return
        now_ms = _now_ms()
        sent = 0
        for stream in [s for s in due if now_s - s.told_s >= self._settings.ack_interval_s]:
            if not self._parts.publisher.publish(*ack_command(stream, now_ms)):
                break  # the link is choked or gone: later
            due.discard(stream)
            stream.told_s = now_s
            sent += 1
        if sent:
            self._parts.counters.inc("shutan_acks_total", sent)

    def checkpoint(self) -> None:
        """Save watermarks and totals; then segments below every store and the checkpoint can go."""
        state, spool = self._parts.state, self._parts.spool
        self._saved_s = time.monotonic()
        try:
            save(state, spool.end, self._host.streams.values(), self._parts.counters)
            positions = [progress.position for progress in state.progress().values()]
        except StateUnavailable as error:
            self._parts.counters.inc("shutan_state_errors_total")
            if self._saving:
                log.warning("no checkpoint now (a restart would read more of the spool): %s", error)
            self._saving = False
            return
        if not self._saving:
            log.info("checkpoints are saved again")
        self._saving, self._unsaved = True, False
        if positions:  # without any store the spool is the record and keeps everything
            spool.drop_below(min([spool.end, *positions], key=lambda position: position.ordinal))

    def _show(self) -> None:
        counters, mailbox, host = self._parts.counters, self._parts.mailbox, self._host
        gauges = host.gauges()
        counters.set("shutan_nodes", gauges["online"], state="online")
        counters.set("shutan_nodes", gauges["offline"], state="offline")
        counters.set("shutan_devices_stale", gauges["stale"])
        counters.set("shutan_held_messages", gauges["held"])
        counters.set("shutan_queue_messages", len(mailbox))
        counters.set("shutan_queue_blocked_total", mailbox.blocked)
        counters.set("shutan_shape_hits_total", host.acceptor.decoder.hits)
        counters.set("shutan_shape_misses_total", host.acceptor.decoder.misses)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
