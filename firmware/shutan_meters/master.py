"""Reading one meter over a half-duplex bus: requests in series, two retries, every answer checked.

The transport owns the bus and is told what a whole answer looks like:

    async transact(request, complete, timeout_ms) -> bytes

It throws away what the bus received before, sends `request` (nothing if it is empty: then it only listens), and
collects bytes until `complete(buffer)` gives a number above 0, or `timeout_ms` after the request has gone out. It
returns what it has, noise included, or raises NoAnswer. It keeps at most `LIMIT` bytes and then returns.
"""

from shutan_meters.errors import FrameError, NoAnswer, ProfileError, Refused
from shutan_meters.profile import BY_CT, BY_PT, CJT188, DLT645_1997, MODBUS, Profile
from shutan_wire.quality import BAD, GOOD, STALE

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol, TypeAlias

    from shutan_meters import cjt188, dlt645, modbus

    Reply: TypeAlias = dlt645.Reply | modbus.Reply | cjt188.Reply

    class Transport(Protocol):
        """One bus."""

        async def transact(
            self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int
        ) -> "bytes | bytearray":
            """See the module."""
            ...


LIMIT = 512
RETRIES = 2
MAX_FOLLOW_UPS = 16  # bounds what a meter that always promises more can make us read
_MAX_RATIO = 1_000_000


