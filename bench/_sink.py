"""A store that takes everything: answers 204 to each POST and counts its lines, so that only the sender costs.

Run as a process: `python -m bench._sink PORT`; `GET /count` gives {"requests", "lines", "bytes"} so far.
"""

import asyncio
import contextlib
import json
import re
import sys

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: sink\r\n\r\n"


class Sink(asyncio.Protocol):
    """One connection; counts are shared."""

    requests = lines = size = 0

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        buffer = self._buffer
        buffer += data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(buffer[:end])
            found = _LENGTH.search(head)
            stop = end + 4 + (int(found[1]) if found else 0)
            if len(buffer) < stop:
                if b"100-continue" in head:
                    self._say(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            self._answer(head, bytes(buffer[end + 4 : stop]))
            del buffer[:stop]

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /count"):
            text = json.dumps({"requests": Sink.requests, "lines": Sink.lines, "bytes": Sink.size}).encode()
            self._say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            return
        if head.startswith(b"POST"):
            Sink.requests += 1
            Sink.size += len(body)
            Sink.lines += body.count(b"\n") + (bool(body) and not body.endswith(b"\n"))
        self._say(_NO_CONTENT)

    def _say(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


async def main(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
