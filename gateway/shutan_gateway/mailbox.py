"""The bounded queue between the network thread and intake.

When it is full, the network thread stops reading (it only keeps the session alive): TCP stops, the broker queues, the
nodes keep their records. Nothing is dropped here; what one read brought in still goes in, so the limit is exceeded by
one read at most. It counts messages and bytes, since one foreign payload may be a thousand times larger than another.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

__all__ = ["LINK_UP", "Mailbox", "Message"]


class Message(NamedTuple):
    """One message of the broker: topic, payload, receive time (UTC ms). LINK_UP as topic: a new session began."""

    topic: str
    payload: bytes
    received_ms: int


LINK_UP = ""  # no MQTT topic is empty


class Mailbox:
    """One producer, one consumer. `blocked` counts how often the producer had to stop reading."""

    def __init__(self, limit_messages: int, limit_bytes: int) -> None:
        self._limit_messages = limit_messages
        self._limit_bytes = limit_bytes
        self._items: deque[Message] = deque()
        self._bytes_in = 0  # written by the producer only
        self._bytes_out = 0  # written by the consumer only
        self._arrived = threading.Event()
        self._emptied = threading.Event()
        self._waiting = False
        self._closed = False
        self.blocked = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, message: Message) -> None:
        """Add a message; the producer asks `wait_room` before it reads more."""
        self._bytes_in += len(message.payload)
        self._items.append(message)
        if not self._arrived.is_set():
            self._arrived.set()

    def wait_room(self, timeout_s: float) -> bool:
        """Whether there is room, waiting up to `timeout_s` for it."""
        if not self._full():
            self._waiting = False
            return True
        if not self._waiting:
            self._waiting = True
            self.blocked += 1
        self._emptied.clear()
        return not self._full() or (self._emptied.wait(timeout_s) and not self._full())

    def _full(self) -> bool:
        waiting = self._bytes_in - self._bytes_out
        return len(self._items) >= self._limit_messages or waiting >= self._limit_bytes

    def wake(self) -> None:
        """Let the consumer look up from `wait`: something else came for it."""
        self._arrived.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is a message or the mailbox is closed; False when the time is over."""
        return self._arrived.wait(timeout_s)

    def drain(self, most_messages: int, most_bytes: int) -> list[Message]:
        """Take what is there, up to the limits, but at least one message when there is one."""
        taken: list[Message] = []
        size = 0
        items = self._items
        while items and len(taken) < most_messages and size < most_bytes:
            message = items.popleft()
            size += len(message.payload)
            taken.append(message)
        self._bytes_out += size
        if not items and not self._closed:
            self._arrived.clear()
            if items:  # one came between the two lines above
                self._arrived.set()
        if not self._emptied.is_set():
            self._emptied.set()
        return taken

    def close(self) -> None:
        """Let both sides go; what is inside can still be drained."""
        self._closed = True
        self._arrived.set()
        self._emptied.set()
