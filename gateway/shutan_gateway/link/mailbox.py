"""The bounded queue between the network thread and intake.

When it is full, the network thread stops reading (it only keeps the session alive): TCP stops, the broker queues, the
nodes keep their records. Nothing is dropped here; what one read brought in still goes in, so the limit is exceeded by
one read at most. It counts messages and bytes, since one foreign payload may be a thousand times larger than another.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import NamedTuple

__all__ = ["LINK_UP", "Chunk", "Mailbox", "Message"]


class Message(NamedTuple):
    """One message of the broker: topic, payload, receive time (UTC ms). LINK_UP as topic: a new session began."""

    topic: str
    payload: bytes
    received_ms: int


class Chunk(NamedTuple):
    """What one read of the socket brought: (topic, payload) of each message, receive time as UTC ms and monotonic s."""

    messages: list[tuple[str, bytes]]
    received_ms: int
    received_s: float


LINK_UP = ""  # no MQTT topic is empty


class Mailbox:
    """One producer, one consumer. `blocked` counts how often the producer had to stop reading."""

    def __init__(self, limit_messages: int, limit_bytes: int) -> None:
        self._limit_messages = limit_messages
        self._limit_bytes = limit_bytes
        self._items: deque[tuple[Chunk, int]] = deque()
        # written by the producer only, by the consumer only
        self._bytes_in = self._bytes_out = 0
        self._messages_in = self._messages_out = 0
        self._arrived = threading.Event()
        self._emptied = threading.Event()
        self._waiting = False
        self._closed = False
        self.blocked = 0

    def __len__(self) -> int:
        return self._messages_in - self._messages_out

    def put(self, message: Message) -> None:
        """Add one message."""
        chunk = Chunk([(message.topic, message.payload)], message.received_ms, time.monotonic())
        self.put_chunk(chunk, len(message.payload))

    def put_chunk(self, chunk: Chunk, size: int) -> None:
        """Add messages of `size` bytes together; the producer asks `wait_room` before it reads more."""
        self._bytes_in += size
        self._messages_in += len(chunk.messages)
        self._items.append((chunk, size))
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
        return len(self) >= self._limit_messages or self._bytes_in - self._bytes_out >= self._limit_bytes

    def wake(self) -> None:
        """Let the consumer look up from `wait`: something else came for it."""
        self._arrived.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is a message or the mailbox is closed; False when the time is over."""
        return self._arrived.wait(timeout_s)

    def drain(self, most_messages: int, most_bytes: int) -> list[Chunk]:
        """Take whole chunks until a limit is reached, but at least one when there is one."""
        taken: list[Chunk] = []
        size = count = 0
        items = self._items
        while items and count < most_messages and size < most_bytes:
            chunk, chunk_size = items.popleft()
            size += chunk_size
            count += len(chunk.messages)
            taken.append(chunk)
        self._bytes_out += size
        self._messages_out += count
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
