"""C18 certificates and versions of TLS: refused by either side, said once, warned before."""

import contextlib
import logging
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

import pytest

from faults.harness import Fault
from shutan_gateway.config import MqttSection, TlsSection
from shutan_gateway.counters import Counters
from shutan_gateway.link.certificates import pem_blocks
from shutan_gateway.link.mailbox import Mailbox
from shutan_gateway.link.session import Link
from shutan_gateway.link.tls import Tls
from shutan_gateway.supervise import Supervised
from support.pki import Authority
from support.places import tool
from support.servers import HOST, Server, free_port, wait_until

pytestmark = pytest.mark.flow

WAIT_S = 15.0
DAY_S = 86_400
OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
LOST = "the broker's log says why"  # its alert may be lost behind our CONNECT
WEAK = "DEFAULT@SECLEVEL=0"  # without it OpenSSL 3 speaks no TLS 1.1 at all, and the case would show nothing


class Case(NamedTuple):
    """broker, gateway: validity in days of the certificates, None = none; words: in the one line of the log."""

    words: str
    broker: tuple[float, float] = (-1, 90)
    name: str = HOST
    stranger: bool = False  # the broker's certificate is of another CA
    revoked: str = ""  # "broker" or "gateway"
    crl_days: float = 30
    required: bool = False
    gateway: tuple[float, float] | None = None
    foreign: bool = False  # the gateway's certificate is of another CA


GOOD = Case("", required=True, gateway=(-1, 90), revoked="nobody")
REFUSED = {
    "broker expired": Case("certificate has expired", (-9, -1)),
    "broker not yet valid": Case("certificate is not yet valid", (1, 9)),
    "broker of another name": Case("certificate is not valid for", name="broker.example"),
    "broker of an unknown CA": Case("unable to get local issuer", stranger=True),
    "broker revoked": Case("certificate revoked", revoked="broker"),
    "revocation list out of date": Case("CRL has expired", revoked="nobody", crl_days=-0.5),
    "gateway without certificate": Case("it wants a certificate", required=True),
    "gateway expired": Case("refuses the gateway's certificate: expired", required=True, gateway=(-9, -1)),
    "gateway not yet valid": Case("refuses the gateway's certificate", required=True, gateway=(1, 9)),
    "gateway of an unknown CA": Case("the CA of the gateway's", required=True, gateway=(-1, 9), foreign=True),
    "gateway revoked": Case("certificate: revoked", required=True, gateway=(-1, 9), revoked="gateway"),
}


def secured(folder: Path, case: Case) -> tuple[Server, dict[str, object]]:
    """(mosquitto with TLS, settings of the gateway for it) of one case."""
    ours, theirs = Authority(folder), Authority(folder / "strangers")
    broker = (theirs if case.stranger else ours).issue("broker", case.name, days=case.broker)
    tls: dict[str, object] = {"ca_file": ours.file}
    if case.gateway is not None:
        own = (theirs if case.foreign else ours).issue("gateway", common_name="gateway", days=case.gateway)
        tls |= {"cert_file": own, "key_file": own.with_suffix(".key")}
    port = free_port()
    lines = ["user root", f"listener {port} {HOST}", "allow_anonymous true", f"cafile {ours.file}"]
    lines += [f"certfile {broker}", f"keyfile {broker.with_suffix('.key')}"]
    lines += ["tls_version tlsv1.2", f"ciphers {WEAK}"]  # the version alone keeps old clients out
    if case.required:
        lines += ["require_certificate true"]
    if case.revoked == "gateway":
        lines += [f"crlfile {ours.revoke(folder / 'gateway.pem')}"]
    elif case.revoked:
        tls["crl_file"] = ours.revoke(*([broker] if case.revoked == "broker" else []), days=case.crl_days)
    config = folder / "mosquitto.conf"
    config.write_text("\n".join(lines) + "\n")
    return Server("mosquitto", [tool("mosquitto"), "-c", config], folder, port), {"port": port, "tls": tls}


@contextlib.contextmanager
def running(folder: Path, settings: dict[str, object]) -> Generator[tuple[Link, Counters]]:
    """A link in its thread."""
    counters = Counters()
    section = MqttSection.model_validate(settings, context=folder)
    link = Link(section, "shutan", Mailbox(1000, 10**6), counters, payload_limit=100_000)
    thread = Supervised(
        "link", link.run, counters=counters, stop=threading.Event(), give_up=lambda _name: pytest.fail("gave up")
    )
    thread.start()
    try:
        yield link, counters
    finally:
        link.stop()
        assert thread.join(WAIT_S)
    assert counters.total("shutan_thread_restarts_total") == 0


