"""Modbus RTU frames for reading registers: builders and a noise-proof finder. No input or output here.

    request   address  03|04  start(2)  count(2)  CRC(2)
    reply     address  03|04  bytes     data      CRC(2)
    refusal   address  83|84  code                CRC(2)

Registers are big-endian; CRC-16 (polynomial A001, start FFFF) is sent low byte first. RTU frames end with silence on
the line; here the request tells how long its reply is, so that bytes may come in any portions and among noise.
"""

from shutan_meters.errors import FrameError, ProfileError, Refused

READ_HOLDING = 3
READ_INPUT = 4
MAX_REGISTERS = 125
LIMIT = 512  # bytes a receiver needs to keep: one longest frame and as much noise
ANY = 0xF8  # PZEM modules answer it whatever their own address is

# CRC of the sixteen half bytes: 16 numbers instead of 256 keep the heap small.
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(data: "bytes | bytearray", start: int, end: int) -> int:
    """CRC-16/Modbus over data[start:end]."""
    crc = 0xFFFF
    for i in range(start, end):
        byte = data[i]
        crc = crc >> 4 ^ _CRC[(crc ^ byte) & 15]
        crc = crc >> 4 ^ _CRC[(crc ^ byte >> 4) & 15]
    return crc


def sealed(data: "bytes | bytearray", start: int, end: int) -> bool:
    """Whether data[start:end] closes with its own CRC."""
    return crc16(data, start, end - 2) == data[end - 2] | data[end - 1] << 8


def address_byte(address: "int | str") -> int:
    """Unit address 1..247, or 248 for a lone PZEM; from a number or its decimal text.

    Raises  ProfileError for anything else
    """
    text = str(address)
    unit = int(text) if text.isdigit() and len(text) <= 3 else 0
    if isinstance(address, bool) or not 1 <= unit <= ANY:
        raise ProfileError("address", ["1..247 expected, found " + repr(address)])
    return unit


def read_request(address: int, function: int, start: int, count: int) -> bytes:
    """Read `count` registers (1..125) from `start`, 0-based as on the wire. function: 3 holding, 4 input."""
    body = bytearray(8)
    body[0] = address
    body[1] = function
    body[2] = start >> 8
    body[3] = start & 0xFF
    body[5] = count
    crc = crc16(body, 0, 6)
    body[6] = crc & 0xFF
    body[7] = crc >> 8
    return bytes(body)


class Reply:
    """What one read waits for; called with the bytes received so far, it says whether the reply is in.

    address, function, count: of the request; the reply repeats the first two and has 2 * count data bytes
    """

    def __init__(self, address: int, function: int, count: int) -> None:
        self.address = address
        self.function = function
        self.size = 2 * count
        self.begin = -1

    def __call__(self, buffer: "bytes | bytearray") -> int:
        """End index of the first frame that answers the request, 0 while there is none."""
        last = len(buffer) - 5
        head = bytes((self.address,))
        i = buffer.find(head)
        while 0 <= i <= last:
            end = 0
            if buffer[i + 1] == self.function and buffer[i + 2] == self.size:
                end = i + 5 + self.size
            elif buffer[i + 1] == self.function | 0x80:
                end = i + 5
            if 0 < end <= len(buffer) and sealed(buffer, i, end):
                self.begin = i
                return end
            i = buffer.find(head, i + 1)
        self.begin = -1
        return 0

    def payload(self, buffer: "bytes | bytearray") -> bytes:
        """The registers, 2 bytes each, high byte first.

        Raises  FrameError if the buffer holds no reply, Refused if the meter answered with an exception
        """
        if not self(buffer):
            raise FrameError("reply", "no undamaged answer in " + str(len(buffer)) + " bytes")
        data = bytes(buffer[self.begin + 3 : self.begin + 3 + self.size])
        if buffer[self.begin + 1] & 0x80:
            code = buffer[self.begin + 2]
            raise Refused("unit " + str(self.address), "exception %02X" % code, code)
        return data
