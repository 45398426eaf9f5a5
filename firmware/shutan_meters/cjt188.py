"""CJ/T 188-2004 (户用计量仪表数据传输技术条件) frames of water, heat, gas and electricity meters.

    68  T  A0..A6  C  L  DATA  CS  16

T is the meter's type, A0..A6 its address in BCD, low byte first; DATA has no offset; CS is the sum of all bytes from
68, mod 256. DATA of a read is DI DI SER. Makers differ in the order of the two DI bytes ("90 1F" and "1F 90"): a
request goes out in the order that is configured, an answer is taken in both. SER is sent as 0 and not compared, since
address and DI already say what an answer belongs to and not every meter echoes it. No input or output here.
"""

from shutan_meters.errors import FrameError, ProfileError, Refused

START = 0x68
END = 0x16
OVERHEAD = 13  # every byte of a frame that is not DATA
MAX_DATA = 100
HEAD = 3  # DI and SER in front of the values

READ = 0x01
READ_ADDRESS = 0x03
ERROR = 0x40
REPLY = 0x80
ANY_TYPE = 0xAA
WILDCARD = b"\xaa" * 7
ADDRESS_DI = b"\x81\x0a"

TYPES = {
    0x10: "cold water", 0x11: "hot water", 0x12: "drinking water", 0x13: "reclaimed water", 0x20: "heat",
    0x21: "cooling", 0x30: "gas", 0x40: "electricity",
}  # fmt: skip

# What a unit byte measures, as (quantity, integer factor to J, W, L or L/h).
ENERGY = 0
POWER = 1
VOLUME = 2
FLOW = 3
_FACTORS = {
    0x01: (ENERGY, 1), 0x02: (ENERGY, 3600), 0x05: (ENERGY, 3600000), 0x08: (ENERGY, 3600000000),
    0x0A: (ENERGY, 360000000000), 0x0B: (ENERGY, 1000), 0x0E: (ENERGY, 1000000), 0x11: (ENERGY, 1000000000),
    0x13: (ENERGY, 100000000000), 0x14: (POWER, 1), 0x17: (POWER, 1000), 0x1A: (POWER, 1000000),
    0x29: (VOLUME, 1), 0x2C: (VOLUME, 1000), 0x32: (FLOW, 1), 0x35: (FLOW, 1000),
}  # fmt: skip


def factor(code: int, quantity: int) -> int:
    """How many J, W, L or L/h one of a unit byte is; 0 for an unknown unit or one of another quantity."""
    found = _FACTORS.get(code)
    return found[1] if found and found[0] == quantity else 0


def address_bytes(text: str) -> bytes:
    """Wire form of an address: 7 bytes, low byte first.

    text:   14 digits as on the meter's label, leading zeros kept; AA for any byte is the wildcard
    Raises  ProfileError for anything else
    """
    pairs = [text[i : i + 2].upper() for i in range(0, len(text), 2)]
    wrong = [pair for pair in pairs if pair != "AA" and (len(pair) != 2 or not pair.isdigit())]
    if len(text) != 14 or wrong:
        raise ProfileError("address", ["14 digits expected (AA as wildcard byte), found " + repr(text)])
    return bytes([int(pair, 16) for pair in reversed(pairs)])


def address_text(address: "bytes | bytearray") -> str:
    """The 14 digits of a wire address."""
    return "".join(["%02X" % address[i] for i in range(6, -1, -1)])


def unit_bytes(text: str) -> bytes:
    """A meter as its configuration names it: type (0: the profile's), 1 for DI low byte first, 7 address bytes.

    text:   `14 digits`, with `TT:` in front for another type than the profile's and `1F90:` in front of the digits
            for a meter that wants the low DI byte first, such as `11:1F90:00000805000001`
    Raises  ProfileError
    """
    parts = text.split(":")
    kind = 0
    swapped = 0
    for part in parts[:-1]:
        if part.upper() in ("901F", "1F90"):
            swapped = int(part.upper() == "1F90")
        elif len(part) == 2 and part.isdigit() and int(part, 16) in TYPES:
            kind = int(part, 16)
        else:
            raise ProfileError("address", ["a meter type (10, 11, ...) or 901F or 1F90 expected, found " + repr(part)])
    return bytes((kind, swapped)) + address_bytes(parts[-1])


