"""Finding a meter: what a technician needs once and a node never."""

from shutan_meters import dlt645
from shutan_meters.errors import FrameError

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_meters.master import Transport


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
