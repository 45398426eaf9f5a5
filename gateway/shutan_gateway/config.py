"""Configuration: one TOML file, checked as a whole; every mistake is reported at once with file, key, found, accepted.

Relative paths are relative to the folder of the file. Passwords and tokens stand in files of their own, never here.
"""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, ValidationInfo
from pydantic.functional_validators import AfterValidator

from shutan_gateway.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = [
    "GatewayConfig",
    "GatewaySection",
    "HttpSection",
    "InfluxStoreConfig",
    "IntakeSection",
    "MqttSection",
    "Secret",
    "SpoolSection",
    "SqliteStoreConfig",
    "StoreConfig",
    "TlsSection",
    "load_config",
    "read_secret",
]


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = cast("Path | None", info.context)
    return path.expanduser() if folder is None else folder / path.expanduser()


def _existing(path: Path, info: ValidationInfo) -> Path:
    path = _beside_the_file(path, info)
    if not path.is_file():
        raise ValueError("the path of a file that exists and can be read")
    return path


def is_loopback(host: str) -> bool:
    """Whether a host names this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _local(host: str) -> str:
    if not is_loopback(host):
        raise ValueError("a loopback host; publish it through a reverse proxy")
    return host


def _group(group: str) -> str:
    if group != "+" and (not group or any(sign in group for sign in "+/#\0")):
        raise ValueError('a group id without + / #, or "+" alone for all')
    return group


def _some(groups: tuple[str, ...]) -> tuple[str, ...]:
    if not groups:
        raise ValueError("at least one group")
    return groups


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "@" in url:
        raise ValueError("http(s)://HOST[:PORT] without a password in it")
    return url.rstrip("/")


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
FilePath = Annotated[Path, AfterValidator(_beside_the_file)]
ExistingFile = Annotated[Path, AfterValidator(_existing)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, hide_input_in_errors=True)


class GatewaySection(_Section):
    """`[gateway]`: data_dir holds spool, registry, dead letters; host_id is the Sparkplug host id."""

    data_dir: FilePath
    host_id: Id = "shutan"


class TlsSection(_Section):
    """`[mqtt.tls]`: ca_file alone checks the broker; cert_file and key_file identify this gateway to it."""

    ca_file: ExistingFile
    cert_file: ExistingFile | None = None
    key_file: ExistingFile | None = None


class MqttSection(_Section):
    """`[mqtt]`: a broker on loopback, or elsewhere with `[mqtt.tls]` (`plaintext = true` says no on purpose)."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: Port = 1883
    username: str | None = None
    password_file: ExistingFile | None = None
    client_id: Id = "shutan-gateway"
    keepalive_s: int = Field(default=15, ge=5, le=3600)
    groups: Annotated[tuple[Annotated[str, AfterValidator(_group)], ...], AfterValidator(_some)] = ("+",)
    tls: TlsSection | None = None
    plaintext: bool = False


class IntakeSection(_Section):
    """`[intake]`: tick_ms bounds fdatasyncs (one per tick); queue_messages bounds memory before the spool."""

    tick_ms: int = Field(default=20, ge=1, le=1000)
    queue_messages: int = Field(default=20_000, ge=100, le=1_000_000)
    reorder_s: float = Field(default=2.0, ge=0, le=60)
    rebirth_min_interval_s: float = Field(default=5.0, ge=0.1, le=3600)
    ack_interval_s: float = Field(default=1.0, ge=0.05, le=60)
    checkpoint_interval_s: float = Field(default=2.0, ge=0.1, le=300)
    conflict_window: int = Field(default=1024, ge=16, le=100_000)
    max_payload_bytes: int = Field(default=1_000_000, ge=1_000, le=10_000_000)


class SpoolSection(_Section):
    """`[spool]`: at max_bytes the gateway stops acknowledging; the nodes keep their records."""

    segment_bytes: int = Field(default=16 * 2**20, ge=2**16, le=2**30)
    max_bytes: int = Field(default=2 * 2**30, ge=2**18)