class Device:
    """One meter on a bus: its latest values and counters.

    values:    one a profile item: int (counter, state, event), float (gauge) or None
    qualities: GOOD, BAD (refused, absent, no number, outside the plausible range) or STALE (not read this time)
    requests, retries, silent, damaged, refused: counts since the start; a retry is counted as a request too
    """

    __slots__ = (
        "_absent", "_ratios", "_unit", "damaged", "profile", "qualities", "refused", "requests", "retries", "silent",
        "values",
    )  # fmt: skip

    def __init__(
        self, profile: Profile, address: "str | int", ct: "Sequence[int]" = (1, 1), pt: "Sequence[int]" = (1, 1)
    ) -> None:
        """See class.

        address: 12 digits (DL/T 645), 1..247 (Modbus) or see `cjt188.unit_bytes`
        ct, pt:  transformer ratios as numerator and denominator, 1..1 000 000 each
        Raises   ProfileError for an address or ratio that cannot be
        """
        self.profile = profile
        self._unit: bytes | int
        if profile.protocol == MODBUS:
            from shutan_meters import modbus

            self._unit = modbus.address_byte(address)
        elif profile.protocol == CJT188:
            from shutan_meters import cjt188

            self._unit = cjt188.unit_bytes(str(address))
        else:
            from shutan_meters import dlt645

            self._unit = dlt645.address_bytes(str(address))
        by_ct = _ratio("ct", ct)
        by_pt = _ratio("pt", pt)
        self._ratios = ((1, 1), by_ct, by_pt, (by_ct[0] * by_pt[0], by_ct[1] * by_pt[1]))
        self.values: list[int | float | None] = [None] * len(profile)
        self.qualities: list[int] = [STALE] * len(profile)
        self._absent = bytearray(len(profile.reads) // 4)
        self.requests = 0
        self.retries = 0
        self.silent = 0
        self.damaged = 0
        self.refused = 0

    def forget(self) -> None:
        """Forget which reads the meter refused; the next read asks for all of them again."""
        for read in range(len(self._absent)):
            self._absent[read] = 0

    async def read(self, transport: "Transport", wanted: "bytes | bytearray | None" = None) -> int:
        """Ask for every read that has a wanted item; results are in `values` and `qualities`.

        wanted:  one byte an item, 0 = not now (its value becomes None, STALE); None = all
        Returns  how many items are GOOD
        Raises   NoAnswer or FrameError if the meter gave no usable answer at all. Where it falls silent on the way,
                 the items not read are None, STALE; refused ones are None, BAD.
        """
        profile = self.profile
        for i in range(len(profile)):
            self.values[i] = None
            self.qualities[i] = STALE
        answered = False
        for read in range(len(self._absent)):
            if not self._is_wanted(read, wanted):
                continue
            try:
                await self._one_read(transport, read)
                answered = True
            except (NoAnswer, FrameError):
                # Each further request would wait its time-outs out as well and hold up the other meters of the bus.
                self.forget()
                if not answered:
                    raise
                break
        return self.qualities.count(GOOD)

    def _is_wanted(self, read: int, wanted: "bytes | bytearray | None") -> bool:
        if wanted is None:
            return True
        in_read = self.profile.in_read
        return any(in_read[i] == read and wanted[i] for i in range(len(in_read)))

    async def _one_read(self, transport: "Transport", read: int) -> None:
        profile = self.profile
        where = profile.reads[4 * read : 4 * read + 4]
        if not self._absent[read]:
            try:
                self._take(read, await self.fetch(transport, where))
            except Refused as refusal:
                self._refuse(read, refusal.code)
            else:
                return
        # Meters without block reads answer the identifiers one by one; a refusal was an answer, so the bus is well.
        for i in range(len(profile)):
            if profile.in_read[i] != read:
                continue
            single = profile.singles[4 * i : 4 * i + 4]
            if not single or single == where:
                self.qualities[i] = BAD
                continue
            try:
                self._set(i, await self.fetch(transport, single), 0)
            except Refused:
                self.refused += 1
                self.qualities[i] = BAD

    def _refuse(self, read: int, code: int) -> None:
        self.refused += 1
        where = self.profile.reads[4 * read : 4 * read + 4]
        block = where[0] & 15 == 15 if self.profile.protocol == DLT645_1997 else b"\xff" in where
        if self.profile.singles and code == 2 and block:
            self._absent[read] = 1  # "no such data" to a block: it will not learn it, ask one by one from now on

    def _take(self, read: int, data: "bytes | bytearray") -> None:
        profile = self.profile
        for i in range(len(profile)):
            if profile.in_read[i] == read:
                self._set(i, data, profile.at[i])

    def _set(self, i: int, data: "bytes | bytearray", at: int) -> None:
        profile = self.profile
        value = profile.value(i, data, at, self._ratios[profile.flags[i] & (BY_CT | BY_PT)])
        self.values[i] = value
        self.qualities[i] = BAD if value is None else GOOD

    def ratio(self, flags: int) -> "tuple[int, int]":
        """Numerator and denominator by which an item is multiplied. flags: BY_CT and BY_PT of the item."""
        return self._ratios[flags]

    async def fetch(self, transport: "Transport", where: bytes) -> bytes:
        """Data behind the identifier of one read, follow-up frames included.

        where:  4 bytes as in `Profile.reads`
        Raises  NoAnswer, FrameError, Refused
        """
        unit = self._unit
        if isinstance(unit, int):
            return await self._fetch_registers(transport, unit, where)
        if self.profile.protocol == CJT188:
            from shutan_meters import cjt188

            asked = cjt188.reply_to(unit, where)
            return asked.payload(await self._exchange(transport, cjt188.read_request(unit, where), asked, False))
        from shutan_meters import dlt645

        if self.profile.protocol == DLT645_1997:
            return await self._fetch_1997(transport, unit, where[:2])
        reply = dlt645.Reply(unit, dlt645.READ, where)
        buffer = await self._exchange(transport, dlt645.read_request(unit, where), reply, False)
        data = reply.payload(buffer)
        sequence = 0
        while reply.more(buffer):
            sequence += 1
            if sequence > MAX_FOLLOW_UPS:
                raise FrameError("reply", "more than " + str(MAX_FOLLOW_UPS) + " follow-up frames")
            reply = dlt645.Reply(unit, dlt645.READ_FOLLOW_UP, where, sequence)
            request = dlt645.follow_up_request(unit, where, sequence)
            buffer = await self._exchange(transport, request, reply, False)
            data += reply.payload(buffer)
        return data

    async def _fetch_1997(self, transport: "Transport", unit: bytes, di: bytes) -> bytes:
        """As `fetch`. This edition does not number follow-up frames: after a lost one the whole answer is read anew."""
        from shutan_meters import dlt645

        failure: NoAnswer | FrameError = FrameError("reply", "not asked")
        for _ in range(RETRIES + 1):
            reply = dlt645.Reply(unit, dlt645.READ_1997, di)
            request = dlt645.frame(unit, dlt645.READ_1997, di, 4)
            buffer = await self._exchange(transport, request, reply, False)
            data = reply.payload(buffer)
            follow_ups = 0
            try:
                while reply.more(buffer) and follow_ups < MAX_FOLLOW_UPS:
                    follow_ups += 1
                    reply = dlt645.Reply(unit, dlt645.READ_FOLLOW_UP_1997, di)
                    request = dlt645.frame(unit, dlt645.READ_FOLLOW_UP_1997, di, 4)
                    buffer = await self._exchange(transport, request, reply, False, 1)
                    data += reply.payload(buffer)
            except (NoAnswer, FrameError) as error:
                failure = error
                continue
            if reply.more(buffer):
                raise FrameError("reply", "more than " + str(MAX_FOLLOW_UPS) + " follow-up frames")
            return data
        raise failure

    async def _fetch_registers(self, transport: "Transport", unit: int, where: bytes) -> bytes:
        from shutan_meters import modbus

        reply = modbus.Reply(unit, where[0], where[3])
        request = modbus.read_request(unit, where[0], where[1] << 8 | where[2], where[3])
        return reply.payload(await self._exchange(transport, request, reply, True))

    async def _exchange(
        self,
        transport: "Transport",
        request: bytes,
        reply: "dlt645.Reply | modbus.Reply | cjt188.Reply",
        unmarked: bool,
        tries: int = RETRIES + 1,
    ) -> "bytes | bytearray":
        """One request and its answer, with retries.

        unmarked: the protocol's replies do not say what they answer (Modbus). Then, after a retry, the line is
                  listened to for one more time-out: the late answer to the first try must not pass as the answer to
                  the next request of the same length.
        """
        failure: NoAnswer | FrameError = NoAnswer("bus", "not asked")
        for attempt in range(tries):
            self.requests += 1
            if attempt:
                self.retries += 1
            try:
                buffer = await transport.transact(request, reply, self.profile.timeout_ms)
            except NoAnswer as error:
                self.silent += 1
                failure = error
                continue
            if reply(buffer):
                if attempt and unmarked:
                    await self._listen(transport)
                    reply(buffer)
                return buffer
            self.damaged += 1
            failure = FrameError("reply", "no undamaged answer in " + str(len(buffer)) + " bytes")
        raise failure

    async def _listen(self, transport: "Transport") -> None:
        try:
            await transport.transact(b"", _never, self.profile.timeout_ms)
        except NoAnswer:
            return


def _never(buffer: "bytes | bytearray") -> int:  # noqa: ARG001 - the signature of `complete`
    return 0


def _ratio(name: str, pair: "Sequence[object]") -> "tuple[int, int]":
    # From a configuration file it may be anything; a float here would reach the counters.
    if isinstance(pair, (list, tuple)) and len(pair) == 2:
        num, den = pair
        if isinstance(num, int) and isinstance(den, int) and 1 <= num <= _MAX_RATIO and 1 <= den <= _MAX_RATIO:
            return num, den
    raise ProfileError(name, ["two integers in 1.." + str(_MAX_RATIO) + " expected, found " + repr(pair)])


async def read_device(
    transport: "Transport",
    profile: Profile,
    address: "str | int",
    ct: "Sequence[int]" = (1, 1),
    pt: "Sequence[int]" = (1, 1),
) -> "list[tuple[str, int | float | None, int]]":
    """Read a meter once: (metric name, value, quality) an item; errors as `Device.read`.

    For regular reading keep a `Device`: it remembers what the meter refuses and counts.
    """
    device = Device(profile, address, ct, pt)
    await device.read(transport)
    return [(profile.metric(i), device.values[i], device.qualities[i]) for i in range(len(profile))]
