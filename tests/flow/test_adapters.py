"""Plain-JSON devices through a real broker and a real gateway, killed in between: every watt-hour once."""

import asyncio
import itertools
import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import aiomqtt
import pytest

from shutan_gateway.quarantine import FOLDER, Item, items
from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.gateway_process import SQLITE, GatewayProcess, gateway_process
from support.servers import HOST, Server, wait_until

LIMIT_S = 60.0
ADAPTERS = """
[[adapter]]
kind = "tasmota"
name = "plugs"
site = "works"
time_zone = "UTC"

[[adapter]]
kind = "esphome"
name = "boards"
site = "works"
[[adapter.map]]
field = "energy"
metric = "active_energy_import_wh"
unit = "kWh"

[[adapter]]
kind = "homeassistant"
name = "announced"
site = "works"
"""


def publish(broker: Server, messages: Iterable[tuple[str, str | bytes]], *, retain: bool = False) -> None:
    """Send at QoS 1, in order, and wait for the broker's acknowledgement of each."""

    async def send() -> None:
        async with aiomqtt.Client(HOST, broker.port) as client:
            for topic, payload in messages:
                await client.publish(topic, payload, qos=1, retain=retain)

    asyncio.run(send())


def tasmota(number: int, total_kwh: str) -> tuple[str, str]:
    """A telemetry message of the second `number`."""
    hours, rest = divmod(number, 3600)
    stamp = f"2026-05-31T{16 + hours:02}:{rest // 60:02}:{rest % 60:02}"
    return "tele/plug1/SENSOR", f'{{"Time":"{stamp}","ENERGY":{{"Total":{total_kwh},"Power":{number % 100}}}}}'


def stored(gateway: GatewayProcess, node: str, device: str, metric: str, family: str = "energy") -> list[object]:
    """Values of one metric in the order of their times."""
    if gateway.number('shutan_store_rows_total{store="local"}') == 0:
        return []  # the store's file may be in the making
    with closing(open_readonly(gateway.folder / "series.sqlite")) as conn:
        series = [one for one in list_series(conn) if (one.node, one.device, one.family) == (node, device, family)]
        rows = [row for one in series for row in read_series(conn, one, [metric], 0, 2**63 - 1)]
    return [value for _, value in sorted(rows) if value is not None]


def settled(gateway: GatewayProcess) -> bool:
    """Whether all that came is in the store and acknowledged."""
    numbers = gateway.numbers()
    waiting = numbers.get('shutan_store_pending{store="local"}', 1) + numbers["shutan_adapter_waiting_messages"]
    return waiting == 0 and numbers["shutan_adapter_link_up"] == 1


def balanced(gateway: GatewayProcess) -> None:
    """received = duplicates + rejected + accepted; accepted = stored + dead + pending."""
    numbers = gateway.numbers()
    rejected = sum(value for name, value in numbers.items() if name.startswith("shutan_rejected_total"))
    ended = numbers.get("shutan_duplicates_total", 0) + rejected + numbers["shutan_accepted_total"]
    assert numbers["shutan_received_total"] == ended
    store = '{store="local"}'
    parts = sum(numbers[f"shutan_store_{part}{store}"] for part in ("stored_total", "dead_total", "pending"))
    assert numbers[f"shutan_store_accepted_total{store}"] == parts


def taken(gateway: GatewayProcess) -> float:
    """Messages that the adapter `plugs` has taken in this life of the gateway."""
    return gateway.number('shutan_adapter_messages_total{adapter="plugs"}')


