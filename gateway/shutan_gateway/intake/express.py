"""The short way of a data message through intake: a known topic, a learned shape, the next record, a later time.

Nearly every message of a steady node is of this kind. Whatever is not leaves here before anything was changed and goes
through `Host.handle`, which decides about everything; for what is decided here both do the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shutan_gateway.spool.log import DATA, SpoolRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shutan_gateway.intake.accept import Acceptor
    from shutan_gateway.intake.sessions import Node
    from shutan_gateway.intake.window import Window

__all__ = ["Express"]

_ROUTES = 50_000
_tuple = cast("Callable[..., Any]", tuple.__new__)


class _Route(NamedTuple):
    """Where data of one topic belongs."""

    node: Node
    device: str
    window: Window


class Express:
    """Takes runs of usual messages into the acceptor's batch. `odd_sequence` is told of a number that is not next."""

    def __init__(self, acceptor: Acceptor, odd_sequence: Callable[[Node, int | None, float], None]) -> None:
        self._acceptor = acceptor
        self._odd_sequence = odd_sequence
        self._routes: dict[str, _Route] = {}
        self._cleared = 0

    def learn(self, topic: str, node: Node, device: str) -> None:
        """A topic whose data the host has just taken."""
        if len(self._routes) >= _ROUTES:
            self._routes.clear()
        self._routes[topic] = _Route(node, device, self._acceptor.windows.of(node.site, node.name, device))

    def take(  # noqa: C901 - the hot loop: a call per message would cost as much as its work
        self, messages: Sequence[tuple[str, bytes]], start: int, received_ms: int, now_s: float
    ) -> int:
        """Take messages from `start` on; returns the index of the first for the general way, or their count."""
        acceptor = self._acceptor
        if self._cleared != acceptor.windows.cleared:  # routes hold windows that are forgotten
            self._cleared = acceptor.windows.cleared
            self._routes.clear()
        routes, due, check = self._routes, acceptor.due, acceptor.decoder.check
        add_record, add_samples = acceptor.batch.records.append, acceptor.batch.samples.append
        values = 0
        for at in range(start, len(messages)):
            topic, raw = messages[at]
            route = routes.get(topic)
            if route is None:
                break
            node, name, window = route
            device = node.devices.get(name)
            if device is None or not node.online:
                break
            found = check(raw, device.recent)
            if found is None:
                break
            lanes, (seq, number, t_ms, content) = found
            number = number or 0
            stream = node.stream if number else None
            if stream is None:
                number = 0
            elif not stream.mark.is_next(number):
                break
            if not window.goes_on(t_ms, lanes.names, content):
                break
            if stream is not None:
                stream.mark.upto = number
                stream.dirty = True
                due.add(stream)
            device.stale = False
            device.heard_ms = received_ms
            # The same named tuple as from its class, without the function that the class goes through.
            add_record(_tuple(SpoolRecord, (DATA, device.schema_id, node.session_id, number, received_ms, 0, raw)))
            add_samples(lanes)
            values += lanes.count
            device.sample_ms = t_ms
            sequence = node.sequence
            if seq is not None and seq == sequence.expected:
                sequence.expected = (seq + 1) & 255
            else:
                self._odd_sequence(node, seq, now_s)
        else:
            at = len(messages)
        acceptor.batch.received += at - start
        acceptor.batch.values += values
        acceptor.decoder.hits += at - start
        return at
