"""InfluxDB 3 Core as its documentation describes the write API, in memory; it was not compared with a real server.

Source: docs.influxdata.com/influxdb3/core, "Use the v3 write_lp API to write data" and "Troubleshoot issues writing
data" (read 2026-11): `POST /api/v3/write_lp?db=&precision=&accept_partial=&no_sync=`, Bearer token; 204 when all lines
are in; 400 with `{"error": ..., "data": [{"original_line", "line_number", "error_message"}]}` when some are refused and
the others are in, at most a hundred of them named; a column has one type in a table.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from support.line_parser import Point, parse_lines
from support.scripted_http import Request, Say, ScriptedHttp

if TYPE_CHECKING:
    from shutan_gateway.rows import Value

_NAMED = 100
_TYPES = {bool: "boolean", int: "i64", float: "f64", str: "string"}
_Key = tuple[str, tuple[tuple[str, str], ...]]


class InfluxDB3(ScriptedHttp):
    """Tables of one database; `points[table, tags][time_ns]` are its fields."""

    def __init__(self, database: str, token: str) -> None:
        super().__init__(self._answer)
        self._database = database
        self._token = token
        self.points: dict[_Key, dict[int, dict[str, Value]]] = {}
        self._types: dict[tuple[str, str], type] = {}

    def _answer(self, request: Request) -> Say:
        parts = urlsplit(request.path)
        wishes = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != "/api/v3/write_lp":
            return Say(404)
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return Say(401, b'{"error": "the request was not authenticated"}')
        if wishes != {
            "db": self._database,
            "precision": "nanosecond",
            "accept_partial": "true",
            "no_sync": "false",
        }:
            return Say(400, json.dumps({"error": f"unexpected parameters {wishes}"}).encode())
        refused: list[dict[str, object]] = []
        for number, point in enumerate(parse_lines(request.body.decode()), 1):
            fault = self._take(point)
            if fault is not None:
                refused.append({"original_line": point.measurement, "line_number": number, "error_message": fault})
        if not refused:
            return Say(204)
        body = {"error": "partial write of line protocol occurred", "data": refused[:_NAMED]}
        return Say(400, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _take(self, point: Point) -> str | None:
        for name, value in point.fields.items():
            known = self._types.setdefault((point.measurement, name), type(value))
            if known is not type(value):
                return (
                    f"invalid column type for column '{name}', expected iox::column_type::field::{_TYPES[known]}, "
                    f"got iox::column_type::field::{_TYPES[type(value)]}"
                )
        key = point.measurement, tuple(sorted(point.tags.items()))
        self.points.setdefault(key, {}).setdefault(point.time_ns, {}).update(point.fields)
        return None
