"""From an offer to a record: each device of a source has a definition that grows with the metrics it has shown.

What a birth is for a Sparkplug node, the definition is here: a name and datatype seen for the first time gets the next
alias, and the longer text becomes a new schema of the registry. The payload carries aliases only, so the shape cache
learns it like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.intake.accept import Arrival
from shutan_gateway.intake.sessions import Device, Node
from shutan_gateway.payload.definition import Role, birth_text, field_of
from shutan_gateway.registry.state import SchemaRow
from shutan_wire.encode import encode_payload
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload

if TYPE_CHECKING:
    from shutan_gateway.intake.accept import Acceptor
    from shutan_gateway.intake.host import Registry
    from shutan_gateway.intake.offers import Offer
    from shutan_gateway.payload.decoder import Shapes

__all__ = ["Offered"]

_DEVICES = 20_000
_METRICS = 500  # of one device


class _Known:
    """What one device has shown: (name, datatype) -> alias, and its newest schema."""

    __slots__ = ("aliases", "device")

    def __init__(self) -> None:
        self.aliases: dict[tuple[str, int], int] = {}
        self.device: Device | None = None


class Offered:
    """Takes offers for the acceptor's batch. Belongs to the intake thread."""

    def __init__(self, registry: Registry, shapes: Shapes, acceptor: Acceptor) -> None:
        self._registry = registry
        self._shapes = shapes
        self._acceptor = acceptor
        self._nodes: dict[tuple[str, str], Node] = {}
        self._known: dict[tuple[str, str, str], _Known] = {}

    def devices(self) -> list[tuple[tuple[str, str, str], Device]]:
        """((site, node, device), device) of all that was offered since the start. Any thread."""
        return [(key, known.device) for key, known in list(self._known.items()) if known.device is not None]

    def take(self, offer: Offer) -> None:
        """Accept, recognise as a repeat or reject one offer. Raises StateUnavailable; then hand it in again."""
        metrics = [(metric, metric.name or "", metric.datatype or 0) for metric in offer.metrics]
        if not metrics or any(field_of(name, datatype).role != Role.SAMPLE for _, name, datatype in metrics):
            self._acceptor.batch.reject("name")  # the record protocol's own names are not for devices
            return
        known = self._known.get(offer[:3])
        if known is None:
            if len(self._known) >= _DEVICES:
                self._acceptor.batch.reject("too_many_devices")
                return
            known = self._known[offer[:3]] = _Known()
        new = {(name, datatype): 0 for _, name, datatype in metrics if (name, datatype) not in known.aliases}
        if len(known.aliases) + len(new) > _METRICS:
            self._acceptor.batch.reject("too_many_metrics")
            return
        device = self._device(offer, known, list(new))
        payload = Payload(offer.received_ms, [_aliased(metric, known) for metric in offer.metrics])
        try:
            raw = encode_payload(payload, datatypes=False)
        except WireError:  # a value that its datatype cannot hold
            self._acceptor.batch.reject("type")
            return
        node = self._nodes.setdefault(offer[:2], Node(offer.site, offer.node))
        self._acceptor.data(Arrival(node, offer.device, device, raw, offer.received_ms))

    def _device(self, offer: Offer, known: _Known, new: list[tuple[str, int]]) -> Device:
        if known.device is not None and not new:
            return known.device
        names = [*known.aliases, *new]
        text = birth_text(Metric(name, alias, datatype=datatype) for alias, (name, datatype) in enumerate(names, 1))
        schema_id = self._registry.schema_id(SchemaRow(*offer[:3], text))
        known.device = Device(schema_id, self._shapes.definition(text))
        known.aliases.update({pair: alias for alias, pair in enumerate(names, 1)})
        return known.device


def _aliased(metric: Metric, known: _Known) -> Metric:
    """The metric as DATA carries it: by its alias, without its name."""
    datatype = metric.datatype or 0
    alias = known.aliases[metric.name or "", datatype]
    return Metric(
        None, alias, metric.timestamp, datatype, metric.value, is_null=metric.is_null, properties=metric.properties
    )
