"""The adapters that there are. A new one is a folder and a line here; nothing is imported before it is configured."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KINDS", "Kind"]


class Kind(NamedTuple):
    """folder: package below this one, with `create(settings, notes)`.

    topic: default pattern, "" = it must be configured; needs: names that the pattern must have.
    """

    folder: str
    topic: str
    needs: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "esphome": Kind("esphome", "{device}", ("device",)),
    "homeassistant": Kind("homeassistant", "homeassistant"),
    "json": Kind("generic", ""),
    "shelly": Kind("shelly", "{node}", ("node",)),
    "tasmota": Kind("tasmota", "{prefix}/{device}", ("prefix", "device")),
}
