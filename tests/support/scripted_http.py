"""An HTTP server that answers from a script and keeps what it was sent, for what no real server does at will."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import NamedTuple, Self


class Request(NamedTuple):
    """A POST as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Say(NamedTuple):
    """An answer. `after`: the answer waits for this event; `reset`: the connection is cut instead."""

    status: int = 204
    body: bytes = b""
    headers: Mapping[str, str] = {}
    after: threading.Event | None = None
    reset: bool = False


class ScriptedHttp:
    """Serves on a loopback port. `answer` decides from the request; by default everything is accepted.

    bytes_per_s: how fast a body is read, 0 = as fast as it comes.
    """

    def __init__(self, answer: Callable[[Request], Say] = lambda _request: Say(), port: int = 0) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.arrived = threading.Semaphore(0)
        self.bytes_per_s = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = outer.take(self.rfile, int(self.headers["Content-Length"]))
                request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                outer.requests.append(request)
                outer.arrived.release()
                say = outer.answer(request)
                if say.after is not None:
                    say.after.wait(30)
                if say.reset:
                    # Linger 0 turns close into a reset, as a server does that refuses to read on.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(say.status)
                for name, value in say.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(say.body)))
                self.end_headers()
                self.wfile.write(say.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that went away, or a connection that the script cut

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def take(self, stream: BufferedIOBase, size: int) -> bytes:
        """A body, at the pace of this server."""
        parts: list[bytes] = []
        while size > 0:
            pace = self.bytes_per_s
            portion = stream.read(min(size, max(1, pace // 4)) if pace else size)
            if not portion:
                break
            parts.append(portion)
            size -= len(portion)
            if pace:
                time.sleep(0.25)  # the server is slow: that is what is tested
        return b"".join(parts)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
