"""A host computer of HJ 212: takes packets, answers those that want it, and can ask."""

import contextlib
import socket
import threading
from typing import Self

from shutan_gateway.northbound.hj212.frame import Framer, Packet, build, parse


class Host:
    """Listens on a loopback port; `answering` False: it takes everything and says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.packets: list[Packet] = []
        self.answering = True
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.drop()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def drop(self) -> None:
        """Cut the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):  # the other side was first
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def ask(self, packet: Packet, *, spoilt: bool = False) -> None:
        """Send a request; spoilt: with a wrong CRC."""
        assert self._connection is not None
        frame = build(packet)
        self._connection.sendall(frame[:-6] + b"0000\r\n" if spoilt else frame)

    def of(self, *commands: str) -> list[Packet]:
        """Packets taken so far with one of these commands."""
        return [packet for packet in self.packets if packet.cn in commands]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):  # cut, by us or by the other side
                self._connection = connection
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        framer = Framer()
        while data := connection.recv(4096):
            for frame in framer.feed(data):
                packet = parse(frame)
                self.packets.append(packet)
                if packet.wants_answer and self.answering:
                    connection.sendall(build(packet._replace(st="91", cn="9014", flag=packet.flag & ~1, cp="")))
