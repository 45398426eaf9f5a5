"""Home Assistant discovery: devices that announce themselves with state topic, template and unit.

The announcements are kept as notes, since after a restart a waiting state may come before the retained announcement.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shutan_gateway.adapters.base import AdapterBase
from shutan_gateway.adapters.exact import exact
from shutan_gateway.adapters.homeassistant.config import Entity, entities_of
from shutan_gateway.adapters.json_text import parse_json, parse_object, parse_text
from shutan_gateway.adapters.readings import DeviceSample, Inbound, Note, Reading, plain, read_as
from shutan_gateway.adapters.topics import matches
from shutan_gateway.errors import Refusal
from shutan_wire import datatypes as dt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shutan_gateway.adapters.json_text import Json
    from shutan_gateway.config.adapters import AdapterConfig

__all__ = ["HomeAssistant", "create"]

log = logging.getLogger("shutan.adapters")

_CONFIGS_MAX = 10_000


class HomeAssistant(AdapterBase):
    """device = first identifier of the announced device; metrics by the map (unique id), else the entity's own name."""

    def __init__(self, settings: AdapterConfig, notes: Mapping[str, str]) -> None:
        super().__init__(settings)
        prefix = self.pattern.filter
        self._configs = (f"{prefix}/+/+/config", f"{prefix}/+/+/+/config")
        self._announced: dict[str, tuple[Entity, ...]] = {}  # by config topic
        self._by_topic: dict[str, dict[str, tuple[Entity, ...]]] = {}  # by state topic, then config topic
        self._filters: tuple[str, ...] = self._configs
        self._news: list[Note] = []
        for topic, text in notes.items():
            try:
                self._announce(topic, tuple(entities_of(parse_object(text.encode()), topic, self.targets.find)))
            except Refusal as refusal:  # kept by another version; its retained message comes again
                log.warning("%s: announcement %s is not understood any more: %s", self.name, topic, refusal)
        self._renew_filters()

    @property
    def filters(self) -> tuple[str, ...]:
        """Announcements, and every state topic that was announced."""
        return self._filters

    def claims(self, topic: str) -> bool:
        """A state topic that was announced, or an announcement."""
        return topic in self._by_topic or any(matches(one, topic) for one in self._configs)

    def notes(self) -> list[Note]:
        """Announcements that came or went."""
        news, self._news = self._news, []
        return news

    def read(self, message: Inbound) -> list[DeviceSample]:
        """Samples of a state message; an announcement gives none. Raises Refusal."""
        if message.topic not in self._by_topic:
            self._config(message)
            return []
        text = parse_text(message.payload)
        entities = [entity for group in self._by_topic[message.topic].values() for entity in group]
        tree: Json = None
        if any(entity.template is not None and entity.template.path is not None for entity in entities):
            tree = parse_json(message.payload)
        devices: dict[str, list[Reading]] = {}
        for entity in entities:
            reading = _reading(entity, text, tree)
            if reading is not None:
                devices.setdefault(entity.device, []).append(reading)
        return [one for device, found in devices.items() for one in self.sample(self.node, device, None, found)]

    def _config(self, message: Inbound) -> None:
        topic = message.topic
        if not message.payload:  # the entity is gone
            if topic in self._announced:
                self._withdraw(topic)
                self._news.append(Note(topic, None))
                self._renew_filters()
            return
        entities = tuple(entities_of(parse_object(message.payload), topic, self.targets.find))
        if self._announced.get(topic, ()) == entities:
            return
        if topic not in self._announced and len(self._announced) >= _CONFIGS_MAX:
            raise Refusal("too_many_devices", f"more than {_CONFIGS_MAX} announcements")
        self._withdraw(topic)
        self._announce(topic, entities)
        self._news.append(Note(topic, parse_text(message.payload) if entities else None))
        self._renew_filters()

    def _announce(self, topic: str, entities: tuple[Entity, ...]) -> None:
        if entities:
            self._announced[topic] = entities
        for state_topic, group in _by_state_topic(entities).items():
            self._by_topic.setdefault(state_topic, {})[topic] = group

    def _withdraw(self, topic: str) -> None:
        for state_topic in _by_state_topic(self._announced.pop(topic, ())):
            groups = self._by_topic[state_topic]
            del groups[topic]
            if not groups:
                del self._by_topic[state_topic]

    def _renew_filters(self) -> None:
        self._filters = (*self._configs, *self._by_topic)


def _by_state_topic(entities: Iterable[Entity]) -> dict[str, tuple[Entity, ...]]:
    found: dict[str, tuple[Entity, ...]] = {}
    for entity in entities:
        found[entity.topic] = (*found.get(entity.topic, ()), entity)
    return found


def _reading(entity: Entity, text: str, tree: Json) -> Reading | None:
    value: Json = plain(text)
    template = entity.template
    if template is not None and template.path is not None:
        there, value = template.find(tree)
        if not there:
            return None  # devices share a topic and send what has changed
    if entity.flags is not None:
        on, off = entity.flags
        word = str(value).lower() if isinstance(value, bool) else str(value)
        flag = True if word == on else False if word == off else None
        return Reading(entity.target.name, dt.BOOLEAN, flag)
    number = exact(plain(value) if isinstance(value, str) else value)
    if number is None and isinstance(value, str) and plain(value) is not None and entity.target.kind == "gauge":
        return Reading(entity.target.name, dt.STRING, value[:256])
    if number is None:
        return read_as(entity.target, None)
    scale = entity.target.scale
    if template is not None:
        scale = scale._replace(factor=scale.factor * template.factor)
    return read_as(entity.target._replace(scale=scale), number)


def create(settings: AdapterConfig, notes: Mapping[str, str]) -> HomeAssistant:
    """The adapter of one `[[adapter]]` table."""
    return HomeAssistant(settings, notes)
