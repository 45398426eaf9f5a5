"""A real node: MicroPython, mosquitto, instruments on a pseudo-terminal, and a host that checks every message."""

import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hosts import FakeHost, NodeView, Sample
from support.nodes import ModbusBus, Node, TimeServer
from support.servers import Server

pytestmark = [pytest.mark.flow, pytest.mark.early]

SITE = "jiuniang"
NAME = "n01"
RATE = 10  # process time runs ten times as fast: a reading every 0.1 s
METRICS = (
    "active_energy_import_wh",
    "active_energy_export_wh",
    "reactive_energy_import_varh",
    "reactive_energy_export_varh",
    "active_power_w",
    "power_factor",
    "frequency_hz",
    "voltage_l1_v",
    "voltage_l2_v",
    "voltage_l3_v",
    "current_l1_a",
    "current_l2_a",
    "current_l3_a",
    "active_power_l1_w",
    "active_power_l2_w",
    "active_power_l3_w",
    "reactive_power_var",
    "apparent_power_va",
    "current_n_a",
    "voltage_l1_l2_v",
)
FEW = METRICS[:5]


def by_time(sample: Sample) -> int:
    """When a sample was read."""
    return sample[2]


class Bench:
    """Everything around one node."""

    def __init__(self, folder: Path, broker: Server, clock: TimeServer, bus: ModbusBus, host: FakeHost) -> None:
        self.folder = folder
        self.broker = broker
        self.clock = clock
        self.bus = bus
        self.host = host

    def config(self, units: tuple[int, ...] = (1, 2, 3), metrics: tuple[str, ...] = METRICS) -> dict[str, object]:
        """A configuration with one device a unit."""
        devices: list[dict[str, object]] = [
            {
                "device": f"m{unit}",
                "bus": "rs485-1",
                "profile": "eastron_sdm630",
                "address": str(unit),
                "interval_s": 2,
                "metrics": {metric: {} for metric in metrics},
            }
            for unit in units
        ]
        return {
            "site": SITE,
            "node": NAME,
            "broker": {"host": self.broker.host, "port": self.broker.port, "keepalive_s": 5},
            "time": {"host": "127.0.0.1", "port": self.clock.port},
            "buses": [{"id": "rs485-1", "uart": 1, "baud": 9600}],
            "devices": devices,
            "node_interval_s": 20,
        }

    def node(self, config: dict[str, object] | None = None, **options: object) -> Node:
        """The node, not yet started."""
        node = Node(self.folder, config or self.config(), **options)  # pyright: ignore[reportArgumentType] - passed on
        node.uart(1, self.bus.path, RATE)
        return node

    @property
    def view(self) -> NodeView:
        """What the host knows of it."""
        return self.host.nodes[NAME]

    def settled(self, node: Node) -> None:
        """Wait until everything that the node has recorded by now is acknowledged."""
        view = self.view
        target = max(view.held, default=0) + 5
        try:
            self.host.wait(lambda: target <= view.watermark == max(view.held), f"all up to {target} at least")
        except AssertionError as error:
            error.add_note(f"{node.last}, at {view.watermark} of {max(view.held)}, gaps {view.gaps}, {view.faults}")
            raise

    def nothing_is_missing(self) -> None:
        """Every number up to the watermark is either here or declared lost, and no rule was broken."""
        assert not self.view.faults
        closed = {number for low, high, _ in self.view.gaps for number in range(low, high + 1)}
        newest = max(self.view.held)
        assert set(range(self.view.first, newest + 1)) <= set(self.view.held) | closed


@pytest.fixture
def bench(tmp_path: Path, mosquitto: Server) -> Iterator[Bench]:
    with TimeServer(RATE) as clock, ModbusBus((1, 2, 3)) as bus, FakeHost(mosquitto.port) as host:
        yield Bench(tmp_path / "node", mosquitto, clock, bus, host)


def test_births_are_legal_and_data_is_acknowledged(bench: Bench) -> None:
    with bench.node() as node:
        bench.settled(node)
        bench.settled(node)
        assert bench.view.births == ["", "m1", "m2", "m3"]
        assert bench.view.bdseq == [0]
        assert bench.view.boots == [int(node.last["boot"], 16)]
        bench.nothing_is_missing()
        for device in ("m1", "m2", "m3"):
            samples = [s for held in bench.view.held.values() for s in held if s[0] == device]
            assert {name for _, name, _, _ in samples} == set(METRICS)
            samples.sort(key=by_time)
            values = [value for _, name, _, value in samples if name == "active_energy_import_wh"]
            energy = [value for value in values if isinstance(value, int)]
            assert len(energy) == len(values)
            assert energy == sorted(energy)
            now_ms = bench.clock.now() * 1000
            assert all(0 < now_ms - ms < 600_000 for _, _, ms, _ in samples)
        assert any(name == "uptime_s" for held in bench.view.held.values() for _, name, _, _ in held)
        assert node.wait("ack")["acked"] > 0


