"""Tasmota: telemetry (`SENSOR`, `STATE`), answers to `Status 8` and `Status 10`, last will (`LWT`).

Source of the facts: tasmota.github.io/docs, pages MQTT, Commands, JSON status responses; payloads in testcases.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_gateway.adapters.base import AdapterBase
from shutan_gateway.adapters.json_text import parse_object, parse_text
from shutan_gateway.adapters.readings import DeviceSample, Inbound, Reading, Target, flatten, own, read_as, target_for
from shutan_gateway.adapters.topics import Pattern
from shutan_gateway.errors import Refusal
from shutan_wire import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shutan_gateway.adapters.json_text import Json, JsonObject
    from shutan_gateway.config.adapters import AdapterConfig

__all__ = ["Tasmota", "create"]

_TELE, _STAT = ("SENSOR", "STATE", "LWT"), ("STATUS8", "STATUS10")
_STATE = "state"  # device of the board itself; "energy" and the sensors are devices of their own

# field of ENERGY -> (metric of one value, unit); a list is one value for each phase: the metric with _l1, _l2, _l3
_ENERGY = {
    "Total": ("active_energy_import_wh", "kWh"),
    "ExportActive": ("active_energy_export_wh", "kWh"),
    "ImportActive": ("active_energy_import_wh", "kWh"),
    "ImportReactive": ("reactive_energy_import_varh", "kvarh"),
    "ExportReactive": ("reactive_energy_export_varh", "kvarh"),
    "Power": ("active_power_w", "W"),
    "ApparentPower": ("apparent_power_va", "VA"),
    "ReactivePower": ("reactive_power_var", "var"),
    "Factor": ("power_factor", None),
    "Voltage": ("voltage_l1_v", "V"),
    "Current": ("current_l1_a", "A"),
    "Frequency": ("frequency_hz", "Hz"),
}
_PHASES = ("l1", "l2", "l3")
# field of any sensor -> (metric, unit; "temperature" and "pressure" stand for what the message says)
_SENSORS = {
    "Temperature": ("temperature_c", "temperature"),
    "DewPoint": ("dew_point_c", "temperature"),
    "Humidity": ("relative_humidity_pct", "%"),
    "Pressure": ("pressure_pa", "pressure"),
    "CarbonDioxide": ("co2_ppm", "ppm"),
    "Illuminance": ("illuminance_lx", "lx"),
    "PM2.5": ("pm2_5_ug_m3", "ug/m3"),
    "PM10": ("pm10_ug_m3", "ug/m3"),
}
_BOARD = {
    "UptimeSec": target_for("uptime_s", "s"),
    "Heap": target_for("heap_free_b", "KB"),
    "Wifi.Signal": target_for("rssi_dbm", "dBm"),
    "POWER": target_for("relay_state"),
}
_IN_SENSOR = frozenset({"Time", "TempUnit", "PressureUnit", "SpeedUnit"})
# What a state message repeats every few minutes and nobody measures.
_LEFT_OUT = frozenset({"Time", "Uptime", "Wifi.SSId", "Wifi.BSSId", "Wifi.Mode", "Wifi.Downtime"})


class Tasmota(AdapterBase):
    """node = topic of the device; devices: `energy`, `state`, one for each sensor."""

    def __init__(self, settings: AdapterConfig) -> None:
        super().__init__(settings)
        self._filters = tuple(
            f"{Pattern(self.pattern.text.replace('{prefix}', prefix)).filter}/{kind}"
            for prefix, kinds in (("tele", _TELE), ("stat", _STAT))
            for kind in kinds
        )

    @property
    def filters(self) -> tuple[str, ...]:
        """Telemetry, last will and the two status answers that carry sensors."""
        return self._filters

    def read(self, message: Inbound) -> list[DeviceSample]:
        """Samples of one message. Raises Refusal."""
        topic, _, kind = message.topic.rpartition("/")
        levels = self.pattern.match(topic) or {}
        node = levels.get("device", topic)
        if kind == "LWT":
            word = parse_text(message.payload).strip()
            if word not in {"Online", "Offline"}:
                raise Refusal("word", f"LWT {word[:40]!r}")
            return self.sample(node, _STATE, None, [own("online", word == "Online")])
        tree = parse_object(message.payload)
        if kind in _STAT:
            inner = tree.get("StatusSNS")
            if not isinstance(inner, dict):
                return []
            tree = inner
        t_ms = self.clock.read(tree.get("Time"), "iso", message.received_ms)
        if kind == "STATE":
            leaves = [(path, value) for path, value in flatten(tree) if path not in _LEFT_OUT]
            return self.sample(
                node, _STATE, t_ms, [self.field(path, value, _BOARD.get(path)) for path, value in leaves]
            )
        return self._sensors(node, t_ms, tree)

    def _sensors(self, node: str, t_ms: int | None, tree: JsonObject) -> list[DeviceSample]:
        list(flatten(tree))  # bounded before anything else
        found: list[DeviceSample] = []
        loose: list[Reading | None] = []
        for name, part in tree.items():
            if name in _IN_SENSOR:
                continue
            if name == "ENERGY" and isinstance(part, dict):
                found += self.sample(node, "energy", t_ms, self._energy(part))
            elif isinstance(part, dict):
                found += self.sample(node, name, t_ms, self._sensor(name, part, tree))
            else:
                loose += [self.field(path, value) for path, value in flatten(part, name)]
        return [*found, *self.sample(node, _STATE, t_ms, loose)]

    def _energy(self, part: Mapping[str, Json]) -> Iterator[Reading | None]:
        for name, value in part.items():
            known = _ENERGY.get(name)
            if name == "TotalStartTime":
                continue
            if known is None or isinstance(value, dict) or self.targets.find(f"ENERGY.{name}") is not None:
                yield from (self.field(path, leaf) for path, leaf in flatten(value, f"ENERGY.{name}"))
            elif isinstance(value, list):
                for index, leaf in enumerate(value):
                    target = _phase(*known, index)
                    yield self.field(f"ENERGY.{name}[{index}]", leaf, target)
            else:
                yield read_as(target_for(*known), value)

    def _sensor(self, sensor: str, part: Mapping[str, Json], tree: JsonObject) -> Iterator[Reading | None]:
        units = {"temperature": tree.get("TempUnit", "C"), "pressure": tree.get("PressureUnit", "hPa")}
        for path, value in flatten(dict(part)):
            target = None
            known = _SENSORS.get(path)
            if known is not None:
                metric, unit = known
                said = units.get(unit, unit)
                try:
                    target = target_for(metric, said if isinstance(said, str) else None)
                except ValueError:  # a unit that nobody knows: kept under its own name
                    target = None
            mapped = self.targets.find(f"{sensor}.{path}")
            if mapped is not None:
                yield read_as(mapped, value)
            elif value is not None:
                yield read_as(target, value) if target is not None else own(path, value)


def _phase(metric: str, unit: str | None, index: int) -> Target | None:
    """Target of one phase of a list; None for a fourth one."""
    if index >= len(_PHASES):
        return None
    if metric == "power_factor":
        return target_for(f"power_factor_{_PHASES[index]}")
    stem, _, last = metric.rpartition("_")
    name = f"{stem.removesuffix('_l1')}_{_PHASES[index]}_{last}"
    if catalogue.by_name(name) is None:  # exported and reactive energy of one phase: registers all the same
        return target_for(name, scale=Fraction(1000), counter=True)
    return target_for(name, unit)


def create(settings: AdapterConfig, _notes: Mapping[str, str]) -> Tasmota:
    """The adapter of one `[[adapter]]` table."""
    return Tasmota(settings)
