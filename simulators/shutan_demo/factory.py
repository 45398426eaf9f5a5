"""The whole line on this machine: broker, stores, gateway, plant with its nodes; each a process, all on loopback."""

import json
import signal
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from shutan_demo.broker import BrokerKind, make_broker
from shutan_demo.errors import NotSettledError, PartMissingError
from shutan_demo.evidence import TRUTH_FILE, has_final
from shutan_demo.parts import Part, free_port, listens, wait_until
from shutan_demo.tools import shutan, tool

DATABASE = "shutan"
SETTLE_LIMIT_S = 90.0

GATEWAY_TOML = """\
[gateway]
data_dir = "gateway"

[mqtt]
host = "127.0.0.1"
port = {broker_port}

[http]
port = {http_port}

[[store]]
kind = "sqlite"
name = "sqlite"
path = "series.sqlite"
"""

INFLUX_STORE_TOML = """
[[store]]
kind = "influxdb"
name = "influxdb"
version = 1
url = "http://127.0.0.1:{port}"
database = "shutan"
"""

INFLUXD_CONF = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
[logging]
  level = "warn"
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build. start: plant time of the first live sample; days: history before it."""

    folder: Path
    broker: BrokerKind
    speed: int
    seed: int
    start: datetime
    days: int


class Factory:
    """Starts and stops all parts in their order. Use as a context manager: on leaving, nothing is left running."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.folder = plan.folder
        self.plant_folder = plan.folder / "plant"
        self.plant_folder.mkdir(parents=True)
        self.broker_port, self.http_port = free_port(), free_port()
        self.broker = make_broker(plan.broker, plan.folder / "broker", self.broker_port)
        self.influx: Part | None = None
        self.influx_port = 0
        self.gateway = self._make_gateway()
        self.plant = Part(
            "plant",
            [shutan(), "sim", "plant", *self._common(), "--speed", str(plan.speed)],
            self.folder,
            self._nodes_run,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.plant.stop(20)
        self.gateway.stop()
        if self.influx is not None:
            self.influx.stop()
        self.broker.stop()

    @property
    def site_toml(self) -> Path:
        """The simulated factory's site model."""
        return self.plant_folder / "site.toml"

    @property
    def store_file(self) -> Path:
        """The embedded series store."""
        return self.folder / "series.sqlite"

    @property
    def influx_url(self) -> str:
        """Base address of the demo's InfluxDB."""
        return f"http://127.0.0.1:{self.influx_port}"

    @property
    def nodes(self) -> list[str]:
        """Names of the nodes, known once the plant runs."""
        listed = json.loads((self.plant_folder / "plant.json").read_text(encoding="utf-8"))["nodes"]
        return sorted(entry["node"] for entry in listed)

    def _nodes_run(self) -> bool:
        try:
            return all((self.plant_folder / "nodes" / node / "pid").is_file() for node in self.nodes)
        except (OSError, ValueError):  # plant.json is not there, or not whole yet
            return False

    def start(self) -> None:
        """Start everything up to the gateway; then history, then the plant, are started by the caller."""
        self.broker.start()
        if self.influx is not None:
            self.influx.start()
            _post(f"{self.influx_url}/query", {"q": f"CREATE DATABASE {DATABASE}"})
        self.gateway.start()

    def history_command(self) -> list[str]:
        """Command that back-fills the days before the live start."""
        return [shutan(), "sim", "history", *self._common(), "--days", str(self.plan.days)]

    def metrics(self) -> dict[str, float]:
        """The gateway's counters by name with labels; empty while it is down."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except (OSError, urllib.error.URLError):
            return {}
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    def pending(self) -> int | None:
        """Records that some store does not have yet; None while the gateway is down."""
        found = [v for name, v in self.metrics().items() if name.startswith("shutan_store_pending")]
        return int(sum(found)) if found else None

    def freeze(self) -> None:
        """Stop the plant from turning: registers stand still, the nodes read them once more."""
        self.plant.signal(signal.SIGUSR1)
        if not wait_until(self._frozen, SETTLE_LIMIT_S):
            raise NotSettledError("the plant did not stop turning")

    def drained(self) -> None:
        """Wait until every store has everything that the gateway accepted. Raises NotSettledError after the limit."""
        if not wait_until(lambda: self.pending() == 0, SETTLE_LIMIT_S):
            raise NotSettledError(f"after {SETTLE_LIMIT_S:.0f} s {self.pending()} records still wait for a store")

    def _frozen(self) -> bool:
        self.plant.check()
        return has_final(self.plant_folder / TRUTH_FILE)

    def _common(self) -> list[str]:
        plan = self.plan
        return [
            "--dir", str(self.plant_folder),
            "--broker", f"127.0.0.1:{self.broker_port}",
            "--seed", str(plan.seed),
            "--start", plan.start.isoformat(),
        ]  # fmt: skip

    def _make_gateway(self) -> Part:
        text = GATEWAY_TOML.format(broker_port=self.broker_port, http_port=self.http_port)
        influxd = tool("influxd")
        if influxd is not None:
            self.influx_port, rpc_port = free_port(), free_port()
            folder = self.folder / "influxdb"
            folder.mkdir()
            conf = folder / "influxdb.conf"
            conf.write_text(
                INFLUXD_CONF.format(folder=folder, port=self.influx_port, rpc_port=rpc_port), encoding="utf-8"
            )
            port = self.influx_port
            self.influx = Part("influxd", [influxd, "-config", str(conf)], folder, lambda: listens(port))
            text += INFLUX_STORE_TOML.format(port=port)
        config = self.folder / "gateway.toml"
        config.write_text(text, encoding="utf-8")
        if not Path(shutan()).is_file():
            raise PartMissingError("shutan", "run the demo by make demo")
        return Part(
            "gateway", [shutan(), "gateway", "--config", str(config)], self.folder, lambda: bool(self.metrics())
        )


def _post(url: str, form: dict[str, str]) -> None:
    with urllib.request.urlopen(url, data=urllib.parse.urlencode(form).encode(), timeout=10) as answer:  # noqa: S310 - the demo's own loopback server
        json.load(answer)
