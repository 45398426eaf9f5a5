"""The node's configuration: defaults, and all mistakes at once with their keys."""

import json

from shutan_node.config import ConfigError, load

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from typing import Any

GOOD = {
    "site": "jiuniang",
    "node": "n01",
    "broker": {"host": "127.0.0.1", "port": 1883, "user": None, "password": None, "keepalive_s": 30},
    "primary_host": None,
    "time": {"host": "127.0.0.1", "port": 1123},
    "store": {"ram_window_s": 5, "ram_records": 64, "flash_bytes": 1048576},
    "buses": [{"id": "rs485-1", "uart": 1, "baud": 9600, "format": "8N1"}],
    "devices": [
        {
            "device": "m-entry",
            "bus": "rs485-1",
            "profile": "dlt645_three_phase",
            "address": "000000000161",
            "ct": [40, 1],
            "pt": [1, 1],
            "interval_s": 10,
            "metrics": {"voltage_l1_v": {"deadband": 0.5, "max_silence_s": 60}},
        }
    ],
}


def changed(**changes: object) -> "dict[str, Any]":
    config = json.loads(json.dumps(GOOD))
    for path, value in changes.items():
        place = config
        keys = path.split("__")
        for key in keys[:-1]:
            place = place[int(key)] if key.isdigit() else place[key]
        place[keys[-1]] = value
    return config


def mistakes(config: object) -> list[str]:
    try:
        load(json.dumps(config))
    except ConfigError as error:
        return error.mistakes
    return []


def test_the_example_is_right() -> None:
    config = load(json.dumps(GOOD))
    assert config["store"]["ram_window_s"] == 5
    assert config["store"]["foreign_after_s"] == 600
    assert config["node_interval_s"] == 60
    assert config["buses"][0]["tx"] is None
    rule = config["devices"][0]["metrics"]["voltage_l1_v"]
    assert rule == {"deadband": 0.5, "max_silence_s": 60, "interval_s": 0}


def test_the_shortest_one_gets_all_defaults() -> None:
    config = load(
        json.dumps(
            {
                "site": "s",
                "node": "n",
                "broker": {"host": "b"},
                "time": {"host": "t"},
                "buses": [{"id": "x"}],
                "devices": [{"device": "d", "bus": "x", "profile": "p", "address": 1}],
            }
        )
    )
    assert config["broker"] == {"host": "b", "port": 1883, "user": None, "password": None, "keepalive_s": 30}
    assert config["time"]["port"] == 123
    assert config["store"]["ram_records"] == 64
    assert config["devices"][0]["interval_s"] == 10
    assert config["devices"][0]["metrics"] is None
    assert list(config["devices"][0]["ct"]) == [1, 1]
    assert config["buses"][0]["format"] == "8N1"


def test_every_mistake_is_told_with_its_key() -> None:
    config = changed(
        site="a b",
        broker__port=70000,
        store__ram_window_s="5",
        devices__0__ct=[0, 1],
        devices__0__bus="rs485-9",
        devices__0__metrics={"voltage_l1_v": {"deadband": -1, "max_silense_s": 60}},
        colour="red",
    )
    found = mistakes(config)
    for key in (
        "site: ",
        "broker.port: ",
        "store.ram_window_s: ",
        "devices[0].ct: ",
        "devices[0].bus: ",
        "devices[0].metrics.voltage_l1_v.deadband: ",
        "devices[0].metrics.voltage_l1_v.max_silense_s: unknown key",
        "colour: unknown key",
    ):
        assert [text for text in found if text.startswith(key)], (key, found)
    assert len(found) == 8


def test_missing_parts_are_named() -> None:
    config = json.loads(json.dumps(GOOD))
    for key in ("site", "broker", "devices"):
        del config[key]
    found = mistakes(config)
    assert mistakes(changed(broker={})) == ["broker.host: missing"]
    assert "site: missing" in found
    assert "broker: missing" in found
    assert "devices: missing" in found


def test_a_device_twice_is_a_mistake() -> None:
    config = changed()
    config["devices"].append(config["devices"][0])
    assert mistakes(config) == ["devices[1].device: used twice"]


def test_wrong_kinds_of_values_never_raise_anything_else() -> None:
    values: tuple[object, ...] = (None, True, 0, -1, 1e9, "", "x", [], [1], [1, 2], {}, {"a": 1})
    for key in ("site", "broker", "time", "store", "buses", "devices", "wifi", "node_interval_s", "primary_host"):
        for value in values:
            mistakes(changed(**{key: value}))
    for key in ("device", "bus", "profile", "address", "ct", "pt", "interval_s", "metrics"):
        for value in values:
            mistakes(changed(**{"devices__0__" + key: value}))
    for value in values:
        mistakes(changed(buses=[value]))
        mistakes(changed(devices=[value]))
        mistakes(changed(devices__0__metrics={"voltage_l1_v": value}))


def test_no_json_is_one_clear_mistake() -> None:
    for text in ("", "{", "[1, 2", "no", "null", "[]", "7"):
        try:
            load(text)
        except ConfigError as error:
            found = error.mistakes
        else:
            raise AssertionError(text)
        assert len(found) >= 1
