"""The node's configuration: `config.json`, checked as a whole, every mistake with its key. Dropped after use.

A rule is `kind[ low high][ =default]`; a key without a default must be there, one that is not listed is a mistake.
Example and meaning of each key: docs/node.md.
"""

import json

from shutan_wire.errors import WireError
from shutan_wire.ids import check_id

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Table: TypeAlias = dict[str, Any]
    Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | None"


class ConfigError(Exception):
    """The configuration cannot be used. mistakes: each as `key: problem`. Tell a person."""

    def __init__(self, mistakes: "list[str]") -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


_ROOT = {
    "site": "id",
    "node": "id",
    "broker": "object",
    "time": "object",
    "store": "object ={}",
    "buses": "list",
    "devices": "list",
    "primary_host": "text? =null",
    "wifi": "object? =null",
    "node_interval_s": "int 1 3600 =60",
}
_BROKER = {
    "host": "text",
    "port": "int 1 65535 =1883",
    "user": "text? =null",
    "password": "text? =null",
    "keepalive_s": "int 5 3600 =30",
}
_TIME = {"host": "text", "port": "int 1 65535 =123"}
_STORE = {
    "ram_window_s": "int 1 600 =5",
    "ram_records": "int 8 512 =64",
    "ram_bytes": "int 1024 65536 =3072",
    "flash_bytes": "int 65536 1073741824 =1048576",
    "foreign_after_s": "int 10 86400 =600",
}
_WIFI = {"ssid": "text", "password": "text"}
_BUS = {"id": "id", "kind": 'kind ="serial"'}
_BUSES = {
    "serial": {
        "uart": "int 0 15 =1",
        "baud": "int 300 1000000 =9600",
        "format": 'format ="8N1"',
        "tx": "int? 0 48 =null",
        "rx": "int? 0 48 =null",
        "de": "int? 0 48 =null",
    },
    "i2c": {"i2c": "int 0 1 =0", "scl": "int 0 48", "sda": "int 0 48", "hz": "int 10000 400000 =50000"},
    "spi": {"spi": "int 1 2 =1", "sck": "int 0 48", "mosi": "int 0 48", "miso": "int 0 48"},
    "onewire": {"pin": "int 0 48"},
    "inputs": {},
}
_DEVICE = {
    "device": "id",
    "bus": "text",
    "profile": "id? =null",
    "driver": "id? =null",
    "address": "address? =null",
    "options": "object ={}",
    "ct": "ratio =[1, 1]",
    "pt": "ratio =[1, 1]",
    "interval_s": "int 1 3600 =10",
    "metrics": "object? =null",
}
_METRIC = {"deadband": "number =-1", "max_silence_s": "int 0 65535 =0", "interval_s": "int 0 65535 =0"}

_WANTED = {
    "id": "an id of A-Z a-z 0-9 _ - with at most 32 characters",
    "text": "text",
    "object": "an object",
    "list": "a list",
    "number": "a number from 0",
    "format": "8N1, 8N2, 8E1, 8E2, 8O1 or 8O2",
    "kind": "serial, i2c, spi, onewire or inputs",
    "address": "text or a number",
    "ratio": "[primary, secondary], 1 to 1000000 each",
}


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_id(value: "Json") -> bool:
    try:
        return isinstance(value, str) and bool(check_id(value))
    except WireError:
        return False


def _is_ratio(value: "Json") -> bool:
    return isinstance(value, list) and len(value) == 2 and not [n for n in value if not _is_whole(n, 1, 1000000)]


def _fits(kind: str, value: "Json") -> bool:
    """Whether a value is of a kind, other than int."""
    if kind == "id":
        good = _is_id(value)
    elif kind == "text":
        good = isinstance(value, str) and value != ""
    elif kind == "object":
        good = isinstance(value, dict)
    elif kind == "list":
        good = isinstance(value, list)
    elif kind == "number":
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    elif kind == "format":
        good = value in ("8N1", "8N2", "8E1", "8E2", "8O1", "8O2")
    elif kind == "kind":
        good = isinstance(value, str) and value in _BUSES
    elif kind == "address":
        good = isinstance(value, (str, int)) and not isinstance(value, bool)
    else:
        good = _is_ratio(value)
    return good


