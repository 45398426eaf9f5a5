"""Cumulative registers of devices that forget: their content goes on where it was, never back, nothing twice.

repaired = offset + raw. A raw content below the last one is believed only when the device goes on from there:

| what comes | what it is taken for | answer |
|---|---|---|
| up to 2 steps or a millionth below the last | rounding | the last content stands |
| another step back, once | an older value sent again, a wrong reading | it stands until the next |
| then growth from there, or 3 readings there | the device lost its count | offset grows: `reset`, `rewrite` |
| then the last content or more | it was a wrong reading | as if it had not been |
| after that, in one leap, the old register up to + 1/10 | it has its count back | offset as before: `restored` |
| a sample time before the newest one | late or sent again | the content of then, nothing changes |

`reset`: the register fell below a tenth and counts from zero, so what it shows was used since: offset = last repaired.
`rewrite`: it fell back to an older content (saved by the day or the hour): offset = last repaired - where it fell to;
what it showed between the two is counted once. Everything is exact (Fraction); steps are cut off at the very end.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import NamedTuple

__all__ = ["Register", "Step", "advance", "from_text", "to_text"]

_JITTER_STEPS = 2
_JITTER_PART = 1_000_000
_RECENT = 32  # samples whose content is remembered: more than can be on their way unacknowledged
_WAIT = 3
_ZERO_PART = 10


class Seen(NamedTuple):
    """One sample: UTC ms, raw and repaired content."""

    t_ms: int
    raw: Fraction
    repaired: Fraction


class Register(NamedTuple):
    """What is known of one register; all contents in steps.

    repaired = offset + raw, raw being the highest of this life; suspect: content that it may have fallen to, seen
    `waited` times; before: (offset, raw) of the life before the last reset; recent: newest samples by time.
    """

    offset: Fraction
    raw: Fraction
    suspect: Fraction | None
    waited: int
    before: tuple[Fraction, Fraction] | None
    recent: tuple[Seen, ...]


class Step(NamedTuple):
    """Answer to one sample: state afterwards, repaired content, what happened ("" = nothing)."""

    register: Register
    repaired: Fraction
    event: str


def advance(register: Register | None, raw: Fraction, t_ms: int) -> Step:
    """Take one sample: raw content in steps (not negative) at a UTC ms."""
    if register is None:
        return Step(Register(Fraction(0), raw, None, 0, None, (Seen(t_ms, raw, raw),)), raw, "")
    if t_ms <= register.recent[-1].t_ms:
        return Step(register, _late(register, raw, t_ms), "")
    if raw >= register.raw:
        after, event = _forward(register, raw)
    else:
        after, event = _back(register, raw)
    repaired = after.offset + after.raw
    seen = (*register.recent, Seen(t_ms, raw, repaired))[-_RECENT:]
    return Step(after._replace(recent=seen), repaired, event)


def _forward(register: Register, raw: Fraction) -> tuple[Register, str]:
    plain = register._replace(raw=raw, suspect=None, waited=0)
    if register.before is None:
        return plain, ""
    offset, top = register.before
    # One leap back to the old register: it was not lost, only not shown for a while.
    if not (top <= raw <= top * 11 / 10 and (raw - register.raw) * 2 >= top > 0):
        return plain, ""
    offset = max(offset, register.offset + register.raw - raw)  # never below what was shown already
    return plain._replace(offset=offset, before=None), "restored"


def _back(register: Register, raw: Fraction) -> tuple[Register, str]:
    suspect = register.suspect
    if suspect is None:
        if register.raw - raw <= max(Fraction(_JITTER_STEPS), register.raw / _JITTER_PART):
            return register, ""
        return register._replace(suspect=raw, waited=1), ""
    if raw < suspect:
        return register._replace(suspect=raw, waited=1), ""
    waited = register.waited + 1
    if raw == suspect and waited < _WAIT:
        return register._replace(waited=waited), ""
    shown = register.offset + register.raw
    from_zero = suspect * _ZERO_PART <= register.raw
    offset = shown if from_zero else shown - suspect
    life = (register.offset, register.raw)
    return Register(offset, raw, None, 0, life, register.recent), "reset" if from_zero else "rewrite"


def _late(register: Register, raw: Fraction, t_ms: int) -> Fraction:
    """Content at a time that is not the newest: what was answered then, else between its neighbours."""
    before = after = None
    for seen in register.recent:
        if seen.t_ms == t_ms and seen.raw == raw:
            return seen.repaired
        if seen.t_ms <= t_ms:
            before = seen
        elif after is None:
            after = seen
    near = after if after is not None and raw <= after.raw else before or register.recent[0]
    content = raw + near.repaired - near.raw
    if after is not None:
        content = min(content, after.repaired)
    return max(content, before.repaired if before is not None else Fraction(0))


def to_text(register: Register) -> str:
    """For the state file; `from_text` gives the same back."""
    seen = [[one.t_ms, str(one.raw), str(one.repaired)] for one in register.recent]
    before = None if register.before is None else [str(part) for part in register.before]
    suspect = None if register.suspect is None else str(register.suspect)
    fields = [str(register.offset), str(register.raw), suspect, register.waited, before, seen]
    return json.dumps(fields, separators=(",", ":"))


def from_text(text: str) -> Register:
    """Raises ValueError, TypeError or KeyError for a text that `to_text` did not write."""
    offset, raw, suspect, waited, before, seen = json.loads(text)
    recent = tuple(Seen(int(t_ms), Fraction(one), Fraction(other)) for t_ms, one, other in seen)
    if not recent:
        raise ValueError("no samples")
    life = None if before is None else (Fraction(before[0]), Fraction(before[1]))
    low = None if suspect is None else Fraction(suspect)
    return Register(Fraction(offset), Fraction(raw), low, int(waited), life, recent)
