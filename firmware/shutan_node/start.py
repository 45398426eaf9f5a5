"""From files to running objects, in steps that give their code back. Loaded at start and dropped after it."""

import json
import os
import sys
from array import array
from binascii import crc32  # pyright: ignore[reportUnknownVariableType] - its stub gives `data` no type

from shutan_node.console import unload
from shutan_node.journal import Files

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from shutan_meters.profile import Profile
    from shutan_node import shapes
    from shutan_node.drivers.driver import Driver
    from shutan_node.main import Node

PLAN = "plan.json"
_RETRY_S = 10
_FORMAT = 3  # of the plan; another number makes every board check its configuration again

# What a running node never calls: code for the other side of the wire or for a person.
_UNUSED = {
    "shutan_wire.encode": ("encode_payload",),
    "shutan_meters.master": ("read_device", "read_address"),
    "shutan_meters.profile": ("load_profile", "unload_loader"),
}


def start(node: "Node") -> None:
    """Build the node out of its plan. Where there is none that fits, check the configuration and start again."""
    files = Files()
    plan = read_plan(files)
    if plan is None or not _fits(plan, files):
        plan = None
        _check(files)
    buses = _meters(plan)
    _strip()
    _storage(node, plan, files)
    _tasks(node, plan, buses)
    _strip()
    node.time = plan["time"]
    node.interval_ms = plan["node_interval_s"] * 1000
    from shutan_node import hal

    hal.join(plan["wifi"])
    node.console.say("boot", runtime=sys.version, cause=hal.reset_cause())


def _fits(plan: "shapes.Plan | None", files: Files) -> bool:
    """Whether a plan is that of the configuration and the profiles on flash."""
    return plan is not None and plan["crc"] == source_crc(files, [row[0] for row in plan.get("profiles", ())])


def _check(files: Files) -> "NoReturn":
    """Make a new plan and reset, or say what is wrong and stop."""
    from shutan_node import plan

    try:
        mistakes = plan.make(files)
        if not mistakes and not _fits(read_plan(files), files):
            mistakes = [PLAN + ": reads back as something else"]
    except OSError as error:
        mistakes = [PLAN + ": " + str(error)]
    if mistakes:
        print(json.dumps({"event": "error", "where": "config.json", "mistakes": mistakes}))  # noqa: T201 - console
        sys.exit(1)
    from shutan_node import hal

    hal.reset()


def fail(error: Exception) -> "NoReturn":
    """The start failed for a reason that may go away: say it and reset."""
    print(json.dumps({"event": "error", "where": "start", "reason": repr(error)}))  # noqa: T201 - console
    from time import sleep

    from shutan_node import hal

    sleep(_RETRY_S)
    hal.reset()


def _strip() -> None:
    """Give back what only the start needs."""
    for name, unused in _UNUSED.items():
        for part in unused:
            if name in sys.modules and hasattr(sys.modules[name], part):
                delattr(sys.modules[name], part)
    unload(
        "shutan_wire.catalogue", "shutan_wire.catalogue_table", "shutan_wire.datatypes", "shutan_wire.records",
        "shutan_wire.ids", "shutan_wire.quality",
    )  # fmt: skip


def source_crc(files: Files, profiles: "list[str]") -> int:
    """CRC-32 over what a plan is made of."""
    crc = _FORMAT
    chunk = bytearray(128)
    for name in ["config.json"] + ["profiles/" + name + ".json" for name in profiles]:
        size = files.size(name)
        for at in range(0, size, len(chunk)):
            crc = crc32(memoryview(chunk)[: files.read(name, at, chunk)], crc)
    return crc & 0xFFFFFFFF


def shape_of(slots: "list[list[str]]") -> int:
    """CRC-32 over the meaning of the columns on flash."""
    return crc32(json.dumps([slot[:3] for slot in slots]).encode()) & 0xFFFFFFFF


def read_plan(files: Files) -> "shapes.Plan | None":
    """The plan on flash; None if there is none that is whole."""
    raw = bytearray(files.size(PLAN))
    files.read(PLAN, 0, raw)
    text = memoryview(raw)[8:]
    try:
        return json.loads(bytes(text)) if int(bytes(raw[:8]), 16) == crc32(text) & 0xFFFFFFFF else None
    except ValueError:
        return None


def _profile(packed: "shapes.ProfileRow") -> "Profile":
    from shutan_meters.profile import Profile

    profile = Profile(*packed[:5])
    profile.reads, profile.ids, profile.in_read, profile.at = [bytes.fromhex(text) for text in packed[5:9]]
    profile.forms, profile.flags, profile.singles = [bytes.fromhex(text) for text in packed[9:12]]
    profile.num = array("I", packed[12])
    profile.den = array("I", packed[13])
    profile.low = array("f", packed[14])
    profile.high = array("f", packed[15])
    return profile


