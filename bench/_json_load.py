"""Plain devices that publish JSON at QoS 1: `python -m bench._json_load --port P --rate R --kind json|json_one`.

Twenty devices, each with its values of a three-phase meter and a time of its own, on one connection; what the broker
answers is thrown away. It ends on SIGTERM.
"""

import argparse
import contextlib
import json
import random
import signal
import time

from bench._load import chosen_metrics
from bench._publisher import connected, drain
from shutan_wire import catalogue, mqtt

DEVICES = 20
TICK_S = 0.01
TOPIC = "plant/{node}/{device}/json"


def metrics_of(kind: str) -> list[catalogue.Metric]:
    """12 counters and 38 gauges, or one gauge."""
    return chosen_metrics("one" if kind == "json_one" else "mixed")


def adapter(kind: str) -> str:
    """The gateway's settings for these devices."""
    lines = ["[[adapter]]", 'kind = "json"', 'name = "bench"', 'site = "bench"', f'topic = "{TOPIC}"']
    lines += ['time_field = "ts"', 'time_format = "unix_ms"']
    for metric in metrics_of(kind):
        lines += ["[[adapter.map]]", f'field = "values.{metric.name}"', f'metric = "{metric.name}"', 'scale = "1"']
    return "\n".join(lines) + "\n"


class Device:
    """One device: registers that rise, gauges that move."""

    def __init__(self, index: int, kind: str) -> None:
        self._chance = random.Random(index)  # noqa: S311 - a load that comes out the same each time
        self._metrics = metrics_of(kind)
        self._registers = {m.name: self._chance.randrange(1 << 30) for m in self._metrics if m.kind == "counter"}
        self._topic = TOPIC.format(node="hall", device=f"d{index:02d}")

    def message(self, packet_id: int) -> bytes:
        """The next PUBLISH."""
        values: dict[str, int | float] = {}
        for metric in self._metrics:
            if metric.kind == "counter":
                self._registers[metric.name] += self._chance.randrange(1000)
                values[metric.name] = self._registers[metric.name]
            else:
                low, high = max(metric.low, -400.0), min(metric.high, 400.0)
                values[metric.name] = round(self._chance.uniform(low, high), 3)
        text = json.dumps({"ts": time.time_ns() // 1_000_000, "values": values})
        return mqtt.publish(self._topic, text.encode(), 1, False, packet_id)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--kind", choices=("json", "json_one"), required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    devices = [Device(index, arguments.kind) for index in range(DEVICES)]
    link = connected(arguments.port, "json-devices")
    began_s, sent = time.monotonic(), 0
    while True:
        now_s = time.monotonic()
        due = min(int((now_s - began_s) * arguments.rate) - sent, 500)
        with contextlib.suppress(BlockingIOError):
            link.sendall(b"".join([devices[n % DEVICES].message(n % 65_535 + 1) for n in range(sent, sent + due)]))
        sent += max(due, 0)
        drain([link])
        time.sleep(max(0.0, now_s + TICK_S - time.monotonic()))


if __name__ == "__main__":
    main()
