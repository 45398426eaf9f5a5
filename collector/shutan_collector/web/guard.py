"""Who may ask: holders of the bearer token, or, without one, whoever is on this machine.

Without a token the service listens on loopback only. A page in a browser of this machine could still send requests to
it under another host name (DNS rebinding), so then the Host header has to be one of this machine's own names.
"""

from __future__ import annotations

import hmac
import os
import stat
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import RequestError
from shutan_collector.web.problems import problem_response

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["SHORTEST_TOKEN", "Guard", "is_loopback", "read_token"]

SHORTEST_TOKEN: Final = 24  # characters; 128 bits in base64 are 22
_LONGEST_HEADER: Final = 1024
_SECURITY: Final = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-cache"))


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: Path) -> str:
    """The token in the first line of a file. Raises RequestError (cannot be read, others may read it, too short)."""
    where = "--token-file"
    try:
        mode = path.stat().st_mode
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RequestError(where, f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RequestError(where, f"{path} is not text in UTF-8") from None
    token = lines[0].strip() if lines else ""
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise RequestError(where, f"others may read {path} (mode {stat.S_IMODE(mode):o}); run chmod 600 on it")
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise RequestError(
            where, f"{path} holds no token of {SHORTEST_TOKEN} characters; `openssl rand -base64 32` makes one"
        )
    return token


class Guard:
    """ASGI application in front of the API."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._digest = sha256(token.encode()).digest() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = {name: value for name, value in scope["headers"]}  # noqa: C416 - pairs to a table
        refusal = self._refusal(headers)
        if refusal is not None:
            status, detail = refusal
            extra = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            await problem_response(status, detail, extra)(scope, receive, send)
            return

        async def secured(message: object) -> None:
            if isinstance(message, dict) and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_SECURITY]
            await send(message)  # pyright: ignore[reportArgumentType] - the message is passed on as it came

        await self._app(scope, receive, secured)

    def _refusal(self, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        if self._digest is None:
            name = _host_name(headers.get(b"host", b"").decode("latin-1"))
            if not is_loopback(name):
                return 403, f"this service answers to the names of its own machine, not to {name[:80]!r}"
            return None
        given = headers.get(b"authorization", b"")[:_LONGEST_HEADER]
        kind, _, token = given.partition(b" ")
        # Digests have one length, so that the comparison takes the same time whatever was sent.
        if kind.lower() == b"bearer" and hmac.compare_digest(sha256(token.strip()).digest(), self._digest):
            return None
        return 401, "send the header Authorization: Bearer TOKEN, with the token of --token-file"


def _host_name(host: str) -> str:
    """Host header without its port: "127.0.0.1:8710", "[::1]:8710", "localhost"."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
