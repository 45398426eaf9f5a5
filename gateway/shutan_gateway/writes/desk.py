"""The desk: takes requests to write, decides by the allow table, sends, and watches the spool for the value.

Nothing is queued: a write goes out now or not at all (QoS 0; a clean session of the node keeps nothing for later), so a
machine never moves because of something that was asked while it was away.

A wired meter has no broker in between: its source writes, and the meter's own answer confirms. Two tables must agree
there: `[[command]]` that it may be asked for, `[[serial.meter.write]]` what that is on the wire, and its limits.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from shutan_gateway.config.writes import CommandRule
from shutan_gateway.errors import Refusal, RetryLater, TellPerson
from shutan_gateway.payload.definition import field_of
from shutan_gateway.sources import Place
from shutan_wire import datatypes as dt
from shutan_wire import ids, records
from shutan_wire.encode import encode_payload
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shutan_gateway.control import Peer
    from shutan_gateway.rows import RowReader
    from shutan_gateway.sources import Writer
    from shutan_gateway.spool.log import Position, Spool
    from shutan_gateway.writes.audit import Audit

__all__ = ["Desk", "Refused", "Request"]

_READ_BYTES = 1_000_000
_POLL_S = 0.2
# Asking for births moves nothing, so no table is needed for it.
_REBIRTH = CommandRule(node="*", metric=records.REBIRTH, datatype="Boolean", values=("true",), per_minute=60)

Value = bool | int | float | str


class Refused(TellPerson):
    """A write that the allow table does not let through."""


class Publisher(Protocol):
    """The way to the nodes."""

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send at QoS 0; False when there is no session with the broker."""
        ...


class Request(NamedTuple):
    """One write as asked for; device "" = the node itself; text: the value as typed."""

    site: str
    node: str
    device: str
    metric: str
    text: str
    reason: str

    @property
    def target(self) -> str:
        """Where it goes, for people."""
        return "/".join(filter(None, (self.site, self.node, self.device)))

    @property
    def place(self) -> Place:
        """Where it goes."""
        return Place(self.site, self.node, self.device)


class _Parts(NamedTuple):
    rules: Sequence[CommandRule]
    publisher: Publisher
    spool: Spool
    reader: Callable[[], RowReader]
    audit: Audit
    wired: Callable[[Place], Writer | None]