def attempts(folder: Path, settings: dict[str, object], least: int) -> tuple[int, int]:
    """(attempts, sessions) of a link that is refused."""
    with running(folder, settings) as (_, counters):
        wait_until(lambda: counters.get("shutan_link_attempts_total") > least, WAIT_S, "attempts")
    return int(counters.get("shutan_link_attempts_total")), int(counters.get("shutan_link_connects_total"))


@contextlib.contextmanager
def ancient(folder: Path, version: ssl.TLSVersion) -> Generator[int]:
    """Port of a server that speaks this version and no other."""
    authority = Authority(folder)
    file = authority.issue("broker")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(WEAK)
    context.load_cert_chain(file, file.with_suffix(".key"))
    pin(context, version)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                with client, contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as secure:
                    secure.recv(1)

    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.2)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def pin(context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """Allow one version only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = context.maximum_version = version


def speaks(port: int, version: ssl.TLSVersion, *, authority: Path) -> bool:
    """Whether a client that allows this old version gets through a handshake."""
    context = ssl.create_default_context(cafile=authority)
    context.set_ciphers(WEAK)
    pin(context, version)
    try:
        with socket.create_connection((HOST, port), WAIT_S) as plain, context.wrap_socket(plain, server_hostname=HOST):
            return True
    except OSError:
        return False


def at_an_ancient_broker(folder: Path, version: ssl.TLSVersion, least: int) -> int:
    """Sessions of a link with a broker that speaks this version and no other."""
    with ancient(folder, version) as port:
        assert speaks(port, version, authority=folder / "ca.pem")
        return attempts(folder, {"port": port, "tls": {"ca_file": folder / "ca.pem"}}, least)[1]


def warned(folder: Path, say: Callable[[], list[str]]) -> list[str]:
    """Lines about the broker's certificate while 40 days pass, four looks a day."""
    authority = Authority(folder)
    broker = authority.issue("broker", days=(-1, 40))
    passed_s = 0.0
    tls = Tls(TlsSection(ca_file=authority.file), Counters(), lambda: broker.stat().st_mtime + passed_s)
    tls.saw(pem_blocks(broker.read_bytes(), "CERTIFICATE")[0])
    before = len(say())
    for look in range(4 * 40):
        passed_s = look * DAY_S / 4
        tls.watch(60.0 * look)
    return [line for line in say()[before:] if "broker" in line]


def test_c18_tls(fault: Fault, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    least = fault.size(short=1, long=5)
    refused = sessions = 0
    lines: dict[str, int] = {}

    def say() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

    for number, (name, case) in enumerate(REFUSED.items()):
        server, settings = secured(tmp_path / str(number), case)
        with server:
            caplog.clear()
            tried, got_in = attempts(tmp_path, settings, least)
        refused += not got_in and tried > least
        sessions += got_in
        lines[name] = sum(case.words in line or (case.required and LOST in line) for line in say()) or -1
        assert lines[name] == len(say()) == 1, f"{name}: {say()}"
        fault.progress(f"{name}: {say()}")
    for version in OLD:
        caplog.clear()
        got_in = at_an_ancient_broker(tmp_path / version.name, version, least)
        refused += not got_in
        sessions += got_in
        lines[version.name] = len(say())
    server, settings = secured(tmp_path / "good", GOOD)
    with server, running(tmp_path, settings) as (link, counters):
        wait_until(lambda: link.up, WAIT_S, "what is in order is let in")
        wait_until(lambda: bool(counters.get("shutan_certificate_expiry_seconds", of="broker")), WAIT_S, "its end")
        left = {
            of: counters.get("shutan_certificate_expiry_seconds", of=of) for of in ("broker", "gateway", "ca", "crl")
        }
        old = [speaks(server.port, version, authority=tmp_path / "good/ca.pem") for version in OLD]
    caplog.clear()
    said = warned(tmp_path / "warned", say)
    assert [line.split(" days")[0].rpartition(" ")[2] for line in said] == ["30", "7", "1"], said
    assert all(seconds > 0 for seconds in left.values())
    cases = len(REFUSED) + 2
    fault.record(
        "C18",
        measured={
            "cases": cases,
            "refused": refused,
            "sessions": sessions,
            "most_lines_per_case": max(lines.values()),
            "old_clients_let_in_by_the_broker": sum(old),
            "warnings": len(said),
        },
        bar={
            "refused": f"== {cases}",
            "sessions": "== 0",
            "most_lines_per_case": "== 1",
            "old_clients_let_in_by_the_broker": "== 0",
            "warnings": "== 3",
        },
        note="real mosquitto; TLS 1.0 and 1.1 by a server that speaks nothing else; "
        + ", ".join(REFUSED)
        + "; warned 30, 7 and 1 days before by a clock that is moved",
    )
