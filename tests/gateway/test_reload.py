"""A changed configuration on a running gateway: checked first, taken over part by part, nothing lost."""

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.field_nodes import Field
from support.gateway_process import SQLITE, GatewayProcess, gateway_process
from support.servers import Server, wait_until

pytestmark = [pytest.mark.flow]

SECOND = '[[store]]\nkind = "sqlite"\nname = "second"\npath = "second.sqlite"\n'


def reload(gateway: GatewayProcess) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("shutan"), "reload", "--config", gateway.folder / "gateway.toml"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def rows_in(path: Path) -> int:
    with closing(open_readonly(path)) as conn:
        return sum(len(list(read_series(conn, series, ("record",), 0, 2**63 - 1))) for series in list_series(conn))


def test_stores_and_settings_change_under_load_and_a_mistake_changes_nothing(mosquitto: Server, tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    with Field(mosquitto.port, count=3, rate=150) as field, gateway_process(tmp_path, mosquitto.port) as gateway:
        wait_until(lambda: field.acked > 50, 60, "acknowledgements flow")
        pid, first = gateway.pid, config.read_text()

        config.write_text(first.replace("ack_interval_s = 0.2", "ack_intervall_s = 0.2"))
        told = reload(gateway)
        assert (told.returncode, told.stdout) == (1, "")
        assert "intake.ack_intervall_s: found an unknown key; accepted: one of" in told.stderr
        gateway.process.send_signal(signal.SIGHUP)  # without a look before: the gateway looks itself
        wait_until(lambda: "not taken over" in gateway.log_tail(), 20, "the mistake in the log")

        config.write_text(first + SECOND)
        assert reload(gateway).stdout == "taken over while running: store\n"
        wait_until(lambda: gateway.number('shutan_store_stored_total{store="second"}') > 50, 60, "the second fills")
        assert set(json.loads(gateway.get("/healthz"))["stores"]) == {"local", "second"}

        config.write_text(first.replace("keepalive_s = 5", "keepalive_s = 7") + SECOND)
        assert reload(gateway).stdout == "taken over by a restart inside: mqtt\n"
        seen = field.acked
        wait_until(lambda: field.acked > seen + 50, 60, "acknowledgements go on")
        assert reload(gateway).stdout == "read again, nothing differs\n"

        config.write_text(first.replace("keepalive_s = 5", "keepalive_s = 7").replace(SQLITE, SECOND))
        assert reload(gateway).stdout == "taken over while running: store\n"
        field.finish(60)
        name = 'shutan_store_pending{store="second"}'
        wait_until(lambda: gateway.numbers().get(name) == 0, 60, "everything delivered")
        assert gateway.pid == pid
        accepted = gateway.number("shutan_accepted_total")
        assert accepted == sum(node.newest for node in field.nodes.values())
        assert set(json.loads(gateway.get("/healthz"))["stores"]) == {"second"}
    assert rows_in(tmp_path / "second.sqlite") == accepted


def test_what_cannot_start_leaves_the_old_one_running(mosquitto: Server, tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    with Field(mosquitto.port, count=1, rate=50) as field, gateway_process(tmp_path, mosquitto.port) as gateway:
        wait_until(lambda: field.acked > 10, 60, "acknowledgements flow")
        text = config.read_text()
        config.write_text(text.replace(f"[http]\nport = {gateway.port}", f"[http]\nport = {mosquitto.port}"))
        told = reload(gateway)
        assert told.returncode == 1
        assert f"http.port {mosquitto.port} on 127.0.0.1: Address already in use" in told.stderr
        seen = field.acked
        wait_until(lambda: field.acked > seen + 20, 60, "the old one works on")
        config.write_text(text.replace('data_dir = "data"', 'data_dir = "elsewhere"'))
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "gateway.data_dir" in gateway.log_tail(), 20, "the reason in the log")
        field.finish(60)
    assert reload(gateway).returncode == 1  # nobody answers in the other folder
