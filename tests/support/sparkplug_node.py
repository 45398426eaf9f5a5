"""A Sparkplug node for gateway tests: births, deaths and numbered records as MQTT topics and payloads, no I/O."""

from dataclasses import dataclass, field

from shutan_wire import datatypes as dt
from shutan_wire import ids, records
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload

T0_MS = 1_780_000_000_000
Packet = tuple[str, bytes]
Scalar = bool | int | float | str | None
Declared = dict[str, int]  # metric name -> datatype

ENERGY: Declared = {"active_energy_import_wh": dt.UINT64, "active_power_w": dt.FLOAT}


@dataclass
class SparkplugNode:
    """`store` None makes a foreign node without records. Aliases count from 100 in the order of declaration."""

    name: str = "n01"
    site: str = "plant"
    store: int | None = 0xABCDEF
    boot: int = 7
    bd_seq: int = 0
    devices: dict[str, Declared] = field(default_factory=lambda: {"m1": dict(ENERGY)})
    node_metrics: Declared = field(default_factory=dict[str, int])
    first: int = 1
    record: int = 0
    seq: int = 0

    def topic(self, kind: str, device: str = "") -> str:
        """Topic of a message of this node."""
        return ids.topic(self.site, kind, self.name, device or None)

    def alias(self, device: str, metric: str) -> int:
        """Alias of a metric, unique in the node; its last digits count the device's metrics."""
        declared = self.node_metrics if not device else self.devices[device]
        index = 0 if not device else 1 + list(self.devices).index(device)
        return 100 * index + (0 if metric == records.RECORD else 1 + list(declared).index(metric))

    def _declare(self, device: str, declared: Declared, stamp: int) -> list[Metric]:
        empty: dict[int, Scalar] = {dt.BOOLEAN: False, dt.STRING: "", dt.FLOAT: 0.0, dt.DOUBLE: 0.0}
        metrics = [
            Metric(name, self.alias(device, name), stamp, kind, empty.get(kind, 0)) for name, kind in declared.items()
        ]
        if self.store is not None:
            metrics.append(Metric(records.RECORD, self.alias(device, records.RECORD), stamp, dt.UINT64, 0))
        return metrics

    def node_birth(self, stamp: int = T0_MS) -> Packet:
        """NBIRTH; seq starts again."""
        metrics = [
            Metric(records.BDSEQ, timestamp=stamp, datatype=dt.INT64, value=self.bd_seq),
            Metric(records.REBIRTH, timestamp=stamp, datatype=dt.BOOLEAN, value=False),
        ]
        if self.store is not None:
            facts = ((records.STORE_ID, self.store), (records.BOOT_ID, self.boot), (records.STORE_FIRST, self.first))
            metrics += [Metric(name, timestamp=stamp, datatype=dt.UINT64, value=value) for name, value in facts]
        metrics += self._declare("", self.node_metrics, stamp)
        self.seq = 0
        return self.topic(ids.NBIRTH), encode_payload(Payload(stamp, metrics, self._take_seq()))

    def device_birth(self, device: str, stamp: int = T0_MS) -> Packet:
        """DBIRTH of one device."""
        metrics = self._declare(device, self.devices[device], stamp)
        return self.topic(ids.DBIRTH, device), encode_payload(Payload(stamp, metrics, self._take_seq()))

    def births(self, stamp: int = T0_MS) -> list[Packet]:
        """NBIRTH and every DBIRTH."""
        return [self.node_birth(stamp), *(self.device_birth(device, stamp) for device in self.devices)]

    def data(
        self,
        device: str = "m1",
        values: dict[str, Scalar] | None = None,
        *,
        stamp: int | None = None,
        record: int | None = None,
        historical: bool = False,
        seq: int | None = None,
    ) -> Packet:
        """NDATA or DDATA with the next record number (own node), the time following from it."""
        number = self.record = self.record + 1 if record is None else record
        stamp = T0_MS + 1000 * number if stamp is None else stamp
        if values is None:
            values = {"active_energy_import_wh": 1000 + number, "active_power_w": 2.5 * number}
        declared = self.node_metrics if not device else self.devices[device]
        metrics = [
            Metric(None, self.alias(device, name), stamp, declared[name], value, is_historical=historical)
            for name, value in values.items()
        ]
        if self.store is not None:
            metrics.insert(
                0, Metric(None, self.alias(device, records.RECORD), stamp, dt.UINT64, number, is_historical=historical)
            )
        return self._message(device, stamp, metrics, seq)

    def gap(self, first: int, last: int, *, unsaved: bool, record: int | None = None) -> Packet:
        """A gap record: first..last will never come."""
        number = self.record = self.record + 1 if record is None else record
        stamp = T0_MS + 1000 * number
        numbers = ((records.GAP_FROM, first), (records.GAP_TO, last), (records.GAP_START, 0), (records.GAP_END, 0))
        metrics = [Metric(None, self.alias("", records.RECORD), stamp, dt.UINT64, number)]
        metrics += [Metric(name, None, stamp, dt.UINT64, value) for name, value in numbers]
        metrics.append(Metric(records.GAP_UNSAVED, None, stamp, dt.BOOLEAN, unsaved))
        return self._message("", stamp, metrics, None)

    def _message(self, device: str, stamp: int, metrics: list[Metric], seq: int | None) -> Packet:
        payload = Payload(stamp, metrics, self._take_seq() if seq is None else seq)
        return self.topic(ids.DDATA if device else ids.NDATA, device), encode_payload(payload, datatypes=False)

    def node_death(self, bd_seq: int | None = None) -> Packet:
        """NDEATH as the will carries it."""
        value = self.bd_seq if bd_seq is None else bd_seq
        metric = Metric(records.BDSEQ, datatype=dt.INT64, value=value)
        return self.topic(ids.NDEATH), encode_payload(Payload(None, [metric]))

    def device_death(self, device: str) -> Packet:
        """DDEATH."""
        return self.topic(ids.DDEATH, device), encode_payload(Payload(T0_MS, [], self._take_seq()))

    def _take_seq(self) -> int:
        seq, self.seq = self.seq, (self.seq + 1) & 255
        return seq
