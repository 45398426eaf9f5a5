"""The generated broker files under the real mosquitto: certificates, rights, passwords, limits."""

import base64
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import trustme
from paho.mqtt.enums import CallbackAPIVersion

from shutan_gateway.commands.broker import write_files
from shutan_gateway.config import load_config
from shutan_gateway.errors import ConfigError
from shutan_gateway.operation.broker import (
    Account,
    BrokerPlan,
    acl_text,
    conf_text,
    fitted,
    parse_accounts,
    password_entry,
)
from support.places import tool
from support.servers import HOST, Server, free_port, wait_until

NODES = """\
# the accounts of a small plant
plant/n01
plant/n02
n03                # a node that moves between sites
tasmota-1 tele/tasmota-1/# stat/tasmota-1/#
"""


class Rig:
    """A broker from generated files, with certificates of a site CA."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = BrokerPlan(
            folder,
            folder,
            local_port=free_port(),
            tls_port=free_port(),
            tls_host=HOST,
            accounts=parse_accounts(NODES, "nodes"),
            gateway_reads=("tele/#", "stat/#"),
            gateway_writes=("uns/#",),
        )
        write_files(self.plan, folder)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        server = authority.issue_cert(HOST)
        server.private_key_pem.write_to_path(folder / "broker.key")
        server.cert_chain_pems[0].write_to_path(folder / "broker.pem")
        for name in ("n01", "n02", "n03"):
            authority.issue_cert(common_name=name).private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
        stranger = trustme.CA().issue_cert(common_name="n01")
        stranger.private_key_and_cert_chain_pem.write_to_path(folder / "stranger.pem")
        text = (folder / "mosquitto.conf").read_text()
        (folder / "mosquitto.conf").write_text(f"user root\n{text}")  # tests may run as root
        command = [tool("mosquitto"), "-c", folder / "mosquitto.conf"]
        self.server = Server("mosquitto", command, folder, self.plan.local_port)

    def secret(self, user: str) -> str:
        return (self.folder / "secrets" / f"{user}.password").read_text().strip()


class Client:
    """An independent MQTT client that notes what it hears."""

    def __init__(self, rig: Rig, user: str, *, certificate: str = "", password: str = "", clean: bool = True) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.codes: list[str] = []
        self.paho = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{user}-{certificate}",
            clean_session=clean,
            reconnect_on_failure=False,
        )
        self.paho.on_message = lambda _c, _u, message: self.heard.append((message.topic, bytes(message.payload)))
        self.paho.on_connect = lambda _c, _u, _f, code, _p: self.codes.append(str(code))
        if certificate:
            context = ssl.create_default_context(cafile=rig.folder / "ca.pem")
            context.load_cert_chain(rig.folder / certificate)
            self.paho.tls_set_context(context)  # pyright: ignore[reportUnknownMemberType] - a gap in the library's types
            port = rig.plan.tls_port
        else:
            self.paho.username_pw_set(user, password)
            port = rig.plan.local_port
        self.paho.connect(HOST, port)
        self.paho.loop_start()
        wait_until(lambda: bool(self.codes), 20, f"an answer to {user}")

    def say(self, topic: str, qos: int = 1) -> None:
        self.paho.publish(topic, b"x", qos).wait_for_publish(10)

    def leave(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def topics(self) -> set[str]:
        return {topic for topic, _ in self.heard}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("broker"))
    with rig.server:
        yield rig


@pytest.fixture
def client(rig: Rig) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(user: str, **how: Any) -> Client:
        made.append(Client(rig, user, **how))
        return made[-1]

    yield make
    for one in made:
        one.leave()


@pytest.mark.flow
def test_each_speaks_for_itself_only(rig: Rig, client: Callable[..., Client]) -> None:
    gateway = client("gateway", password=rig.secret("gateway"))
    assert gateway.codes == ["Success"]
    gateway.paho.subscribe([("spBv1.0/+/NBIRTH/+", 1), ("spBv1.0/+/DDATA/+/+", 1), ("tele/#", 1), ("$SYS/broker/#", 0)])
    wait_until(lambda: any(topic.startswith("$SYS") for topic in gateway.topics()), 20, "subscribed")
    node, roamer = client("n01", certificate="n01.pem"), client("n03", certificate="n03.pem")
    device = client("tasmota-1", password=rig.secret("tasmota-1"))
    for topic in ("plant/NBIRTH/n02", "other/NBIRTH/n01", "plant/DDATA/n02/m1", "plant/NBIRTH/gateway"):
        node.say(f"spBv1.0/{topic}")
    node.say("tele/tasmota-1/SENSOR")
    node.say("spBv1.0/plant/DDATA/n01/m1")
    device.say("spBv1.0/plant/NBIRTH/tasmota-1")
    device.say("tele/other/SENSOR")
    device.say("tele/tasmota-1/SENSOR")
    roamer.say("spBv1.0/other/NBIRTH/n03")
    expected = {"spBv1.0/plant/DDATA/n01/m1", "tele/tasmota-1/SENSOR", "spBv1.0/other/NBIRTH/n03"}

    def plain() -> set[str]:
        return {topic for topic in gateway.topics() if not topic.startswith("$SYS")}

    wait_until(lambda: expected <= plain(), 20, "what may be said")
    assert plain() == expected
    assert len([topic for topic, _ in gateway.heard if topic.startswith("tele/")]) == 1


@pytest.mark.flow
def test_the_gateway_commands_nodes_but_no_device(rig: Rig, client: Callable[..., Client]) -> None:
    gateway = client("gateway", password=rig.secret("gateway"))
    node = client("n02", certificate="n02.pem")
    node.paho.subscribe([(f"spBv1.0/plant/{topic}", 1) for topic in ("NCMD/n02", "DCMD/n02/+", "NCMD/n01")])
    node.paho.subscribe("spBv1.0/STATE/shutan", 1)

    def ask() -> bool:
        for topic in ("DCMD/n02/m1", "NCMD/n01", "NCMD/n02"):
            gateway.say(f"spBv1.0/plant/{topic}")
        gateway.say("spBv1.0/STATE/other")
        gateway.say("spBv1.0/STATE/shutan")
        return {"spBv1.0/plant/NCMD/n02", "spBv1.0/STATE/shutan"} <= node.topics()

    wait_until(ask, 20, "the node hears its gateway")
    assert node.topics() == {"spBv1.0/plant/NCMD/n02", "spBv1.0/STATE/shutan"}


@pytest.mark.flow
def test_what_plain_devices_say_is_kept_for_an_absent_gateway(rig: Rig, client: Callable[..., Client]) -> None:
    """Tasmota and ESPHome publish at QoS 0: the adapters' session gets it all the same when it is back."""
    secret = rig.secret("gateway")
    granted: list[object] = []
    adapters = client("gateway", password=secret, clean=False)
    adapters.paho.on_subscribe = lambda _c, _u, _mid, codes, _p: granted.extend(codes)
    adapters.paho.subscribe("tele/#", 1)
    wait_until(lambda: bool(granted), 20, "subscribed")
    adapters.leave()
    device = client("tasmota-1", password=rig.secret("tasmota-1"))
    device.say("tele/tasmota-1/first", qos=0)
    device.say("tele/tasmota-1/second", qos=1)
    back = client("gateway", password=secret, clean=False)
    wait_until(lambda: "tele/tasmota-1/second" in back.topics(), 20, "what was kept")
    assert [topic for topic, _ in back.heard] == ["tele/tasmota-1/first", "tele/tasmota-1/second"]