class SqliteStoreConfig(_Section):
    """`[[store]] kind = "sqlite"`: the embedded store, one file."""

    kind: Literal["sqlite"]
    name: Id
    path: FilePath


class InfluxStoreConfig(_Section):
    """`[[store]] kind = "influxdb"`: InfluxDB 1.x (database), 2.x (org, bucket, token_file), or a mirror of its API.

    mirror: the server answers 204 to everything and rounds integers above 2^53 (VictoriaMetrics).
    """

    kind: Literal["influxdb"]
    name: Id
    url: Annotated[str, AfterValidator(_http_url)]
    version: Literal[1, 2] = 1
    database: str | None = None
    org: str | None = None
    bucket: str | None = None
    username: str | None = None
    password_file: ExistingFile | None = None
    token_file: ExistingFile | None = None
    mirror: bool = False
    timeout_s: float = Field(default=10.0, gt=0, le=600)
    gzip: bool = False


StoreConfig = Annotated[SqliteStoreConfig | InfluxStoreConfig, Field(discriminator="kind")]


class HttpSection(_Section):
    """`[http]`: /metrics and /healthz on loopback; port 0 takes any free one."""

    host: Annotated[str, AfterValidator(_local)] = "127.0.0.1"
    port: int = Field(default=8463, ge=0, le=65535)


class GatewayConfig(_Section):
    """The whole file. Without any `[[store]]` the gateway only records: nothing leaves the spool until it is full."""

    gateway: GatewaySection
    mqtt: MqttSection = MqttSection()
    intake: IntakeSection = IntakeSection()
    spool: SpoolSection = SpoolSection()
    store: tuple[StoreConfig, ...] = ()
    http: HttpSection = HttpSection()


