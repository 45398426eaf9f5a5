"""The link against a real broker: TLS, passwords, refusals; one clear line each."""

import shutil
import subprocess
import threading
from pathlib import Path
from typing import Self

import pytest

from shutan_gateway.config import MqttSection
from shutan_gateway.counters import Counters
from shutan_gateway.errors import ConfigError
from shutan_gateway.link.mailbox import LINK_UP, Mailbox
from shutan_gateway.link.mqtt_client import MqttClient
from shutan_gateway.link.session import Link
from shutan_gateway.supervise import Supervised
from support.places import tool
from support.servers import HOST, Server, free_port, wait_until

pytestmark = pytest.mark.flow


class Running:
    """A link in its thread."""

    def __init__(self, **settings: object) -> None:
        self.mailbox = Mailbox(1000, 10**6)
        self.counters = Counters()
        self.link = Link(
            MqttSection.model_validate(settings), "shutan", self.mailbox, self.counters, payload_limit=100_000
        )
        self._thread = Supervised(
            "link", self.link.run, counters=self.counters, stop=threading.Event(), give_up=lambda _name: None
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.link.stop()
        assert self._thread.join(10)
        assert self.counters.total("shutan_thread_restarts_total") == 0


def broker(folder: Path, text: str) -> Server:
    """mosquitto with these lines after its listener."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"user root\nlistener {port} {HOST}\n{text}")
    return Server("mosquitto", [tool("mosquitto"), "-c", config], folder, port)


def certificates(folder: Path) -> None:
    """ca.pem, other-ca.pem, and server.pem with server.key for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("not run: no openssl to make certificates with")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other-ca"):
        openssl(
            *["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
        )
    openssl(
        *["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=broker"],
        *("-keyout", "server.key", "-out", "server.csr"),
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(
        *["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"],
        *("-extfile", "names", "-out", "server.pem"),
    )


def test_tls_checks_the_broker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    certificates(tmp_path)
    text = f"allow_anonymous true\ncertfile {tmp_path}/server.pem\nkeyfile {tmp_path}/server.key\n"
    with broker(tmp_path, text) as server:
        with Running(port=server.port, tls={"ca_file": tmp_path / "ca.pem"}) as running:
            wait_until(lambda: running.link.up, 20, "a session over TLS")
            assert running.mailbox.wait(10)
            assert [chunk.messages for chunk in running.mailbox.drain(10, 10**6)] == [[(LINK_UP, b"")]]
        for settings in (
            {"tls": {"ca_file": tmp_path / "other-ca.pem"}},
            {"host": "localhost", "tls": {"ca_file": tmp_path / "ca.pem"}},
        ):
            caplog.clear()
            with Running(port=server.port, **settings) as running:
                wait_until(lambda: bool(caplog.records), 20, "the refusal")
                assert not running.link.up
                assert "certificate is refused: " in caplog.records[0].getMessage()


def test_a_certificate_that_does_not_fit_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(ConfigError, match=r"mqtt\.tls"):
        Running(tls={"ca_file": tmp_path / "ca.pem"})


def test_user_and_password_from_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run([tool("mosquitto_passwd"), "-b", "-c", passwords, "gateway", "geheim"], check=True)
    (tmp_path / "right").write_text("geheim\n")
    (tmp_path / "wrong").write_text("falsch\n")
    with broker(tmp_path, f"allow_anonymous false\npassword_file {passwords}\n") as server:
        settings = {"port": server.port, "username": "gateway"}
        with Running(**settings, password_file=tmp_path / "wrong") as running:
            wait_until(lambda: bool(caplog.records), 20, "the refusal")
            assert not running.link.up
        messages = [record.getMessage() for record in caplog.records]
        assert len(messages) == 1
        assert "refused" in messages[0]
        assert "falsch" not in messages[0]
        with Running(**settings, password_file=tmp_path / "right") as running:
            wait_until(lambda: running.link.up, 20, "a session")


def test_a_session_lives_through_silence_and_back_pressure(tmp_path: Path) -> None:
    """Ping keeps an idle session; one that does not read keeps pinging and judges nobody."""
    with broker(tmp_path, "allow_anonymous true\n") as server:
        client = MqttClient(HOST, server.port, None, 5.0, 10**6)
        client.connect("probe", 1, ("w", b"", 0, False), None, None)
        end = threading.Event()
        events = [event for _ in range(40) for event in client.poll(0.1)]
        assert len(events) == 1
        for _ in range(40):
            client.poll(0, read=False)
            end.wait(0.1)
        client.publish("t", b"x", 1)
        wait_until(lambda: client.poll(0.1) == [] and client.confirmed, 10, "the session still works")
        client.close(politely=True)


def test_a_broker_that_speaks_nonsense_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import socket

    del tmp_path
    with socket.create_server((HOST, 0)) as fake:
        fake.settimeout(20)
        with Running(port=fake.getsockname()[1]):
            connection, _ = fake.accept()
            connection.sendall(b"\xf0\xff\xff\xff\xff\xff")
            wait_until(lambda: bool(caplog.records), 20, "the complaint")
            connection.close()
    assert "malformed packet" in caplog.records[0].getMessage()
