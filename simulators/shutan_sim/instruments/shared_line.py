"""What several DL/T 645 meters on one pair of wires have in common: who is meant, and what two at once make of it."""

from collections.abc import Sequence

_WILD = 0xAA


def overlaid(answers: Sequence[bytes]) -> list[bytes]:
    """What a line carries when several meters answer at once: where one drives it low it is low."""
    if len(answers) < 2:
        return list(answers)
    mixed = bytearray(b"\xff" * max(map(len, answers)))
    for one in answers:
        for at, byte in enumerate(one):
            mixed[at] &= byte
    return [bytes(mixed)]


def meant(asked: bytes, wire: bytes) -> bool:
    """Whether an address field means this meter: AA in its high bytes stands for any digits (缩位寻址)."""
    known = asked.rstrip(bytes([_WILD]))
    return wire.startswith(known)
