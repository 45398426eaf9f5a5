"""Decoder: learned layouts in front of the general path, with bounds on what is remembered and how often it learns.

Meters of one model have the same births, but the varints of their registers differ in length, so a definition has many
layouts. They live in one pool (`Shapes`), shared by intake and all deliveries; each device keeps the few that it used
last, which nearly always holds the right one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from shutan_gateway.payload.decode import Decoded, explain, parse
from shutan_gateway.payload.definition import Definition
from shutan_gateway.payload.recent import Recent
from shutan_gateway.payload.shape_learn import learn

if TYPE_CHECKING:
    from shutan_gateway.payload.shape import Layout
    from shutan_gateway.payload.shape_lanes import Checked, Lanes
    from shutan_wire.model import Payload

__all__ = ["Decoder", "Shapes"]

_DEFINITIONS = 5_000
_LAYOUTS = 3_000  # a layout of 50 metrics takes about 15 KB, 35 KB with what the lanes do not need
_LAYOUTS_PER_KEY = 128
_RECENT = 16  # of one device: sequence and record numbers change their length now and then
_MISSES_BEFORE_LEARNING = 2
_MISSES_MOST = 1_024
_UNREAD = 4  # payloads that a slim layout could not read before the whole layout is learned again


class _Known:
    """Layouts of one (definition, length); `patience` grows while what is learned is never used again."""

    __slots__ = ("layouts", "misses", "patience")

    def __init__(self) -> None:
        self.layouts: list[Layout] = []
        self.misses = 0
        self.patience = _MISSES_BEFORE_LEARNING

    def doubt(self) -> None:
        self.patience = min(2 * self.patience, _MISSES_MOST)


class Shapes:
    """Definitions and their layouts, shared by all threads. Looking up takes no lock, adding does."""

    def __init__(self, *, delivered: bool = True) -> None:
        """delivered: records go on to a store, so that it pays to keep their samples for a moment."""
        self.recent = Recent() if delivered else None
        self._lock = threading.Lock()
        self._definitions: dict[str, Definition] = {}
        self._known: OrderedDict[tuple[Definition, int], _Known] = OrderedDict()
        self._count = 0

    def definition(self, text: str) -> Definition:
        """The one object for a definition text. Raises ValueError or TypeError when it is none."""
        found = self._definitions.get(text)
        if found is None:
            made = Definition.parse(text)
            with self._lock:
                if len(self._definitions) >= _DEFINITIONS:
                    self._definitions.clear()
                found = self._definitions.setdefault(text, made)
        return found

    def find(self, definition: Definition, size: int, number: int) -> Layout | None:
        """Layout of a payload of `size` bytes that is `number` as a little-endian integer."""
        known = self._known.get((definition, size))
        if known is not None:
            for layout in known.layouts:
                if layout.matches(number):
                    return layout
        return None

    def wanted(self, definition: Definition, size: int) -> bool:
        """Note a payload that no layout explained; whether it is time to learn one."""
        with self._lock:
            known = self._known.get((definition, size))
            if known is None:
                known = self._known[definition, size] = _Known()
                if len(self._known) > 4 * _LAYOUTS:
                    self._count -= len(self._known.popitem(last=False)[1].layouts)
            known.misses += 1
            if known.misses < known.patience:
                return False
            known.misses = 0
            return True

    def add(self, definition: Definition, size: int, layout: Layout | None) -> None:
        """A learned layout, or None when there was nothing to learn."""
        with self._lock:
            known = self._known.setdefault((definition, size), _Known())
            if layout is None:
                known.doubt()
                return
            known.layouts = [*known.layouts, layout]  # readers hold the old list
            self._count += 1
            if len(known.layouts) > _LAYOUTS_PER_KEY:
                self._drop_oldest(known)
            while self._count > _LAYOUTS:
                self._count -= len(self._known.popitem(last=False)[1].layouts)

    def _drop_oldest(self, known: _Known) -> None:
        oldest, *known.layouts = known.layouts
        self._count -= 1
        if not oldest.used:
            known.doubt()

    @property
    def count(self) -> int:
        """Layouts remembered."""
        return self._count


class Decoder:
    """Explains payloads; equal to `decode.decode` in every answer. For one thread; `shapes` may be shared."""

    def __init__(self, shapes: Shapes, limit: int = 10_000_000) -> None:
        self._shapes = shapes
        self._limit = limit
        self.hits = 0
        self.misses = 0

    @staticmethod
    def check(raw: bytes, recent: list[Layout]) -> tuple[Lanes, Checked] | None:
        """The lanes of a recent layout that accept a payload, and what they say; None when none does."""
        size = len(raw)
        for layout in recent:
            if layout.size == size:
                lanes = layout.lanes
                if lanes is not None:
                    checked = lanes.check(raw)
                    if checked is not None:
                        if not layout.used:  # a write would take a line of the processor's cache for each message
                            layout.used = True
                        return lanes, checked
        return None

    def content(self, definition: Definition, raw: bytes) -> int | None:
        """What `check` says of the values of a payload, also when its layout has to be learned; None without lanes."""
        number = int.from_bytes(raw, "little")
        layout = self._shapes.find(definition, len(raw), number)
        if layout is None:
            payload = parse(raw, self._limit)
            layout = learn(definition, raw, payload, explain(definition, payload, 0))
        checked = None if layout is None or layout.lanes is None else layout.lanes.check(raw)
        return None if checked is None else checked.content

    def decode(self, definition: Definition, raw: bytes, received_ms: int, recent: list[Layout]) -> Decoded:
        """Explain one data payload; `recent` belongs to its device. Raises Refusal when it is malformed."""
        found = self.check(raw, recent)
        if found is not None:
            self.hits += 1
            lanes, (seq, record, _, _) = found
            return Decoded(seq, record, lanes.groups(raw), None, 0, 0, ())
        number = int.from_bytes(raw, "little")
        layout = next((known for known in recent if known.size == len(raw) and known.matches(number)), None)
        if layout is None:
            layout = self._shapes.find(definition, len(raw), number)
            if layout is not None:
                recent.insert(0, layout)
                del recent[_RECENT:]
        if layout is not None:
            decoded = layout.lanes.read(raw) if layout.lanes is not None else None
            decoded = decoded or layout.decode(raw)
            if decoded is not None:
                self.hits += 1
                layout.used = True
                return decoded
        self.misses += 1
        payload = parse(raw, self._limit)
        decoded = explain(definition, payload, received_ms)
        self._learn(definition, raw, payload, decoded, layout)
        return decoded

    def _learn(
        self, definition: Definition, raw: bytes, payload: Payload, decoded: Decoded, layout: Layout | None
    ) -> None:
        """Learn a layout from time to time; `layout` is one that the payload matches, but that could not read it."""
        if layout is None:
            if self._shapes.wanted(definition, len(raw)):
                learned = learn(definition, raw, payload, decoded)
                if learned is not None and learned.lanes is not None and not decoded.faults:
                    learned.slim()
                self._shapes.add(definition, len(raw), learned)
        elif layout.unread_again() % _UNREAD == 0:  # its payloads often hold what the lanes do not judge
            learned = learn(definition, raw, payload, decoded)
            if learned is not None:
                layout.fill(learned)
