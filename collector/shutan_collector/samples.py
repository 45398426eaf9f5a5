"""What a series store gives and a register is judged by: the readings of one counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Samples"]


@dataclass(frozen=True, slots=True)
class Samples:
    """Readings of one counter as a store returned them: parallel columns, UTC nanoseconds and steps.

    bad_quality   readings that the store holds with a quality other than good, left out here, count
    """

    times_ns: Sequence[int] = ()
    values: Sequence[int] = ()
    bad_quality: int = 0
