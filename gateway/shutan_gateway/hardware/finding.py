"""What the checker says: one line that names board, place, rule, what is wrong and what to do."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Finding"]


class Finding(NamedTuple):
    """One mistake of a board. place: a pin with its signal, a part, a rail or a bus."""

    board: str
    place: str
    rule: str
    what: str
    remedy: str

    def line(self) -> str:
        """The finding as one line for a person."""
        return f"{self.board}: {self.place}: {self.rule}: {self.what}; {self.remedy}"
