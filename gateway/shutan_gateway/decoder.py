"""Decoder: the shape cache in front of the general path, with bounds on what it remembers and how often it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.decode import Decoded, explain, parse
from shutan_gateway.shape_learn import learn

if TYPE_CHECKING:
    from shutan_gateway.definition import Definition
    from shutan_gateway.shape import Layout

__all__ = ["Decoder"]

_LAYOUTS_PER_KEY = 8
_LAYOUTS = 2_000  # a layout of 50 metrics takes about 10 KB
_MISSES_BEFORE_LEARNING = 2


class _Known:
    """Layouts of one (definition, length); `patience` grows while what is learned is never used again."""

    __slots__ = ("layouts", "misses", "patience")

    def __init__(self) -> None:
        self.layouts: list[Layout] = []
        self.misses = 0
        self.patience = _MISSES_BEFORE_LEARNING


class Decoder:
    """Explains payloads; equal to `decode.decode` in every answer. Not thread-safe."""

    def __init__(self, limit: int = 10_000_000) -> None:
        self._limit = limit
        self._known: dict[tuple[Definition, int], _Known] = {}
        self._count = 0
        self.hits = 0
        self.misses = 0

    def decode(self, definition: Definition, raw: bytes, received_ms: int) -> Decoded:
        """Explain one data payload. Raises Refusal when it is malformed."""
        known = self._known.get((definition, len(raw)))
        if known is not None:
            number = int.from_bytes(raw, "little")
            for layout in known.layouts:
                if layout.matches(number):
                    decoded = layout.decode(raw)
                    if decoded is not None:
                        self.hits += 1
                        layout.used = True
                        return decoded
                    break
        self.misses += 1
        payload = parse(raw, self._limit)
        decoded = explain(definition, payload, received_ms)
        if known is None:
            if len(self._known) >= 8 * _LAYOUTS:
                self._forget()
            known = self._known[definition, len(raw)] = _Known()
        known.misses += 1
        if known.misses >= known.patience:
            known.misses = 0
            layout = learn(definition, raw, payload, decoded)
            if layout is None:
                known.patience = min(2 * known.patience, 1024)
            else:
                self._remember(known, layout)
        return decoded

    def _remember(self, known: _Known, layout: Layout) -> None:
        if self._count >= _LAYOUTS:
            self._forget()
            return
        if len(known.layouts) >= _LAYOUTS_PER_KEY:
            oldest = known.layouts.pop(0)
            self._count -= 1
            if not oldest.used:
                known.patience = min(2 * known.patience, 1024)
        known.layouts.append(layout)
        self._count += 1

    def _forget(self) -> None:
        self._known.clear()
        self._count = 0
