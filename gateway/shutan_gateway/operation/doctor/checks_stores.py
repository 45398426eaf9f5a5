"""Stores asked directly, as the gateway would: is it there, does it let us in; and registers that stand still."""

from __future__ import annotations

import base64
import http.client
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from shutan_gateway.config import read_secret
from shutan_gateway.errors import ConfigError, StartError
from shutan_gateway.operation.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shutan_gateway.config import GatewayConfig, InfluxStoreConfig

__all__ = ["meter_findings", "store_findings"]

_TIMEOUT_S = 5.0
_LOOK_S = 3600
_LEAST_ROWS = 6
_LEAST_WH = 1000  # what should have been counted in that time before a register is said to stand still
_REGISTER, _POWER = "active_energy_import_wh", "active_power_w"


def store_findings(config: GatewayConfig) -> Iterator[Finding]:
    """Each configured store."""
    for store in config.store:
        if store.kind == "influxdb":
            yield from _influx(store)
        elif store.kind == "sqlite":
            yield from _local(store.name, store.path)
        elif store.kind == "files":
            yield from _local(store.name, store.folder)


def _local(name: str, path: Path) -> Iterator[Finding]:
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        yield Finding("store.unreachable", name, {"name": name, "reason": f"{folder} is no folder"})
    elif path.suffix == ".sqlite" and path.is_file():
        from shutan_gateway.stores.sqlite.schema import open_readonly  # noqa: PLC0415 - only for this kind of store

        try:
            open_readonly(path).close()
        except StartError as error:
            yield Finding("store.unreachable", name, {"name": name, "reason": error})


def _influx(store: InfluxStoreConfig) -> Iterator[Finding]:
    """An empty write: it changes nothing, and is refused where a real one would be."""
    about: dict[str, object] = {"name": store.name}
    try:
        status, text = _empty_write(store)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        yield Finding("store.unreachable", store.name, {**about, "reason": f"{store.url}: {reason}"})
        return
    except ConfigError as error:
        yield Finding("store.login", store.name, {**about, "reason": error})
        return
    if status in {401, 403}:
        yield Finding("store.login", store.name, {**about, "reason": f"{store.url}: {status} {text}"})
    elif status == 404 or status >= 500:
        yield Finding("store.unreachable", store.name, {**about, "reason": f"{store.url}: {status} {text}"})


def _empty_write(store: InfluxStoreConfig) -> tuple[int, str]:
    headers: dict[str, str] = {}
    if store.token_file is not None:
        token = read_secret(store.token_file, "token_file").reveal()
        headers["Authorization"] = f"{'Bearer' if store.version == 3 else 'Token'} {token}"
    elif store.username is not None:
        password = "" if store.password_file is None else read_secret(store.password_file, "password_file").reveal()
        headers["Authorization"] = "Basic " + base64.b64encode(f"{store.username}:{password}".encode()).decode()
    if store.version == 2:
        path = "/api/v2/write?" + urlencode({"org": store.org or "", "bucket": store.bucket or ""})
    elif store.version == 3:
        path = "/api/v3/write_lp?" + urlencode({"db": store.database or ""})
    else:
        path = "/write?" + urlencode({"db": store.database or ""})
    parts = urlsplit(store.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", parts.path + path, b"", headers)
        answer = connection.getresponse()
        return answer.status, " ".join(answer.read(300).decode("utf-8", "replace").split())
    finally:
        connection.close()


def meter_findings(config: GatewayConfig) -> Iterator[Finding]:
    """Registers that stand still while their meter shows power, in the embedded store's last hour."""
    for store in config.store:
        if store.kind == "sqlite" and store.path.is_file():
            yield from _stuck(store.path)
            return


def _stuck(path: Path) -> Iterator[Finding]:
    from shutan_gateway.stores.sqlite import schema  # noqa: PLC0415 - only for this kind of store

    now_ns = time.time_ns()
    try:
        conn = schema.open_readonly(path)
    except StartError:
        return  # told by store_findings
    try:
        for series in schema.list_series(conn):
            if series.family != "energy":
                continue
            rows = schema.read_series(conn, series, (_REGISTER, _POWER), now_ns - _LOOK_S * 10**9, now_ns)
            known = [(row[0], row[1], row[2]) for row in rows if isinstance(row[1], int)]
            powers = [float(power) for _, _, power in known if isinstance(power, int | float)]
            if len(known) < _LEAST_ROWS or len(powers) < _LEAST_ROWS or len({row[1] for row in known}) > 1:
                continue
            first, last = known[0][0], known[-1][0]
            span_s = (last - first) / 1e9 if isinstance(first, int) and isinstance(last, int) else 0
            power_w = sum(powers) / len(powers)
            if power_w * span_s / 3600 >= _LEAST_WH:
                place = "/".join(part for part in (series.site, series.node, series.device) if part)
                about: dict[str, object] = {"minutes": int(span_s // 60), "power_w": round(power_w)}
                yield Finding("meter.stuck", place, {"device": place, **about})
    finally:
        conn.close()
