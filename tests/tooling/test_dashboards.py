"""Dashboards and alert rules: the files are what the scripts write, and every query runs against real servers."""

import json
import re
import time
from collections.abc import Mapping

import pytest
import yaml

import alerts
import dashboards
from shutan_gateway.counters import HELP, Counters, prometheus_text
from shutan_gateway.payload.malformed import KINDS, OTHER
from shutan_wire import catalogue
from support.places import REPO
from support.servers import Server, influx_query

pytestmark = pytest.mark.flow


def test_the_files_are_what_the_scripts_write() -> None:
    for name, board in dashboards.boards().items():
        assert (dashboards.FOLDER / name).read_text(encoding="utf-8") == dashboards.text_of(board), "make dashboards"
    for path, text in alerts.files().items():
        assert path.read_text(encoding="utf-8") == text, "make dashboards"


def queries_of(name: str) -> list[str]:
    board = json.loads((dashboards.FOLDER / name).read_text(encoding="utf-8"))
    variables = [variable["query"] for variable in board["templating"]["list"]]
    return variables + [target["query"] for panel in board["panels"] for target in panel["targets"]]


def in_the_place_of_grafana(query: str) -> str:
    """The query with its variables filled in, as Grafana does with "All" chosen."""
    for variable, value in (("$site", ".*"), ("$node", ".*"), ("$device", ".*"), ("$__interval", "10m")):
        query = query.replace(variable, value)
    return query.replace("$timeFilter", "time >= now() - 6h")


def test_every_query_of_the_series_finds_its_data(influxd: Server, influx_database: str) -> None:
    now_s = int(time.time())
    lines: list[str] = []
    for step in range(4):
        for family in ("energy", "equipment", "environment", "node"):
            fields = [
                f"{metric.name}={1000 + step}{'' if metric.kind == 'gauge' else 'i'}"
                for metric in catalogue.all_metrics()
                if metric.family == family
            ]
            stamp = (now_s - 4000 * step) * 10**9
            lines.append(f"{family},device=m1,node=n1,site=plant {','.join(fields)} {stamp}")
    influxd.post("/write", "\n".join(lines).encode(), db=influx_database)
    asked = [query for name in ("energy.json", "equipment.json", "nodes.json") for query in queries_of(name)]
    assert len(asked) > 35
    for query in asked:
        assert influx_query(influxd, in_the_place_of_grafana(query), influx_database), query


LABELS: dict[str, Mapping[str, str]] = {
    "shutan_nodes": {"state": "online"},
    "shutan_rejected_total": {"reason": "malformed"},
    "shutan_faults_total": {"kind": "sequence_gap"},
    "shutan_quarantine_total": {"reason": "malformed"},
    "shutan_bad_values_total": {"cause": "nan"},
    "shutan_spool_errors_total": {"kind": "full"},
    "shutan_thread_restarts_total": {"thread": "intake"},
    "shutan_fsyncs_total": {"of": "spool"},
    "shutan_certificate_expiry_seconds": {"of": "gateway"},
}


def numbers(seen: int = 5, reason: str = "malformed", /, **values: float) -> bytes:
    """A page of /metrics; a name that the gateway does not have is a KeyError. reason: label of what was refused."""
    healthy = {
        "shutan_start_time_seconds": 1.0,
        "shutan_link_up": 1,
        "shutan_store_pending": 0,
        "shutan_store_oldest_pending_seconds": 0,
        "shutan_nodes": 3,
        "shutan_certificate_expiry_seconds": 86400 * 90,
    }
    counters = Counters()
    for name in (
        *("shutan_received_total", "shutan_accepted_total", "shutan_duplicates_total", "shutan_rejected_total"),
        *("shutan_faults_total", "shutan_quarantine_total", "shutan_bad_values_total", "shutan_spool_errors_total"),
        *("shutan_thread_restarts_total", "shutan_fsyncs_total", "shutan_store_dead_total", "shutan_spool_bytes"),
        *("shutan_gap_unsaved_total", "shutan_gap_overwritten_total", "shutan_spool_damaged_total"),
        *("shutan_link_lost_total", "shutan_spool_blocked", "shutan_devices_stale"),
    ):
        healthy.setdefault(name, 0)
    for name, value in (healthy | values).items():
        bare, _, offline = name.partition("__")
        labels = {"store": "local"} if bare.startswith("shutan_store_") else dict(LABELS.get(bare, {}))
        if "reason" in labels:
            labels["reason"] = reason
        counters.set(bare, value, **(labels | ({"state": "offline"} if offline else {})))
    for name in ("shutan_receive_to_durable_seconds", "shutan_durable_to_store_seconds"):
        counters.observe(name, 0.01, seen, **({"store": "local"} if "store" in name else {}))
    return prometheus_text(counters.snapshot()).encode()