def frame(kind: int, address: bytes, control: int, data: bytes = b"", wake: int = 0) -> bytes:
    """One frame. address: 7 bytes as on the wire; wake: leading FE bytes, which wake sleeping meters."""
    body = bytearray(wake + OVERHEAD + len(data))
    for i in range(wake):
        body[i] = 0xFE
    body[wake] = START
    body[wake + 1] = kind
    body[wake + 2 : wake + 9] = address
    body[wake + 9] = control
    body[wake + 10] = len(data)
    end = wake + 11 + len(data)
    body[wake + 11 : end] = data
    body[end] = sum(memoryview(body)[wake:end]) & 0xFF
    body[end + 1] = END
    return bytes(body)


def read_request(unit: bytes, where: bytes, sequence: int = 0, wake: int = 4) -> bytes:
    """Read data, control 01. unit: see `unit_bytes`; where: type, DI high, DI low (and a byte to spare)."""
    di = bytes((where[2], where[1])) if unit[1] else bytes((where[1], where[2]))
    return frame(unit[0] or where[0], unit[2:], READ, di + bytes((sequence,)), wake)


def read_address_request(kind: int = ANY_TYPE, wake: int = 4) -> bytes:
    """Read address, control 03; only with a single meter on the bus."""
    return frame(kind, WILDCARD, READ_ADDRESS, ADDRESS_DI + b"\x00", wake)


def find(buffer: "bytes | bytearray", start: int = 0) -> int:
    """Index of the first undamaged frame at or after `start`, -1 if there is none; see `dlt645.find`."""
    last = len(buffer) - OVERHEAD
    i = buffer.find(b"\x68", start)
    while 0 <= i <= last:
        length = buffer[i + 10]
        end = i + 11 + length
        if (
            length <= MAX_DATA
            and buffer[i + 1] in TYPES
            and i + length <= last
            and buffer[end + 1] == END
            and sum(memoryview(buffer)[i:end]) & 0xFF == buffer[end]
        ):
            return i
        i = buffer.find(b"\x68", i + 1)
    return -1


class Reply:
    """What one request waits for; called with the bytes received so far, it says whether the reply is in.

    kind:    type asked for, AA for any;  address: 7 bytes as asked, wildcards included
    control: of the request (READ, READ_ADDRESS);  di: two bytes, repeated by a normal reply in either order
    """

    def __init__(self, kind: int, address: bytes, control: int, di: bytes) -> None:
        self.kind = kind
        self.address = address
        self.control = control
        self.di = di
        self.begin = -1

    def __call__(self, buffer: "bytes | bytearray") -> int:
        """End index of the first frame that answers the request, 0 while there is none."""
        i = find(buffer)
        while i >= 0:
            if self._answers(buffer, i):
                self.begin = i
                return i + OVERHEAD + buffer[i + 10]
            i = find(buffer, i + 1)
        self.begin = -1
        return 0

    def _answers(self, buffer: "bytes | bytearray", begin: int) -> bool:
        control = buffer[begin + 9]
        if control & ~ERROR != self.control | REPLY or self.kind not in (ANY_TYPE, buffer[begin + 1]):
            return False
        for i in range(7):
            if self.address[i] != 0xAA and self.address[i] != buffer[begin + 2 + i]:
                return False
        if control & ERROR:
            return True
        first = buffer[begin + 11]
        second = buffer[begin + 12]
        high = self.di[0]
        low = self.di[1]
        named = (first == high and second == low) or (first == low and second == high)
        return buffer[begin + 10] >= HEAD and named

    def payload(self, buffer: "bytes | bytearray") -> bytes:
        """Data behind DI and SER.

        Raises  FrameError if the buffer holds no reply, Refused if the meter answered with an error (its code: the
                first status byte)
        """
        if not self(buffer):
            raise FrameError("reply", "no undamaged answer in " + str(len(buffer)) + " bytes")
        begin = self.begin + 11
        data = bytes(buffer[begin : begin + buffer[begin - 1]])
        if buffer[begin - 2] & ERROR:
            status = data[1] if len(data) > 1 else 0
            raise Refused("meter " + address_text(self.address), "error, status %02X" % status, status)
        return data[HEAD:]


def reply_to(unit: bytes, where: bytes) -> Reply:
    """What `read_request` with the same arguments waits for."""
    return Reply(unit[0] or where[0], unit[2:], READ, where[1:3])
