"""Find the items that a batch call refuses, by halves, when its answer does not say which they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["isolate"]

T = TypeVar("T")


def isolate(items: Sequence[T], reason: str, attempt: Callable[[Sequence[T]], str | None]) -> list[tuple[T, str]]:
    """The refused items with their reasons, in order; all the others were accepted by `attempt`.

    items: refused together, with `reason`, so that at least one of them is bad. attempt: None when a part was accepted,
    else why not; repeating an accepted item must change nothing, since a store may take the good ones of a bad part.

    An item is called bad only after it was refused alone. Requests for one bad item of n, with the one that failed
    before: at most 2 * log2(n) + 1. The left part is the smaller one and is sent first; when it is accepted, the right
    part must be bad and is not sent as a whole.
    """
    bad: list[tuple[T, str]] = []
    # Parts that hold a bad item, leftmost last, so that the result comes out in order: (part, reason, sent as it is).
    known: list[tuple[Sequence[T], str, bool]] = [(items, reason, True)]
    while known:
        part, why, sent = known.pop()
        if len(part) == 1:
            verdict = why if sent else attempt(part)
            if verdict is not None:
                bad.append((part[0], verdict))
            continue
        left, right = part[: len(part) // 2], part[len(part) // 2 :]
        left_why = attempt(left)
        if left_why is None:
            known.append((right, why, False))
            continue
        right_why = attempt(right)
        if right_why is not None:
            known.append((right, right_why, True))
        known.append((left, left_why, True))
    return bad