class Secret:
    """A password or token; only `reveal` shows it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret('***')"

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._text


def read_secret(path: Path, key: str) -> Secret:
    """First line of a secret file without its line end. Raises ConfigError when there is none."""
    try:
        text = path.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), key, type(error).__name__, "a readable UTF-8 file")]) from error
    if not text:
        raise ConfigError([Problem(str(path), key, "an empty first line", "the secret on the first line")])
    return Secret(text)


def load_config(path: Path) -> GatewayConfig:
    """Read and check a configuration file. Raises ConfigError with every mistake in it."""
    try:
        with path.open("rb") as file:
            tree = tomllib.load(file)
    except OSError as error:
        raise ConfigError([Problem(str(path), "(file)", error.strerror or str(error), "a readable file")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), "(file)", str(error), "TOML 1.0")]) from error
    problems = _combinations(str(path), tree)
    config: GatewayConfig | None = None
    try:
        config = GatewayConfig.model_validate(tree, context=path.absolute().parent)
    except ValidationError as error:
        problems = [*(_problem(str(path), tree, detail) for detail in error.errors(include_url=False)), *problems]
    if problems or config is None:
        raise ConfigError(problems)
    return config


def _combinations(file: str, tree: dict[str, Any]) -> list[Problem]:
    """Mistakes that show only in several keys together; wrong types are told elsewhere and pass here."""
    problems: list[Problem] = []

    def need(sound: object, key: str, found: str, accepted: str) -> None:
        if not sound:
            problems.append(Problem(file, key, found, accepted))

    mqtt = _table(tree, "mqtt")
    host = mqtt.get("host", "127.0.0.1")
    tls = _table(mqtt, "tls")
    need("password_file" not in mqtt or "username" in mqtt, "mqtt.username", "nothing", "a name beside password_file")
    local = not isinstance(host, str) or is_loopback(host)
    accepted = "a loopback host, or a table [mqtt.tls], or plaintext = true on a network that you trust"
    need(local or "tls" in mqtt or mqtt.get("plaintext") is True, "mqtt.host", repr(host), accepted)
    need(("cert_file" in tls) == ("key_file" in tls), "mqtt.tls", "one of two", "cert_file and key_file, or neither")
    spool = _table(tree, "spool")
    sizes = SpoolSection.model_fields
    segment = spool.get("segment_bytes", sizes["segment_bytes"].default)
    most = spool.get("max_bytes", sizes["max_bytes"].default)
    room = not (isinstance(segment, int) and isinstance(most, int)) or most >= 2 * segment
    need(room, "spool.max_bytes", str(most), f"at least two times segment_bytes ({segment})")
    names: list[object] = []
    for index, store in enumerate(_tables(tree, "store")):
        name, key = store.get("name"), f"store[{index}]"
        need(name is None or name not in names, f"{key}.name", repr(name), "a name that no other store has")
        names.append(name)
        if store.get("kind") == "influxdb":
            version = store.get("version", 1)
            need(version != 1 or store.get("database"), f"{key}.database", "nothing", "a database, since version = 1")
            whole = version != 2 or (store.get("org") and store.get("bucket"))
            need(whole, f"{key}.bucket", "org or bucket missing", "org and bucket, since version = 2")
    return problems


def _table(tree: dict[str, Any], key: str) -> dict[str, Any]:
    found = tree.get(key)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _tables(tree: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = tree.get(key)
    items = cast("list[Any]", found) if isinstance(found, list) else []
    return [item for item in items if isinstance(item, dict)]


_ACCEPTED = {
    "missing": "a value (the key is required)",
    "int_parsing": "an integer",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a string",
    "path_type": "a path in quotes",
    "model_type": "a table",
    "tuple_type": "a list",
    "union_tag_not_found": 'kind = "sqlite" or "influxdb"',
    "union_tag_invalid": 'kind = "sqlite" or "influxdb"',
}
_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _problem(file: str, tree: dict[str, Any], detail: ErrorDetails) -> Problem:
    found, steps = _look_up(tree, detail["loc"])
    key = ".".join(steps) or "(file)"
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem(file, key, "an unknown key", _known_keys(steps[:-1], tree))
    if kind == "value_error":
        accepted = str(context.get("error", detail["msg"]))
    elif kind == "string_pattern_mismatch":
        accepted = f"text matching {context.get('pattern')}"
    else:
        limits = [f"{sign} {context[name]}" for name, sign in _SIGNS.items() if name in context]
        accepted = _ACCEPTED.get(kind) or (f"a number {' and '.join(limits)}" if limits else detail["msg"])
    return Problem(file, key, found, accepted)


def _look_up(tree: dict[str, Any], location: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """What stands at a location of the file, as text, and the location without pydantic's own union tags."""
    here: Any = tree
    steps: list[str] = []
    for step in location:
        table = cast("dict[str, Any] | list[Any] | None", here if isinstance(here, dict | list) else None)
        if isinstance(table, dict) and isinstance(step, str):
            if step not in table and step in {"sqlite", "influxdb"}:
                continue
            steps.append(step)
            here = table.get(step)
        elif isinstance(table, list) and isinstance(step, int) and step < len(table):
            steps[-1] += f"[{step}]"
            here = table[step]
        else:
            steps.append(str(step))
            here = None
    if isinstance(here, dict):
        return "a table that does not fit together", steps
    if here is None:
        return "nothing", steps
    text = repr(cast("object", here)) if isinstance(here, str) else str(cast("object", here))
    return (text if len(text) <= 80 else text[:77] + "..."), steps


_TABLES: dict[str, type[_Section]] = {
    "": GatewayConfig,
    "gateway": GatewaySection,
    "mqtt": MqttSection,
    "mqtt.tls": TlsSection,
    "intake": IntakeSection,
    "spool": SpoolSection,
    "http": HttpSection,
}


def _known_keys(steps: list[str], tree: dict[str, Any]) -> str:
    place = ".".join(steps)
    model = _TABLES.get(place)
    if model is None and place.startswith("store["):
        kind = tree["store"][int(place[6:-1])].get("kind")
        model = SqliteStoreConfig if kind == "sqlite" else InfluxStoreConfig
    return "one of " + ", ".join(model.model_fields) if model else "no key here"
