"""ESPHome over MQTT: `<prefix>/sensor/<name>/state` and binary sensors, switches, text sensors; `<prefix>/status`.

One message is one value without unit or time; the map says what it is. Source of the facts: esphome.io, MQTT client
component; the unknown state of a sensor is published as `nan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.adapters.base import AdapterBase
from shutan_gateway.adapters.exact import exact
from shutan_gateway.adapters.json_text import parse_text
from shutan_gateway.adapters.names import own_name
from shutan_gateway.adapters.readings import DeviceSample, Inbound, Reading, own, plain, read_as
from shutan_gateway.errors import Refusal
from shutan_wire import datatypes as dt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_gateway.config.adapters import AdapterConfig

__all__ = ["EspHome", "create"]

_KINDS = ("sensor", "binary_sensor", "switch", "text_sensor")
_FLAGS = {"ON": True, "OFF": False}


class EspHome(AdapterBase):
    """device = topic prefix of the board; metrics by the map, else under the sensor's own name."""

    @property
    def filters(self) -> tuple[str, ...]:
        """States of the four kinds that measure, and the status."""
        prefix = self.pattern.filter
        return (*(f"{prefix}/{kind}/+/state" for kind in _KINDS), f"{prefix}/status")

    def read(self, message: Inbound) -> list[DeviceSample]:
        """Samples of one message. Raises Refusal."""
        depth = self.pattern.text.count("/") + 1
        levels = message.topic.split("/")
        device = (self.pattern.match("/".join(levels[:depth])) or {}).get("device", levels[0])
        text = parse_text(message.payload)
        if levels[depth] == "status":
            word = text.strip()
            if word not in {"online", "offline"}:
                raise Refusal("word", f"status {word[:40]!r}")
            return self.sample(self.node, device, None, [own("online", word == "online")])
        kind, name = levels[depth], levels[depth + 1]
        return self.sample(self.node, device, None, [self._reading(kind, name, text)])

    def _reading(self, kind: str, name: str, text: str) -> Reading | None:
        value = plain(text)
        target = self.targets.find(name)
        if kind == "sensor":
            if value is not None and exact(value) is None:
                raise Refusal("not_a_number", f"{name}: {text[:40]!r}")
            if target is not None:
                return read_as(target, value)
            number = exact(value)
            return Reading(own_name(name), dt.DOUBLE, None if number is None else float(number))
        if kind == "text_sensor":
            return read_as(target, value) if target is not None else own(name, text)
        flag = _FLAGS.get(text.strip())
        if flag is None:
            raise Refusal("word", f"{name}: {text[:40]!r}")
        return read_as(target, flag) if target is not None else own(name, flag)


def create(settings: AdapterConfig, _notes: Mapping[str, str]) -> EspHome:
    """The adapter of one `[[adapter]]` table."""
    return EspHome(settings)
