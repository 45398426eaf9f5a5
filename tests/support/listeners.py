"""Servers that hear notifications: HTTP with scripted answers, SMTP with STARTTLS or TLS and a login."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from pathlib import Path


class Heard(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: Any  # JSON


class Web:
    """Answers each POST with the next of `answers` (status, body), the last one for ever."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.heard: list[Heard] = []
        self.answers = list(answers) or [(200, "{}")]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.heard.append(Heard(self.path, dict(self.headers), json.loads(body)))
                status, text = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """No line per request."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


class Mail:
    """SMTP for one client at a time. `tls`: from the first byte, else after STARTTLS; who logs in is noted."""

    def __init__(self, pem: Path, *, tls: bool, refuse: bool = False) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._tls, self._refuse = tls, refuse
        self.messages: list[bytes] = []
        self.envelopes: list[str] = []
        self.logins: list[str] = []
        self.plain_commands: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                line, _ = self._listener.accept()
            except TimeoutError:
                continue
            line.settimeout(5)
            try:
                if self._tls:
                    line = self._context.wrap_socket(line, server_side=True)
                self._serve(line)
            except OSError:
                pass
            finally:
                line.close()

    def _serve(self, line: socket.socket) -> None:
        secured = self._tls
        line.sendall(b"220 test\r\n")
        reader = line.makefile("rb")
        while True:
            words = reader.readline().decode().strip()
            verb = words.split(" ")[0].upper()
            if not secured:
                self.plain_commands.append(verb)
            if verb == "EHLO":
                line.sendall(b"250-test\r\n" + (b"" if secured else b"250-STARTTLS\r\n") + b"250 AUTH PLAIN\r\n")
            elif verb == "STARTTLS":
                line.sendall(b"220 go\r\n")
                reader.close()
                line = self._context.wrap_socket(line, server_side=True)
                reader, secured = line.makefile("rb"), True
            elif verb == "AUTH":
                self.logins.append(base64.b64decode(words.split(" ")[2]).decode())
                line.sendall(b"535 no\r\n" if self._refuse else b"235 in\r\n")
            elif verb == "DATA":
                line.sendall(b"354 go\r\n")
                lines: list[bytes] = []
                while (part := reader.readline()) != b".\r\n":
                    lines.append(part)
                self.messages.append(b"".join(lines))
                line.sendall(b"250 taken\r\n")
            elif verb in {"", "QUIT"}:
                line.sendall(b"221 bye\r\n")
                reader.close()
                line.close()
                return
            else:
                self.envelopes.append(words)
                line.sendall(b"250 ok\r\n")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join(5)
        self._listener.close()
