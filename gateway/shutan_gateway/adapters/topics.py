"""Topic patterns with named levels: `plant/{line}/{device}/json`; `+` is a level that says nothing."""

from __future__ import annotations

import re

__all__ = ["Pattern", "matches"]

_NAMED = re.compile(r"\{([a-z_]{1,32})\}")
_PLAIN = re.compile(r"[^+#{}\0]*")


class Pattern:
    """A parsed pattern. Raises ValueError with what is accepted."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._levels: list[tuple[str, str]] = []  # (name, "") of a named level or ("", text) of a plain one
        self.names: list[str] = []
        for level in text.split("/"):
            named = _NAMED.fullmatch(level)
            if named:
                self.names.append(named[1])
                self._levels.append((named[1], ""))
            elif level == "+":
                self._levels.append(("+", ""))
            elif _PLAIN.fullmatch(level):
                self._levels.append(("", level))
            else:
                raise ValueError("levels separated by /, each plain text, {name} or +")
        if not text or len(self.names) != len(set(self.names)):
            raise ValueError("a topic pattern in which each {name} stands once")

    @property
    def filter(self) -> str:
        """The MQTT subscription that gets all its topics."""
        return "/".join(level if not name else "+" for name, level in self._levels)

    def match(self, topic: str) -> dict[str, str] | None:
        """Text of each named level; None when the topic does not fit."""
        found: dict[str, str] = {}
        parts = topic.split("/")
        if len(parts) != len(self._levels):
            return None
        for part, (name, level) in zip(parts, self._levels, strict=True):
            if not name:
                if part != level:
                    return None
            elif not part:
                return None
            elif name != "+":
                found[name] = part
        return found


def matches(subscription: str, topic: str) -> bool:
    """Whether an MQTT filter covers a topic (MQTT 3.1.1, 4.7); `$` topics are only covered by name."""
    levels, parts = subscription.split("/"), topic.split("/")
    if topic.startswith("$") and not subscription.startswith("$"):
        return False
    for index, level in enumerate(levels):
        if level == "#":
            return True
        if index >= len(parts) or level not in {"+", parts[index]}:
            return False
    return len(levels) == len(parts)
