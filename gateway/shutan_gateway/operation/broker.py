"""The broker's files, generated: mosquitto settings, who may say what, password entries.

mosquitto's own defaults lose data (persistence off, 1,000 queued messages per client, then dropped in silence), so each
setting stands here with its reason. A node's user name is its node id: by certificate (the name in it) or by password.
Facts: mosquitto.conf(5), mosquitto_passwd(1); a publish that the ACL refuses is dropped, at QoS 1 acknowledged as well.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.adapters.topics import Pattern
from shutan_gateway.errors import ConfigError, Problem
from shutan_wire import ids

if TYPE_CHECKING:
    from shutan_gateway.config import GatewayConfig

__all__ = [
    "Account",
    "BrokerPlan",
    "acl_text",
    "conf_text",
    "fitted",
    "new_secret",
    "parse_accounts",
    "password_entry",
]

_ITERATIONS = 101  # mosquitto_passwd's own; a broker with one thread computes this at each of 1,000 reconnects
_SALT_BYTES = 12
_QUEUE_QOS_0 = """
# Plain devices mostly publish at QoS 0: for the adapters' session it is kept like QoS 1. Sparkplug needs none of this:
# its nodes keep what was not acknowledged, and its sessions are clean.
queue_qos0_messages true
"""
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_UP, _DOWN = ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"), ("NCMD", "DCMD")


class Account(NamedTuple):
    """Who may log in. A node speaks Sparkplug in its site (`+` = any); a device has topic filters of its own.

    topics: filters that the device may write and read, empty for a node.
    """

    user: str
    site: str = "+"
    topics: tuple[str, ...] = ()


class BrokerPlan(NamedTuple):
    """What the files are made from. tls_port 0: no TLS listener, nodes on this machine only."""

    folder: Path = Path("/etc/shutan-broker")
    state: Path = Path("/var/lib/shutan-broker")
    host_id: str = "shutan"
    gateway_user: str = "gateway"
    local_port: int = 1883
    tls_port: int = 8883
    tls_host: str = ""
    certificates: bool = True
    accounts: tuple[Account, ...] = ()
    gateway_reads: tuple[str, ...] = ()
    gateway_writes: tuple[str, ...] = ()
    commands: bool = False
    max_payload_bytes: int = 1_000_000


def fitted(plan: BrokerPlan, config: GatewayConfig) -> BrokerPlan:
    """The plan for a gateway's configuration: its names and port, what its adapters hear, what it publishes."""
    reads = [_below(Pattern(adapter.pattern).filter) for adapter in config.adapter]
    user = config.mqtt.username or plan.gateway_user
    # A unified namespace on this very broker, under the gateway's own name.
    spaces = [store for store in config.store if store.kind == "uns" and store.port == config.mqtt.port]
    writes = [_below(space.enterprise) for space in spaces if (space.username or user) == user]
    return plan._replace(
        host_id=config.gateway.host_id,
        local_port=config.mqtt.port,
        gateway_user=user,
        gateway_reads=tuple(dict.fromkeys([*plan.gateway_reads, *reads])),
        gateway_writes=tuple(dict.fromkeys([*plan.gateway_writes, *writes])),
        commands=any(rule.device for rule in config.command),
        max_payload_bytes=config.intake.max_payload_bytes,
    )


def _below(topic: str) -> str:
    return topic if topic.endswith("#") else f"{topic}/#"


def parse_accounts(text: str, file: str) -> tuple[Account, ...]:
    """A list of accounts, one a line: `NODE`, `SITE/NODE`, or `USER FILTER...` for a plain MQTT device; # comments.

    Raises ConfigError with every mistake in it.
    """
    accounts: dict[str, Account] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition(" #")[0].split()
        if not words or words[0].startswith("#"):
            continue
        site, _, user = words[0].rpartition("/")
        wrong = [part for part in (site or "any", user) if not _ID.fullmatch(part)]
        wrong += [topic for topic in words[1:] if not _is_filter(topic)]
        if wrong or user in accounts:
            accepted = "[SITE/]NODE or USER FILTER..., ids of A-Z a-z 0-9 _ -, each user once"
            problems.append(Problem(file, f"line {number}", repr(line.strip()), accepted))
            continue
        accounts[user] = Account(user, site or "+", tuple(words[1:]))
    if problems:
        raise ConfigError(problems)
    return tuple(accounts.values())


def _is_filter(topic: str) -> bool:
    """Whether this is an MQTT topic filter below a fixed first level that is not Sparkplug's or the broker's own."""
    levels = topic.split("/")
    sound = all(("+" not in level and "#" not in level) or level in {"+", "#"} for level in levels)
    own = levels[0] in {"", "+", "#", ids.NAMESPACE} or levels[0].startswith("$")
    return sound and not own and "#" not in levels[:-1]


