"""Certificates of the link: their times are read, replaced files are used, and people are warned in time."""

import logging
import os
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import ANY

import pytest
import trustme
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.config import TlsSection
from shutan_gateway.counters import Counters
from shutan_gateway.errors import ConfigError
from shutan_gateway.link.certificates import CertificateError, next_update, parse_certificate, pem_blocks
from shutan_gateway.link.mqtt_client import Connack, Messages, MqttClient
from shutan_gateway.link.tls import Tls
from shutan_wire import mqtt
from support.pki import Authority

DAY_S = 86_400


def der(file: Path) -> bytes:
    return pem_blocks(file.read_bytes(), "CERTIFICATE")[0]


@pytest.mark.parametrize("year", [1999, 2026, 2049, 2050, 2120])
def test_times_and_names_are_those_that_a_full_parser_reads(tmp_path: Path, year: int) -> None:
    authority = Authority(tmp_path)
    file = authority.issue("x", days=(-3, 5), now=datetime(year, 6, 1, 12, 30, 15, tzinfo=UTC))
    theirs = x509.load_pem_x509_certificate(file.read_bytes())
    ours = parse_certificate(der(file))
    assert ours.not_before_s == theirs.not_valid_before_utc.timestamp()
    assert ours.not_after_s == theirs.not_valid_after_utc.timestamp()
    assert ours.issuer == parse_certificate(der(authority.file)).subject


def test_the_end_of_a_revocation_list_is_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    file = authority.revoke(authority.issue("x"), days=9)
    theirs = x509.load_pem_x509_crl(file.read_bytes()).next_update_utc
    assert theirs is not None
    assert next_update(pem_blocks(file.read_bytes(), "X509 CRL")[0]) == theirs.timestamp()


@given(st.binary(max_size=80), st.integers(0, 600), st.integers(0, 255))
def test_damaged_certificates_are_refused_with_one_error(sample: bytes, at: int, byte: int) -> None:
    whole = bytearray(_SAMPLE)
    whole[at % len(whole)] = byte
    for data in (sample, bytes(whole), _SAMPLE[:at]):
        for parse in (parse_certificate, next_update):
            try:
                parse(data)
            except CertificateError:
                continue


def a_certificate() -> bytes:
    return ssl.PEM_cert_to_DER_cert(trustme.CA().issue_cert("127.0.0.1").cert_chain_pems[0].bytes().decode())


_SAMPLE = a_certificate()


class Watched:
    """A `Tls` with a clock of its own."""

    def __init__(self, folder: Path, **files: Path) -> None:
        self.now_s = datetime.now(UTC).timestamp()
        self.turn_s = 0.0
        self.counters = Counters()
        settings = TlsSection.model_validate({"ca_file": folder / "ca.pem", **files}, context=folder)
        self.tls = Tls(settings, self.counters, lambda: self.now_s)

    def later(self, days: float) -> None:
        self.now_s += days * DAY_S
        self.turn_s += 61
        self.tls.watch(self.turn_s)

    def left_days(self, what: str) -> int:
        return round(self.counters.get("shutan_certificate_expiry_seconds", of=what) / DAY_S)


