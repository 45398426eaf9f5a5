"""From the bytes of an MQTT 3.1.1 session to its messages, a whole read at a time.

A PUBLISH under a known topic is cut out of the bytes by index arithmetic; every other packet, and the first PUBLISH of
a topic, goes through the packet decoder of `shutan_wire.mqtt` with all its checks. Both give the same messages.
"""

from __future__ import annotations

from typing import NamedTuple

from shutan_wire import mqtt

__all__ = ["Packet", "Stream"]

_TOPICS = 50_000  # topics remembered, none longer than _TOPIC_BYTES
_TOPIC_BYTES = 1_000
_SHORT = 16_383  # longest remaining length of two bytes
_QOS0, _QOS1 = 0x30, 0x32  # first byte of a PUBLISH, neither retained nor sent again
_PLAIN = frozenset({_QOS0, _QOS1})


class Packet(NamedTuple):
    """A packet that is no PUBLISH: type and body."""

    kind: int
    body: bytes


class Stream:
    """The receiving half of one session. After a WireError the stream is lost."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._short = _SHORT if limit_bytes >= _SHORT else 0
        self._rest = b""
        self._topics: dict[bytes, str] = {}

    def take(  # noqa: C901 - the hot loop: a call per message would cost as much as its work
        self, data: bytes, acks: bytearray
    ) -> tuple[list[tuple[str, bytes]], list[Packet]]:
        """(topic, payload) of the messages and the other packets that `data` completes; adds a PUBACK per QoS 1.

        Raises WireError for a malformed packet or one above the limit.
        """
        if self._rest:
            data = self._rest + data
        messages: list[tuple[str, bytes]] = []
        packets: list[Packet] = []
        topics, short = self._topics, self._short
        at, have = 0, len(data)
        while have - at > 3:
            first, size, start = data[at], data[at + 1], at + 2
            if size > 127:
                size += (data[start] << 7) - 128
                start += 1
            stop = start + size
            if first in _PLAIN and size <= short and stop <= have:
                middle = start + 2 + (data[start] << 8 | data[start + 1]) if size > 1 else have
                topic = topics.get(data[start + 2 : middle])
                if topic is not None and middle <= stop:
                    if first == _QOS0:
                        messages.append((topic, data[middle:stop]))
                        at = stop
                        continue
                    if middle + 2 <= stop and (data[middle] or data[middle + 1]):
                        acks += b"\x40\x02" + data[middle : middle + 2]
                        messages.append((topic, data[middle + 2 : stop]))
                        at = stop
                        continue
            after = self._any(data, at, acks, messages, packets)
            if after == at:
                break
            at = after
        else:
            while at < have:  # an answer of two or three bytes, or the beginning of a packet
                after = self._any(data, at, acks, messages, packets)
                if after == at:
                    break
                at = after
        self._rest = data[at:]
        return messages, packets

    def _any(
        self, data: bytes, at: int, acks: bytearray, messages: list[tuple[str, bytes]], packets: list[Packet]
    ) -> int:
        """Take the packet at `at` with all checks; returns where it ends, `at` while it is not whole."""
        decoder = mqtt.PacketDecoder(self._limit)
        decoder.feed(data[at : at + self._limit + 5])
        packet = decoder.next()
        if packet is None:
            return at
        kind, flags, body = packet
        head = 2
        while data[at + head - 1] > 127:
            head += 1
        if kind != mqtt.PUBLISH:
            packets.append(Packet(kind, body))
        else:
            topic, payload, qos, _, _, packet_id = mqtt.parse_publish(flags, body)
            if qos == 1:
                acks += mqtt.puback(packet_id)
            messages.append((topic, payload))
            text = topic.encode()
            if len(text) <= _TOPIC_BYTES:
                if len(self._topics) >= _TOPICS:
                    self._topics.clear()
                self._topics[text] = topic
        return at + head + len(body)
