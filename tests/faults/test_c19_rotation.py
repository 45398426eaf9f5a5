"""C19 certificates replaced while data flows: CA, broker and gateway, and nothing is lost."""

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from faults.harness import Fault
from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.balance import check_balance, pending
from support.field_nodes import Field
from support.gateway_process import SQLITE, GatewayProcess, gateway_process
from support.pki import Authority
from support.places import tool
from support.servers import HOST, Server, free_port, wait_until
from support.sparkplug_node import T0_MS

pytestmark = pytest.mark.flow

WAIT_S = 60.0
CATCH_UP_S = 300.0
TLS = """
[mqtt.tls]
ca_file = "tls/ca.pem"
cert_file = "tls/gateway.pem"
key_file = "tls/gateway.key"
"""


class Site:
    """Folders with the files of the broker and of the gateway; `generation` counts certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.theirs, self.ours = folder / "broker", folder / "gateway/tls"
        for place in (self.theirs, self.ours):
            place.mkdir(parents=True)
        self.generation = 0
        self.authority = Authority(folder / "ca0")
        self._trust([self.authority])
        self.issue_broker()
        self.issue_gateway()

    def _trust(self, authorities: list[Authority]) -> None:
        for place in (self.theirs, self.ours):
            replace(place / "ca.pem", b"".join(one.file.read_bytes() for one in authorities))

    def new_ca(self) -> None:
        """Another CA beside the old one."""
        self.generation += 1
        old, self.authority = self.authority, Authority(self.folder / f"ca{self.generation}")
        self._trust([old, self.authority])

    def forget_old_ca(self) -> None:
        """Trust the newest CA only."""
        self._trust([self.authority])

    def issue_broker(self) -> None:
        """Another certificate of the broker."""
        self._put(self.authority.issue("broker"), self.theirs / "broker")

    def issue_gateway(self) -> None:
        """Another certificate of the gateway, with another name, so that the broker's log tells which one came."""
        self._put(self.authority.issue("gateway", common_name=self.name), self.ours / "gateway")

    @property
    def name(self) -> str:
        """User that the newest certificate of the gateway stands for."""
        return f"gateway-{self.generation}"

    @staticmethod
    def _put(file: Path, place: Path) -> None:
        replace(place.with_suffix(".pem"), file.read_bytes())
        replace(place.with_suffix(".key"), file.with_suffix(".key").read_bytes())


def replace(path: Path, data: bytes) -> None:
    """As a deployment tool does it: written beside, then renamed."""
    part = path.with_suffix(".new")
    part.write_bytes(data)
    part.replace(path)


def broker_of(site: Site) -> tuple[Server, int]:
    """(mosquitto, port of the nodes); the gateway has to show a certificate."""
    plain, secure = free_port(), free_port()
    config = site.theirs / "mosquitto.conf"
    config.write_text(
        f"user root\nper_listener_settings true\nlistener {plain} {HOST}\nallow_anonymous true\n"
        f"listener {secure} {HOST}\n"
        f"cafile {site.theirs}/ca.pem\ncertfile {site.theirs}/broker.pem\nkeyfile {site.theirs}/broker.key\n"
        "require_certificate true\nuse_identity_as_username true\nallow_anonymous false\ntls_version tlsv1.2\n"
    )
    return Server("mosquitto", [tool("mosquitto"), "-c", config], site.theirs, secure), plain


def stored(gateway: GatewayProcess) -> dict[tuple[str, int], tuple[object, ...]]:
    """(node, record) -> (energy, power) from the store's own file; AssertionError for a second row."""
    found: dict[tuple[str, int], tuple[object, ...]] = {}
    metrics = ("active_energy_import_wh", "active_power_w")
    with closing(open_readonly(gateway.folder / "series.sqlite")) as conn:
        for series in (one for one in list_series(conn) if one.family == "energy"):
            for t_ns, energy, power in read_series(conn, series, metrics, 0, 2**63 - 1):
                key = (series.node, (int(str(t_ns)) // 1_000_000 - T0_MS) // 1000)
                assert key not in found, "stored twice"
                found[key] = (energy, power)
    return found


def rotate(site: Site, broker: Server, gateway: GatewayProcess, field: Field) -> int:
    """One rotation of everything while data flows; sessions that the gateway opened meanwhile."""
    connects = gateway.number("shutan_link_connects_total")
    acked = field.acked
    site.new_ca()
    site.issue_broker()
    site.issue_gateway()
    os.kill(broker.pid, signal.SIGHUP)  # mosquitto reads its certificates again and keeps its sessions
    wait_until(lambda: field.acked > acked + 20, WAIT_S, "data flows over the old session")
    site.forget_old_ca()
    assert gateway.number("shutan_link_connects_total") == connects, "nothing was interrupted so far"
    broker.kill()  # the next connection has nothing but the new files on both sides
    broker.start()
    wait_until(lambda: gateway.number("shutan_link_connects_total") > connects, WAIT_S, "the gateway is back")
    waiting = field.sampled
    wait_until(lambda: field.acked >= waiting, CATCH_UP_S, "everything up to now is acknowledged")
    return int(gateway.number("shutan_link_connects_total") - connects)


def test_c19_certificate_rotation(fault: Fault, tmp_path: Path) -> None:
    rotations = fault.size(short=1, long=20)
    site = Site(tmp_path)
    broker, plain = broker_of(site)
    reconnects: list[int] = []
    with (
        broker,
        Field(plain, count=4, rate=50) as field,
        gateway_process(tmp_path / "gateway", broker.port, SQLITE + TLS) as gateway,
    ):
        wait_until(lambda: field.acked > 20, WAIT_S, "data flows")
        for number in range(rotations):
            reconnects.append(rotate(site, broker, gateway, field))
            fault.progress(f"rotation {number} of {rotations}")
        field.finish(CATCH_UP_S)
        wait_until(lambda: pending(gateway) == 0, CATCH_UP_S, "everything delivered")
        check_balance(gateway)
        found = stored(gateway)
        sampled = {
            (name, number): (values["active_energy_import_wh"], values["active_power_w"])
            for name, node in field.nodes.items()
            for number, values in node.sampled.items()
        }
    lost = len(sampled.keys() - found.keys())
    assert {key: found[key] for key in sampled if key in found} == {k: v for k, v in sampled.items() if k in found}
    names = [f"u'gateway-{number}'" for number in range(rotations + 1)]
    log = broker.log.read_text(encoding="utf-8", errors="replace")
    assert all(name in log for name in names), "a connection used an old certificate"
    fault.record(
        "C19",
        measured={
            "rotations": rotations,
            "records": len(sampled),
            "lost": lost,
            "most_reconnects_per_rotation": max(reconnects),
        },
        bar={"lost": "== 0", "most_reconnects_per_rotation": "<= 1"},
        long_bar={"rotations": ">= 20"},
        note="CA, broker's and gateway's certificate replaced while records flow; the one reconnect is the broker's "
        "restart (kill -9), which leaves nothing but the new files; the gateway itself never disconnects",
    )