def test_warned_30_7_and_1_days_before_and_once_after(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("gateway", common_name="gateway", days=(-1, 90))
    caplog.set_level(logging.INFO)
    watched = Watched(tmp_path, cert_file=own, key_file=own.with_suffix(".key"), crl_file=authority.revoke(days=500))
    watched.tls.saw(der(authority.issue("broker", days=(-1, 40))))
    for _ in range(4 * 91):
        watched.later(0.25)
    lines = [record.getMessage().split(", on")[0].split(" on ")[0] for record in caplog.records]
    assert lines == [
        "the broker's certificate ends in 30 days",
        "the broker's certificate ends in 7 days",
        "the broker's certificate ends in 1 days",
        "the broker's certificate ended",
        "the gateway's own certificate ends in 30 days",
        "the gateway's own certificate ends in 7 days",
        "the gateway's own certificate ends in 1 days",
        "the gateway's own certificate ended",
    ]
    assert (watched.left_days("gateway"), watched.left_days("broker")) == (-1, -51)
    assert watched.left_days("crl") == 409
    assert watched.left_days("ca") > 1000


def test_a_replaced_certificate_is_used_and_warned_about_afresh(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("gateway", common_name="gateway", days=(-1, 5))
    caplog.set_level(logging.INFO)
    watched = Watched(tmp_path, cert_file=own, key_file=own.with_suffix(".key"))
    first = watched.tls.context()
    watched.later(0)
    assert watched.tls.context() is first, "nothing was replaced"
    whole = own.with_suffix(".key").read_bytes()
    authority.issue("gateway", common_name="gateway", days=(-1, 6))
    new_key = own.with_suffix(".key").read_bytes()
    own.with_suffix(".key").write_bytes(whole)  # the certificate is there already, its key is not
    watched.later(0)
    watched.later(0)
    assert watched.tls.context() is first
    own.with_suffix(".key").write_bytes(new_key)
    watched.later(0)
    assert watched.tls.context() is not first
    assert [record.getMessage().partition(":")[0].partition(", on")[0] for record in caplog.records] == [
        "the gateway's own certificate ends in 5 days",
        "new files of mqtt.tls do not fit, the old ones are used",
        "new files of mqtt.tls are used from the next connection on",
        "the gateway's own certificate ends in 6 days",
    ]


def test_a_file_that_vanishes_leaves_the_old_context(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Authority(tmp_path)
    watched = Watched(tmp_path)
    first = watched.tls.context()
    (tmp_path / "ca.pem").rename(tmp_path / "away.pem")
    watched.later(0)
    assert watched.tls.context() is first
    (tmp_path / "away.pem").rename(tmp_path / "ca.pem")
    os.utime(tmp_path / "ca.pem")
    assert watched.tls.context() is not first
    assert len(caplog.records) == 1


def test_while_the_ca_is_replaced_the_one_that_signed_the_broker_counts(tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    (tmp_path / "ca.pem").write_bytes(old.file.read_bytes() + new.file.read_bytes())
    watched = Watched(tmp_path)
    watched.tls.saw(der(new.issue("broker")))
    watched.later(0)
    end = parse_certificate(der(new.file)).not_after_s
    assert abs(watched.counters.get("shutan_certificate_expiry_seconds", of="ca") - (end - watched.now_s)) < 2
    watched.tls.saw(b"not a certificate")
    watched.later(0)


@pytest.mark.parametrize("broken", ["ca_file", "cert_file", "key_file", "crl_file"])
def test_files_that_do_not_fit_are_a_mistake_of_the_configuration(tmp_path: Path, broken: str) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("gateway", common_name="gateway")
    files = {"cert_file": own, "key_file": own.with_suffix(".key"), "crl_file": authority.revoke()}
    files["ca_file"] = authority.file
    files[broken].write_text("-----BEGIN NOTHING-----\n")
    with pytest.raises(ConfigError, match=r"mqtt\.tls"):
        Tls(TlsSection.model_validate(files, context=tmp_path), Counters())


def test_what_a_broker_says_before_it_leaves_is_heard(tmp_path: Path) -> None:
    """A TLS read takes records until none is left: the end behind them must not swallow them."""
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(tmp_path / "server.pem")
    ours = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    left = threading.Event()

    def refuse(listener: socket.socket) -> None:
        connection = theirs.wrap_socket(listener.accept()[0], server_side=True)
        connection.recv(1)
        connection.sendall(mqtt.connack(5) + mqtt.publish("t", b"x", 1, False, 7))
        connection.close()
        left.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, args=(listener,), daemon=True).start()
        client = MqttClient("127.0.0.1", listener.getsockname()[1], ours, 5.0, 10**6)
        client.send(b"\0")
        client.poll(0, read=False)
        assert left.wait(10)
        assert client.poll(1) == [Connack(5), Messages([("t", b"x")], ANY)]
        with pytest.raises(OSError, match=r"closed|reset|Broken|EOF"):
            client.poll(1)
        client.close(politely=False)
