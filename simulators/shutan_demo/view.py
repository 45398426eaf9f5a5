"""What the person at the terminal sees while it runs: the gateway's counters and the newest value of each meter."""

from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from shutan_collector.site.model import Meter, Site
from shutan_demo.factory import Factory
from shutan_gateway.errors import GatewayError
from shutan_gateway.stores.sqlite import schema

POWER = "active_power_w"
NS = 1_000_000_000
MIN_NS: int = -(2**63)
MAX_NS: int = 2**63 - 1


class Newest:
    """Newest value of each (node, device, metric), read from the embedded store a little further at each look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[int, int] = {}
        self.values: dict[tuple[str, str, str], int | float | str | bool] = {}
        self.time_ns = 0

    def look(self) -> None:
        """Read what has come since the last look; a store that is not there yet is no error."""
        try:
            connection = schema.open_readonly(self._path)
        except GatewayError:
            return
        try:
            for series in schema.list_series(connection):
                metrics = list(schema.list_metrics(connection, series))
                start = self._seen.get(series.series_id, MIN_NS)
                for t_ns, *values in schema.read_series(connection, series, metrics, start, MAX_NS):
                    self._seen[series.series_id] = int(t_ns or 0) + 1
                    self.time_ns = max(self.time_ns, int(t_ns or 0))
                    for metric, value in zip(metrics, values, strict=True):
                        if value is not None:
                            self.values[series.node, series.device, metric] = value
        finally:
            connection.close()


def draw(factory: Factory, site: Site, newest: Newest, kills: dict[str, int] | None) -> Table:
    """One frame of the live table."""
    newest.look()
    counters = factory.metrics()
    shown_time = datetime.fromtimestamp(newest.time_ns / NS, UTC).astimezone(site.zone) if newest.time_ns else None
    caption = (
        f"accepted 已落盘 {counters.get('shutan_accepted_total', 0):,.0f} · "
        f"repeats 重复 {counters.get('shutan_duplicates_total', 0):,.0f} · "
        f"waiting 待入库 {factory.pending() or 0:,}"
        if counters
        else "gateway is down 网关停机"
    )
    if kills is not None:
        caption += " · kills 已杀 " + (", ".join(f"{k} {n}" for k, n in sorted(kills.items())) or "0")
    title = f"{site.name} · {shown_time:%Y-%m-%d %H:%M:%S}" if shown_time else site.name
    table = Table(title=title, caption=caption, expand=False)
    for heading, justify in (
        ("meter 表计", "left"),
        ("node", "left"),
        ("register 底数", "right"),
        ("unit", "left"),
        ("power 功率 kW", "right"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for meter in site.meters:
        table.add_row(*_line(meter, newest))
    return table


def _line(meter: Meter, newest: Newest) -> tuple[str, str, str, str, str]:
    place = meter.installations[-1]
    register = newest.values.get((place.node, place.device, meter.metric))
    power = newest.values.get((place.node, place.device, POWER))
    unit = meter.metric.rsplit("_", 1)[1]
    return (
        f"{meter.name_zh} {meter.name}",
        place.node,
        f"{register:,}" if isinstance(register, int) else "–",
        {"wh": "Wh", "l": "L", "kj": "kJ"}.get(unit, unit),
        f"{power / 1000:,.1f}" if isinstance(power, int | float) else "–",
    )
