"""How long to wait before a failed call is tried again."""

from __future__ import annotations

import random

__all__ = ["Backoff"]


class Backoff:
    """Doubling waits with jitter, so that gateways that lost the same store do not come back in step.

    first_s: upper end of the first wait; cap_s: upper end of the longest; longest_wish_s: how much of a Retry-After is
    believed, since a broken server may ask for a year.
    """

    def __init__(
        self,
        *,
        first_s: float = 0.5,
        cap_s: float = 60.0,
        longest_wish_s: float = 900.0,
        rng: random.Random | None = None,
    ) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._longest_wish_s = longest_wish_s
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards no secret
        self._failures = 0

    def next_s(self, wish_s: float | None = None) -> float:
        """The next wait: at least `wish_s` (the other side's Retry-After, 0 or more), else half to all of the step."""
        step = min(self._cap_s, self._first_s * 2 ** min(self._failures, 30))
        self._failures += 1
        if wish_s is not None:
            # Jitter only above the wish: to come early would be refused again.
            return min(wish_s, self._longest_wish_s) + self._rng.uniform(0, self._first_s)
        return self._rng.uniform(step / 2, step)

    def reset(self) -> None:
        """The call succeeded: start again with the first wait."""
        self._failures = 0
