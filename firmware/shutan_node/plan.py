"""The plan: configuration and profiles, checked and made ready, in `plan.json`. Made in a life of its own.

Checking needs more heap than running, and leaves names in it for ever. So a board whose configuration changed checks
it, writes the plan and starts again; all later starts only read the plan.

The slots say what the columns of the records on flash mean: per slot the device, its catalogue ids and datatypes. While
records are held, slots and columns keep their places and new ones come behind them.
"""

import gc
import json
from binascii import crc32  # pyright: ignore[reportUnknownVariableType] - its stub gives `data` no type

from shutan_node.console import unload
from shutan_node.journal import FOLDER, Files
from shutan_node.start import PLAN, read_plan, shape_of, source_crc

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from shutan_meters.profile import Profile
    from shutan_node import shapes
    from shutan_node.config import Table
    from shutan_node.drivers.driver import Driver
    from shutan_wire.catalogue import Metric

NODE_METRICS = (
    "uptime_s", "heap_free_b", "heap_used_max_b", "journal_records", "meter_errors", "meter_timeouts",
    "samples_dropped", "records_overwritten", "link_reconnects", "clock_steps",
)  # fmt: skip
_METRICS_MAX = 80  # of a device: a body must fit a page even with every value long and poor
_PROFILE = ("reads", "ids", "in_read", "at", "forms", "flags", "singles")
_ARRAYS = ("num", "den", "low", "high")
_LINES = {
    "serial": ("uart", "baud", "format", "tx", "rx", "de"),
    "i2c": ("i2c", "scl", "sda", "hz"),
    "spi": ("spi", "sck", "mosi", "miso"),
    "onewire": ("pin",),
    "inputs": (),
}


def make(files: Files) -> "list[str]":
    """Check everything and write the plan; the mistakes found (then nothing is written).

    In steps, each of which gives its code back before the next is loaded.
    """
    from shutan_node import config
    from shutan_wire.ids import NAMESPACE

    try:
        settings = config.read()
    except config.ConfigError as error:
        return error.mistakes
    del config
    broker = _broker(settings)
    prefix = NAMESPACE + "/" + settings["site"] + "/"
    unload("shutan_node.config", "shutan_wire.mqtt", "shutan_wire.mqtt_connect", "shutan_wire.mqtt_more")
    unload("shutan_wire.records", "shutan_wire.ids")
    mistakes: list[str] = []
    plan = _measuring(settings, files, mistakes)
    if not mistakes:
        plan["broker"] = broker
        plan["prefix"] = prefix
        for key in ("node", "time", "store", "wifi", "node_interval_s"):
            plan[key] = settings[key]
        settings = None
        gc.collect()
        text = json.dumps(plan).encode()
        files.replace(PLAN, b"%08x" % (crc32(text) & 0xFFFFFFFF) + text)
    return mistakes


def _measuring(settings: "Table", files: Files, mistakes: "list[str]") -> "Table":
    """The part of the plan about meters and columns."""
    from shutan_meters.errors import ProfileError
    from shutan_meters.master import Device
    from shutan_wire import catalogue

    profiles: dict[str, Profile | None] = {}
    slots = [("", bytes([_sure(catalogue.by_name(name)).id for name in NODE_METRICS]))]
    found: list[tuple[Table, bytearray, bytes]] = []
    for index in range(len(settings["devices"])):
        device = settings["devices"][index]
        where = "devices[%d]." % index
        if device["driver"] is not None:
            driver = _driver(device, settings["buses"], mistakes, where)
            if driver is not None:
                ids = bytes([_sure(catalogue.by_name(name)).id for name in driver.metrics])
                items = _wanted(device["metrics"], driver.metrics, "driver " + device["driver"], mistakes, where)
                slots.append((device["device"], bytes([ids[item] for item in items])))
                found.append((device, items, ids))
            continue
        profile = _profile(device["profile"], profiles, mistakes, where)
        if profile is not None:
            items = _items(device["metrics"], profile, mistakes, where)
            slots.append((device["device"], bytes([profile.ids[item] for item in items])))
            found.append((device, items, profile.ids))
            try:
                Device(profile, device["address"], device["ct"], device["pt"])
            except ProfileError as error:
                mistakes.append(where + str(error))
    if mistakes:
        return {}
    before = read_plan(files)
    old: list[shapes.SlotRow] = before.get("slots", []) if before else []
    held = [name for name in files.names(FOLDER) if len(name) == 8]
    names = sorted(profiles)
    plan: Table = {
        "crc": source_crc(files, names),
        "was": shape_of(old) if held else 0,
        "slots": _slots(old if held else [], slots),
        "profiles": _packed(profiles),
        "buses": [],
    }
    for bus in settings["buses"]:
        line = [bus[key] for key in _LINES[bus["kind"]]]
        if bus["kind"] != "serial":
            line = [bus["kind"]] + line  # noqa: RUF005 - MicroPython cannot unpack here
        meters = [
            _meter(device, items, ids, names, plan["slots"])
            for device, items, ids in found
            if device["bus"] == bus["id"]
        ]
        if meters:
            plan["buses"].append([line, meters])
    return plan


