"""Grafana dashboards of the series in InfluxDB and of the gateway's own numbers, built with Grafana's foundation SDK.

`make dashboards` writes gateway/deploy/grafana/dashboards/*.json; a test holds the files against this module and runs
every query against a real InfluxDB and a real store of the gateway's numbers. InfluxQL, since InfluxDB 1, 2 and 3 all
answer it. Titles carry both languages: a dashboard has no other way to do so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import GraphDrawStyle, LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh, VariableSort

FOLDER = Path(__file__).resolve().parents[1] / "gateway/deploy/grafana/dashboards"
SERIES = DataSourceRef(type_val="influxdb", uid="shutan-series")
NUMBERS = DataSourceRef(type_val="prometheus", uid="shutan-gateway")
WHERE = '"site" =~ /^$site$/ AND "node" =~ /^$node$/ AND "device" =~ /^$device$/ AND $timeFilter'
ALIAS = "$tag_node/$tag_device"
HALF, WHOLE = 12, 24


class InfluxQuery(Dataquery, Builder["InfluxQuery"]):
    """A raw InfluxQL query of one panel: the SDK has no type of its own for it."""

    def __init__(self, query: str, ref_id: str, alias: str = ALIAS) -> None:
        self.query = query
        self.ref_id = ref_id
        self.alias = alias

    def build(self) -> InfluxQuery:
        """Itself: it has nothing left to decide."""
        return self

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it."""
        return {
            "refId": self.ref_id,
            "query": self.query,
            "rawQuery": True,
            "resultFormat": "time_series",
            "alias": self.alias,
            "datasource": SERIES,
        }


class Chart(NamedTuple):
    """One panel over time of fields of one family. energy: consumption per interval from a register."""

    title: str
    family: str
    fields: tuple[str, ...]
    unit: str
    span: int = HALF
    energy: bool = False
    about: str = ""


ENERGY = (
    Chart("Active power 有功功率", "energy", ("active_power_w",), "watt", WHOLE),
    Chart(
        "Energy per hour 每小时电量",
        "energy",
        ("active_energy_import_wh",),
        "watth",
        WHOLE,
        energy=True,
        about="Differences of the meters' registers. For looking: the ledger alone accounts for resets and swaps.",
    ),
    Chart("Voltage 电压", "energy", ("voltage_l1_v", "voltage_l2_v", "voltage_l3_v"), "volt"),
    Chart("Current 电流", "energy", ("current_l1_a", "current_l2_a", "current_l3_a"), "amp"),
    Chart("Power factor 功率因数", "energy", ("power_factor",), "none"),
    Chart("Frequency 频率", "energy", ("frequency_hz",), "hertz"),
    Chart("Maximum demand 最大需量", "energy", ("active_power_demand_w", "active_power_demand_max_w"), "watt"),
    Chart("Harmonics 谐波畸变率", "energy", ("voltage_thd_l1_pct", "current_thd_l1_pct"), "percent"),
    Chart("Gas per hour 每小时用气量", "energy", ("gas_volume_l",), "litre", energy=True),
    Chart("Water per hour 每小时用水量", "energy", ("water_volume_l",), "litre", energy=True),
    Chart("Heat per hour 每小时热量", "energy", ("heat_kj", "steam_heat_kj"), "kjoule", energy=True),
    Chart("Compressed air 压缩空气流量", "energy", ("compressed_air_flow_l_h",), "none"),
)
EQUIPMENT = (
    Chart("Good pieces per hour 每小时合格品", "equipment", ("good_count",), "none", energy=True),
    Chart("Rejects per hour 每小时废品", "equipment", ("reject_count",), "none", energy=True),
    Chart("Vibration 振动", "equipment", ("vibration_velocity_rms_mm_s",), "none"),
    Chart("Surface temperature 表面温度", "equipment", ("surface_temperature_c",), "celsius"),
    Chart("Air temperature 环境温度", "environment", ("temperature_c",), "celsius"),
    Chart("Relative humidity 相对湿度", "environment", ("relative_humidity_pct",), "percent"),
    Chart("CO2 in the air 空气二氧化碳", "environment", ("co2_ppm",), "ppm"),
    Chart("Dust 颗粒物", "environment", ("pm2_5_ug_m3", "pm10_ug_m3"), "none"),
)
NODES = (
    Chart("Free heap 空闲内存", "node", ("heap_free_b",), "bytes"),
    Chart("Records in flash 闪存待传记录", "node", ("journal_records", "ram_records"), "none"),
    Chart("Radio 信号强度", "node", ("rssi_dbm",), "none"),
    Chart("Clock offset 时钟偏差", "node", ("clock_offset_ms",), "ms"),
    Chart("Meter errors per hour 每小时抄表错误", "node", ("meter_errors", "meter_timeouts"), "none", energy=True),
    Chart(
        "Records lost per hour 每小时丢失记录", "node", ("samples_dropped", "records_overwritten"), "none", energy=True
    ),
    Chart("Supply 供电电压", "node", ("supply_voltage_v",), "volt"),
    Chart("Chip temperature 芯片温度", "node", ("chip_temperature_c",), "celsius"),
)