@pytest.mark.parametrize("runtime", ["micropython32", "micropython"])
def test_it_runs_in_the_heap_of_an_esp32(bench: Bench, runtime: str) -> None:
    with bench.node(runtime=runtime, heap="100k" if runtime == "micropython32" else "200k") as node:
        bench.settled(node)
        bench.nothing_is_missing()


def test_out_of_a_rom_image_it_runs_in_75_kilobytes(bench: Bench) -> None:
    with bench.node(heap="75k", rom=True) as node:
        bench.settled(node)
        bench.host.rebirth(NAME)
        bench.host.wait(lambda: bench.view.births.count("") == 2, "a second birth")
        bench.settled(node)
        bench.nothing_is_missing()


@pytest.mark.fault
def test_kill_9_loses_nothing_that_was_acknowledged_or_journaled(bench: Bench) -> None:
    chance = random.Random(4)  # noqa: S311 - for moments, not for secrets
    promised: set[int] = set()
    with bench.node() as node:
        for turn in range(5):
            bench.settled(node)
            if turn % 2:
                bench.host.acking = False
                node.wait("journal", len(node.said("journal")) + 1)
            time.sleep(chance.uniform(0.1, 1.0))  # the moment of the kill is the subject
            kept = max(node.last["acked"], node.last["journaled"])
            promised.update(range(node.said("boot")[-1]["newest"] + 1, kept + 1))
            node.kill()
            bench.host.acking = True
            node.start()
        bench.settled(node)
        bench.nothing_is_missing()
        assert promised
        assert promised <= set(bench.view.held)
        assert len(set(bench.view.boots)) == 6
        assert all(unsaved <= 64 for unsaved in bench.view.unsaved)


@pytest.mark.fault
def test_a_broker_restart_costs_nothing(bench: Bench) -> None:
    with bench.node() as node:
        bench.settled(node)
        bench.broker.kill()
        before = node.last["newest"]
        node.wait("link_down")
        bench.host.wait(lambda: node.last["newest"] >= before or node.said("journal") != [], "records go on")
        bench.broker.start()
        node.wait("link_up", 2)
        bench.settled(node)
        bench.nothing_is_missing()
        assert bench.view.gaps == []
        assert bench.view.bdseq == sorted(set(bench.view.bdseq))
        assert bench.view.historical


@pytest.mark.fault
def test_a_lost_message_is_sent_again(bench: Bench) -> None:
    lost: list[int] = []

    def lose(kind: str, _device: str, payload: object) -> bool:
        metrics = getattr(payload, "metrics", [])
        if kind == "DDATA" and not lost and len(bench.view.held) > 5:
            lost.extend(metric.value for metric in metrics if metric.alias and metric.alias % 256 == 0)
            return True
        return False

    with bench.node() as node:
        bench.settled(node)
        bench.host.lose = lose
        bench.host.wait(lambda: bool(lost), "a message to lose")
        bench.view.faults.clear()
        bench.host.wait(lambda: bench.view.watermark > lost[0], "the lost one", 40)
        assert lost[0] in bench.view.historical
        bench.view.faults.clear()  # the missing sequence number
        bench.settled(node)
        bench.nothing_is_missing()


def test_a_silent_instrument_dies_and_holds_up_nobody(bench: Bench) -> None:
    with bench.node(bench.config(metrics=FEW)) as node:
        bench.settled(node)
        bench.bus.silent.add(2)
        assert node.wait("death", 1, 40)["device"] == "m2"
        bench.host.wait(lambda: "m2" in bench.view.deaths, "DDEATH of m2")
        reads = dict(bench.bus.reads)
        bench.host.wait(
            lambda: bench.bus.reads[1] > reads[1] + 5 and bench.bus.reads[3] > reads[3] + 5, "the others go on"
        )
        bench.bus.silent.clear()
        bench.host.wait(lambda: bench.view.births.count("m2") == 2, "DBIRTH of m2", 60)
        bench.settled(node)
        bench.nothing_is_missing()
        assert node.last["node"] == NAME


def test_rebirth_on_command_and_garbage_without_harm(bench: Bench) -> None:
    chance = random.Random(5)  # noqa: S311 - garbage that comes out the same each time
    with bench.node() as node:
        bench.settled(node)
        for size in (1, 7, 100, 900):
            bench.host.command(NAME, chance.randbytes(size))
        bench.host.ack(NAME, bench.view.store_id ^ 1, 1)
        bench.host.ack(NAME, bench.view.store_id, 2**40)
        bench.host.rebirth(NAME)
        bench.host.wait(lambda: bench.view.births.count("") == 2, "a second birth")
        bench.settled(node)
        assert bench.view.bdseq == [0, 0]  # the same session
        assert node.wait("ack", len(node.said("ack")) + 1)["rejected"] >= 3
        assert len(node.said("link_up")) == 1
        bench.nothing_is_missing()


