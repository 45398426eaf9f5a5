"""Reader of InfluxDB 1.x by its HTTP query API, `/query?epoch=ns`, in which 64-bit integers come back exactly.

The answer is asked for in chunks: one JSON document a line, each with up to CHUNK rows. A connection that breaks in
the middle of an answer is an error, never a shorter series.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, cast
from urllib.parse import urlencode, urlsplit

from shutan_collector.errors import RequestError, SeriesError, StoreUnavailableError
from shutan_collector.series.base import Source, collect, fingerprints_of
from shutan_gateway.stores.influxdb.line import coded, device_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_collector.samples import Samples
    from shutan_collector.series.base import Fingerprint

__all__ = ["InfluxqlReader"]

CHUNK: Final = 20_000
TIMEOUT_S: Final = 30.0
USER: Final = "SHUTAN_INFLUXDB_USER"
PASSWORD_FILE: Final = "SHUTAN_INFLUXDB_PASSWORD_FILE"  # noqa: S105 - the name of a variable that names a file


class InfluxqlReader:
    """One database of an InfluxDB 1.x server; a fresh connection per query.

    Credentials come from the environment: the user's name in SHUTAN_INFLUXDB_USER, the password in the file that
    SHUTAN_INFLUXDB_PASSWORD_FILE names. They stand in no address and in no error.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        database = parts.path.strip("/")
        try:
            port = parts.port or 8086
        except ValueError:
            port = 0
        if parts.scheme not in {"http", "https"} or not parts.hostname or not database or not port:
            raise RequestError("--store", f"influxdb1:{address!r}: give influxdb1:http://HOST:PORT/DATABASE")
        if parts.username or parts.password:
            raise RequestError("--store", f"no password in an address: give {USER} and {PASSWORD_FILE} instead")
        self._where = f"influxdb1:{address}"
        self._scheme, self._host, self._port, self._database = parts.scheme, parts.hostname, port, database
        self._headers = _credentials()
        self._types: dict[str, dict[str, str]] = {}

    def read(self, source: Source, metric: str, start_ns: int, end_ns: int) -> Samples:
        """Good readings with start_ns <= time < end_ns."""
        stored = self._field_type(source.family, metric)
        if stored is None:
            return collect(())
        if stored != "integer":
            raise SeriesError(f"{source} {metric}", f"is stored as {stored}; a counter is an integer")
        tags = {"site": coded(source.site), "node": coded(source.node), "device": device_tag(source.device)}
        where = " AND ".join(f"{_name(tag)} = {_text(value)}" for tag, value in tags.items())
        query = (
            f"SELECT {_name(metric)}, {_name(metric + '_q')} FROM {_name(source.family)}"  # noqa: S608 - quoted
            f" WHERE {where} AND time >= {start_ns} AND time < {end_ns}"
        )
        # The field's type was checked above, so that its values are integers.
        rows = (cast("tuple[int, int, int | None]", tuple(row)) for row in self._rows(query) if row[1] is not None)
        return collect(rows)

    def fingerprints(self, source: Source, metric: str, day_edges_ns: Sequence[int]) -> tuple[Fingerprint, ...]:
        """By reading: InfluxQL sums integers in 64 bits only, and a register's day can need more."""
        return fingerprints_of(self.read(source, metric, day_edges_ns[0], day_edges_ns[-1]), day_edges_ns)

    def close(self) -> None:
        """Nothing stays open between queries."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _field_type(self, family: str, metric: str) -> str | None:
        """integer, float, string or boolean; "integer and float" where shards differ; None if there is no field."""
        if family not in self._types:
            types: dict[str, str] = {}
            for name, stored in self._rows(f"SHOW FIELD KEYS FROM {_name(family)}"):
                known = types.get(str(name))
                types[str(name)] = f"{known} and {stored}" if known and known != stored else str(stored)
            self._types[family] = types
        return self._types[family].get(metric)

    def _rows(self, query: str) -> Iterator[list[object]]:
        """Rows of a query's only statement."""
        form = {"db": self._database, "q": query, "epoch": "ns", "chunked": "true", "chunk_size": str(CHUNK)}
        kind = http.client.HTTPSConnection if self._scheme == "https" else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", f"/query?{urlencode(form)}", headers=self._headers)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                text = answer.read(500).decode("utf-8", "replace").strip()
                raise StoreUnavailableError(self._where, f"HTTP {answer.status} {text}")
            more = True  # until a document says that it is the last one
            for line in answer:
                document = self._document(line)
                more = any(result.get("partial") for result in document)
                for result in document:
                    for series in cast("list[dict[str, list[list[object]]]]", result.get("series", [])):
                        yield from series.get("values", [])
            if more:
                raise StoreUnavailableError(self._where, "the answer broke off; try again")
        except (OSError, http.client.HTTPException) as error:
            raise StoreUnavailableError(
                self._where, f"does not answer: {getattr(error, 'strerror', None) or error or type(error).__name__}"
            ) from error
        finally:
            connection.close()

    def _document(self, line: bytes) -> list[dict[str, object]]:
        """The results in one line of the answer."""
        try:
            document = cast("dict[str, object]", json.loads(line))
        except ValueError as error:
            raise StoreUnavailableError(self._where, "the answer broke off; try again") from error
        results = cast("list[dict[str, object]]", document.get("results", [document]))
        for result in results:
            if "error" in result:
                raise StoreUnavailableError(self._where, str(result["error"]))
        return results


def _credentials() -> dict[str, str]:
    user, file = os.environ.get(USER), os.environ.get(PASSWORD_FILE)
    if not user or not file:
        return {}
    try:
        password = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise RequestError(PASSWORD_FILE, f"{file} cannot be read: {error.strerror}") from error
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}


def _name(text: str) -> str:
    """An InfluxQL identifier that is only ever a name."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _text(text: str) -> str:
    """An InfluxQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
