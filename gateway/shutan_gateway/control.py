"""Control socket: how `shutan` on the same machine speaks with the running gateway.

`data_dir/control.sock`, a Unix socket of mode 0600: who may write the data folder may ask, nobody else, and the kernel
says who asked (SO_PEERCRED). One request, a line of JSON with a `verb`; answers are lines of JSON, the last one has
`ok` or `error`, those before it tell progress. Nothing here listens on a network.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pwd
import socket
import socketserver
import struct
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from shutan_gateway.errors import GatewayError, StartError, TellPerson

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

__all__ = ["NAME", "Control", "NotRunning", "Peer", "Verb", "ask"]

log = logging.getLogger("shutan.control")

NAME = "control.sock"
_LINE_BYTES = 65_536
_SILENT_S = 5.0  # to send the request
_AT_ONCE = 8

Answer = dict[str, Any]  # Any: JSON of many verbs


class NotRunning(TellPerson):
    """No gateway answers on the control socket."""


class Peer(NamedTuple):
    """Who asks, as the kernel says: user id, name of the user, process."""

    uid: int
    user: str
    pid: int


Verb: TypeAlias = "Callable[[Answer, Peer], Iterator[Answer]]"


@contextlib.contextmanager
def _address(folder: Path) -> Generator[str]:
    """The socket's path, short whatever the folder is called (sun_path holds 108 bytes: unix(7))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


class Control:
    """Serves requests, each in a thread of its own, up to eight at once; the next ones wait in the backlog."""

    def __init__(self, folder: Path, verbs: Mapping[str, Verb]) -> None:
        """verbs: name -> function(request, peer) that yields answers. Raises StartError."""
        self._path = folder / NAME
        try:
            self._path.unlink(missing_ok=True)  # the folder is locked: nobody else serves it
            with _address(folder) as address:
                self._server = _Server(address, verbs)
            self._path.chmod(0o600)
        except OSError as error:
            raise StartError(f"{self._path}: {error.strerror or error}; the data folder must take a socket") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="shutan-control", daemon=True)

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and remove the socket; requests in work are cut off."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, address: str, verbs: Mapping[str, Verb]) -> None:
        self.verbs = verbs
        self.slots = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.slots.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self.slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
        del request, client_address


class _Handler(socketserver.StreamRequestHandler):
    timeout = _SILENT_S

    def handle(self) -> None:
        server = cast("_Server", self.server)
        try:
            request = json.loads(self.rfile.readline(_LINE_BYTES))
            verb = server.verbs.get(str(request["verb"]))
        except (ValueError, TypeError, KeyError):
            self._send({"error": "one line of JSON with a verb is expected"})
            return
        if verb is None:
            self._send({"error": f"unknown verb; there are: {', '.join(sorted(server.verbs))}"})
            return
        self.connection.settimeout(None)
        try:
            for answer in verb(request, _peer(self.connection)):
                self._send(answer)
        except GatewayError as error:
            self._send({"error": str(error)})
        except (TypeError, ValueError, KeyError) as error:
            self._send({"error": f"request not understood: {error}"})
        except OSError as error:
            log.warning("control: %s failed: %s", request["verb"], error)
            self._send({"error": str(error)})

    def _send(self, answer: Answer) -> None:
        self.wfile.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")


def _peer(connection: socket.socket) -> Peer:
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Peer(uid, user, pid)


def ask(folder: Path, request: Answer, *, timeout_s: float = 30.0) -> Iterator[Answer]:
    """Answers of the gateway that uses a data folder, the last one with `ok`.

    Raises NotRunning when none answers, TellPerson with its words when it refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            with _address(folder) as address:
                connection.connect(address)
            connection.sendall(json.dumps(request, ensure_ascii=False).encode() + b"\n")
            with connection.makefile("rb") as lines:
                for line in lines:
                    answer = cast("Answer", json.loads(line))
                    if "error" in answer:
                        raise TellPerson(str(answer["error"]))
                    yield answer
                    if "ok" in answer:
                        return
        except PermissionError as error:
            raise TellPerson(f"{folder / NAME}: not for this user; run it as root or as the gateway's user") from error
        except OSError as error:
            raise NotRunning(f"{folder}: no gateway is running here ({error.strerror or error})") from error
    raise NotRunning(f"{folder}: the gateway ended while it was asked")