def _problem(rule: str, value: "Json") -> str:
    """What is wrong with a value, "" if nothing is."""
    parts = rule.split("=", 1)[0].split()
    kind = parts[0]
    if kind[-1:] == "?":
        if value is None:
            return ""
        kind = kind[:-1]
    if kind == "int":
        good = _is_whole(value, int(parts[1]), int(parts[2]))
        return "" if good else parts[1] + " to " + parts[2] + " wanted"
    return "" if _fits(kind, value) else _WANTED[kind] + " wanted"


def _table(where: str, rules: "dict[str, str]", found: "Json", mistakes: "list[str]") -> "Table":
    """Check one object against its rules and fill in the defaults."""
    out: Table = {}
    given: dict[str, Json] = {}
    if isinstance(found, dict):
        given = found
    else:
        mistakes.append(where + " an object wanted")
    for key in given:
        if key not in rules:
            mistakes.append(where + key + ": unknown key, known are " + ", ".join(sorted(rules)))
    for key, rule in rules.items():
        if key in given:
            out[key] = given[key]
            problem = _problem(rule, given[key])
            if problem:
                mistakes.append(where + key + ": " + problem + ", found " + json.dumps(given[key])[:40])
                out[key] = _harmless(rule)
        elif "=" in rule:
            out[key] = json.loads(rule.split("=", 1)[1])
        else:
            mistakes.append(where + key + ": missing")
            out[key] = _harmless(rule)
    return out


def _harmless(rule: str) -> "Any":
    """A value that lets the checks go on after a mistake."""
    return [] if rule == "list" else None


def _bus_rules(bus: "Json") -> "dict[str, str]":
    """Rules of a bus of its kind."""
    kind = bus.get("kind", "serial") if isinstance(bus, dict) else "serial"
    rules = dict(_BUS)
    rules.update(_BUSES.get(kind, {}) if isinstance(kind, str) else {})
    return rules


def _reader(device: "Table", where: str, kind: "str | None", mistakes: "list[str]") -> None:
    """Check what reads a device: a meter's profile or a sensor's driver."""
    if device["driver"] is not None:
        if device["profile"] is not None:
            mistakes.append(where + "driver: a device has a profile or a driver, not both")
        return
    if device["profile"] is None:
        mistakes.append(where + "profile: missing (or driver)")
    elif kind not in ("serial", None):
        mistakes.append(where + "bus: a profile needs a serial bus, found " + kind)
    if device["address"] is None:
        mistakes.append(where + "address: missing")


def load(text: str) -> "Table":
    """Parse and check; the configuration with every default filled in. ConfigError with all mistakes."""
    try:
        found = json.loads(text)
    except ValueError:
        raise ConfigError(["config.json: not JSON"]) from None
    mistakes: list[str] = []
    config = _table("", _ROOT, found, mistakes)
    for key, rules in (("broker", _BROKER), ("time", _TIME), ("store", _STORE), ("wifi", _WIFI)):
        if config[key] is not None:
            config[key] = _table(key + ".", rules, config[key], mistakes)
    config["buses"] = [
        _table("buses[%d]." % index, _bus_rules(bus), bus, mistakes) for index, bus in enumerate(config["buses"])
    ]
    config["devices"] = [
        _table("devices[%d]." % index, _DEVICE, device, mistakes) for index, device in enumerate(config["devices"])
    ]
    buses = {bus["id"]: bus["kind"] for bus in config["buses"]}
    seen: list[str | None] = []
    for index in range(len(config["devices"])):
        device = config["devices"][index]
        where = "devices[%d]." % index
        name = device["device"]
        if name is not None and name in seen:
            mistakes.append(where + "device: used twice")
        seen.append(name)
        if device["bus"] is not None and device["bus"] not in buses:
            known = json.dumps(list(buses))
            mistakes.append(where + "bus: one of " + known + " wanted, found " + json.dumps(device["bus"]))
        elif device["bus"] is not None:
            _reader(device, where, buses[device["bus"]], mistakes)
        metrics: Table = device["metrics"] or {}
        for metric, rules in metrics.items():
            metrics[metric] = _table(where + "metrics." + metric + ".", _METRIC, rules, mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return config


def read() -> "Table":
    """`config.json` of the working directory; ConfigError with every mistake."""
    try:
        with open("config.json") as file:  # pyright: ignore[reportUnknownVariableType] - its stub knows no type of file
            text = str(file.read())  # pyright: ignore[reportUnknownArgumentType] - as above
    except OSError:
        raise ConfigError(["config.json: missing"]) from None
    return load(text)