def _driver(device: "Table", buses: "list[Table]", mistakes: "list[str]", where: str) -> "Driver | None":
    """The driver of a device, made for its check and then dropped; None after a mistake."""
    from shutan_meters.errors import ProfileError
    from shutan_node import drivers

    address = device["address"] or 0
    try:
        driver = drivers.make(device["driver"], device["device"], address, device["options"])
    except ProfileError as error:
        mistakes.extend([where + text for text in error.mistakes])
        return None
    kinds = [bus["kind"] for bus in buses if bus["id"] == device["bus"]]
    if driver.BUS not in kinds:
        mistakes.append(where + "bus: driver " + device["driver"] + " needs a bus of kind " + driver.BUS)
    return driver


def _profile(name: str, profiles: "dict[str, Profile | None]", mistakes: "list[str]", where: str) -> "Profile | None":
    from shutan_meters.errors import ProfileError
    from shutan_meters.profile import load_profile

    if name not in profiles:
        profiles[name] = None
        try:
            with open("profiles/" + name + ".json") as file:  # pyright: ignore[reportUnknownVariableType] - its stub knows no type of file
                text = str(file.read())  # pyright: ignore[reportUnknownArgumentType] - as above
            profiles[name] = load_profile(text)
        except OSError:
            mistakes.append(where + "profile: profiles/" + name + ".json is missing")
        except ProfileError as error:
            mistakes.append(where + "profile: " + str(error))
    return profiles[name]


def _packed(profiles: "dict[str, Profile | None]") -> "list[shapes.ProfileRow]":
    rows: list[shapes.ProfileRow] = []
    for name in sorted(profiles):
        profile = profiles[name]
        if profile is not None:
            head: Any = [name, profile.protocol, profile.baud, profile.line, profile.timeout_ms]
            columns = [bytes(getattr(profile, part)).hex() for part in _PROFILE]
            rows.append(head + columns + [list(getattr(profile, part)) for part in _ARRAYS])
    return rows


def _items(rules: "Table | None", profile: "Profile", mistakes: "list[str]", where: str) -> bytearray:
    """Items of a profile that are to be read: all of them, or those that the configuration names."""
    from shutan_wire import catalogue

    known = [_sure(catalogue.by_id(number)).name for number in profile.ids]
    return _wanted(rules, known, "profile " + profile.name, mistakes, where)


def _wanted(rules: "Table | None", known: "Sequence[str]", whose: str, mistakes: "list[str]", where: str) -> bytearray:
    """Places of the metrics that are to be read."""
    items = bytearray()
    for item in range(len(known)):
        if rules is None or known[item] in rules:
            items.append(item)
    for name in rules or ():
        if name not in known:
            mistakes.append(where + "metrics." + name + ": not in " + whose)
    if len(items) > _METRICS_MAX:
        mistakes.append(where + "metrics: %d, at most %d" % (len(items), _METRICS_MAX))
    return items


def _sure(metric: "Metric | None") -> "Metric":
    """A metric that must be known, since its id or name came out of the catalogue."""
    if metric is None:
        raise ValueError("catalogue")
    return metric


