"""Shelly of the second generation and later: RPC notifications, status topics, `online`.

Source of the facts: shelly-api-docs.shelly.cloud, gen2: Notifications, Mqtt, Switch, EM, EMData, EM1, EM1Data, Sys.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shutan_gateway.adapters.base import AdapterBase
from shutan_gateway.adapters.json_text import parse_object, parse_text
from shutan_gateway.adapters.readings import DeviceSample, Inbound, Reading, Target, flatten, own, target_for
from shutan_gateway.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shutan_gateway.adapters.json_text import Json, JsonObject
    from shutan_gateway.config.adapters import AdapterConfig

__all__ = ["Shelly", "create"]

_METHODS = frozenset({"NotifyStatus", "NotifyFullStatus"})
_COMPONENT = re.compile(r"([a-z][a-z0-9_]*)(?::(\d{1,4}))?")
_WORDS = {"true": True, "false": False}

_SWITCH = {
    "aenergy.total": target_for("active_energy_import_wh", "Wh"),
    "ret_aenergy.total": target_for("active_energy_export_wh", "Wh"),
    "apower": target_for("active_power_w", "W"),
    "voltage": target_for("voltage_l1_v", "V"),
    "current": target_for("current_l1_a", "A"),
    "freq": target_for("frequency_hz", "Hz"),
    "pf": target_for("power_factor"),
    "output": target_for("relay_state"),
    "temperature.tC": target_for("chip_temperature_c", "C"),
}


def _phase(letter: str, phase: str) -> dict[str, Target]:
    """Fields of one phase of a three-phase meter."""
    return {
        f"{letter}_act_power": target_for(f"active_power_{phase}_w", "W"),
        f"{letter}_aprt_power": target_for(f"apparent_power_{phase}_va", "VA"),
        f"{letter}_voltage": target_for(f"voltage_{phase}_v", "V"),
        f"{letter}_current": target_for(f"current_{phase}_a", "A"),
        f"{letter}_pf": target_for(f"power_factor_{phase}"),
        f"{letter}_total_act_energy": target_for(f"active_energy_import_{phase}_wh", "Wh"),
        # The catalogue has no returned energy of one phase: a register all the same, in whole watt-hours.
        f"{letter}_total_act_ret_energy": target_for(f"active_energy_export_{phase}_wh", counter=True),
    }


_EM = {
    "total_act_power": target_for("active_power_w", "W"),
    "total_aprt_power": target_for("apparent_power_va", "VA"),
    "n_current": target_for("current_n_a", "A"),
    "total_act": target_for("active_energy_import_wh", "Wh"),
    "total_act_ret": target_for("active_energy_export_wh", "Wh"),
    "a_freq": target_for("frequency_hz", "Hz"),
    **_phase("a", "l1"),
    **_phase("b", "l2"),
    **_phase("c", "l3"),
}
_EM1 = {
    "act_power": target_for("active_power_w", "W"),
    "aprt_power": target_for("apparent_power_va", "VA"),
    "voltage": target_for("voltage_l1_v", "V"),
    "current": target_for("current_l1_a", "A"),
    "pf": target_for("power_factor"),
    "freq": target_for("frequency_hz", "Hz"),
    "total_act_energy": target_for("active_energy_import_wh", "Wh"),
    "total_act_ret_energy": target_for("active_energy_export_wh", "Wh"),
}
# component type -> (device, its fields); meter and its data component are one device
_TYPES: dict[str, tuple[str, dict[str, Target]]] = {
    "switch": ("switch", _SWITCH),
    "pm1": ("pm1", _SWITCH),
    "cover": ("cover", _SWITCH),
    "light": ("light", _SWITCH),
    "em": ("em", _EM),
    "emdata": ("em", _EM),
    "em1": ("em1", _EM1),
    "em1data": ("em1", _EM1),
    "temperature": ("temperature", {"tC": target_for("temperature_c", "C")}),
    "humidity": ("humidity", {"rh": target_for("relative_humidity_pct", "%")}),
    "illuminance": ("illuminance", {"lux": target_for("illuminance_lx", "lx")}),
    "input": ("input", {"counts.total": target_for("pulse_count")}),
    "sys": (
        "sys",
        {
            "uptime": target_for("uptime_s", "s"),
            "ram_free": target_for("heap_free_b", "B"),
            "fs_free": target_for("flash_free_b", "B"),
        },
    ),
    "wifi": ("sys", {"rssi": target_for("rssi_dbm", "dBm")}),
}
# Settings, names and second forms of a value that is there already.
_LEFT_OUT = re.compile(
    r"id|source|errors.*|.*by_minute.*|.*minute_ts|(.*\.)?tF|user_calibrated_phase.*|timer_.*|available_updates.*|mac"
    r"|.*_rev|time|unixtime|last_sync_ts|utc_offset|ssid|sta_ip6?.*|status|ap_client_count|restart_required|.*_size"
    r"|ram_min_free|wakeup_.*"
)


class Shelly(AdapterBase):
    """node = id of the device (its topic prefix); devices: `switch-0`, `em-0`, `sys`..."""

    @property
    def filters(self) -> tuple[str, ...]:
        """Notifications, status of each component, online."""
        prefix = self.pattern.filter
        return (f"{prefix}/events/rpc", f"{prefix}/status/+", f"{prefix}/online")

    def read(self, message: Inbound) -> list[DeviceSample]:
        """Samples of one message. Raises Refusal."""
        depth = self.pattern.text.count("/") + 1
        levels = message.topic.split("/")
        named = self.pattern.match("/".join(levels[:depth])) or {}
        node, rest = named.get("node", levels[0]), levels[depth:]
        if rest == ["online"]:
            word = parse_text(message.payload).strip()
            if word not in _WORDS:
                raise Refusal("word", f"online {word[:40]!r}")
            return self.sample(node, "sys", None, [own("online", _WORDS[word])])
        tree = parse_object(message.payload)
        if rest[0] == "status":
            return self._component(node, rest[1], tree, None)
        params = tree.get("params")
        method = tree.get("method")
        if not isinstance(method, str) or method not in _METHODS or not isinstance(params, dict):
            return []  # events of buttons, answers to somebody's requests
        t_ms = self.clock.read(params.get("ts"), "unix_s", message.received_ms)
        list(flatten(params))  # bounded before anything else
        found: dict[str, list[Reading]] = {}
        for name, part in params.items():
            if isinstance(part, dict):
                for one in self._component(node, name, part, t_ms):
                    found.setdefault(one.device, []).extend(one.readings)
        return [one for device, readings in found.items() for one in self.sample(node, device, t_ms, readings)]

    def _component(self, node: str, name: str, part: JsonObject, t_ms: int | None) -> list[DeviceSample]:
        match = _COMPONENT.fullmatch(name)
        if match is None:
            raise Refusal("component", name[:40])
        kind, number = match[1], match[2]
        device, known = _TYPES.get(kind, (kind, {}))
        label = device if number is None else f"{device}-{number}"
        return self.sample(node, label, t_ms, self._fields(name, part, known))

    def _fields(self, name: str, part: JsonObject, known: Mapping[str, Target]) -> Iterator[Reading | None]:
        for path, value in flatten(part):
            mapped = self.targets.find(f"{name}.{path}")
            if mapped is not None or not _LEFT_OUT.fullmatch(path):
                yield self._field(f"{name}.{path}", path, value, mapped or known.get(path))

    def _field(self, whole: str, path: str, value: Json, target: Target | None) -> Reading | None:
        if value is None:
            return None  # a phase without a clamp, a switch without a meter
        return self.field(whole, value, target) if target is not None else own(path, value)


def create(settings: AdapterConfig, _notes: Mapping[str, str]) -> Shelly:
    """The adapter of one `[[adapter]]` table."""
    return Shelly(settings)
