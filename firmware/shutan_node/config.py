"""The node's configuration: `config.json`, checked as a whole, every mistake with its key. Dropped after start.

Example and meaning of each key: docs/node.md. A key that is not listed here is a mistake.
"""

import json

from shutan_wire.errors import WireError
from shutan_wire.ids import check_id


class ConfigError(Exception):
    """The configuration cannot be used. mistakes: each as `key: problem`. Tell a person."""

    def __init__(self, mistakes: "list[str]") -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


_BROKER = {"host": str, "port": (1, 65535, 1883), "user": None, "password": None, "keepalive_s": (5, 3600, 30)}
_TIME = {"host": str, "port": (1, 65535, 123)}
_STORE = {
    "ram_window_s": (1, 600, 5),
    "ram_records": (8, 512, 64),
    "ram_bytes": (1024, 65536, 4096),
    "flash_bytes": (65536, 1 << 30, 1 << 20),
    "foreign_after_s": (10, 86400, 600),
}
_BUS = {
    "id": "id",
    "uart": (0, 15, 1),
    "baud": (300, 1000000, 9600),
    "format": "format",
    "tx": (0, 48, None),
    "rx": (0, 48, None),
    "de": (0, 48, None),
}
_DEVICE = {
    "device": "id",
    "bus": str,
    "profile": str,
    "address": "any",
    "ct": "ratio",
    "pt": "ratio",
    "interval_s": (1, 3600, 10),
    "metrics": dict,
}
_METRIC = {"deadband": "number", "max_silence_s": (0, 65535, 0), "interval_s": (0, 65535, 0)}
_ROOT = {
    "site": "id",
    "node": "id",
    "broker": dict,
    "time": dict,
    "store": dict,
    "buses": list,
    "devices": list,
    "primary_host": None,
    "wifi": dict,
    "node_interval_s": (1, 3600, 60),
}
_OPTIONAL = ("ct", "pt", "metrics", "wifi", "store", "deadband", "format")
_DEFAULTS = {"ct": (1, 1), "pt": (1, 1), "metrics": None, "wifi": None, "store": {}, "deadband": -1, "format": "8N1"}


def _wrong(rule: object, value: object) -> "str | None":
    """What is wrong with a value under a rule, None if nothing is."""
    if isinstance(rule, tuple):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole and rule[0] <= value <= rule[1] else "%d to %d wanted" % rule[:2]
    if rule is None:
        return None if value is None or isinstance(value, str) else "text or null wanted"
    if rule == "id":
        try:
            return None if check_id(value) else ""
        except (WireError, TypeError) as error:
            return "no id: " + str(error)
    if rule == "ratio":
        good = isinstance(value, list) and len(value) == 2 and _wrong((1, 1000000), value[0]) is None
        return None if good and _wrong((1, 1000000), value[1]) is None else "[primary, secondary] wanted"
    if rule == "number":
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
        return None if good else "a number from 0 wanted"
    if rule == "format":
        return None if value in ("8N1", "8N2", "8E1", "8E2", "8O1", "8O2") else "such as 8N1 wanted"
    if rule == "any":
        return None if isinstance(value, (str, int)) else "text or number wanted"
    names = {str: "text", dict: "an object", list: "a list"}
    return None if isinstance(value, rule) and (value or rule is not str) else names[rule] + " wanted"


def _table(where: str, rules: "dict[str, object]", found: object, mistakes: "list[str]") -> "dict[str, object]":
    """Check one object against its rules and fill in the defaults."""
    out = {}
    if not isinstance(found, dict):
        mistakes.append(where + ": an object wanted")
        found = {}
    for key in found:
        if key not in rules:
            mistakes.append(where + key + ": unknown key, known are " + ", ".join(sorted(rules)))
    for key, rule in rules.items():
        if key in found and (found[key] is not None or key not in _OPTIONAL):
            out[key] = found[key]
            problem = None if isinstance(rule, tuple) and found[key] is rule[2] else _wrong(rule, found[key])
            if problem:
                mistakes.append(where + key + ": " + problem + ", found " + json.dumps(found[key])[:40])
        elif key in _OPTIONAL:
            out[key] = _DEFAULTS[key]
        elif isinstance(rule, tuple) and len(rule) > 2:
            out[key] = rule[2]
        elif rule is None:
            out[key] = None
        else:
            mistakes.append(where + key + ": missing")
            out[key] = [] if rule is list else {}
    return out


def _listed(name: str, rules: "dict[str, object]", found: object, mistakes: "list[str]") -> "list[dict[str, object]]":
    out = []
    if isinstance(found, list):
        for index in range(len(found)):
            out.append(_table("%s[%d]." % (name, index), rules, found[index], mistakes))
    return out


def load(text: str) -> "dict[str, object]":
    """Parse and check; the configuration with every default filled in. ConfigError with all mistakes."""
    try:
        found = json.loads(text)
    except ValueError:
        raise ConfigError(["config.json: not JSON"]) from None
    mistakes = []
    config = _table("", _ROOT, found, mistakes)
    config["broker"] = _table("broker.", _BROKER, config["broker"], mistakes)
    config["time"] = _table("time.", _TIME, config["time"], mistakes)
    config["store"] = _table("store.", _STORE, config["store"], mistakes)
    if config["wifi"] is not None:
        config["wifi"] = _table("wifi.", {"ssid": str, "password": str}, config["wifi"], mistakes)
    config["buses"] = _listed("buses", _BUS, config["buses"], mistakes)
    config["devices"] = _listed("devices", _DEVICE, config["devices"], mistakes)
    buses = [bus["id"] for bus in config["buses"]]
    seen = []
    for index in range(len(config["devices"])):
        device = config["devices"][index]
        where = "devices[%d]." % index
        if device["device"] in seen:
            mistakes.append(where + "device: used twice")
        seen.append(device["device"])
        if device["bus"] not in buses:
            mistakes.append(where + "bus: one of " + json.dumps(buses) + " wanted, found " + json.dumps(device["bus"]))
        if device["metrics"]:
            for name, rules in device["metrics"].items():
                device["metrics"][name] = _table(where + "metrics." + name + ".", _METRIC, rules, mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return config


def read() -> "dict[str, object]":
    """`config.json` of the working directory; ConfigError with every mistake."""
    try:
        with open("config.json") as file:
            text = file.read()
    except OSError:
        raise ConfigError(["config.json: missing"]) from None
    return load(text)
