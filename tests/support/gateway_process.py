"""The real `shutan gateway` as a process with a configuration of its own."""

import re
import sys
from pathlib import Path

from support.servers import Server, free_port

CONFIG = """\
[gateway]
data_dir = "data"
[mqtt]
port = {mqtt}
keepalive_s = 5
[intake]
ack_interval_s = 0.2
rebirth_min_interval_s = 0.5
checkpoint_interval_s = 0.5
[http]
port = {http}
"""
SQLITE = '[[store]]\nkind = "sqlite"\nname = "local"\npath = "series.sqlite"\n'


class GatewayProcess(Server):
    """Ready when its page answers; `number` reads one line of /metrics."""

    def numbers(self) -> dict[str, float]:
        """All lines of /metrics: name with labels -> value."""
        pairs = re.findall(r"^([^#\s]\S*) (\S+)$", self.get("/metrics").decode(), re.MULTILINE)
        return {name: float(value) for name, value in pairs}

    def number(self, name: str) -> float:
        """One line of /metrics, 0 when it is not there."""
        return self.numbers().get(name, 0.0)


def gateway_process(folder: Path, mqtt_port: int, more: str = SQLITE) -> GatewayProcess:
    """A gateway for a broker on loopback; its data is in `folder`/data, `more` is added to its configuration."""
    port = free_port()
    config = folder / "gateway.toml"
    config.write_text(CONFIG.format(mqtt=mqtt_port, http=port) + more)
    command = [Path(sys.executable).with_name("shutan"), "gateway", "--config", config]
    return GatewayProcess("gateway", command, folder, port)