def _meters(plan: "shapes.Plan") -> "list[shapes.Bus]":
    """Per bus (line, list of `shapes.Meter`); takes profiles and buses out of the plan."""
    from shutan_meters.master import Device

    slots = plan.get("slots", [])
    profiles = [_profile(packed) for packed in plan.pop("profiles")]
    out: list[shapes.Bus] = []
    for line, entries in plan.pop("buses"):
        found: list[shapes.Meter] = []
        for slot, profile, address, ct, pt, items, wanted, interval_ms, rules in entries:
            ratio: Any = ct
            if isinstance(profile, int):
                meter: Device | Driver = Device(profiles[profile], address, ratio, pt)
            else:
                from shutan_node import drivers

                meter = drivers.make(profile, slots[slot][0], address, ratio)
            mask = bytes.fromhex(wanted) if wanted else None
            found.append((meter, slot, bytes.fromhex(items), mask, interval_ms, rules))
        out.append((line, found))
    return out


def _storage(node: "Node", plan: "shapes.Plan", files: Files) -> None:
    """Boot id, clock, console, store and columns."""
    from shutan_node import hal, recovery
    from shutan_node.clock import Clock
    from shutan_node.columns import Columns
    from shutan_node.console import Console
    from shutan_node.journal import Journal
    from shutan_node.store import Ring, Store

    options = plan["store"]
    node.boot = int.from_bytes(os.urandom(8), "little")
    node.clock = Clock(hal.uptime_ms)
    journal = Journal(files, options["flash_bytes"], node.boot & 0xFFFFFFFF)
    ring = Ring(options["ram_records"], options["ram_bytes"])
    node.store = Store(files, journal, ring, options["ram_records"], node.clock)
    node.console = Console(plan["node"], node.boot, node.store)
    slots = plan.pop("slots")
    unload("shutan_wire.quality")
    if not recovery.recover(node.store, shape_of(slots), plan["was"]):
        node.console.say("error", where="store", reason="no readable state: formatted")
    del recovery
    unload("shutan_node.recovery", "shutan_node.gaps")
    node.devices = []
    texts: dict[str, str] = {}
    for slot in range(len(slots)):
        name, ids, types, names = slots[slot]
        names = texts.setdefault(names, names)  # meters of one kind share their names
        node.devices.append(Columns(slot, name or None, names, bytes.fromhex(ids), bytes.fromhex(types)))


def _tasks(node: "Node", plan: "shapes.Plan", buses: "list[shapes.Bus]") -> None:
    """Delivery, link and samplers."""
    from shutan_node.delivery import Delivery
    from shutan_node.edge import Edge

    _strip()
    from shutan_node.journal import RECORD_MAX
    from shutan_node.link import Link
    from shutan_node.sampler import Instrument, Recorder, Sampler

    options = plan["store"]
    broker: Any = plan["broker"]  # a PackedBroker that becomes a Broker
    keepalive_ms = broker["keepalive_s"] * 1000
    ram_ms = options["ram_window_s"] * 1000
    delivery = Delivery(node.store, keepalive_ms, ram_ms, options["foreign_after_s"] * 1000)
    body = longest = 0
    for columns in node.devices:
        count = len(columns.ids)
        body = max(body, 16 + 13 * count)
        longest = max(longest, (850 if columns.name is None else 60) + len(columns.names) + 30 * count)
    node.recorder = Recorder(node.console, node.clock, node.store, delivery, min(body, RECORD_MAX))
    edge = Edge(plan["prefix"], plan["node"], node.devices, node.store, node.clock, longest)
    for key in ("connect", "subscribe", "death"):
        broker[key] = bytearray(bytes.fromhex(broker[key]))
    node.link = Link(edge, delivery, node.console, broker, node.boot)
    node.samplers = []
    for line, entries in buses:
        instruments: list[Instrument] = []
        for meter, slot, items, wanted, interval_ms, rules in entries:
            for rule in rules:
                node.devices[slot].rule(*rule)
            instruments.append(Instrument(meter, node.devices[slot], items, wanted, interval_ms))
        node.samplers.append(Sampler(_bus(line), instruments, node.recorder))


def _bus(row: "shapes.LineRow | shapes.BoardRow") -> "Any":
    """A serial bus, or one of the board's sensors."""
    line: Any = row
    if isinstance(row[0], str):
        from shutan_node import board

        return board.make(*line)
    from shutan_node import hal
    from shutan_node.sampler import Bus

    return Bus(hal.Line(*line), 11000 // line[1] + 1)