def test_samples_wait_for_the_time_and_are_stamped_then(bench: Bench) -> None:
    bench.clock.mute = True
    with bench.node() as node:
        bench.host.wait(lambda: min(bench.bus.reads.values()) > 12, "readings before the time is known")
        assert not bench.view.births
        assert not node.said("synced")
        bench.clock.mute = False
        node.wait("synced", 1, 70)
        bench.settled(node)
        bench.nothing_is_missing()
        held = bench.view.held
        times = [ms for number in sorted(held) for device, _, ms, _ in held[number] if device == "m1"]
        assert times == sorted(times)
        assert max(times) - min(times) > 10_000
        assert all(abs(bench.clock.now() * 1000 - ms) < 1_000_000 for ms in times)


def test_a_planned_stop_saves_everything(bench: Bench) -> None:
    bench.host.acking = False
    with bench.node() as node:
        bench.host.wait(lambda: len(bench.view.held) > 20, "some records")
        assert node.stop(signal.SIGINT) == 0
        newest = node.said("stop")[0]["newest"]
        assert node.said("stop")[0]["journaled"] == newest
        bench.host.wait(lambda: "" in bench.view.deaths, "NDEATH")
        bench.host.acking = True
        node.start()
        bench.settled(node)
        bench.nothing_is_missing()
        assert bench.view.gaps == []
        assert bench.view.unsaved == [0, 0]


def test_a_primary_host_is_waited_for(bench: Bench) -> None:
    def state(online: bool, timestamp: int) -> None:
        text = json.dumps({"online": online, "timestamp": timestamp})
        bench.host.publish("spBv1.0/STATE/shutan", text.encode(), retain=True)

    config = bench.config() | {"primary_host": "shutan"}
    with bench.node(config) as node:
        node.wait("link_up")
        bench.host.wait(lambda: min(bench.bus.reads.values()) > 12, "readings without a host")
        assert not bench.view.births
        state(True, 100)
        bench.settled(node)
        state(False, 50)  # older than the newest: ignored
        bench.settled(node)
        assert len(node.said("link_up")) == 1
        state(False, 200)
        node.wait("link_down")
        bench.host.wait(lambda: "" in bench.view.deaths, "NDEATH")
        births = len(bench.view.births)
        node.wait("link_up", 2)
        assert len(bench.view.births) == births
        state(True, 300)
        bench.settled(node)
        bench.nothing_is_missing()
        assert bench.view.gaps == []


def test_records_outlive_a_change_of_the_configuration(bench: Bench) -> None:
    bench.host.acking = False
    with bench.node(bench.config(metrics=FEW)) as node:
        bench.host.wait(lambda: len(bench.view.held) > 20, "some records")
        before = dict(bench.view.held)
        node.stop(signal.SIGINT)
        bench.view.held.clear()
        config = bench.config(units=(3, 1), metrics=METRICS[3:9])  # m2 is gone, the order and the metrics are others
        node.configure(config)
        bench.host.acking = True
        node.start()
        bench.settled(node)
        bench.nothing_is_missing()
        for number, samples in before.items():
            assert bench.view.held[number] == samples
        fresh = [s for number in bench.view.held if number > max(before) for s in bench.view.held[number]]
        assert {name for device, name, _, _ in fresh if device == "m3"} == set(METRICS[3:9])
        assert not [s for s in fresh if s[0] == "m2"]


def test_mistakes_in_the_configuration_are_one_line_and_an_exit_code(bench: Bench) -> None:
    config = bench.config()
    config["site"] = "two words"
    config["colour"] = "red"
    node = bench.node(config)
    node.launch()
    assert node.process.wait(20) == 1
    lines = node.console.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    said = json.loads(lines[0])
    assert said["event"] == "error"
    assert [text.split(":")[0] for text in said["mistakes"]] == ["colour", "site"]


def test_a_metric_that_the_profile_lacks_is_a_mistake(bench: Bench) -> None:
    node = bench.node(bench.config(metrics=("co2_ppm",)))
    node.launch()
    assert node.process.wait(20) == 1
    said = json.loads(node.console.read_text(encoding="utf-8"))
    assert said["mistakes"][0].startswith("devices[0].metrics.co2_ppm: not in profile")


def test_a_flash_that_refuses_is_told_in_one_line_and_tried_again(bench: Bench) -> None:
    node = bench.node()
    (bench.folder / "plan.json.new").mkdir()  # nothing can be written under that name
    node.launch()
    assert node.process.wait(20) == 1
    said = json.loads(node.console.read_text(encoding="utf-8"))
    assert said["mistakes"][0].startswith("plan.json: ")
    (bench.folder / "plan.json.new").rmdir()
    with node:
        bench.settled(node)
