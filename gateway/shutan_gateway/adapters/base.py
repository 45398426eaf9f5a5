"""What every adapter is made of: its table of the configuration, its pattern, its map of fields, its clock."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_gateway.adapters.clock import Clock
from shutan_gateway.adapters.names import safe_id
from shutan_gateway.adapters.readings import DeviceSample, Note, Reading, Target, distinct, own, read_as, target_for
from shutan_gateway.adapters.topics import Pattern, matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_gateway.adapters.json_text import Json
    from shutan_gateway.config.adapters import AdapterConfig, FieldMap

__all__ = ["AdapterBase", "FieldTargets"]

_KNOWN_FIELDS = 10_000


class FieldTargets:
    """The configured map: which field goes where. Names with * and ? are compared as whole texts, case counts."""

    def __init__(self, maps: Iterable[FieldMap]) -> None:
        self._rules: list[tuple[re.Pattern[str], Target]] = []
        self._known: dict[str, Target | None] = {}
        for one in maps:
            scale = None if one.scale is None else Fraction(one.scale)
            sign = re.escape(one.field).replace(r"\*", ".*").replace(r"\?", ".")
            self._rules.append(
                (re.compile(sign, re.DOTALL), target_for(one.metric, one.unit, scale, counter=one.counter))
            )

    def find(self, field: str) -> Target | None:
        """Target of a field, None when the map lacks it."""
        if field not in self._known:
            if len(self._known) >= _KNOWN_FIELDS:
                self._known.clear()
            self._known[field] = next((target for rule, target in self._rules if rule.fullmatch(field)), None)
        return self._known[field]


class AdapterBase:
    """Base of the adapters: everything but `read`, and `filters` where the pattern alone does not say them."""

    def __init__(self, settings: AdapterConfig) -> None:
        self.name = settings.name
        self.site = settings.site
        self.node = settings.node or settings.name
        self.pattern = Pattern(settings.pattern)
        self.targets = FieldTargets(settings.map)
        zone = None
        if settings.time_zone is not None:
            from zoneinfo import ZoneInfo  # noqa: PLC0415 - most adapters have no local times

            zone = ZoneInfo(settings.time_zone)
        self.clock = Clock(zone)

    @property
    def filters(self) -> tuple[str, ...]:
        """MQTT filters that it wants."""
        return (self.pattern.filter,)

    def claims(self, topic: str) -> bool:
        """Whether one of its filters covers the topic."""
        return any(matches(one, topic) for one in self.filters)

    def notes(self) -> list[Note]:
        """Nothing to remember."""
        return []

    def field(self, path: str, value: Json, known: Target | None = None) -> Reading | None:
        """A field as the map says, else as the adapter knows it, else under its own name; None for null."""
        target = self.targets.find(path) or known
        if target is not None:
            return read_as(target, value)
        return None if value is None else own(path, value)

    @staticmethod
    def sample(node: str, device: str, t_ms: int | None, readings: Iterable[Reading | None]) -> list[DeviceSample]:
        """One sample, none when nothing is in it; ids are made safe."""
        found = distinct(reading for reading in readings if reading is not None)
        return [DeviceSample(safe_id(node), safe_id(device), t_ms, found)] if found else []
