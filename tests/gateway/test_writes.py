"""Writes to devices: within the allow table, in time, never without an audit record."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from shutan_gateway.config.writes import CommandRule
from shutan_gateway.control import Control, NotRunning, Peer, ask
from shutan_gateway.errors import RetryLater, TellPerson
from shutan_gateway.writes.audit import Audit, first_break, lines
from shutan_gateway.writes.desk import parse_value
from shutan_wire import datatypes as dt
from shutan_wire.decode import decode_payload
from support.gateway_process import SQLITE, GatewayProcess, gateway_process
from support.servers import HOST, Server, wait_until
from support.sparkplug_node import SparkplugNode

ALLOW = """
[[command]]
node = "press"
device = "drive"
metric = "Speed"
datatype = "Float"
minimum = 0
maximum = 1500
limit_s = 20
per_minute = 3
[[command]]
node = "press"
device = "drive"
metric = "Brake"
datatype = "Boolean"
limit_s = 0.5
"""


class Drive:
    """A foreign node with a writable device: shows a new speed as soon as it is told; its brake does not answer."""

    def __init__(self, port: int) -> None:
        self.wire = SparkplugNode("press", store=None, devices={"drive": {"Speed": dt.FLOAT, "Brake": dt.BOOLEAN}})
        self.heard: list[tuple[str, str | None, object]] = []
        self._port = port
        self._stamps = iter(range(1_790_000_000_000, 1_790_100_000_000, 1000))
        self._lock = threading.Lock()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="press")
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect(HOST, self._port)
        self._client.loop_start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def show(self, speed: float) -> None:
        with self._lock:
            self._client.publish(*self.wire.data("drive", {"Speed": speed}, stamp=next(self._stamps)))

    def _on_connect(self, client: paho.Client, *_rest: Any) -> None:
        client.subscribe([("spBv1.0/plant/+/press/#", 1)])

    def _on_message(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        kind = message.topic.split("/")[2]
        if kind not in {"NCMD", "DCMD"}:
            return
        for metric in decode_payload(bytes(message.payload)).metrics:
            self.heard.append((kind, metric.name, metric.value))
            if metric.name == "Node Control/Rebirth":
                for packet in self.wire.births(next(self._stamps)):
                    client.publish(*packet)
            elif metric.name == "Speed":
                self.show(float(metric.value))  # pyright: ignore[reportArgumentType]  # a Float


def shutan(gateway: GatewayProcess, *words: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("shutan"), "command", *words, "--config", gateway.folder / "gateway.toml"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.flow
def test_a_write_is_confirmed_by_a_durable_record_and_audited(mosquitto: Server, tmp_path: Path) -> None:
    with gateway_process(tmp_path, mosquitto.port, SQLITE + ALLOW) as gateway, Drive(mosquitto.port) as drive:
        wait_until(lambda: gateway.number("shutan_link_up") == 1, 30, "connected")
        wait_until(lambda: drive.show(1.0) is None and bool(drive.heard), 30, "asked for its births", step_s=0.2)
        wait_until(lambda: gateway.number("shutan_accepted_total") > 0, 30, "its births are taken")

        done = shutan(gateway, "send", "plant/press/drive", "Speed", "812.3", "--reason", "trial run", "--json")
        answer = json.loads(done.stdout)
        assert (done.returncode, answer["ok"], answer["outcome"]) == (0, True, "confirmed"), done.stderr
        assert ("DCMD", "Speed", pytest.approx(812.3)) in drive.heard

        silent = shutan(gateway, "send", "plant/press/drive", "Brake", "true", "--reason", "stop")
        assert (silent.returncode, silent.stdout.split(" after ")[0]) == (1, "not confirmed")

        heard = len(drive.heard)
        for value, why in (("1501", ">= 0 <= 1500"), ("nan", ">= 0"), ("fast", "a number of type Float")):
            refused = shutan(gateway, "send", "plant/press/drive", "Speed", value, "--reason", "no")
            assert refused.returncode == 1
            assert why in refused.stderr
        other = shutan(gateway, "send", "plant/press/pump", "Speed", "1", "--reason", "no")
        assert "no [[command]] table of the configuration covers it" in other.stderr
        for _ in range(2):
            shutan(gateway, "send", "plant/press/drive", "Speed", "100", "--reason", "again")
        flood = shutan(gateway, "send", "plant/press/drive", "Speed", "100", "--reason", "again")
        assert "3 writes a minute are allowed" in flood.stderr
        assert [entry[1:] for entry in drive.heard[heard:] if entry[0] == "DCMD"] == [("Speed", 100.0)] * 2

        assert (
            shutan(gateway, "send", "plant/press", "Node Control/Rebirth", "true", "--reason", "look").returncode == 0
        )
        wait_until(lambda: drive.heard[-1][1] == "Node Control/Rebirth", 20, "the births are asked for")
        log = json.loads(shutan(gateway, "log", "--json").stdout)
        outcomes = [entry["outcome"] for entry in log["entries"]]
        assert log["first_break"] is None
        assert outcomes[:4] == ["asked", "confirmed", "asked", "not confirmed"]
        assert outcomes.count("refused") == 5
        assert {entry["reason"] for entry in log["entries"]} == {"trial run", "stop", "no", "again", "look"}
        assert "Speed  Float  >= 0  <= 1500" in shutan(gateway, "list").stdout


def test_the_audit_record_goes_on_over_a_torn_end_and_shows_a_change(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    Audit(folder).write(what="a", outcome="asked")
    Audit(folder).write(what="b", outcome="asked")
    [path] = folder.glob("*.jsonl")
    path.write_text(path.read_text() + '{"at": "2026-11')
    Audit(folder).write(what="碳", outcome="asked", after_s=0.5)
    texts = lines(folder)
    assert [json.loads(text)["what"] for text in texts] == ["a", "b", "碳"]
    assert first_break(texts) is None
    assert first_break([texts[0].replace('"a"', '"c"'), *texts[1:]]) == 1
    assert first_break([texts[0], texts[2]]) == 1
    assert first_break([*texts, "no json"]) == 3


def test_no_audit_record_no_write(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be")
    with pytest.raises(RetryLater, match="audit record"):
        Audit(tmp_path / "audit").write(what="x")


@given(st.text(), st.sampled_from(["Boolean", "Int16", "UInt64", "Float", "Double", "String"]))
def test_any_text_is_a_value_or_a_refusal(text: str, datatype: str) -> None:
    rule = CommandRule.model_validate({"node": "n", "metric": "m", "datatype": datatype, "minimum": -5, "maximum": 5})
    with contextlib.suppress(ValueError):
        value = parse_value(rule, text)
        assert isinstance(value, str | bool) or -5 <= value <= 5


def echo(request: dict[str, Any], peer: Peer) -> Iterator[dict[str, Any]]:
    if request.get("fail"):
        raise TellPerson("no, and here is why")
    yield {"progress": peer.user}
    yield {"ok": True, "text": request["text"]}


def test_the_control_socket_answers_its_own_machine_only(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)  # longer than a socket's path may be
    folder.mkdir()
    with pytest.raises(NotRunning):
        list(ask(folder, {"verb": "echo"}))
    control = Control(folder, {"echo": echo})
    control.start()
    try:
        assert (folder / "control.sock").stat().st_mode & 0o777 == 0o600
        assert list(ask(folder, {"verb": "echo", "text": "数碳"}))[-1] == {"ok": True, "text": "数碳"}
        for request, words in (
            ({"verb": "echo", "fail": 1}, "here is why"),
            ({"verb": "none"}, "there are: echo"),
            ({"verb": "echo"}, "not understood"),
            ({}, "one line of JSON"),
        ):
            with pytest.raises(TellPerson, match=words):
                list(ask(folder, request))
    finally:
        control.stop()
    assert not (folder / "control.sock").exists()
