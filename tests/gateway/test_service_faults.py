"""The real gateway process with a real broker: killed, starved, cut off. Each test reports a figure."""

import json
import os
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.balance import pending
from support.field_nodes import Field
from support.gateway_process import GatewayProcess, gateway_process
from support.servers import Server, mosquitto, wait_until
from support.sparkplug_node import T0_MS

pytestmark = [pytest.mark.flow, pytest.mark.fault]


def report(name: str, **figures: float) -> None:
    """The figure of a fault test, into the folder that SHUTAN_RESULTS names and onto the captured output."""
    text = json.dumps({"test": name, **figures})
    print(text)  # noqa: T201 - shown by pytest -rA
    folder = os.environ.get("SHUTAN_RESULTS")
    if folder:
        Path(folder, f"{name}.json").write_text(text + "\n")


def stored(gateway: GatewayProcess) -> dict[tuple[str, int], tuple[object, ...]]:
    """(node, record) -> (time ms, energy, power) from the store's own file; AssertionError for a second row."""
    found: dict[tuple[str, int], tuple[object, ...]] = {}
    with closing(open_readonly(gateway.folder / "series.sqlite")) as conn:
        for series in list_series(conn):
            if series.family != "energy":
                continue
            metrics = ("active_energy_import_wh", "active_power_w")
            for t_ns, energy, power in read_series(conn, series, metrics, 0, 2**63 - 1):
                number = (int(str(t_ns)) // 1_000_000 - T0_MS) // 1000
                assert (series.node, number) not in found, "stored twice"
                found[series.node, number] = (t_ns, energy, power)
    return found


def expected(field: Field) -> dict[tuple[str, int], tuple[object, ...]]:
    return {
        (name, number): (
            (T0_MS + 1000 * number) * 1_000_000,
            values["active_energy_import_wh"],
            values["active_power_w"],
        )
        for name, node in field.nodes.items()
        for number, values in node.sampled.items()
    }


def wait_delivered(gateway: GatewayProcess) -> None:
    wait_until(lambda: pending(gateway) == 0, 60, "everything delivered")


def test_spool_limit_stops_acknowledging_and_the_link_stays(mosquitto: Server, tmp_path: Path) -> None:
    """Without a store the spool fills to its limit: the nodes keep their records, the session is kept alive."""
    more = "[spool]\nsegment_bytes = 65536\nmax_bytes = 262144\n"
    with Field(mosquitto.port, 2, rate=600) as field, gateway_process(tmp_path, mosquitto.port, more) as gateway:
        wait_until(lambda: gateway.number("shutan_spool_blocked") == 1, 60, "the limit is reached")
        numbers = gateway.numbers()
        sampled = field.sampled
        wait_until(lambda: field.sampled > sampled + 300, 60, "the nodes go on sampling")
        assert field.acked <= numbers["shutan_accepted_total"] == gateway.number("shutan_accepted_total")
        assert "spool limit of 262144 bytes" in gateway.log_tail()
        assert gateway.number("shutan_link_lost_total") == 0


def test_clean_stop_says_goodbye_and_leaves_nothing_open(mosquitto: Server, tmp_path: Path) -> None:
    with Field(mosquitto.port, 2, rate=100) as field:
        gateway = gateway_process(tmp_path, mosquitto.port).start()
        try:
            wait_until(lambda: field.acked > 20, 60, "acknowledgements flow")
            online = json.loads(field.states[-1][1])
            assert online["online"] is True
            began_s = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began_s < 8
            wait_until(lambda: json.loads(field.states[-1][1])["online"] is False, 10, "STATE offline")
            assert json.loads(field.states[-1][1])["timestamp"] > online["timestamp"], "the time of the goodbye"
            gateway.start()
            field.finish(60)
            wait_delivered(gateway)
            assert stored(gateway) == expected(field)
        finally:
            gateway.stop()


def test_state_birth_and_will(mosquitto: Server, tmp_path: Path) -> None:
    """Killed, the broker publishes the will; started again, the gateway is online with the time of its new CONNECT."""
    with Field(mosquitto.port, 1, rate=1) as field, gateway_process(tmp_path, mosquitto.port) as gateway:
        wait_until(lambda: bool(field.states), 30, "STATE online")
        first = json.loads(field.states[-1][1])
        assert first["online"] is True
        gateway.kill()
        wait_until(lambda: len(field.states) > 1, 30, "the will")
        assert json.loads(field.states[-1][1]) == {"online": False, "timestamp": first["timestamp"]}
        gateway.start()
        wait_until(lambda: json.loads(field.states[-1][1])["online"], 30, "STATE online again")
        assert json.loads(field.states[-1][1])["timestamp"] > first["timestamp"]


def test_state_offline_by_another_is_corrected(mosquitto: Server, tmp_path: Path) -> None:
    with Field(mosquitto.port, 1, rate=1) as field, gateway_process(tmp_path, mosquitto.port) as gateway:
        wait_until(lambda: gateway.number("shutan_link_up") == 1 and bool(field.states), 30, "online")
        field._client.publish("spBv1.0/STATE/shutan", b'{"online": false, "timestamp": 1}', 1, retain=True)  # pyright: ignore[reportPrivateUsage]
        wait_until(lambda: len(field.states) >= 3, 30, "answered")
        assert [json.loads(text)["online"] for _, text in field.states[-2:]] == [False, True]


def test_unreachable_broker_is_one_line_and_tried_again(tmp_path: Path) -> None:
    broker = mosquitto(tmp_path)
    with gateway_process(tmp_path, broker.port) as gateway:
        wait_until(lambda: "broker" in gateway.log_tail(), 30, "the line")
        assert json.loads(gateway.get("/healthz"))["broker"] == "not connected"
        wait_until(lambda: gateway.number("shutan_link_attempts_total") >= 4, 30, "several attempts")
        lines = [line for line in gateway.log_tail(100).splitlines() if "broker" in line]
        assert len(lines) == 1, lines
        assert f"127.0.0.1:{broker.port}" in lines[0]
        with broker:
            wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "connected")


def test_a_second_gateway_on_the_same_folder_is_refused(mosquitto: Server, tmp_path: Path) -> None:
    with gateway_process(tmp_path, mosquitto.port) as first:
        second = subprocess.run(first.command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert len(second.stderr.strip().splitlines()) == 1
    assert "another gateway" in second.stderr