@pytest.mark.flow
@pytest.mark.parametrize(("user", "password"), [("gateway", "wrong"), ("nobody", "x"), ("n01", "")])
def test_a_wrong_password_is_refused(client: Callable[..., Client], user: str, password: str) -> None:
    assert client(user, password=password).codes == ["Not authorized"]


@pytest.mark.flow
@pytest.mark.parametrize("certificate", ["stranger.pem", ""])
def test_only_certificates_of_this_site_are_let_in(rig: Rig, certificate: str) -> None:
    context = ssl.create_default_context(cafile=rig.folder / "ca.pem")
    if certificate:
        context.load_cert_chain(rig.folder / certificate)
    with (
        socket.create_connection((HOST, rig.plan.tls_port), 10) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)alert"),
        context.wrap_socket(plain, server_hostname=HOST) as secured,
    ):
        secured.recv(1)


def test_mosquitto_passwd_writes_the_same_entry(tmp_path: Path) -> None:
    command = [tool("mosquitto_passwd"), "-b", "-c", tmp_path / "passwords", "n01", "secret 数"]
    subprocess.run(command, check=True, capture_output=True)
    entry = (tmp_path / "passwords").read_text()
    salt = base64.b64decode(entry.split("$")[3])
    assert password_entry("n01", "secret 数", salt) == entry


