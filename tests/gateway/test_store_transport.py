"""Transports against servers that speak no HTTP, half of it, or too much of it: unavailable, never anything else."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from shutan_gateway.counters import Counters
from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.stores.base import Store, Written
from support.store_rigs import opened
from support.store_rows import series

GOOD = b"HTTP/1.1 204 No Content\r\n\r\n"
STRANGE = {
    "nothing": b"",
    "not http": b"220 mail.example ESMTP\r\n",
    "half a status": b"HTTP/1.1 2",
    "status that is no number": b"HTTP/1.1 OK fine\r\n\r\n",
    "body cut": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\npartial wr",
    "chunk size that is no number": b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    "chunk cut": b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello",
    "endless header": b"HTTP/1.1 204 No Content\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    "too many headers": b"HTTP/1.1 204 No Content\r\n" + b"X: y\r\n" * 200 + b"\r\n",
}


class RawServer:
    """Accepts connections, reads a request, sends fixed bytes and hangs up."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed: the end
            while True:
                connection, _ = self._socket.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    request = b""
                    while b"received_ms" not in request:
                        request += connection.recv(65_536)
                    connection.sendall(self.answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture(params=sorted(STRANGE))
def strange(request: pytest.FixtureRequest) -> Iterator[RawServer]:
    server = RawServer(STRANGE[request.param])
    yield server
    server.close()


@pytest.fixture(params=[1, 2, 3])
def store(request: pytest.FixtureRequest, strange: RawServer) -> Iterator[Store]:
    where = {"org": "o", "bucket": "b"} if request.param == 2 else {"database": "d"}
    made = opened(Counters(), kind="influxdb", name="s", url=strange.url, version=request.param, timeout_s=2, **where)
    yield made
    made.close()


def test_a_strange_answer_is_no_answer_and_the_next_good_one_counts(strange: RawServer, store: Store) -> None:
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
            store.write(series(1))
    strange.answer = GOOD
    assert store.write(series(1)) == Written(1)