def _slots(old: "list[shapes.SlotRow]", new: "list[tuple[str, bytes]]") -> "list[shapes.SlotRow]":
    """[device, hex of ids, hex of datatypes, names] per slot: the old ones in their places, then what is new."""
    from shutan_wire import catalogue

    names = [slot[0] for slot in old]
    held = [bytes.fromhex(slot[1]) for slot in old]
    for name, ids in new:
        if name in names:
            place = names.index(name)
            before = held[place]
            held[place] = before + bytes([number for number in ids if before.find(bytes([number])) < 0])
        else:
            names.append(name)
            held.append(ids)
    out: list[shapes.SlotRow] = []
    for place in range(len(names)):
        ids = held[place]
        metrics = [_sure(catalogue.by_id(number)) for number in ids]
        types = bytes([metric.datatype for metric in metrics])
        out.append([names[place], ids.hex(), types.hex(), " ".join([metric.name for metric in metrics])])
    return out


def _meter(
    device: "Table", items: bytearray, offered: bytes, names: "list[str]", slots: "list[shapes.SlotRow]"
) -> "shapes.MeterRow":
    """[slot, place of the profile, address, ct, pt, item per column (255 = none), wanted or "", interval, rules].

    offered: catalogue id of each item. Of a driver: its name, and its options instead of ct.
    """
    from shutan_wire import catalogue

    slot = 0
    while slots[slot][0] != device["device"]:
        slot += 1
    places = bytearray()
    rules: list[shapes.RuleRow] = []
    exceptions: Table = device["metrics"] or {}
    mine = bytes([offered[item] for item in items])
    ids = bytes.fromhex(slots[slot][1])
    for column in range(len(ids)):
        place = mine.find(ids[column : column + 1])
        places.append(255 if place < 0 else items[place])
        metric = _sure(catalogue.by_id(ids[column]))
        rule = exceptions.get(metric.name)
        if rule and metric.kind != "counter":
            deadband = rule["deadband"]
            if deadband < 0 and rule["max_silence_s"]:
                deadband = 0  # a silence alone means: on every change
            rules.append((column, deadband, rule["max_silence_s"], rule["interval_s"]))
    wanted = bytearray(len(offered))
    for item in items:
        wanted[item] = 1
    mask = wanted.hex() if len(items) < len(offered) else ""
    interval_ms = device["interval_s"] * 1000
    address, ct, pt = [device[key] for key in ("address", "ct", "pt")]
    if device["driver"] is not None:
        return slot, device["driver"], address or 0, device["options"], pt, places.hex(), mask, interval_ms, rules
    return slot, names.index(device["profile"]), address, ct, pt, places.hex(), mask, interval_ms, rules


def _broker(settings: "Table") -> "shapes.PackedBroker":
    """Address and the packets of every handshake; the two last bytes of the death are its bdSeq, see handshake."""
    from shutan_wire import mqtt_connect
    from shutan_wire.ids import NCMD, NDEATH, state_topic, topic
    from shutan_wire.mqtt_more import publish
    from shutan_wire.records import BDSEQ

    broker = settings["broker"]
    site = settings["site"]
    node = settings["node"]
    host = settings["primary_host"]
    state = state_topic(host) if host else ""
    # one metric: name, datatype Int64, value 128 as a varint of two bytes; written out, since the encoder takes 10 KB
    death = b"\x12\x0c\x0a\x05" + BDSEQ.encode() + b"\x20\x04\x58\x80\x01"
    where = topic(site, NDEATH, node)
    user, password = broker["user"], broker["password"]
    keepalive_s = broker["keepalive_s"]
    connect = mqtt_connect.connect(site + "-" + node, keepalive_s, True, user, password, will=(where, death, 1, False))
    filters = [(topic(site, NCMD, node), 1)] + ([(state, 1)] if state else [])
    return {
        "host": broker["host"],
        "port": broker["port"],
        "keepalive_s": keepalive_s,
        "state": state,
        "connect": connect.hex(),
        "at": connect.find(death) + len(death) - 2,
        "subscribe": mqtt_connect.subscribe(1, filters).hex(),
        "death": publish(where, death, 1, False, 2).hex(),
    }