class Number(NamedTuple):
    """One panel of the gateway's numbers: PromQL expressions with their legends."""

    title: str
    lines: tuple[tuple[str, str], ...]
    unit: str = "none"
    about: str = ""


GATEWAY = (
    Number(
        "Records per second 每秒记录",
        (
            ("rate(shutan_received_total[1m])", "received"),
            ("rate(shutan_accepted_total[1m])", "accepted"),
            ("rate(shutan_duplicates_total[1m])", "repeats"),
            ("sum(rate(shutan_rejected_total[1m])) by (reason)", "rejected: {{reason}}"),
        ),
        about="received = repeats + rejected + accepted, at every moment",
    ),
    Number("Waiting for a store 各库待送", (("shutan_store_pending", "{{store}}"),)),
    Number("Oldest record that waits 最久待送", (("shutan_store_oldest_pending_seconds", "{{store}}"),), "s"),
    Number(
        "From socket to disk and store (p99) 延迟",
        (
            (
                "histogram_quantile(0.99, sum(rate(shutan_receive_to_durable_seconds_bucket[5m])) by (le))",
                "received to durable",
            ),
            (
                "histogram_quantile(0.99, sum(rate(shutan_durable_to_store_seconds_bucket[5m])) by (le, store))",
                "durable to {{store}}",
            ),
        ),
        "s",
    ),
    Number("Spool 缓存占用", (("shutan_spool_bytes", "bytes"),), "bytes"),
    Number("Syncs per second 每秒落盘", (("sum(rate(shutan_fsyncs_total[1m])) by (of)", "{{of}}"),)),
    Number("Nodes 节点", (("shutan_nodes", "{{state}}"), ("shutan_devices_stale", "stale devices"))),
    Number(
        "Refused and quarantined 拒收与隔离",
        (
            ("sum(increase(shutan_faults_total[10m])) by (kind)", "fault: {{kind}}"),
            ("sum(increase(shutan_quarantine_total[10m])) by (reason)", "kept: {{reason}}"),
        ),
    ),
    Number("Bad values 异常数值", (("sum(increase(shutan_bad_values_total[10m])) by (cause)", "{{cause}}"),)),
    Number(
        "Link and errors 连接与错误",
        (
            ("increase(shutan_link_lost_total[10m])", "links lost"),
            ("sum(increase(shutan_spool_errors_total[10m])) by (kind)", "spool: {{kind}}"),
            ("sum(increase(shutan_thread_restarts_total[10m])) by (thread)", "restarted: {{thread}}"),
        ),
    ),
)
LAMPS = (
    Number("Broker 消息代理", (("shutan_link_up", ""),), about="1: connected"),
    Number("Spool blocked 缓存阻塞", (("shutan_spool_blocked", ""),), about="1: nothing is acknowledged"),
    Number("Nodes online 在线节点", (('shutan_nodes{state="online"}', ""),)),
    Number("Waiting 待送记录", (("sum(shutan_store_pending)", ""),)),
    Number("Dead letters 死信", (("sum(shutan_store_dead_total)", ""),)),
    Number("Lost by nodes 节点丢失", (("shutan_gap_unsaved_total + shutan_gap_overwritten_total", ""),)),
)


def _select(what: str, family: str, interval: str = "$__interval") -> str:
    """A query by device; Grafana puts its variables in."""
    grouping = f'GROUP BY time({interval}), "site", "node", "device" fill(none)'
    return " ".join(("SELECT", what, "FROM", f'"{family}"', "WHERE", WHERE, grouping))


def series_queries(chart: Chart) -> list[InfluxQuery]:
    """One query a field: the mean of a gauge, or what passed in each interval by a register."""
    queries: list[InfluxQuery] = []
    for index, field in enumerate(chart.fields):
        alias = ALIAS if len(chart.fields) == 1 else f"{ALIAS} {field}"
        if chart.energy:
            text = _select(f'difference(last("{field}"))', chart.family, "1h")
        else:
            text = _select(f'mean("{field}")', chart.family)
        queries.append(InfluxQuery(text, chr(ord("A") + index), alias))
    return queries


