"""Daily freezes (日冻结) of DL/T 645-2007 meters: the registers as they stood when a day began, up to 62 days back.

050600NN tells when freeze NN was taken; 050601NN and 050602NN are the blocks of forward and reverse active energy,
total and tariffs. NN = 1 is the newest. What a gateway lost with its disk is filled from them.
"""

from shutan_meters.errors import Refused
from shutan_meters.profile import BY_CT, BY_PT, DLT645
from shutan_meters.values import bcd

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_meters.master import Device, Transport

DAYS = 62
_STEP = 4  # bytes of one register in a block


def supported(device: "Device") -> bool:
    """Whether the device's protocol has daily freezes."""
    return device.profile.protocol == DLT645


async def read_daily_freeze(
    device: "Device", transport: "Transport", back: int
) -> "tuple[tuple[int, int, int, int, int], list[tuple[int, int]]] | None":
    """One daily freeze.

    back:    1 is the newest, 62 the oldest
    Returns  (year, month, day, hour, minute) of the meter's own clock, and (profile item, value in the catalogue's
             step) for each active-energy item of the profile; None where the meter has no such freeze
    Raises   NoAnswer, FrameError; Refused where the meter keeps no freezes
    """
    taken = await device.fetch(transport, bytes((back, 0, 6, 5)))
    fields = [bcd(taken, i, 1, False) if i < len(taken) else None for i in range(5)]
    minute, hour, day, month, year = fields
    if minute is None or hour is None or not day or not month or year is None:
        return None
    profile = device.profile
    found: list[tuple[int, int]] = []
    for direction in (1, 2):
        items = [i for i in range(len(profile)) if _tariff(profile.singles, i, direction) >= 0]
        if not items:
            continue
        try:
            block = await device.fetch(transport, bytes((back, direction, 6, 5)))
        except Refused:
            continue  # a meter that keeps no reverse block still has the forward one
        for i in items:
            at = _STEP * _tariff(profile.singles, i, direction)
            value = profile.value(i, block, at, device.ratio(profile.flags[i] & (BY_CT | BY_PT)))
            if isinstance(value, int):
                found.append((i, value))
    return (2000 + year, month, day, hour, minute), found


def _tariff(singles: bytes, i: int, direction: int) -> int:
    """Tariff (0: total) of an item that is present active energy of this direction, -1 for any other item."""
    single = singles[4 * i : 4 * i + 4]
    return single[1] if len(single) == 4 and single[0] == 0 and single[2] == direction and single[3] == 0 else -1
