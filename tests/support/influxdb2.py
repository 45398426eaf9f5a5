"""A real InfluxDB 2.x for the conformance suite, where there is one: INFLUXDB2_URL, or an `influxd` 2.x on PATH.

INFLUXDB2_URL needs INFLUXDB2_TOKEN, INFLUXDB2_ORG and INFLUXDB2_BUCKET (a bucket for tests: samples stay in it).
"""

import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from shutan_gateway.rows import Value
from support.servers import HOST, Server, free_port

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Access(NamedTuple):
    """Where a bucket is and how to enter it."""

    url: str
    token: str
    org: str
    bucket: str


def is_here() -> bool:
    """Whether this machine has an InfluxDB 2.x to test against."""
    return "INFLUXDB2_URL" in os.environ or _program() is not None


def _program() -> str | None:
    path = shutil.which("influxd")
    if path is None:
        return None
    said = subprocess.run([path, "version"], capture_output=True, text=True, check=False, timeout=30).stdout
    return path if "InfluxDB v2" in said or "InfluxDB 2" in said else None


@contextlib.contextmanager
def running(folder: Path) -> Generator[Access]:
    """The server of the environment, or a fresh one in `folder` that is stopped at the end."""
    if "INFLUXDB2_URL" in os.environ:
        given = [os.environ[f"INFLUXDB2_{name}"] for name in ("URL", "TOKEN", "ORG", "BUCKET")]
        yield Access(*given)
        return
    port = free_port()
    command = [
        str(_program()),
        f"--http-bind-address={HOST}:{port}",
        f"--bolt-path={folder}/influxd.bolt",
        f"--engine-path={folder}/engine",
        "--reporting-disabled",
    ]
    with Server("influxdb2", command, folder, port) as server:
        wishes = {"username": "shutan", "password": "shutan-test", "org": "shutan", "bucket": "plant"}
        status, body = server.request("POST", "/api/v2/setup", json.dumps(wishes).encode())
        assert status == 201, body
        yield Access(server.url, json.loads(body)["auth"]["token"], "shutan", "plant")


def samples(access: Access, measurement: str, tags: dict[str, str]) -> dict[int, dict[str, Value]]:
    """All samples of one series by time in ns."""
    tests = " and ".join(f"r[{json.dumps(name)}] == {json.dumps(text)}" for name, text in tags.items())
    flux = (
        f"from(bucket: {json.dumps(access.bucket)}) |> range(start: 1970-01-01T00:00:00Z, stop: 2200-01-01T00:00:00Z)"
        f" |> filter(fn: (r) => r._measurement == {json.dumps(measurement)} and {tests})"
    )
    wish = {"query": flux, "dialect": {"annotations": ["datatype"], "header": True}}
    request = urllib.request.Request(  # noqa: S310 - a test server's own URL
        f"{access.url}/api/v2/query?org={access.org}",
        json.dumps(wish).encode(),
        {"Authorization": f"Token {access.token}", "Content-Type": "application/json", "Accept": "application/csv"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - see above
        return parse_csv(answer.read().decode())


def parse_csv(text: str) -> dict[int, dict[str, Value]]:
    """Samples in an annotated CSV answer (`#datatype` rows, one table for each field type)."""
    found: dict[int, dict[str, Value]] = {}
    kinds: list[str] = []
    header: list[str] = []
    for cells in csv.reader(io.StringIO(text)):
        if cells and cells[0] == "#datatype":
            kinds, header = cells, []
        elif cells and not header:
            header = cells
        elif cells:
            row = dict(zip(header, cells, strict=True))
            kind = dict(zip(header, kinds, strict=True))["_value"]
            found.setdefault(_time_ns(row["_time"]), {})[row["_field"]] = _value(kind, row["_value"])
    return found


def _value(kind: str, text: str) -> Value:
    if kind == "boolean":
        return text == "true"
    return int(text) if kind == "long" else float(text) if kind == "double" else text


def _time_ns(text: str) -> int:
    whole, _, digits = text.removesuffix("Z").partition(".")
    seconds = int((datetime.fromisoformat(f"{whole}+00:00") - _EPOCH).total_seconds())
    return seconds * 1_000_000_000 + int(digits.ljust(9, "0")[:9] or 0)
