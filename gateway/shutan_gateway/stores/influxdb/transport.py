"""How a body of lines gets to the server: InfluxDB 1.x and 3.x by the standard library, 2.x by influxdb-client.

1.x and 3.x need one POST on a connection that stays open: `http.client` does it with no dependency, so that a gateway
without the `influxdb` extra can feed them. 2.x goes through the vendor's client, with ready bytes and synchronously:
its batching mode keeps data in memory and gives up after 180 s, while the spool here never does.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import zlib
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast
from urllib.parse import quote, urlencode, urlsplit

from shutan_gateway.errors import StartError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shutan_gateway.config import Secret

__all__ = ["ClientTransport", "Http3Transport", "HttpTransport", "Reply", "SendBroken", "Transport"]

_ANSWER_BYTES = 1_000_000


class Reply(NamedTuple):
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class SendBroken(StoreUnavailable):
    """The connection broke while the body was sent: a restart, or a server that refuses large bodies that way (1.x)."""


class Transport(Protocol):
    """A way to one database or bucket."""

    def post(self, body: bytes) -> Reply:
        """Send lines. Raises StoreUnavailable when there is no answer, SendBroken when the connection broke."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class _PostTransport:
    """POSTs to one path over one connection that stays open. `authorization`: the header of that name."""

    def __init__(
        self, url: str, path: str, wishes: Mapping[str, str], *, timeout_s: float, gzip: bool, authorization: str | None
    ) -> None:
        parts = urlsplit(url)
        self._url = url
        self._path = f"{parts.path.rstrip('/')}{path}?{urlencode(wishes, quote_via=quote)}"
        self._gzip = gzip
        self._headers = {"Content-Type": "text/plain; charset=utf-8"}
        if gzip:
            self._headers["Content-Encoding"] = "gzip"
        if authorization is not None:
            self._headers["Authorization"] = authorization
        host = cast("str", parts.hostname)  # the configuration was checked
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._conn: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=timeout_s, context=context
            )
        else:
            self._conn = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)

    def post(self, body: bytes) -> Reply:
        """See Transport. A connection that the server closed while it was idle is opened again, once."""
        if self._gzip:
            body = _gzipped(body)
        reused = self._conn.sock is not None
        try:
            try:
                return self._exchange(body)
            except (ConnectionError, http.client.BadStatusLine):
                self._conn.close()
                if not reused:
                    raise
                return self._exchange(body)
        except (ConnectionResetError, BrokenPipeError, http.client.BadStatusLine) as error:
            self._conn.close()
            raise SendBroken(f"{self._url}: {error or type(error).__name__}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a chunk size that is no number
            self._conn.close()
            raise StoreUnavailable(f"{self._url}: {error or type(error).__name__}") from error

    def _exchange(self, body: bytes) -> Reply:
        self._conn.request("POST", self._path, body, self._headers)
        response = self._conn.getresponse()
        answer = response.read(_ANSWER_BYTES)
        if response.length and len(answer) < _ANSWER_BYTES:
            # Half an answer would be read as a whole one: read(n) does not say so by itself.
            raise http.client.IncompleteRead(answer, response.length)
        if not response.isclosed():
            self._conn.close()  # more than any answer needs; the rest is not waited for
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, answer)

    def close(self) -> None:
        """Close the connection."""
        self._conn.close()


class HttpTransport(_PostTransport):
    """`POST /write?db=&precision=ns` of InfluxDB 1.x. user: name and password of basic authorization."""

    def __init__(
        self, url: str, database: str, *, timeout_s: float, gzip: bool = False, user: tuple[str, Secret] | None = None
    ) -> None:
        authorization = None
        if user is not None:
            authorization = "Basic " + base64.b64encode(f"{user[0]}:{user[1].reveal()}".encode()).decode()
        wishes = {"db": database, "precision": "ns"}
        super().__init__(url, "/write", wishes, timeout_s=timeout_s, gzip=gzip, authorization=authorization)


class Http3Transport(_PostTransport):
    """`POST /api/v3/write_lp` of InfluxDB 3: answered when the body is in the write-ahead log (`no_sync=false`).

    accept_partial: good lines of a body are kept, the refused ones named in the answer (the first hundred of them).
    """

    def __init__(
        self, url: str, database: str, *, timeout_s: float, gzip: bool = False, token: Secret | None = None
    ) -> None:
        authorization = None if token is None else f"Bearer {token.reveal()}"
        wishes = {"db": database, "precision": "nanosecond", "accept_partial": "true", "no_sync": "false"}
        super().__init__(url, "/api/v3/write_lp", wishes, timeout_s=timeout_s, gzip=gzip, authorization=authorization)


def _gzipped(body: bytes) -> bytes:
    # Level 1: eight times faster than 6 for a few per cent of size; worth it on a WAN only.
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(body) + packer.flush()


class ClientTransport:
    """`POST /api/v2/write` of InfluxDB 2.x, VictoriaMetrics and others through influxdb-client."""

    def __init__(
        self, url: str, org: str, bucket: str, *, timeout_s: float, gzip: bool = False, token: Secret | None = None
    ) -> None:
        try:
            # 50 MB and half a second that only this store needs. Modules as values: the package has no complete types.
            package = import_module("influxdb_client")
            write_api = import_module("influxdb_client.client.write_api")
            self._api_error = cast("type[Exception]", import_module("influxdb_client.rest").ApiException)
            lower = import_module("urllib3.exceptions")  # the client lets them through
        except ImportError as error:
            raise StartError("store version = 2 needs influxdb-client: pip install 'shutan[influxdb]'") from error
        self._broken = cast("type[Exception]", lower.ProtocolError)
        self._lost = cast("type[Exception]", lower.HTTPError)
        self._url = url
        self._bucket = bucket
        self._org = org
        self._client = package.InfluxDBClient(
            url=url, token=token.reveal() if token else None, org=org, timeout=int(timeout_s * 1000), enable_gzip=gzip
        )
        self._write_api = self._client.write_api(write_options=write_api.SYNCHRONOUS)

    def post(self, body: bytes) -> Reply:
        """See Transport."""
        try:
            self._write_api.write(bucket=self._bucket, org=self._org, record=body)
        except self._api_error as error:
            return _reply(error)
        except self._broken as error:
            raise SendBroken(f"{self._url}: {error}") from error
        except (self._lost, OSError) as error:
            raise StoreUnavailable(f"{self._url}: {error}") from error
        return Reply(204, {}, b"")

    def close(self) -> None:
        """Close the client and its connections."""
        with suppress(OSError):
            self._client.close()


def _reply(error: Any) -> Reply:  # Any: influxdb_client.rest.ApiException, which has no types
    body = error.body
    headers = cast("Mapping[str, str]", error.headers or {})
    return Reply(
        int(error.status or 0),
        {name.lower(): value for name, value in headers.items()},
        body if isinstance(body, bytes) else str(body or "").encode("utf-8", "replace"),
    )
