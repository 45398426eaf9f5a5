"""Finding meters and setting their clocks: what a technician needs once and a node never."""

from shutan_meters import dlt645
from shutan_meters.errors import FrameError, NoAnswer, ProfileError
from shutan_meters.profile import DLT645, DLT645_1997

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_meters.master import Transport

# Forward active energy, which every meter has, is what a search asks for: (control, identifier as on the wire).
_SEARCH = {DLT645: (dlt645.READ, b"\x00\x00\x01\x00"), DLT645_1997: (dlt645.READ_1997, b"\x10\x90")}
_SILENT = b"\x00\xfe\xff"  # what drivers that switch on and off leave on a line, and wake bytes
_SENT_MS = 100  # to let a broadcast out, which nobody answers


def read_address_request(wake: int = 4) -> bytes:
    """DL/T 645-2007 read address, control 13; only with a single meter on the bus."""
    return dlt645.frame(dlt645.WILDCARD, dlt645.READ_ADDRESS, b"", wake)


async def read_address(transport: "Transport", timeout_ms: int = 1000) -> str:
    """The address of the only DL/T 645-2007 meter on the bus, as 12 digits.

    Raises  NoAnswer; FrameError for noise or an answer of another length (two meters speaking at once); Refused
    """
    reply = dlt645.Reply(dlt645.WILDCARD, dlt645.READ_ADDRESS)
    data = reply.payload(await transport.transact(read_address_request(), reply, timeout_ms))
    if len(data) != 6:
        raise FrameError("reply", "an address of 6 bytes expected, found " + str(len(data)))
    return dlt645.address_text(data)


async def discover(
    transport: "Transport",
    protocol: str = DLT645,
    timeout_ms: int = 800,
    tell: "Callable[[str], None] | None" = None,
) -> "list[str]":
    """Addresses of all DL/T 645 meters on a bus, 12 digits each.

    It asks by shortened addresses (缩位寻址): first any meter; where several answer into each other, those whose last
    two digits are 00 to 99, and again the two digits in front of them where these are shared. A level is a hundred
    requests, each waited for to its end: 80 s. Meters that echo the wildcards are found at the last level only.
    Two meters with one address cannot be told apart, and are not found.

    protocol:   dlt645 or dlt645_1997
    timeout_ms: a meter answers within 500 ms (clause 6), and an answer takes 100 ms at 2400 bps
    tell:       called with each address as it is found
    """
    control, di = _SEARCH[protocol]
    found: list[str] = []
    pending = [b""]
    while pending:
        known = pending.pop()
        request = dlt645.frame(known + dlt645.WILDCARD[len(known) :], control, di, 4)
        try:
            buffer = await transport.transact(request, _never, timeout_ms)
        except NoAnswer:
            continue
        addresses, mixed = _answers(buffer, control, known)
        for text in addresses:
            if "A" in text:
                mixed = True
            elif text not in found:
                found.append(text)
                if tell is not None:
                    tell(text)
        if mixed and len(known) < 6:
            pending += [known + bytes((tens << 4 | ones,)) for tens in range(9, -1, -1) for ones in range(9, -1, -1)]
    return found


def _answers(buffer: "bytes | bytearray", control: int, known: bytes) -> "tuple[list[str], bool]":
    """Addresses of the undamaged answers, refusals too, and whether anything else was on the line."""
    addresses: list[str] = []
    mixed = False
    at = 0
    begin = dlt645.find(buffer)
    while begin >= 0:
        mixed = mixed or _stray(buffer, at, begin)
        at = begin + dlt645.OVERHEAD + buffer[begin + 9]
        wire = bytes(buffer[begin + 1 : begin + 7])
        answer = buffer[begin + 8] & ~(dlt645.MORE | dlt645.ERROR) == control | dlt645.REPLY
        if answer and (wire[: len(known)] == known or wire == dlt645.WILDCARD):
            addresses.append(dlt645.address_text(wire))
        begin = dlt645.find(buffer, at)
    return addresses, mixed or _stray(buffer, at, len(buffer))


def _stray(buffer: "bytes | bytearray", begin: int, end: int) -> bool:
    return any(buffer[i] not in _SILENT for i in range(begin, end))


def _never(buffer: "bytes | bytearray") -> int:  # noqa: ARG001 - the signature of `complete`
    return 0


def broadcast_time(moment: "tuple[int, ...]", wake: int = 4) -> bytes:
    """Broadcast time (广播校时), control 08 of both editions: ss mm hh DD MM YY on the wire; no meter answers.

    A meter follows if its clock is within 5 minutes of it, once a day. Around midnight, when it freezes registers, no
    clock is to be set.
    moment: year (2000..2099), month, day, hour, minute, second by the meters' own clocks, which is local time
    Raises  ProfileError for no time of day, and within 5 minutes of midnight
    """
    lows = (2000, 1, 1, 0, 0, 0)
    highs = (2099, 12, 31, 23, 59, 59)
    if len(moment) != 6 or [1 for i in range(6) if not lows[i] <= moment[i] <= highs[i]]:
        raise ProfileError("time", ["year, month, day, hour, minute, second expected, found " + repr(moment)])
    minutes = 60 * moment[3] + moment[4]
    if minutes < 5 or minutes >= 24 * 60 - 5:
        raise ProfileError("time", ["no clock is set within 5 minutes of midnight, when meters freeze registers"])
    data = bytes([moment[i] % 100 // 10 << 4 | moment[i] % 10 for i in (5, 4, 3, 2, 1, 0)])
    return dlt645.frame(dlt645.BROADCAST, dlt645.BROADCAST_TIME, data, wake)


async def send_time(transport: "Transport", moment: "tuple[int, ...]") -> None:
    """Send `broadcast_time` to all DL/T 645 meters of a bus. Whether one has followed, only reading it tells."""
    request = broadcast_time(moment)
    try:
        await transport.transact(request, _never, _SENT_MS)
    except NoAnswer:
        return