def _legend() -> Any:
    return (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .calcs(["mean", "max", "lastNotNull"])
    )


def series_panel(chart: Chart) -> timeseries.Panel:
    """A chart of series."""
    panel = (
        timeseries.Panel()
        .title(chart.title)
        .description(chart.about)
        .unit(chart.unit)
        .datasource(SERIES)
        .height(8)
        .span(chart.span)
        .legend(_legend())
    )
    if chart.energy:
        panel = (
            panel.draw_style(GraphDrawStyle.BARS)
            .fill_opacity(60)
            .stacking(common.StackingConfig().mode(StackingMode.NORMAL))
        )
    for query in series_queries(chart):
        panel = panel.with_target(query)
    return panel


def state_panel() -> statetimeline.Panel:
    """Machine states as bands."""
    text = _select('last("machine_state")', "equipment")
    return (
        statetimeline.Panel()
        .title("Machine state 设备状态")
        .datasource(SERIES)
        .height(8)
        .span(WHOLE)
        .with_target(InfluxQuery(text, "A"))
    )


def number_panel(number: Number) -> timeseries.Panel:
    """A chart of the gateway's numbers."""
    panel = (
        timeseries.Panel()
        .title(number.title)
        .description(number.about)
        .unit(number.unit)
        .datasource(NUMBERS)
        .height(8)
        .span(HALF)
        .legend(_legend())
        .min(0)
    )
    for index, (expr, legend) in enumerate(number.lines):
        panel = panel.with_target(_prometheus(expr, legend, index))
    return panel


def lamp_panel(number: Number) -> stat.Panel:
    """One number, large."""
    panel = stat.Panel().title(number.title).description(number.about).datasource(NUMBERS).height(4).span(4)
    for index, (expr, legend) in enumerate(number.lines):
        panel = panel.with_target(_prometheus(expr, legend, index))
    return panel


def _prometheus(expr: str, legend: str, index: int) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(chr(ord("A") + index)).datasource(NUMBERS)


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SERIES)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _series_board(title: str, uid: str, families: tuple[str, ...]) -> dashboard.Dashboard:
    source = ", ".join(f'"{family}"' for family in families)
    tag = 'SHOW TAG VALUES FROM {source} WITH KEY = "{key}"'
    within = ' WHERE "site" =~ /^$site$/'
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["shutan"])
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("browser")
        .with_variable(_variable("site", "Site 厂区", tag.format(source=source, key="site")))
        .with_variable(_variable("node", "Node 节点", tag.format(source=source, key="node") + within))
        .with_variable(_variable("device", "Device 设备", tag.format(source=source, key="device") + within))
    )


def boards() -> dict[str, dashboard.Dashboard]:
    """File name -> dashboard."""
    energy = _series_board("Energy 能源", "shutan-energy", ("energy",))
    for chart in ENERGY:
        energy = energy.with_panel(series_panel(chart))
    equipment = _series_board("Equipment and environment 设备与环境", "shutan-equipment", ("equipment", "environment"))
    equipment = equipment.with_panel(state_panel())
    for chart in EQUIPMENT:
        equipment = equipment.with_panel(series_panel(chart))
    nodes = _series_board("Nodes 采集节点", "shutan-nodes", ("node",))
    for chart in NODES:
        nodes = nodes.with_panel(series_panel(chart))
    gateway = dashboard.Dashboard("Gateway 网关").uid("shutan-gateway").tags(["shutan"]).refresh("10s")
    gateway = gateway.time("now-3h", "now").timezone("browser")
    for number in LAMPS:
        gateway = gateway.with_panel(lamp_panel(number))
    for number in GATEWAY:
        gateway = gateway.with_panel(number_panel(number))
    return {"energy.json": energy, "equipment.json": equipment, "nodes.json": nodes, "gateway.json": gateway}


def text_of(board: dashboard.Dashboard) -> str:
    """A dashboard as its file."""
    return JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False).encode(board.build()) + "\n"


def main() -> int:
    """Write all files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, board in boards().items():
        (FOLDER / name).write_text(text_of(board), encoding="utf-8")
        panels = len(json.loads(text_of(board))["panels"])
        sys.stdout.write(f"{name}: {panels} panels\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