def ask(server: Server, expr: str, at_s: int) -> list[object]:
    answer = json.loads(server.get("/api/v1/query", query=expr, time=str(at_s), nocache="1"))
    assert answer["status"] == "success", expr
    return answer["data"]["result"]


FAULTS: dict[str, dict[str, float]] = {
    "BrokerLost": {"shutan_link_up": 0},
    "SpoolBlocked": {"shutan_spool_blocked": 1},
    "StoreBehind": {"shutan_store_oldest_pending_seconds": 601},
    "DeadLetters": {"shutan_store_dead_total": 1},
    "RecordsLostByNodes": {"shutan_gap_overwritten_total": 4},
    "InputRefused": {"shutan_quarantine_total": 2},
    "NodesOffline": {"shutan_nodes__offline": 1},
    "DevicesStale": {"shutan_devices_stale": 1},
    "SpoolDamaged": {"shutan_spool_damaged_total": 1},
    "ThreadRestarted": {"shutan_thread_restarts_total": 1},
    "CertificateEnds": {"shutan_certificate_expiry_seconds": 86400 * 6},
}


def test_each_alert_is_silent_in_health_and_fires_at_its_fault(victoria_metrics: Server) -> None:
    server, now_s = victoria_metrics, int(time.time())
    rules = yaml.safe_load((alerts.DEPLOY / "alerts/gateway.rules.yaml").read_text(encoding="utf-8"))
    found = {rule["alert"]: rule["expr"] for rule in rules["groups"][0]["rules"]}
    assert set(found) == {*FAULTS, "GatewayDown"}
    assert ask(server, found["GatewayDown"], now_s)  # nothing was ever scraped
    windows = {name: now_s - 9000 * place for place, name in enumerate(FAULTS, 1)}
    for name, at_s in windows.items():
        for before_s in (300, 240, 180, 120):
            server.post("/api/v1/import/prometheus", numbers(), timestamp=str((at_s - before_s) * 1000))
        for before_s in (60, 0):
            page = numbers(**FAULTS[name])
            server.post("/api/v1/import/prometheus", page, timestamp=str((at_s - before_s) * 1000))
    server.get("/internal/force_flush")
    for name, at_s in windows.items():
        firing = {other for other, expr in found.items() if ask(server, expr, at_s)}
        assert firing == {name}
        assert {other for other, expr in found.items() if ask(server, expr, at_s - 120)} == set()


REASONS = sorted({*KINDS, OTHER, "too_many_metrics", "bad_json"})  # of payloads, of a source, of an adapter


@pytest.mark.parametrize("name", ["shutan_rejected_total", "shutan_quarantine_total"])
def test_refused_input_is_told_whatever_its_reason(victoria_metrics: Server, name: str) -> None:
    server, now_s = victoria_metrics, int(time.time()) - 200_000
    windows = {reason: now_s - 9000 * place for place, reason in enumerate(REASONS)}
    for reason, at_s in windows.items():
        for before_s, value in ((240, 0), (180, 0), (60, 1), (0, 1)):
            page = numbers(5, reason, **{name: value})
            server.post("/api/v1/import/prometheus", page, timestamp=str((at_s - before_s) * 1000))
    server.get("/internal/force_flush")
    [expr] = [alert.expr for alert in alerts.ALERTS if alert.name == "InputRefused"]
    fires = {
        reason: tuple(bool(ask(server, expr, at_s - before_s)) for before_s in (120, 0))
        for reason, at_s in windows.items()
    }
    assert fires == dict.fromkeys(REASONS, (False, True))


SELECTOR = re.compile(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"')


def selected() -> set[str]:
    """Values of labels that a rule or a panel names."""
    board = json.loads((dashboards.FOLDER / "gateway.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    found = [match for expr in [*asked, *(alert.expr for alert in alerts.ALERTS)] for match in SELECTOR.findall(expr)]
    return {value for _, values in found for value in values.split("|") if re.fullmatch(r"\w+", value)}


def test_values_of_labels_that_rules_name_are_values_that_the_gateway_gives() -> None:
    sources = (REPO / "gateway/shutan_gateway").rglob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert "offline" in selected()
    assert {value for value in selected() if f'"{value}"' not in text} == set()


def test_every_query_of_the_gateways_numbers_finds_its_data(victoria_metrics: Server) -> None:
    now_s = int(time.time()) - 60
    for before_s in (120, 60, 0):
        page = numbers(200 - before_s)
        victoria_metrics.post("/api/v1/import/prometheus", page, timestamp=str((now_s - before_s) * 1000))
    victoria_metrics.get("/internal/force_flush")
    board = json.loads((dashboards.FOLDER / "gateway.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(asked) > 20
    empty = [expr for expr in asked if not ask(victoria_metrics, expr, now_s)]
    assert empty == []
    names = {name for expr in asked for name in re.findall(r"shutan_\w+", expr)}
    assert {re.sub(r"_bucket$", "", name) for name in names} <= set(HELP)
