r"""Frames of HJ 212 as pure functions: `##` length `data segment` CRC `\r\n`.

Source: HJ 212-2017, 6.3 and appendix A (text public at the ministry's site); HJ 212-2025, 6.3.3 (Flag), by what public
descriptions of it say. Data segment: `QN=;ST=;CN=;PW=;MN=;Flag=;[PNUM=;PNO=;]CP=&&...&&`, at most 1024 signs.

Flag  bits 7..2 version (0: 2005, 1: 2017, 2: 2025), bit 1 the packet is one of several (PNUM, PNO), bit 0 an answer is
      wanted
CRC   like CRC-16/Modbus, but each sign goes into the register's high byte shifted down, not into the whole register:
      `register = (register >> 8) ^ sign`
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["ANSWER", "MAX_SEGMENT", "SPLIT", "VERSIONS", "Framer", "Packet", "build", "crc", "parse"]

MAX_SEGMENT: Final = 1024
VERSIONS: Final = {2005: 0, 2017: 1, 2025: 2}
ANSWER: Final = 0b01
SPLIT: Final = 0b10
_POLYNOMIAL: Final = 0xA001


def crc(segment: bytes) -> int:
    """The check value of a data segment, 16 bit (appendix A)."""
    register = 0xFFFF
    for sign in segment:
        register = (register >> 8) ^ sign
        for _ in range(8):
            low = register & 1
            register >>= 1
            if low:
                register ^= _POLYNOMIAL
    return register


class Packet(NamedTuple):
    """A data segment. `cp` is what stands between the `&&`; pnum, pno only where flag has SPLIT."""

    qn: str
    st: str
    cn: str
    pw: str
    mn: str
    flag: int
    cp: str
    pnum: int = 0
    pno: int = 0

    @property
    def wants_answer(self) -> bool:
        """Whether the sender waits for an answer with the same QN."""
        return bool(self.flag & ANSWER)

    def field(self, name: str) -> str | None:
        """A field of `cp` by its name."""
        for part in self.cp.replace(",", ";").split(";"):
            key, sign, value = part.partition("=")
            if sign and key.strip() == name:
                return value.strip()
        return None


def build(packet: Packet) -> bytes:
    """The frame of a packet. Raises ValueError for a segment that is too long or not ASCII."""
    split = f"PNUM={packet.pnum};PNO={packet.pno};" if packet.flag & SPLIT else ""
    text = (
        f"QN={packet.qn};ST={packet.st};CN={packet.cn};PW={packet.pw};MN={packet.mn};Flag={packet.flag};"
        f"{split}CP=&&{packet.cp}&&"
    )
    segment = text.encode("ascii")
    if len(segment) > MAX_SEGMENT:
        raise ValueError(f"a data segment of {len(segment)} signs, {MAX_SEGMENT} are allowed")
    return b"##%04d%s%04X\r\n" % (len(segment), segment, crc(segment))


def parse(frame: bytes) -> Packet:
    """The packet in a whole frame. Raises ValueError, saying what is wrong, for anything else."""
    if not frame.startswith(b"##") or not frame[2:6].isdigit():
        raise ValueError("no ## and length at the start")
    length = int(frame[2:6])
    segment, tail = frame[6 : 6 + length], frame[6 + length :]
    if len(segment) < length or len(tail) < 4:
        raise ValueError("the frame is cut")
    try:
        told = int(tail[:4], 16)
        text = segment.decode("ascii")
    except ValueError as error:
        raise ValueError("CRC or data segment is not ASCII") from error
    if told != crc(segment):
        raise ValueError(f"CRC {tail[:4].decode('ascii')} does not fit, {crc(segment):04X} is expected")
    head, sign, rest = text.partition("CP=&&")
    fields = dict(part.split("=", 1) for part in head.split(";") if "=" in part)
    cp = rest.rpartition("&&")[0] if sign else ""
    number = {name: int(fields.get(name) or 0) for name in ("Flag", "PNUM", "PNO")}
    return Packet(
        *(fields.get(name, "") for name in ("QN", "ST", "CN", "PW", "MN")),
        flag=number["Flag"],
        cp=cp,
        pnum=number["PNUM"],
        pno=number["PNO"],
    )


class Framer:
    """Frames out of a byte stream: cut in any place, with noise between them. `skipped` counts bytes given up."""

    def __init__(self) -> None:
        self._data = b""
        self.skipped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; returns the frames that are whole now, each as it came."""
        self._data += data
        frames: list[bytes] = []
        while True:
            start = self._data.find(b"##")
            if start < 0:
                keep = 1 if self._data.endswith(b"#") else 0
                self._skip(len(self._data) - keep)
                return frames
            self._skip(start)
            digits = self._data[2:6]
            if digits and (not digits.isdigit() or int(digits) > MAX_SEGMENT):
                self._skip(1)
                continue
            if len(digits) < 4 or len(self._data) < 6 + int(digits) + 4:
                return frames
            end = 6 + int(digits) + 4
            frames.append(self._data[:end])
            self._data = self._data[end:]
            if self._data.startswith(b"\r\n"):
                self._data = self._data[2:]

    def _skip(self, count: int) -> None:
        # The line end behind a frame may come with the next bytes; it is no noise.
        self.skipped += len(self._data[:count].strip(b"\r\n"))
        self._data = self._data[count:]
