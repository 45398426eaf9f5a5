"""The TCP connection to the host computer: packets out and in, nothing about what they mean."""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING, Final, NoReturn

from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.northbound.hj212.frame import Framer, Packet, build, parse

if TYPE_CHECKING:
    from shutan_gateway.counters import Counters

__all__ = ["HostLink"]

log = logging.getLogger("shutan.northbound")

_READ_BYTES: Final = 4096


class HostLink:
    """One connection, opened when it is used. Every method raises StoreUnavailable when it breaks."""

    def __init__(self, host: str, port: int, timeout_s: float, counters: Counters, name: str) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._counters = counters
        self._name = name
        self._socket: socket.socket | None = None
        self._framer = Framer()

    def open(self) -> bool:
        """Connect unless connected; True when the connection is new."""
        if self._socket is not None:
            return False
        try:
            self._socket = socket.create_connection((self._host, self._port), self._timeout_s)
        except OSError as error:
            raise StoreUnavailable(f"{self._host}:{self._port}: {error}") from error
        self._framer = Framer()
        return True

    def send(self, packet: Packet) -> None:
        """Send one packet."""
        assert self._socket is not None  # noqa: S101 - open() came before
        try:
            self._socket.settimeout(self._timeout_s)
            self._socket.sendall(build(packet))
        except OSError as error:
            self._lost(error)

    def receive(self, timeout_s: float) -> list[Packet]:
        """Packets that are there within the time, at least one read; broken ones are counted and left out."""
        assert self._socket is not None  # noqa: S101 - open() came before
        end_s = time.monotonic() + timeout_s
        while True:
            try:
                self._socket.settimeout(max(0.001, end_s - time.monotonic()))
                data = self._socket.recv(_READ_BYTES)
            except TimeoutError:
                return []
            except OSError as error:
                self._lost(error)
            if not data:
                self._lost(ConnectionError("the host closed the connection"))
            packets: list[Packet] = []
            for frame in self._framer.feed(data):
                try:
                    packets.append(parse(frame))
                except ValueError as error:
                    self._counters.inc("shutan_hj212_broken_frames_total", store=self._name)
                    log.warning("store %s: a frame of the host is not read: %s", self._name, error)
            if packets or time.monotonic() >= end_s:
                return packets

    def _lost(self, error: OSError) -> NoReturn:
        self.close()
        raise StoreUnavailable(f"{self._host}:{self._port}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()