class Desk:
    """Verb `command` of the control socket; any number of threads."""

    def __init__(self, *parts: Any) -> None:
        """rules, publisher, spool, maker of row readers, audit, who writes to a wired device (None: it is a node's)."""
        self._parts = _Parts(*parts)
        self._lock = threading.Lock()
        self._sent: dict[int, deque[float]] = {}

    def verb(self, request: dict[str, Any], peer: Peer) -> Iterator[dict[str, Any]]:
        """{"verb": "command", site, node, device, metric, value, reason} -> progress, then what came of it."""
        keys = ("site", "node", "device", "metric", "value", "reason")
        asked = Request(*(str(request[key]) for key in keys))
        facts: dict[str, Any] = {
            "user": peer.user,
            "uid": peer.uid,
            "pid": peer.pid,
            "what": f"{asked.target} {asked.metric} = {asked.text}",
            "reason": asked.reason,
        }
        audit = self._parts.audit
        writer = self._parts.wired(asked.place)
        try:
            rule, value = self._allowed(asked, writer)
        except Refused as refusal:
            audit.write(**facts, outcome="refused", detail=str(refusal))
            raise
        audit.write(**facts, outcome="asked")
        if writer is not None:
            yield from self._wired(writer, asked, rule, int(value), facts)
            return
        start = self._parts.spool.end
        if not self._publish(asked, rule, value):
            audit.write(**facts, outcome="not sent", detail="no session with the broker")
            raise TellPerson(f"{asked.target}: not sent, the gateway has no session with the broker now")
        if rule is _REBIRTH:
            audit.write(**facts, outcome="sent")
            yield {"ok": True, "outcome": "sent", "after_s": 0.0}
            return
        yield {"progress": f"sent, waiting up to {rule.limit_s:g} s for {asked.target} to show it"}
        began_s = time.monotonic()
        shown = self._shown(asked, rule, value, start, began_s + rule.limit_s)
        outcome = "confirmed" if shown else "not confirmed"
        took_s = round(time.monotonic() - began_s, 3)
        audit.write(**facts, outcome=outcome, after_s=took_s)
        yield {"ok": shown, "outcome": outcome, "after_s": took_s}

    def _wired(
        self, writer: Writer, asked: Request, rule: CommandRule, value: int, facts: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Write to a wired meter, which answers by itself."""
        audit = self._parts.audit
        yield {"progress": f"waiting up to {rule.limit_s:g} s for {asked.target} to confirm it"}
        began_s = time.monotonic()
        outcome, detail = "confirmed", ""
        try:
            writer.write(asked.place, asked.metric, value, rule.limit_s)
        except (Refusal, RetryLater) as error:  # the bus is away or busy, or its tables have just changed
            audit.write(**facts, outcome="not sent", detail=str(error))
            raise TellPerson(f"{asked.target}: not sent, {error}") from error
        except TellPerson as error:
            outcome, detail = "not confirmed", str(error)
        took_s = round(time.monotonic() - began_s, 3)
        audit.write(**facts, outcome=outcome, detail=detail, after_s=took_s)
        yield {"ok": not detail, "outcome": outcome, "after_s": took_s, "detail": detail}

    def _allowed(self, asked: Request, writer: Writer | None) -> tuple[CommandRule, Value]:
        """The first rule that covers it, and its value. Raises Refused."""
        why = "no [[command]] table of the configuration covers it"
        for index, rule in enumerate([*self._parts.rules, _REBIRTH]):
            levels = ((rule.site, asked.site), (rule.node, asked.node), (rule.device, asked.device))
            if rule.metric != asked.metric or any(allowed not in {"*", level} for allowed, level in levels):
                continue
            try:
                value = parse_value(rule, asked.text)
                if writer is not None:
                    writer.check(asked.place, asked.metric, _whole(value))
            except ValueError as error:
                why = f"value {asked.text!r}: {error}"
                continue
            except Refusal as refusal:
                why = refusal.detail
                continue
            self._within_rate(index, rule)
            return rule, value
        raise Refused(f"{asked.target} {asked.metric}: refused, {why}")

    def _within_rate(self, index: int, rule: CommandRule) -> None:
        now_s = time.monotonic()
        with self._lock:
            sent = self._sent.setdefault(index, deque())
            while sent and sent[0] < now_s - 60:
                sent.popleft()
            if len(sent) >= rule.per_minute:
                raise Refused(f"{rule.metric}: refused, {rule.per_minute} writes a minute are allowed")
            sent.append(now_s)

    def _publish(self, asked: Request, rule: CommandRule, value: Value) -> bool:
        now_ms = time.time_ns() // 1_000_000
        kind, device = (ids.DCMD, asked.device) if asked.device else (ids.NCMD, None)
        try:
            topic = ids.topic(asked.site, kind, asked.node, device)
            metric = Metric(asked.metric, timestamp=now_ms, datatype=dt.code_of(rule.datatype), value=value)
            payload = encode_payload(Payload(now_ms, [metric]))
        except WireError as error:
            raise TellPerson(f"{asked.target} {asked.metric}: {error}") from error
        return self._parts.publisher.publish(topic, payload)

    def _shown(self, asked: Request, rule: CommandRule, value: Value, start: Position, until_s: float) -> bool:
        """Whether a durable record behind `start` shows the value in time."""
        spool, reader = self._parts.spool, self._parts.reader()
        column = field_of(asked.metric, dt.code_of(rule.datatype)).column
        position = start
        while (left_s := until_s - time.monotonic()) > 0:
            batch, following = spool.read(position, _READ_BYTES)
            if following == position:
                spool.wait(position, min(_POLL_S, left_s))
                continue
            position = following
            for record in batch:
                with contextlib.suppress(Refusal):
                    for row in reader.rows(record):
                        if (row.site, row.node, row.device) == (asked.site, asked.node, asked.device) and any(
                            name == column and _same(found, value)
                            for name, found in zip(row.metrics, row.values, strict=True)
                        ):
                            return True
        return False


def parse_value(rule: CommandRule, text: str) -> Value:
    """The value that a rule accepts for a text. Raises ValueError with what is accepted."""
    if rule.values and text not in rule.values:
        raise ValueError(f"accepted: {', '.join(rule.values)}")
    if rule.datatype == "String":
        return text
    if rule.datatype == "Boolean":
        if text not in {"true", "false"}:
            raise ValueError("accepted: true, false")
        return text == "true"
    number: int | float
    try:
        number = float(text) if rule.datatype in {"Float", "Double"} else int(text)
    except ValueError:
        raise ValueError(f"accepted: a number of type {rule.datatype}") from None
    low, high = rule.minimum, rule.maximum
    if number != number or (low is not None and number < low) or (high is not None and number > high):  # noqa: PLR0124 - NaN
        raise ValueError(f"accepted: {'' if low is None else f'>= {low:g} '}{'' if high is None else f'<= {high:g}'}")
    return number


def _whole(value: Value) -> int:
    """The number of a register or coil. Raises ValueError."""
    if not isinstance(value, int):
        raise ValueError("accepted: a whole number, true or false; set the rule's datatype")  # noqa: TRY004 - a refusal
    return int(value)


def _same(found: object, wanted: Value) -> bool:
    if isinstance(found, float) and isinstance(wanted, int | float):
        with contextlib.suppress(OverflowError):
            return struct.pack("<f", found) == struct.pack("<f", wanted)  # a Float metric shows what a float32 holds
    return type(found) is type(wanted) and found == wanted
