"""DL/T 645-2007 (多功能电能表通信协议) frames: builders and a noise-proof finder. No input or output here.

    68  A0..A5  68  C  L  DATA (each byte +33H)  CS  16

A0..A5 is the address in BCD, low byte first; CS is the sum of all bytes from the first 68, mod 256. 68 and 16 occur
inside address and data too, so a frame is found by its length field and proved by CS; nothing ever searches for 16.
DL/T 645-1997 uses the same frame with other control codes and 2-byte data identifiers.
"""

from shutan_meters.errors import FrameError, ProfileError, Refused

START = 0x68
END = 0x16
OFFSET = 0x33
OVERHEAD = 12  # every byte of a frame that is not DATA
MAX_DATA = 200  # longest DATA of a read (clause 5.2.5)
LIMIT = 512  # bytes a receiver needs to keep: one longest frame and as much noise

READ = 0x11
READ_FOLLOW_UP = 0x12
READ_ADDRESS = 0x13
READ_1997 = 0x01
READ_FOLLOW_UP_1997 = 0x02
BROADCAST_TIME = 0x08  # both editions
MORE = 0x20  # reply: a follow-up frame exists
ERROR = 0x40
REPLY = 0x80

WILDCARD = b"\xaa\xaa\xaa\xaa\xaa\xaa"
BROADCAST = b"\x99\x99\x99\x99\x99\x99"
NO_SUCH_DATA = 0x02  # bit 1 of the error byte


def address_bytes(text: str) -> bytes:
    """Wire form of an address: 6 bytes, low byte first.

    text:   12 digits as on the meter's label, leading zeros kept; `AA` in the high places is the wildcard
            (shortened addressing), so `AAAAAAAAAAAA` is any meter
    Raises  ProfileError for anything else, and for the broadcast address, which nobody answers
    """
    rest = text.upper().lstrip("A")
    if len(text) != 12 or len(rest) % 2 or [char for char in rest if char not in "0123456789"]:
        raise ProfileError("address", ["12 digits expected (AA in high places as wildcard), found " + repr(text)])
    address = bytes([int(text[i : i + 2], 16) for i in range(10, -1, -2)])
    if address == BROADCAST:
        raise ProfileError("address", ["999999999999 is the broadcast address, which no meter answers"])
    return address


def address_text(address: "bytes | bytearray") -> str:
    """The 12 digits of a wire address."""
    return "".join(["%02X" % address[i] for i in range(5, -1, -1)])


def frame(address: bytes, control: int, data: bytes = b"", wake: int = 0) -> bytes:
    """One frame.

    address: 6 bytes as on the wire
    data:    before the +33H offset, at most 200 bytes
    wake:    leading FE bytes, which wake sleeping meters (clause 6: 1 to 4)
    """
    body = bytearray(wake + OVERHEAD + len(data))
    for i in range(wake):
        body[i] = 0xFE
    body[wake] = body[wake + 7] = START
    body[wake + 1 : wake + 7] = address
    body[wake + 8] = control
    body[wake + 9] = len(data)
    i = wake + 10
    for byte in data:
        body[i] = (byte + OFFSET) & 0xFF
        i += 1
    body[i] = sum(memoryview(body)[wake:i]) & 0xFF
    body[i + 1] = END
    return bytes(body)


def read_request(address: bytes, di: bytes, wake: int = 4) -> bytes:
    """Read data, control 11. di: 4 wire bytes; an FF byte in it reads a block."""
    return frame(address, READ, di, wake)


def follow_up_request(address: bytes, di: bytes, sequence: int, wake: int = 4) -> bytes:
    """Read follow-up data, control 12. sequence: 1.. for the first, second, ... follow-up frame."""
    return frame(address, READ_FOLLOW_UP, di + bytes((sequence,)), wake)


def find(buffer: "bytes | bytearray", start: int = 0) -> int:
    """Index of the first undamaged frame at or after `start`; -1 if there is none (yet).

    A frame is: 68 twice, a length that fits, a right CS and the closing 16. Anything else, also a cut frame or noise
    that begins like one, is stepped over byte by byte. The frame's end is `i + OVERHEAD + buffer[i + 9]`.
    """
    last = len(buffer) - OVERHEAD
    i = buffer.find(b"\x68", start)
    while 0 <= i <= last:
        length = buffer[i + 9]
        end = i + 10 + length
        if (
            buffer[i + 7] == START
            and length <= MAX_DATA
            and i + length <= last
            and buffer[end + 1] == END
            and sum(memoryview(buffer)[i:end]) & 0xFF == buffer[end]
        ):
            return i
        i = buffer.find(b"\x68", i + 1)
    return -1


def data_of(buffer: "bytes | bytearray", begin: int) -> bytes:
    """DATA of the frame at `begin`, with the +33H taken off."""
    return bytes([(byte - OFFSET) & 0xFF for byte in buffer[begin + 10 : begin + 10 + buffer[begin + 9]]])


class Reply:
    """What one request waits for; called with the bytes received so far, it says whether the reply is in.

    address: as asked, wildcards included
    control: of the request (READ, READ_FOLLOW_UP, READ_ADDRESS)
    echo:    the data identifier, which a normal reply repeats in front of its data
    sequence: of a follow-up request, repeated as the last byte of the data; 0 = none
    """

    def __init__(self, address: bytes, control: int, echo: bytes = b"", sequence: int = 0) -> None:
        self.address = address
        self.control = control
        self.echo = echo
        self.sequence = sequence
        self.begin = -1

    def __call__(self, buffer: "bytes | bytearray") -> int:
        """End index of the first frame that answers the request, 0 while there is none."""
        i = find(buffer)
        while i >= 0:
            if self._answers(buffer, i):
                self.begin = i
                return i + OVERHEAD + buffer[i + 9]
            i = find(buffer, i + 1)
        self.begin = -1
        return 0

    def _answers(self, buffer: "bytes | bytearray", begin: int) -> bool:
        control = buffer[begin + 8]
        length = buffer[begin + 9]
        if control & ~(MORE | ERROR) != self.control | REPLY:
            return False
        for i in range(6):
            if self.address[i] != 0xAA and self.address[i] != buffer[begin + 1 + i]:
                return False
        if control & ERROR:
            return length >= 1
        if length < len(self.echo) + (self.sequence > 0):
            return False
        for i, byte in enumerate(self.echo):
            if (byte + OFFSET) & 0xFF != buffer[begin + 10 + i]:
                return False
        return not self.sequence or (self.sequence + OFFSET) & 0xFF == buffer[begin + 9 + length]

    def more(self, buffer: "bytes | bytearray") -> bool:
        """Whether a follow-up frame exists."""
        return buffer[self.begin + 8] & (MORE | ERROR) == MORE

    def payload(self, buffer: "bytes | bytearray") -> bytes:
        """Data behind the identifier, without offset and sequence byte.

        Raises  FrameError if the buffer holds no reply, Refused if the meter answered with an error byte
        """
        if not self(buffer):
            raise FrameError("reply", "no undamaged answer in " + str(len(buffer)) + " bytes")
        data = data_of(buffer, self.begin)
        if buffer[self.begin + 8] & ERROR:
            # The standard has one byte here; makers that repeat the identifier put the error byte last.
            raise Refused("meter " + address_text(self.address), "error byte %02X" % data[-1], data[-1])
        return data[len(self.echo) : len(data) - (self.sequence > 0)]