def test_written_again_passwords_stay_and_secrets_are_private(tmp_path: Path) -> None:
    plan = BrokerPlan(accounts=(Account("n01"), Account("n02")), certificates=False)
    assert {"passwords", "secrets/gateway.password", "secrets/n01.password"} <= set(write_files(plan, tmp_path))
    before = (tmp_path / "passwords").read_text()
    assert (tmp_path / "secrets/n01.password").stat().st_mode & 0o777 == 0o600
    more = plan._replace(accounts=(*plan.accounts, Account("n03")))
    assert write_files(more, tmp_path) == ["mosquitto.conf", "acl", "passwords", "secrets/n03.password"]
    after = (tmp_path / "passwords").read_text()
    assert after.startswith(before)
    assert after.count("\n") == 4
    assert not list(tmp_path.glob("**/*.tmp"))


def test_without_a_list_every_user_is_a_node_of_its_name() -> None:
    text = acl_text(BrokerPlan())
    assert "pattern write spBv1.0/+/DDATA/%u/+" in text
    assert "DCMD/+/+" not in text
    assert "topic write spBv1.0/+/DCMD/+/+" in acl_text(BrokerPlan(commands=True))


def test_the_files_fit_the_configuration_of_the_gateway(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x\n")
    (tmp_path / "gateway.toml").write_text(
        '[gateway]\ndata_dir = "data"\nhost_id = "host7"\n'
        '[mqtt]\nport = 1999\nusername = "gw7"\npassword_file = "password"\n'
        '[[adapter]]\nkind = "tasmota"\nname = "plugs"\nsite = "plant"\n'
        '[[command]]\nnode = "n01"\ndevice = "m1"\nmetric = "relay"\ndatatype = "Boolean"\n'
        '[[store]]\nkind = "uns"\nname = "uns"\nport = 1999\nenterprise = "baijiu"\n'
    )
    plan = fitted(BrokerPlan(), load_config(tmp_path / "gateway.toml"))
    acl = acl_text(plan)
    conf = conf_text(plan)
    assert "listener 1999 127.0.0.1" in conf
    assert "queue_qos0_messages true\n" in conf
    assert "queue_qos0_messages" not in conf_text(BrokerPlan()), "Sparkplug alone needs nothing kept"
    for line in (
        "user gw7",
        "topic readwrite spBv1.0/STATE/host7",
        "topic read +/+/#",
        "topic write baijiu/#",
        "topic write spBv1.0/+/DCMD/+/+",
    ):
        assert f"{line}\n" in acl


def test_every_mistake_in_the_list_is_told_with_its_line() -> None:
    text = "plant/n01\nn+01\nbad/site/n1\nn01\nt1 $SYS/#\nt2 spBv1.0/plant/#\nt3 a#\nt4 +/x\nt5 tele/t5/#\n"
    with pytest.raises(ConfigError) as caught:
        parse_accounts(text, "nodes.txt")
    assert [problem.key for problem in caught.value.problems] == [f"line {n}" for n in (2, 3, 4, 5, 6, 7, 8)]


def test_the_settings_are_those_that_keep_data(rig: Rig) -> None:
    lines = (rig.folder / "mosquitto.conf").read_text().splitlines()
    settings = dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    wanted = {
        "allow_anonymous": "false",
        "max_queued_messages": "100000",
        "persistence": "true",
        "autosave_on_changes": "true",
        "autosave_interval": "1",
        "require_certificate": "true",
    }
    assert wanted.items() <= settings.items()
