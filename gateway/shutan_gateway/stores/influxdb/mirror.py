"""A mirror's own conditions: VictoriaMetrics keeps a repeated sample twice unless it is told not to."""

from __future__ import annotations

import logging
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shutan_gateway.stores.influxdb.transport import Reply, Transport

__all__ = ["MirrorTransport"]

log = logging.getLogger("shutan.store")

_FLAG = "-dedup.minScrapeInterval="
_OFF = {"", "0", "0s", "0ms"}


class MirrorTransport:
    """A transport that, after the first good write, looks at the server's /flags and says what is missing, once."""

    def __init__(self, inner: Transport, url: str, *, timeout_s: float) -> None:
        self._inner = inner
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._looked = False

    def post(self, body: bytes) -> Reply:
        """See Transport."""
        reply = self._inner.post(body)
        if not self._looked and reply.status < 300:
            self._looked = True
            if not self._drops_repeats():
                log.warning("mirror %s stores repeats twice: start it with %s1ms", self._url, _FLAG)
        return reply

    def close(self) -> None:
        """See Transport."""
        self._inner.close()

    def _drops_repeats(self) -> bool:
        """False only when the server lists its flags (those that are set) and this one is not among them."""
        try:
            # Straight to the server, as the writes go, whatever proxy the environment names.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{self._url}/flags", timeout=self._timeout_s) as answer:
                flags = answer.read(100_000).decode("utf-8", "replace").splitlines()
        except (OSError, ValueError):  # not VictoriaMetrics, or behind something that hides its flags
            return True
        if not any(flag.startswith("-") for flag in flags):
            return True
        values = [flag.removeprefix(_FLAG).strip('"') for flag in flags if flag.startswith(_FLAG)]
        return any(value not in _OFF for value in values)
