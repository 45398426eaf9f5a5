"""The pipeline that one writes on the first day: aiomqtt, protobuf, influxdb-client Points in its batching WriteApi.

No spool, no acknowledgement, no births remembered over a restart: a kill loses what is in memory. The protobuf classes
are those of the independent Sparkplug client (tests/peers). `python -m bench._naive MQTT_PORT HTTP_PORT wide|single`
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# influxdb-client has no types of its own

import asyncio
import importlib.util
import sys
from pathlib import Path
from typing import Any

import aiomqtt
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteOptions

PEERS = Path(__file__).resolve().parents[1] / ".tools/peers/lib"


def protobuf_payload() -> Any:
    """The Payload class of the independent client's generated protobuf module."""
    sys.path += [str(path) for path in PEERS.glob("python*/site-packages")]
    path = next(PEERS.glob("python*/site-packages/pysparkplug/_protobuf/sparkplug_b_pb2.py"))
    spec = importlib.util.spec_from_file_location("sparkplug_b_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Payload


async def main(mqtt_port: int, http_port: int, *, wide: bool) -> None:
    """Work until the process is ended."""
    payload_class = protobuf_payload()
    client = InfluxDBClient(f"http://127.0.0.1:{http_port}", token="none", org="o")  # noqa: S106 - the sink asks for none
    writer = client.write_api(WriteOptions(batch_size=5_000, flush_interval=1_000))
    names: dict[tuple[str, int], str] = {}
    async with aiomqtt.Client("127.0.0.1", mqtt_port) as link:
        await link.subscribe("spBv1.0/#")
        async for message in link.messages:
            _, _, kind, node, *device = str(message.topic).split("/")
            payload = payload_class.FromString(message.payload)
            if kind in {"NBIRTH", "DBIRTH"}:
                names.update({(node, metric.alias): metric.name for metric in payload.metrics})
            elif kind == "DDATA":
                points: list[Point] = []
                point = Point("energy").tag("node", node).tag("device", device[0]).time(payload.timestamp * 10**6)
                for metric in payload.metrics:
                    name = names.get((node, metric.alias), "unknown")
                    value = getattr(metric, metric.WhichOneof("value"))
                    if wide:
                        point.field(name, value)
                    else:
                        single = Point("energy").tag("node", node).tag("device", device[0])
                        points.append(single.time(payload.timestamp * 10**6).field(name, value))
                writer.write("b", record=points or point)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), wide=sys.argv[3] == "wide"))
