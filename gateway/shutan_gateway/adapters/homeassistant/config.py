"""Discovery messages of Home Assistant: from a retained `config` to the entities that it announces.

`<prefix>/<component>/[<node>/]<object>/config` for one entity, `<prefix>/device/<object>/config` for a device with all
its components. Keys may be abbreviated, `~` in a topic stands for the base topic. Source: home-assistant.io, page MQTT.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.adapters.exact import ENERGY_UNITS, VOLUME_UNITS, Scale
from shutan_gateway.adapters.homeassistant.template import Template, TemplateError, parse_template
from shutan_gateway.adapters.names import own_name
from shutan_gateway.adapters.readings import Target
from shutan_gateway.errors import Refusal
from shutan_wire import datatypes as dt

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.adapters.json_text import Json, JsonObject

__all__ = ["Entity", "entities_of"]

_SHORT = {
    "stat_t": "state_topic",
    "val_tpl": "value_template",
    "stat_val_tpl": "value_template",
    "unit_of_meas": "unit_of_measurement",
    "dev_cla": "device_class",
    "stat_cla": "state_class",
    "uniq_id": "unique_id",
    "obj_id": "object_id",
    "dev": "device",
    "ids": "identifiers",
    "cns": "connections",
    "pl_on": "payload_on",
    "pl_off": "payload_off",
    "cmps": "components",
    "p": "platform",
}
_MEASURING = frozenset({"sensor", "binary_sensor"})
_COUNTING = frozenset({"total_increasing", "total"})
_COMPONENTS_MAX = 200


class Entity(NamedTuple):
    """One announced value. key: what the map is asked for (unique id); flags: on and off of a binary sensor."""

    device: str
    key: str
    topic: str
    template: Template | None
    target: Target
    flags: tuple[str, str] | None


def entities_of(tree: JsonObject, topic: str, mapped: Callable[[str], Target | None]) -> list[Entity]:
    """Entities of one config message that measure something. Raises Refusal `discovery` or `template`."""
    tree = _long(tree)
    levels = topic.split("/")
    component = levels[-4] if len(levels) > 3 and levels[-4] in {*_MEASURING, "device"} else levels[-3]
    device = _device(tree, levels)
    if component != "device":
        found = _entity(component, levels[-2], tree, device, mapped)
        return [] if found is None else [found]
    parts = tree.get("components")
    if not isinstance(parts, dict) or len(parts) > _COMPONENTS_MAX:
        raise Refusal("discovery", f"a device needs 1 to {_COMPONENTS_MAX} components")
    entities: list[Entity] = []
    for name, part in parts.items():
        if isinstance(part, dict):
            whole = {**tree, **_long(part)}
            found = _entity(_text(whole, "platform"), name, whole, device, mapped)
            entities += [] if found is None else [found]
    return entities


def _entity(
    component: str, name: str, tree: JsonObject, device: str, mapped: Callable[[str], Target | None]
) -> Entity | None:
    if component not in _MEASURING:
        return None
    base, topic = _text(tree, "~"), _text(tree, "state_topic")
    if base and topic.startswith("~"):
        topic = base + topic[1:]
    if base and topic.endswith("~"):
        topic = topic[:-1] + base
    if not topic or any(sign in topic for sign in "+#\0") or topic.startswith("$"):
        raise Refusal("discovery", f"state_topic {topic[:60]!r}")
    template = None
    text = _text(tree, "value_template")
    if text:
        try:
            template = parse_template(text)
        except TemplateError as error:
            raise Refusal("template", f"{text[:120]!r}: wanted {error}") from error
    key = _text(tree, "unique_id") or _text(tree, "object_id") or name
    target = mapped(key) or _target(name, tree)
    flags = None
    if component == "binary_sensor":
        flags = (_word(tree.get("payload_on", "ON")), _word(tree.get("payload_off", "OFF")))
    return Entity(device, key, topic, template, target, flags)


def _target(name: str, tree: JsonObject) -> Target:
    """Where an entity goes that nobody mapped: its own name, a register as whole steps when it only ever grows."""
    unit, growing = _text(tree, "unit_of_measurement"), _text(tree, "state_class") in _COUNTING
    for units, step in ((ENERGY_UNITS, "wh"), (VOLUME_UNITS, "l")):
        if growing and unit in units:
            return Target(own_name(f"{name}_{step}"), dt.INT64, "register", units[unit])
    return Target(own_name(name), dt.DOUBLE, "gauge", Scale(Fraction(1)))


def _device(tree: JsonObject, levels: list[str]) -> str:
    """What stands for the device: its first identifier, else the node level of the topic, else the object."""
    device = tree.get("device")
    if isinstance(device, dict):
        ids = _long(device).get("identifiers")
        first = ids[0] if isinstance(ids, list) and ids else ids
        if isinstance(first, str) and first:
            return first
    return levels[-3] if levels[-4] in _MEASURING else levels[-2]


def _long(tree: JsonObject) -> JsonObject:
    return {_SHORT.get(name, name): value for name, value in tree.items()}


def _text(tree: JsonObject, key: str) -> str:
    value = tree.get(key)
    return value if isinstance(value, str) else ""


def _word(value: Json) -> str:
    """A payload as configured (JSON true and "ON" are both used) in the form in which it will be compared."""
    return str(value).lower() if isinstance(value, bool) else str(value)
