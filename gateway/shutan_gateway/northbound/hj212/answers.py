"""What the host computer asks, and what it is told: 9011 (request taken?), the data, 9012 (how it went).

Served are the clock (1011) and minute, hour and day data again (2051, 2061, 2031 with BeginTime and EndTime); what
would change something here is refused. Codes of QnRtn and ExeRtn: HJ 212-2017.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from shutan_gateway.northbound.durable import Document
from shutan_gateway.northbound.hj212.data import DAY, HOUR, MINUTE
from shutan_gateway.northbound.hj212.frame import VERSIONS, Packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.config import Secret
    from shutan_gateway.config.northbound import Hj212Config
    from shutan_gateway.northbound.durable import Durable
    from shutan_gateway.northbound.hj212.data import Calendar

__all__ = ["Answers", "Reply"]

_SYSTEM: Final = "91"  # ST of answers
_READY, _REFUSED, _BAD_PW, _BAD_MN, _BAD_CN = 1, 2, 3, 4, 8
_DONE, _BAD_CONDITION, _NO_DATA = 1, 3, 100
_ANSWERS: Final = {"9011", "9012", "9013", "9014"}
_HISTORY: Final = {MINUTE, HOUR, DAY}
# Commands that exist and are not obeyed: clock, intervals, passwords, sampling, calibration.
_WRITES: Final = range(1000, 4000)
_MOST: Final = 5_000


class Reply(NamedTuple):
    """Something to send: a packet as it is, or a document that becomes packets with this QN and ST."""

    qn: str = ""
    packet: Packet | None = None
    document: Document | None = None
    st: str = ""


class Answers:
    """Replies to packets of the host."""

    def __init__(self, config: Hj212Config, calendar: Calendar, state: Durable, pw: Secret) -> None:
        self._config = config
        self._calendar = calendar
        self._state = state
        self._pw = pw

    def to(self, packet: Packet, new_qn: Callable[[], str]) -> list[Reply] | None:
        """The replies to a request; None for a packet that is an answer itself."""
        if packet.cn in _ANSWERS:
            return None
        verdict = self._verdict(packet)
        replies = [self._system(packet, "9011", f"QnRtn={verdict}")] if packet.wants_answer else []
        if verdict != _READY:
            return replies
        if packet.cn == "1011":
            clock = f"SystemTime={self._calendar.text(time.time_ns() // 1_000_000)}"
            replies.append(Reply(packet=self._packet(packet.qn, self._config.st, "1011", clock)))
            return [*replies, self._system(packet, "9012", f"ExeRtn={_DONE}")]
        try:
            wanted = [packet.field(name) or "" for name in ("BeginTime", "EndTime")]
            begin, end = (self._calendar.text(self._calendar.time_ms(text)) for text in wanted)
        except ValueError:
            return [*replies, self._system(packet, "9012", f"ExeRtn={_BAD_CONDITION}")]
        found = self._state.rows(
            "SELECT kind, key, body, tries FROM outbox WHERE kind = ? AND key >= ? AND key <= ? ORDER BY key LIMIT ?",
            packet.cn,
            begin,
            end,
            _MOST,
        )
        documents = [Document(*one) for one in found]  # pyright: ignore[reportArgumentType] - columns of a STRICT table
        replies += [Reply(new_qn(), document=one, st=self._config.st) for one in documents]
        return [*replies, self._system(packet, "9012", f"ExeRtn={_DONE if documents else _NO_DATA}")]

    def _verdict(self, packet: Packet) -> int:
        if packet.pw != self._pw.reveal():
            return _BAD_PW
        if packet.mn != self._config.mn:
            return _BAD_MN
        if packet.cn in _HISTORY or packet.cn == "1011":
            return _READY
        return _REFUSED if packet.cn.isdigit() and int(packet.cn) in _WRITES else _BAD_CN

    def _system(self, packet: Packet, cn: str, cp: str) -> Reply:
        return Reply(packet=self._packet(packet.qn, _SYSTEM, cn, cp))

    def _packet(self, qn: str, st: str, cn: str, cp: str) -> Packet:
        flag = VERSIONS[self._config.edition] << 2
        return Packet(qn, st, cn, self._pw.reveal(), self._config.mn, flag, cp)
