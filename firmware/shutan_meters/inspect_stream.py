"""Every valid frame in a stream of bytes, whatever the protocol, and what lay between them.

A capture of a line holds requests, answers, echoes, collisions and switching noise. `Stream` takes it in portions of
any size, keeps at most about a kilobyte, and accounts for each byte once: it belongs to a frame, to the wake bytes in
front of one, or to a stretch that was skipped.

DL/T 645 and CJ/T 188 frames prove themselves by start, length, sum and end: noise passes once in some 10^8 tries. A
Modbus frame has its function code and CRC only: about one in 10^6 noise bytes begins one by chance. So where both read
the same bytes, the former win.
"""

from shutan_meters import cjt188, dlt645, inspect_cjt188, inspect_dlt645, inspect_modbus
from shutan_meters.errors import FrameError
from shutan_meters.inspect import PROTOCOLS, hexa

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_meters.inspect import Report
    from shutan_meters.profile import Profile

LONGEST = 264  # bytes of the longest frame of any protocol: Modbus "write multiple" with 255 data bytes
_AHEAD = 2 * LONGEST  # a Modbus frame is taken after what might begin inside it is known
_WAKE = 16  # FE bytes in front of a frame that count as its wake bytes, at most
_SHOWN = 32  # bytes of a skipped stretch that are shown


