"""Intake on real files without threads: lives of a gateway's intake, a broker that remembers, a disk that fails."""

import shutil
import threading
import time
from pathlib import Path

from shutan_gateway.config import IntakeSection
from shutan_gateway.counters import Counters
from shutan_gateway.intake.loop import Intake, Parts
from shutan_gateway.intake.offers import Offers
from shutan_gateway.intake.recovery import durable_position
from shutan_gateway.link.mailbox import Chunk, Mailbox
from shutan_gateway.payload.decoder import Shapes
from shutan_gateway.registry.state import State
from shutan_gateway.rows import Row, RowReader
from shutan_gateway.spool.disk import Disk
from shutan_gateway.spool.log import ORIGIN, Spool, SpoolRecord
from shutan_wire import records
from shutan_wire.decode import decode_payload
from support.sparkplug_node import T0_MS, Packet


class Broker:
    """Stands in for the link: remembers what nodes would hear."""

    def __init__(self) -> None:
        self.up = True
        self.acks: list[tuple[str, int, int]] = []
        self.rebirths: list[str] = []

    def publish(self, topic: str, payload: bytes) -> bool:
        found = {metric.name: metric.value for metric in decode_payload(payload).metrics}
        if records.REBIRTH in found:
            self.rebirths.append(topic)
        else:
            store, upto = found[records.ACK_STORE], found[records.ACK]
            assert isinstance(store, int)
            assert isinstance(upto, int)
            self.acks.append((topic, store, upto))
        return True

    @property
    def acked(self) -> int:
        """Highest acknowledged record of the only node."""
        return max((upto for _, _, upto in self.acks), default=0)


class FailingDisk(Disk):
    """Every operation named in `broken` fails with that error."""

    def __init__(self) -> None:
        self.broken: dict[str, int] = {}

    def _check(self, step: str) -> None:
        if step in self.broken:
            raise OSError(self.broken[step], "injected")

    def create(self, path: Path, size: int) -> int:
        self._check("create")
        return super().create(path, size)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        self._check("write")
        super().write(descriptor, data, offset)

    def sync_data(self, descriptor: int) -> None:
        self._check("sync")
        super().sync_data(descriptor)


class Life:
    """One life of a gateway's intake on a folder, without link and threads."""

    def __init__(self, folder: Path, disk: Disk | None = None, **settings: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.counters = Counters()
        self.broker = Broker()
        self.stop = threading.Event()
        self.shapes = Shapes()
        self.state = State.open(folder / "registry.sqlite")
        self.spool = Spool.open(
            folder / "spool",
            segment_bytes=2**16,
            max_bytes=2**22,
            counters=self.counters,
            disk=disk,
            durable=durable_position(self.state),
        )
        mailbox = Mailbox(1000, 10**7)
        self.offers = Offers(100, mailbox.wake)
        parts = Parts(mailbox, self.spool, self.state, self.counters, self.broker, self.shapes, self.offers)
        section = IntakeSection.model_validate({"ack_interval_s": 0.05, **settings})
        self.intake = Intake(parts, section, self.stop)
        assert self.intake.recover()

    def take(self, packets: list[Packet]) -> bool:
        return self.intake.tick([Chunk(list(packets), T0_MS, time.monotonic())])

    def die(self, number: int) -> Path:
        """The folder as a killed process leaves it, as a copy."""
        copy = self.folder.with_name(f"life{number}")
        shutil.copytree(self.folder, copy)
        self.close()
        return copy

    def close(self) -> None:
        self.spool.close()
        self.state.close()

    def records(self) -> list[SpoolRecord]:
        """Everything the spool still holds, in order."""
        found: list[SpoolRecord] = []
        position = ORIGIN
        while True:
            batch, following = self.spool.read(position, 10**6)
            if following == position:
                return found
            found += batch
            position = following

    def rows(self) -> list[Row]:
        reader = RowReader(self.state)
        return [row for record in self.records() for row in reader.rows(record)]

    def balance(self) -> tuple[int, int, int, int]:
        received = int(self.counters.get("shutan_received_total"))
        duplicates = int(self.counters.get("shutan_duplicates_total"))
        rejected = int(self.counters.total("shutan_rejected_total"))
        accepted = int(self.counters.get("shutan_accepted_total"))
        assert received == duplicates + rejected + accepted
        assert accepted == self.spool.end.ordinal
        return received, duplicates, rejected, accepted
