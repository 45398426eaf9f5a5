"""Alert rules about the gateway's own numbers, for Prometheus or vmalert and for Grafana, from one table.

`make dashboards` writes gateway/deploy/alerts/gateway.rules.yaml and gateway/deploy/grafana/provisioning/alerting/.
A test runs each rule against a real store of numbers, once with a healthy gateway and once with its fault.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

DEPLOY = Path(__file__).resolve().parents[1] / "gateway/deploy"
NUMBERS = "shutan-gateway"  # uid of the data source, as in the dashboards


class Alert(NamedTuple):
    """A rule: it fires when `expr` has a result for `minutes`. summary: what is wrong; remedy: what to do about it."""

    name: str
    expr: str
    minutes: int
    severity: str
    summary: str
    summary_zh: str
    remedy: str


ALERTS = (
    Alert(
        "GatewayDown",
        "absent(shutan_start_time_seconds) == 1",
        2,
        "critical",
        "The gateway does not answer.",
        "网关无响应。",
        "systemctl status shutan-gateway; shutan doctor. The nodes keep their records meanwhile.",
    ),
    Alert(
        "BrokerLost",
        "shutan_link_up == 0",
        2,
        "critical",
        "The gateway has no session with the broker.",
        "网关与消息代理断开。",
        "Look at mosquitto, its certificate and the network; shutan doctor tells which.",
    ),
    Alert(
        "SpoolBlocked",
        "shutan_spool_blocked == 1",
        1,
        "critical",
        "Nothing is acknowledged: the spool cannot take records.",
        "缓存无法写入，停止确认。",
        "Free space on the disk or raise spool.max_bytes; the nodes keep their records meanwhile.",
    ),
    Alert(
        "StoreBehind",
        "shutan_store_oldest_pending_seconds > 600",
        5,
        "warning",
        "A store is more than ten minutes behind.",
        "存储库落后超过十分钟。",
        "Look at the store; its records wait in the spool: shutan spool status.",
    ),
    Alert(
        "DeadLetters",
        "increase(shutan_store_dead_total[15m]) > 0",
        0,
        "warning",
        "A store refused records for good.",
        "有记录被存储库永久拒收。",
        "shutan spool dead list; mend the cause, then shutan spool dead retry.",
    ),
    Alert(
        "RecordsLostByNodes",
        "increase(shutan_gap_overwritten_total[1h]) + increase(shutan_gap_unsaved_total[1h]) > 0",
        0,
        "warning",
        "Nodes lost records that never came here; registers keep the energy exact.",
        "节点有记录丢失；电量以表底为准。",
        "Look at the power supply and the time offline of the nodes concerned.",
    ),
    Alert(
        "InputRefused",
        # Every reason: not all that is refused is kept (a flood, samples of a source), not all that is kept was data.
        "(sum(increase(shutan_quarantine_total[15m])) or vector(0))"
        " + (sum(increase(shutan_rejected_total[15m])) or vector(0)) > 0",
        0,
        "warning",
        "Malformed input was refused.",
        "收到异常报文，已拒收。",
        "shutan quarantine list shows it; shutan_rejected_total counts it by reason.",
    ),
    Alert(
        "NodesOffline",
        'shutan_nodes{state="offline"} > 0',
        10,
        "warning",
        "Edge nodes are offline.",
        "有采集节点离线。",
        "shutan doctor names them, with their last sample.",
    ),
    Alert(
        "DevicesStale",
        "shutan_devices_stale > 0",
        10,
        "warning",
        "Devices have no current values.",
        "有设备数据停滞。",
        "Look at the meter's bus and address: shutan doctor.",
    ),
    Alert(
        "SpoolDamaged",
        "increase(shutan_spool_damaged_total[1h]) > 0",
        0,
        "critical",
        "Records on the disk are damaged.",
        "磁盘上的记录损坏。",
        "Replace the disk; shutan backup first.",
    ),
    Alert(
        "ThreadRestarted",
        "sum(increase(shutan_thread_restarts_total[15m])) by (thread) > 0",
        0,
        "warning",
        "A part of the gateway failed and was started again.",
        "网关内部线程重启。",
        "journalctl -u shutan-gateway shows where.",
    ),
    Alert(
        "CertificateEnds",
        "min(shutan_certificate_expiry_seconds) by (of) < 7 * 86400",
        0,
        "warning",
        "A certificate ends within a week.",
        "证书将在一周内到期。",
        "Renew it and put the files in place: the gateway takes them by itself.",
    ),
)


def prometheus_text() -> str:
    """The rules as Prometheus and vmalert read them."""
    lines = ["# Written by `make dashboards` from scripts/alerts.py.", "groups:", "  - name: shutan", "    rules:"]
    for alert in ALERTS:
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {json.dumps(alert.expr)}",
            f"        for: {alert.minutes}m",
            "        labels:",
            f"          severity: {alert.severity}",
            "        annotations:",
            f"          summary: {json.dumps(alert.summary)}",
            f"          summary_zh: {json.dumps(alert.summary_zh, ensure_ascii=False)}",
            f"          remedy: {json.dumps(alert.remedy)}",
        ]
    return "\n".join(lines) + "\n"


def _rule(alert: Alert) -> dict[str, object]:
    threshold = {"evaluator": {"type": "gt", "params": [0]}, "type": "query"}
    return {
        "uid": f"shutan-{alert.name.lower()}",
        "title": f"{alert.name}: {alert.summary_zh}",
        "condition": "C",
        "for": f"{alert.minutes}m",
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "summary_zh": alert.summary_zh, "remedy": alert.remedy},
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": {"from": 3600, "to": 0},
                "datasourceUid": NUMBERS,
                "model": {"refId": "A", "expr": f"count({alert.expr})", "instant": True},
            },
            {
                "refId": "C",
                "datasourceUid": "__expr__",
                "model": {"refId": "C", "type": "threshold", "expression": "A", "conditions": [threshold]},
            },
        ],
    }


def grafana_text() -> str:
    """The rules as Grafana's provisioning reads them."""
    group = {"orgId": 1, "name": "gateway", "folder": "Shutan", "interval": "1m", "rules": [_rule(a) for a in ALERTS]}
    return json.dumps({"apiVersion": 1, "groups": [group]}, indent=1, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """Every file that is written, with its content."""
    return {
        DEPLOY / "alerts/gateway.rules.yaml": prometheus_text(),
        DEPLOY / "grafana/provisioning/alerting/gateway.json": grafana_text(),
    }


def main() -> int:
    """Write all files."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(ALERTS)} alert rules\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