class Stream:
    """Frames out of portions of bytes.

    protocols: of `inspect.PROTOCOLS`, those to look for
    profile:   adds catalogue names and values to the answers of its protocol
    bytes, frame_bytes, skipped_bytes, stretches: counts; bytes = frame_bytes + skipped_bytes after `finish`
    frames:    count of frames by protocol
    """

    def __init__(self, protocols: "Sequence[str]" = PROTOCOLS, profile: "Profile | None" = None) -> None:
        self._protocols = protocols
        self._profile = profile
        self._asked: bytes | None = None
        self._buffer = b""
        self._at = 0  # place of the buffer's first byte in the stream
        self._reports: list[Report] = []
        self._noise_head = b""
        self._noise = 0
        self._why = ""
        self.bytes = 0
        self.frame_bytes = 0
        self.skipped_bytes = 0
        self.stretches = 0
        self.frames: dict[str, int] = {name: 0 for name in protocols}  # noqa: C420 - MicroPython's stubs type it so

    def feed(self, data: "bytes | bytearray") -> "list[Report]":
        """What the stream now shows for certain: frames and skipped stretches in their order."""
        self.bytes += len(data)
        self._buffer += bytes(data)
        return self._scan(len(self._buffer) - _AHEAD)

    def undecided(self) -> int:
        """Bytes that are kept until more is known."""
        return len(self._buffer)

    def finish(self) -> "list[Report]":
        """The rest, when no more bytes come."""
        found = self._scan(len(self._buffer))
        self._skip(self._buffer, "")
        self._buffer = b""
        self._flush()
        found += self._reports
        self._reports = []
        return found

    def summary(self) -> "Report":
        """The counts."""
        return {
            "bytes": self.bytes,
            "frames": self.frames,
            "frame_bytes": self.frame_bytes,
            "skipped_bytes": self.skipped_bytes,
            "skipped_stretches": self.stretches,
        }

    def _scan(self, until: int) -> "list[Report]":
        """Look for frames that begin before `until`; the buffer then begins with what is not decided."""
        data = self._buffer
        modbus = "modbus" in self._protocols
        begin = 0
        rest = 0
        while begin < until:
            if not modbus:
                begin = data.find(b"\x68", begin, until)
                if begin < 0:
                    begin = until
                    break
            protocol, end = self._frame(data, begin)
            if not end:
                if data[begin] == dlt645.START and not self._why:
                    self._why = self._damage(data, begin, self._at + begin)
                begin += 1
                continue
            wake = 0 if protocol == "modbus" else _wake(data, rest, begin)
            self._skip(data[rest : begin - wake], "")
            self._take(protocol, data[begin - wake : end], wake, self._at + begin - wake)
            begin = rest = end
        if begin > rest + _WAKE:
            self._skip(data[rest : begin - _WAKE], "")
            rest = begin - _WAKE
        # What is left in front of `begin` was looked at: only wake bytes of the next frame can still come out of it.
        self._buffer = data[rest:]
        self._at += rest
        found = self._reports
        self._reports = []
        return found

    def _frame(self, data: bytes, begin: int) -> "tuple[str, int]":
        """Protocol and end of the frame at `begin`; ("", 0) if there is none."""
        protocol, end = self._summed(data, begin)
        if end or "modbus" not in self._protocols:
            return protocol, end
        _, end = inspect_modbus.frame_at(data, begin)
        inner = data.find(b"\x68", begin + 1, end) if end else -1
        while inner >= 0:
            if self._summed(data, inner)[1]:
                return "", 0
            inner = data.find(b"\x68", inner + 1, end)
        return ("modbus", end) if end else ("", 0)

    def _summed(self, data: bytes, begin: int) -> "tuple[str, int]":
        """As `_frame`, of the protocols that end with a sum and 16."""
        if data[begin] != dlt645.START:
            return "", 0
        window = data[begin : begin + LONGEST]
        if "dlt645" in self._protocols and _stands(window, 7, 9, dlt645.OVERHEAD) and dlt645.find(window) == 0:
            return "dlt645", begin + dlt645.OVERHEAD + window[9]
        if "cjt188" in self._protocols and _stands(window, 0, 10, cjt188.OVERHEAD) and cjt188.find(window) == 0:
            return "cjt188", begin + cjt188.OVERHEAD + window[10]
        return "", 0

    def _damage(self, data: bytes, begin: int, place: int) -> str:
        """Why what begins here like a DL/T 645 frame is none; "" where it does not look like one."""
        if "dlt645" not in self._protocols:
            return ""
        window = data[begin : begin + LONGEST]
        stage, at, reason = inspect_dlt645.failure(window, 0)
        if stage < inspect_dlt645.DAMAGED:
            return ""
        return "like a damaged DL/T 645 frame at byte " + str(place) + ": byte " + str(place + at) + ": " + reason

    def _take(self, protocol: str, frame: bytes, wake: int, place: int) -> None:
        """One frame with its wake bytes."""
        try:
            if protocol == "dlt645":
                report = inspect_dlt645.report_at(frame, 0, wake, self._of(("dlt645", "dlt645_1997")))
            elif protocol == "cjt188":
                report = inspect_cjt188.report_at(frame, wake, wake, self._of(("cjt188",)))
                report["wake_bytes"] = wake
            else:
                direction, _ = inspect_modbus.frame_at(frame, 0)
                report, self._asked = inspect_modbus.explain(frame, direction, self._asked, self._of(("modbus",)))
        except FrameError as error:
            self._skip(frame, "whole frame that says nothing known: " + error.reason)
            return
        self._flush()
        report.pop("noise_before", None)
        self.frames[protocol] += 1
        self.frame_bytes += len(frame)
        self._reports.append({"at": place, "bytes": len(frame)})
        self._reports[-1].update(report)

    def _of(self, protocols: "Sequence[str]") -> "Profile | None":
        return self._profile if self._profile is not None and self._profile.protocol in protocols else None

    def _skip(self, data: bytes, why: str) -> None:
        """Bytes that belong to no frame; a stretch ends where a frame begins."""
        self._noise += len(data)
        if len(self._noise_head) < _SHOWN:
            self._noise_head += data[: _SHOWN - len(self._noise_head)]
        if why and not self._why:
            self._why = why

    def _flush(self) -> None:
        """Report the stretch that has ended."""
        if self._noise:
            place = self.frame_bytes + self.skipped_bytes
            more = " ..." if self._noise > _SHOWN else ""
            why = self._why or "no valid frame"
            shown = hexa(self._noise_head) + more
            self._reports.append({"at": place, "skipped": self._noise, "hex": shown, "reason": why})
            self.skipped_bytes += self._noise
            self.stretches += 1
        self._noise = 0
        self._noise_head = b""
        self._why = ""


def _stands(window: bytes, second: int, length: int, overhead: int) -> bool:
    """Whether a frame could stand here, before its sum is made: its second start byte, its length, its end."""
    if len(window) <= length or window[second] != dlt645.START:
        return False
    end = overhead + window[length]
    return end <= len(window) and window[end - 1] == dlt645.END


def _wake(data: bytes, least: int, begin: int) -> int:
    """How many FE bytes stand in front of `begin`, not before `least`."""
    count = 0
    while count < _WAKE and begin - count > least and data[begin - count - 1] == 0xFE:
        count += 1
    return count