def new_secret() -> str:
    """A password that nobody has to remember: 32 random bytes as text."""
    return secrets.token_urlsafe(32)


def password_entry(user: str, password: str, salt: bytes | None = None) -> str:
    """A line of mosquitto's password file: `user:$7$iterations$salt$hash`, PBKDF2 with HMAC-SHA-512."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"{user}:$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


def conf_text(plan: BrokerPlan) -> str:
    """mosquitto.conf, complete: nothing of Debian's own /etc/mosquitto is read beside it."""
    return f"""\
# Broker of Shutan, written by `shutan broker config`; it is complete, /etc/mosquitto is not read.

# --- who may speak: no anonymous client, no default password -------------------------------------------------------
allow_anonymous false
password_file {plan.folder}/passwords
acl_file {plan.folder}/acl

# The gateway, on this machine.
listener {plan.local_port} 127.0.0.1
{_tls_listener(plan) if plan.tls_port else ""}
# --- what must not be lost: a PUBACK of a broker that keeps everything in memory promises nothing ------------------
persistence true
persistence_location {plan.state}/
autosave_on_changes true
autosave_interval 1
# A session that waits for its client (adapters of the gateway) ends when nobody came for it so long.
persistent_client_expiration 60d

# While the gateway is away or slow: bounded in messages and bytes, and far above the default of 1,000.
# What goes beyond is counted in $SYS/broker/publish/messages/dropped, which `shutan doctor` reads.
max_queued_messages 100000
max_queued_bytes 268435456
max_inflight_messages 20
{_QUEUE_QOS_0 if plan.gateway_reads else ""}
# --- limits --------------------------------------------------------------------------------------------------------
# The largest payload that the gateway takes, with topic and header.
max_packet_size {plan.max_payload_bytes + 100_000}
max_connections 2000
max_keepalive 120
set_tcp_nodelay true
sys_interval 10

# --- log: to the journal -------------------------------------------------------------------------------------------
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true
"""


def _tls_listener(plan: BrokerPlan) -> str:
    identity = """\
# The name in the certificate is the user, so no node needs a password and none can take another's name.
require_certificate true
use_identity_as_username true
"""
    return f"""
# The nodes, with TLS 1.2 or newer.
listener {plan.tls_port}{" " + plan.tls_host if plan.tls_host else ""}
cafile {plan.folder}/ca.pem
certfile {plan.folder}/broker.pem
keyfile {plan.folder}/broker.key
tls_version tlsv1.2
{identity if plan.certificates else "require_certificate false"}
"""


def acl_text(plan: BrokerPlan) -> str:
    """The access list: a node for itself only, the gateway as Sparkplug host, each device below its own topics."""
    space = ids.NAMESPACE
    parts = ["# Who may say what, written by `shutan broker config`. What is not listed is refused.", ""]
    nodes = [account for account in plan.accounts if not account.topics]
    parts += ["# The gateway: hears nodes, acknowledges, asks for births, tells its state."]
    parts += [f"user {plan.gateway_user}"]
    parts += [f"topic read {space}/+/{kind}/{'+/+' if kind[0] == 'D' else '+'}" for kind in _UP]
    parts += [f"topic write {space}/+/NCMD/+"]
    if plan.commands:
        parts += ["# Device commands go out, since [[command]] of the gateway's configuration allows some."]
        parts += [f"topic write {space}/+/DCMD/+/+"]
    parts += [f"topic readwrite {space}/STATE/{plan.host_id}", "topic read $SYS/broker/#"]
    parts += [f"topic read {topic}" for topic in plan.gateway_reads]
    parts += [f"topic write {topic}" for topic in plan.gateway_writes]
    if nodes:
        parts += ["", "# Nodes by name: each in its site, for itself."]
        for node in nodes:
            parts += ["", f"user {node.user}", *_node_rules("topic", node.site, node.user)]
    else:
        parts += ["", "# Every user: a node of this name, for itself, in any site."]
        parts += _node_rules("pattern", "+", "%u")
    for device in plan.accounts:
        if device.topics:
            parts += ["", f"user {device.user}", *[f"topic readwrite {topic}" for topic in device.topics]]
    return "\n".join(parts) + "\n"


def _node_rules(word: str, site: str, node: str) -> list[str]:
    space = ids.NAMESPACE
    rules = [f"{word} write {space}/{site}/{kind}/{node}{'/+' if kind[0] == 'D' else ''}" for kind in _UP]
    rules += [f"{word} read {space}/{site}/{kind}/{node}{'/+' if kind[0] == 'D' else ''}" for kind in _DOWN]
    return [*rules, f"{word} read {space}/STATE/+"]
