"""The gateway service: wires link, intake, spool, delivery and http, and ends them in the order of the data.

link (network thread) -> mailbox -> intake thread -> spool -> one delivery thread per store
sources (own threads) -> offers ----^         |
                                              +-- registry (SQLite), quarantine
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from shutan_gateway.counters import Counters, Key
from shutan_gateway.deliver.deliverer import Deliverer
from shutan_gateway.errors import GatewayError, StartError
from shutan_gateway.http import HttpServer
from shutan_gateway.intake.loop import Intake, Parts
from shutan_gateway.intake.node_table import NodeTable
from shutan_gateway.intake.offers import Offers
from shutan_gateway.intake.recovery import durable_position
from shutan_gateway.link.mailbox import Mailbox
from shutan_gateway.link.session import Link
from shutan_gateway.operation.notify import create_watch
from shutan_gateway.operation.systemd import Pulses
from shutan_gateway.payload.decoder import Shapes
from shutan_gateway.quarantine import FOLDER as QUARANTINE
from shutan_gateway.quarantine import Quarantine
from shutan_gateway.registry.rescue import open_registry
from shutan_gateway.rows import RowReader
from shutan_gateway.sources import SOURCES, SourceTools, Writer, open_sources
from shutan_gateway.spool.disk import Disk
from shutan_gateway.spool.log import Spool
from shutan_gateway.spool.retention import Retention
from shutan_gateway.stores import open_store
from shutan_gateway.supervise import Supervised
from shutan_gateway.writes import Audit, Desk
from shutan_gateway.writes.audit import FOLDER as AUDIT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from shutan_gateway.config import GatewayConfig, StoreConfig
    from shutan_gateway.intake.node_table import NodeFacts
    from shutan_gateway.sources import Place
    from shutan_gateway.stores import Store

__all__ = ["Service"]

log = logging.getLogger("shutan.service")

_MAILBOX_BYTES = 32_000_000
_OFFERS = 10_000
MANY_BIRTHS = 10_000  # in the registry: those that nothing needs are looked for
_INTAKE_END_S = 10.0
_LINK_END_S = 5.0
_LATE_S = 90.0  # a link that connects, and waits before the next try, needs half of it


class Service:
    """One gateway process. `start`, then wait for `ended`, then `stop`."""

    def __init__(self, config: GatewayConfig) -> None:
        """Open everything on disk. Raises StartError or ConfigError; nothing runs yet and nothing is left open."""
        self._config = config
        self.ended = threading.Event()  # set by stop requests and by a thread that cannot go on
        self.failed: str | None = None
        self._stop_intake = threading.Event()
        self._recovered = threading.Event()
        self._connecting = False
        self.pulses = Pulses()  # of the threads without which nothing comes in
        self._nodes = NodeTable()
        self._deliverers: dict[str, Deliverer] = {}
        self._shapes = Shapes(delivered=bool(config.store))
        self.counters = Counters()
        self.counters.set("shutan_start_time_seconds", round(time.time(), 3))
        self._mailbox = Mailbox(config.intake.queue_messages, _MAILBOX_BYTES)
        self._offers = Offers(_OFFERS, self._mailbox.wake)
        self.link = Link(
            config.mqtt,
            config.gateway.host_id,
            self._mailbox,
            self.counters,
            payload_limit=config.intake.max_payload_bytes,
        )
        folder = config.gateway.data_dir
        # Sources are ended by `stop` before the rest, so only a failure in here ends those that `unused` knows.
        with contextlib.ExitStack() as opened, contextlib.ExitStack() as unused:
            opened.callback(os.close, _lock_folder(folder))
            self._state = open_registry(folder, self.counters)
            opened.callback(self._state.close)
            self._spool = self._open_spool(folder / "spool")
            opened.callback(self._spool.close)
            self._prune(folder)
            self.quarantine = Quarantine(folder / QUARANTINE, self.counters)
            opened.callback(self.quarantine.close)
            self._tools = SourceTools(self._offers, self.counters, self.quarantine, folder)
            self._sources = open_sources(config, self._tools)
            for source in self._sources:
                unused.callback(source.stop)
            self.desk = Desk(
                config.command,
                self.link,
                self._spool,
                lambda: RowReader(self._state, self._shapes),
                Audit(folder / AUDIT),
                self._writer,
            )
            self._watch = create_watch(config, self)
            pages = {"/nodes": self.nodes}
            self.http = HttpServer(config.http.host, config.http.port, self.numbers, self.health, pages)
            opened.callback(self.http.stop)
            unused.pop_all()
            self._opened = opened.pop_all()
        self._intake = self._supervised("intake", self._run_intake)
        self._network = self._supervised("link", self.link.run)

    def _writer(self, place: Place) -> Writer | None:
        """The source that writes to a wired device."""
        return next((source for source in self._sources if isinstance(source, Writer) and source.has(place)), None)

    def _prune(self, folder: Path) -> None:
        """Let go of births that nothing needs, where there are very many of them."""
        if self._state.births() >= MANY_BIRTHS:
            from shutan_gateway.upkeep.prune import prune  # noqa: PLC0415 - hardly any gateway ever needs it

            try:
                prune(self._state, folder, MANY_BIRTHS)
            except GatewayError as error:
                log.warning("births that nothing needs are kept for now: %s", error)

    def _open_spool(self, folder: Path) -> Spool:
        spool = self._config.spool
        return Spool.open(
            folder,
            segment_bytes=spool.segment_bytes,
            max_bytes=spool.max_bytes,
            counters=self.counters,
            durable=durable_position(self._state),
            retention=self._retention(),
        )

    def _retention(self) -> Retention:
        spool, thinner = self._config.spool, None
        if spool.when_full == "thin":
            from shutan_gateway.upkeep.thin import Thinner  # noqa: PLC0415 - only where it is wanted

            thinner = Thinner(self._state, self._shapes, self.counters)
        return Retention(spool.keep_days * 86_400, thinner=thinner)

    def _supervised(self, name: str, work: Callable[[], None]) -> Supervised:
        return Supervised(name, work, counters=self.counters, stop=self.ended, give_up=self._give_up)

    def _run_intake(self) -> None:
        parts = Parts(
            self._mailbox,
            self._spool,
            self._state,
            self.counters,
            self.link,
            self._shapes,
            self._offers,
            self.quarantine,
            self._nodes,
            self.pulses.watch("intake", _LATE_S),
        )
        Intake(parts, self._config.intake, self._stop_intake).run(self._recovered.set)

    def _give_up(self, name: str) -> None:
        self.failed = name
        self.ended.set()

    def start(self) -> None:
        """Start all threads: http at once, delivery and link when intake knows what is on disk."""
        self.http.start()
        self._intake.start()
        while not (self._recovered.wait(0.1) or self.ended.is_set()):
            pass
        if self.ended.is_set():
            return
        self._deliver(_open_stores(self._config.store, self.counters))
        self.link.beat = self.pulses.watch("link", _LATE_S)
        self._network.start()
        for source in self._sources:
            source.start()
        self._connecting = True
        self._watch.start()

    def _deliver(self, stores: list[Store]) -> None:
        """Start delivery to stores that were opened; the place of a store that is not configured is forgotten."""
        for gone in self._state.keep_stores([store.name for store in self._config.store]):
            log.warning("store %s is not configured any more: its place in the spool is forgotten", gone)
        for store in stores:
            self._state.add_store(store.name, self._spool.first)
            self._deliverers[store.name] = Deliverer(
                store,
                spool=self._spool,
                reader=RowReader(self._state, self._shapes),
                state=self._state,
                counters=self.counters,
                dead_dir=self._config.gateway.data_dir / "dead",
                recent=self._shapes.recent,
            )
            self._deliverers[store.name].start()

    def follow(self, config: GatewayConfig) -> bool:
        """Take over a configuration whose stores or sources alone differ, while everything else goes on.

        False: something else differs, so the service must be stopped and made anew; nothing was changed.
        Raises ConfigError or StartError before anything is changed.
        """
        moved = {name for name in type(config).model_fields if getattr(config, name) != getattr(self._config, name)}
        if moved - {"store", *SOURCES} or ("store" in moved and not (config.store and self._config.store)):
            return False
        before = {store.name: store for store in self._config.store}
        new = _open_stores([store for store in config.store if before.get(store.name) != store], self.counters)
        try:
            self._renew_sources(config, moved)
        except BaseException:
            for store in new:
                store.close()
            raise
        kept = {store.name for store in config.store if before.get(store.name) == store}
        _end([self._deliverers.pop(name) for name in list(self._deliverers) if name not in kept], wait=True)
        self._config = config
        self._watch.follow(config)
        self._deliver(new)
        return True

    def _renew_sources(self, config: GatewayConfig, moved: Collection[str]) -> None:
        """Other sources in the place of those that moved. Raises as `follow`, before anything is changed."""
        for source in open_sources(config, self._tools, moved):  # raises for what cannot be
            source.stop()  # it has read what those in work are still writing
        for source in [source for source in self._sources if source.name in moved]:
            source.stop()
        self._sources = [source for source in self._sources if source.name not in moved]
        for source in open_sources(config, self._tools, moved):
            self._sources.append(source)
            source.start()

    def stop(self) -> None:
        """Say goodbye, commit what came in, end everything. Records not delivered yet stay in the spool."""
        self.pulses.clear()
        self._watch.stop()
        if self._connecting:
            self.link.stop()
            self._network.join(_LINK_END_S)
        for source in self._sources:
            source.stop()
        self._offers.close()
        self._mailbox.close()
        self._stop_intake.set()
        self.ended.set()
        if not self._intake.join(_INTAKE_END_S):
            log.warning("intake did not end in time; what it had not committed was never acknowledged")
        _end(self._deliverers.values())
        self._opened.close()

    def numbers(self) -> dict[Key, int | float]:
        """All numbers at one moment; per store accepted = stored + dead + pending."""
        # First: accepted can only grow until the snapshot. A delivery is ahead of what it has committed.
        progress = self._state.progress() | {name: one.progress for name, one in list(self._deliverers.items())}
        numbers = self.counters.snapshot()
        numbers[Key("shutan_fsyncs_total", (("of", "registry"),))] = self._state.syncs
        accepted = int(numbers.get(Key("shutan_accepted_total"), 0))
        for store in self._config.store:
            if store.name not in progress:
                continue
            place = progress[store.name]
            label = (("store", store.name),)
            numbers[Key("shutan_store_accepted_total", label)] = accepted - place.start_ordinal
            numbers[Key("shutan_store_stored_total", label)] = place.stored
            numbers[Key("shutan_store_dead_total", label)] = place.dead
            numbers[Key("shutan_store_pending", label)] = accepted - place.position.ordinal
        return numbers

    def nodes(self) -> list[NodeFacts]:
        """Nodes and devices, when each was last heard."""
        return self._nodes.rows()

    def health(self) -> tuple[bool, dict[str, object]]:
        """(intake works, facts). A store or broker that is away is `degraded`: a restart would not help."""
        blocked = self.counters.get("shutan_spool_blocked") == 1
        ready = self._recovered.is_set() and self.failed is None
        stores = {name: deliverer.trouble or "ok" for name, deliverer in list(self._deliverers.items())}
        sources = {source.name: source.trouble or "ok" for source in self._sources}
        sound = all(state == "ok" for state in [*stores.values(), *sources.values()])
        whole = ready and not blocked and self.link.up and sound
        facts: dict[str, object] = {
            "status": "ok" if whole else "degraded" if ready and not blocked else "failing",
            "broker": "connected" if self.link.up else "not connected",
            "spool": "blocked" if blocked else "ok",
            "stores": stores,
            "sources": sources,
            "nodes_online": self.counters.get("shutan_nodes", state="online"),
        }
        return ready and not blocked, facts


def _open_stores(configs: Iterable[StoreConfig], counters: Counters) -> list[Store]:
    """The stores of some tables; if one cannot be opened, those before it are closed. Raises StartError."""
    stores: list[Store] = []
    with contextlib.ExitStack() as opened:
        for config in configs:
            stores.append(open_store(config, counters))
            opened.callback(stores[-1].close)
        opened.pop_all()
    return stores


def _end(deliverers: Collection[Deliverer], *, wait: bool = False) -> None:
    """End deliveries, all at the same time: one that hangs in a request does not hold up the others.

    wait: until each has ended, however long its request takes (bounded by the store's own timeout).
    """
    left = list(deliverers)
    while left:
        with ThreadPoolExecutor(len(left), "shutan-end") as pool:
            ended = list(pool.map(Deliverer.stop, left))
        left = [deliverer for deliverer, done in zip(left, ended, strict=True) if not done]
        if left and not wait:
            log.warning("a delivery did not end in time; it is repeated at the next start")
            return


def _lock_folder(folder: Path) -> int:
    """Descriptor of the lock file that keeps a second gateway out of the same folder. Raises StartError."""
    try:
        _make_folder(folder)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StartError(f"gateway.data_dir {folder}: {error.strerror}; give this user a folder to write") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StartError(f"gateway.data_dir {folder}: another gateway is using it; stop that one first") from error
    return descriptor


def _make_folder(folder: Path) -> None:
    """The folder and those above it, each name durable: a power cut would take with it all that is inside."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    Disk().sync_folder(folder.parent)
