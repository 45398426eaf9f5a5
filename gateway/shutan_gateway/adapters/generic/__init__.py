"""Any device that publishes JSON or a bare number: a topic pattern and a map of fields say what it means.

A field is a path: `a.b`, `a[0].c`; `$` is the whole payload of a device that publishes one value. The named levels
{node} and {device} of the topic become ids, other named levels only let the pattern fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.adapters.base import AdapterBase
from shutan_gateway.adapters.json_text import parse_json, parse_text
from shutan_gateway.adapters.readings import DeviceSample, Inbound, flatten, plain
from shutan_gateway.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_gateway.adapters.clock import TimeFormat
    from shutan_gateway.adapters.json_text import Json
    from shutan_gateway.config.adapters import AdapterConfig

__all__ = ["GenericJson", "create"]

WHOLE = "$"


class GenericJson(AdapterBase):
    """node = {node} or the configured one; device = {device} or the adapter's name."""

    def __init__(self, settings: AdapterConfig) -> None:
        super().__init__(settings)
        self._time_field = settings.time_field
        self._time_format: TimeFormat = settings.time_format

    def read(self, message: Inbound) -> list[DeviceSample]:
        """Samples of one message. Raises Refusal."""
        levels = self.pattern.match(message.topic) or {}
        node, device = levels.get("node", self.node), levels.get("device", self.name)
        value = self._value(message.payload)
        leaves = dict(flatten(value))
        if "" in leaves:
            leaves[WHOLE] = leaves.pop("")
        t_ms = None
        if self._time_field is not None:
            t_ms = self.clock.read(leaves.pop(self._time_field, None), self._time_format, message.received_ms)
        return self.sample(node, device, t_ms, (self.field(path, leaf) for path, leaf in leaves.items()))

    def _value(self, payload: bytes) -> Json:
        """JSON, or the bare value when the map wants the whole payload."""
        if self.targets.find(WHOLE) is None:
            return parse_json(payload)
        value = plain(parse_text(payload))
        if isinstance(value, str) and value[:1] in "{[":
            raise Refusal("not_a_number", value[:40])
        return value


def create(settings: AdapterConfig, _notes: Mapping[str, str]) -> GenericJson:
    """The adapter of one `[[adapter]]` table."""
    return GenericJson(settings)