@pytest.mark.flow
def test_totals_are_exact_through_kills_and_a_lost_count(mosquitto: Server, tmp_path: Path) -> None:
    gateway = gateway_process(tmp_path, mosquitto.port, SQLITE + ADAPTERS)
    lives = (range(7, 7 * 81, 7), range(7, 7 * 81, 7))  # contents in Wh; the plug loses its count once
    messages = [tasmota(number, f"{wh / 1000:.3f}") for number, wh in enumerate(itertools.chain(*lives))]
    expected = [
        *lives[0],
        lives[0][-1],  # a first step back is not believed
        *(lives[0][-1] + wh for wh in lives[1][1:]),
    ]
    with gateway:
        for first, kill_after in ((0, 1), (80, 30)):
            wait_until(lambda: gateway.number("shutan_adapter_link_up") == 1, LIMIT_S, "the adapters' session")
            publish(mosquitto, messages[first : first + 50])
            wait_until(lambda least=kill_after: taken(gateway) >= least, LIMIT_S, "messages taken", step_s=0.001)
            gateway.kill()  # somewhere between spool, offsets and acknowledgement
            publish(mosquitto, messages[first + 50 : first + 80])  # the broker keeps them
            gateway.start()
        wait_until(
            lambda: (
                settled(gateway) and len(stored(gateway, "plug1", "energy", "active_energy_import_wh")) >= len(expected)
            ),
            LIMIT_S,
            "all samples in the store",
        )
        assert stored(gateway, "plug1", "energy", "active_energy_import_wh") == expected
        assert gateway.number("shutan_conflicts_total") == 0
        balanced(gateway)


@pytest.mark.flow
def test_announced_and_malformed_devices_beside_each_other(mosquitto: Server, tmp_path: Path) -> None:
    gateway = gateway_process(tmp_path, mosquitto.port, SQLITE + ADAPTERS)
    config = '{"uniq_id":"m1_total","stat_t":"meters/1","unit_of_meas":"kWh","stat_cla":"total_increasing",'
    config += '"val_tpl":"{{ value_json.kwh }}","dev":{"ids":["m1"]}}'
    bad = [b'{"ENERGY":{"Total":1', b'{"ENERGY":{"Total":NaN}}', b"[" * 17 + b"]" * 17, b"\xff\xfe", b'{"a":1,"a":2}']
    reasons = ["bad_json", "nan", "deep_json", "bad_utf8", "duplicate_key"]
    with gateway:
        wait_until(lambda: gateway.number("shutan_adapter_link_up") == 1, LIMIT_S, "the adapters' session")
        announced = [("homeassistant/sensor/m1/total/config", config), ("meters/1", '{"kwh":"1234.000"}')]
        publish(mosquitto, announced, retain=True)
        wait_until(lambda: stored(gateway, "announced", "m1", "total_wh_i", "unmapped") == [1_234_000], LIMIT_S, "HA")
        wait_until(lambda: settled(gateway), LIMIT_S, "nothing waits")
        gateway.kill()
        publish(mosquitto, [("meters/1", '{"kwh":"1234.567"}')])  # before the gateway hears the announcement again
        publish(mosquitto, [("tele/bad/SENSOR", payload) for payload in bad])
        publish(mosquitto, [("board7/sensor/energy/state", "8231.5"), tasmota(1, "0.007")])
        gateway.start()
        wait_until(
            lambda: stored(gateway, "boards", "board7", "active_energy_import_wh") == [8_231_500], LIMIT_S, "ESPHome"
        )
        wait_until(
            lambda: 1_234_567 in stored(gateway, "announced", "m1", "total_wh_i", "unmapped"), LIMIT_S, "HA, kept"
        )
        wait_until(lambda: stored(gateway, "plug1", "energy", "active_energy_import_wh") == [7], LIMIT_S, "Tasmota")
        for reason in reasons:
            assert gateway.number(f'shutan_rejected_total{{reason="{reason}"}}') == 1
        wait_until(lambda: settled(gateway), LIMIT_S, "all acknowledged")
        balanced(gateway)
        folder = tmp_path / "data" / FOLDER
        wait_until(lambda: len(list(items(folder))) == len(bad), LIMIT_S, "the quarantine on disk")
        kept = [item for item in items(folder) if isinstance(item, Item)]
        assert sorted(item.reason for item in kept) == sorted(reasons)
        assert {item.topic for item in kept} == {"tele/bad/SENSOR"}
        health = json.loads(gateway.get("/healthz"))
        assert health["sources"] == {"adapter": "ok"}
