"""/metrics (Prometheus text), /healthz and further pages (JSON) on loopback, from the standard library."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from shutan_gateway.counters import prometheus_text
from shutan_gateway.errors import RetryLater, StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shutan_gateway.counters import Key

__all__ = ["HttpServer"]


class HttpServer:
    """Serves what the functions give. `health` returns (everything works, facts as JSON); `pages`: path -> JSON."""

    def __init__(
        self,
        host: str,
        port: int,
        numbers: Callable[[], Mapping[Key, int | float]],
        health: Callable[[], tuple[bool, dict[str, object]]],
        pages: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        handler = _handler(numbers, health, pages or {})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            raise StartError(f"http.port {port} on {host}: {error.strerror}; choose another or 0 for any") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="shutan-http", daemon=True)

    @property
    def port(self) -> int:
        """The port really used."""
        return self._server.server_address[1]

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()


def _handler(
    numbers: Callable[[], Mapping[Key, int | float]],
    health: Callable[[], tuple[bool, dict[str, object]]],
    pages: Mapping[str, Callable[[], object]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # a client that says nothing does not keep a thread

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            try:
                if path == "/metrics":
                    self._answer(200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(numbers()))
                elif path == "/healthz":
                    sound, facts = health()
                    self._answer(200 if sound else 503, "application/json", json.dumps(facts) + "\n")
                elif path in pages:
                    self._answer(200, "application/json", json.dumps(pages[path](), ensure_ascii=False) + "\n")
                else:
                    there = " ".join(["/metrics", "/healthz", *pages])
                    self._answer(404, "text/plain; charset=utf-8", f"there is {there}\n")
            except RetryLater as error:
                self._answer(503, "text/plain; charset=utf-8", f"{error}\n")

        def _answer(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """No line per request."""

    return Handler
