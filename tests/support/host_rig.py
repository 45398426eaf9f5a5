"""A Sparkplug host without network, disk and clock: every message is committed at once."""

import random
from typing import TYPE_CHECKING

from shutan_gateway.counters import Counters
from shutan_gateway.intake.host import Host, HostSettings
from shutan_gateway.link.mailbox import Message
from shutan_gateway.quarantine import Quarantine
from shutan_gateway.registry.state import SchemaRow, SessionRow
from support.sparkplug_node import T0_MS, Packet, SparkplugNode

if TYPE_CHECKING:
    from shutan_gateway.spool.log import SpoolRecord


class MemoryRegistry:
    def __init__(self) -> None:
        self.schemas: dict[SchemaRow, int] = {}
        self.sessions: dict[SessionRow, int] = {}

    def schema_id(self, row: SchemaRow) -> int:
        return self.schemas.setdefault(row, len(self.schemas) + 1)

    def session_id(self, row: SessionRow) -> int:
        return self.sessions.setdefault(row, len(self.sessions) + 1)


class Rig:
    """A host with its batches committed at once."""

    def __init__(self, quarantine: Quarantine | None = None, **changes: float) -> None:
        self.registry = MemoryRegistry()
        chance = random.Random(1)  # noqa: S311 - a test that comes out the same each time
        settings = HostSettings()._replace(**changes)  # pyright: ignore[reportArgumentType]  # int or float as the field
        self.host = Host(self.registry, settings, chance=chance, quarantine=quarantine)
        self.counters = Counters()
        self.records: list[SpoolRecord] = []
        self.now_s = 100.0

    def take(self, packets: list[Packet] | Packet) -> None:
        for topic, payload in packets if isinstance(packets, list) else [packets]:
            self.host.handle(Message(topic, payload, T0_MS + 50), self.now_s)
        self._commit()

    def _commit(self) -> None:
        batch = self.host.acceptor.take_batch()
        self.counters.add_many(batch.deltas())
        self.records += batch.records

    def tick(self, after_s: float = 0.0) -> list[str]:
        """Let time pass; names of the nodes asked for a rebirth."""
        self.now_s += after_s
        asked = [node.name for node in self.host.tick(self.now_s)]
        self._commit()
        return asked

    def total(self, name: str, **labels: str) -> int:
        return int(self.counters.get(f"shutan_{name}_total", **labels))

    def faults(self) -> dict[str, int]:
        return {
            key.labels[0][1]: int(n) for key, n in self.counters.snapshot().items() if key.name == "shutan_faults_total"
        }

    def balance(self) -> tuple[int, int, int, int]:
        """received, duplicates, rejected, accepted; checked to add up."""
        rejected = int(self.counters.total("shutan_rejected_total"))
        numbers = self.total("received"), self.total("duplicates"), rejected, self.total("accepted")
        assert numbers[0] == sum(numbers[1:])
        assert numbers[3] == len(self.records)
        return numbers

    def upto(self, node: SparkplugNode) -> int:
        assert node.store is not None
        return self.host.streams[node.site, node.name, node.store].mark.upto
