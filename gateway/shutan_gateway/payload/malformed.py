"""Class names of malformed payloads: the label of shutan_rejected_total and shutan_faults_total, and of the quarantine.

The codecs say what is wrong in words, without a code, since a node has no memory to spare for one. The words are part
of their contract (tests/vectors/*_malformed.jsonl), so the gateway sorts by them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_wire.errors import WireError

__all__ = ["KINDS", "OTHER", "kind_of", "sound_ids"]

OTHER = "malformed"  # a reason that the table lacks

_TABLE: dict[str, tuple[str, ...]] = {
    "truncated": ("truncated",),
    "too_long": ("field beyond the end of its message",),
    "bad_varint": ("varint above 64 bits",),
    "too_wide": ("uint32 field above 32 bits",),
    "field_number": ("field number out of range", "overlong tag"),
    "wire_type": (r"wire type \d+ is not in use", r"field \d+ has wire type \d+"),
    "bad_utf8": ("string is not UTF-8", "string array is not UTF-8"),
    "too_deep": ("nested too deeply",),
    "oversize": (r"payload of \d+ bytes is above the limit of \d+",),
    "inconsistent": (  # counts that contradict each other
        r"\d+ keys but \d+ values",
        "columns, types and their number differ",
        "rows without columns",
        r"row of \d+ cells, \d+ wanted",
    ),
    "bad_value": (  # a value that is none of its datatype
        r"unknown code \d+",
        r"does not fit \d+ bits",
        r"field does not fit \w+",
        r"datatype \d+ is no array",
        "no basic datatype",
        r"array of \d+ bytes, not a multiple of \d+",
        "boolean array .*",
        "string array does not end with a zero byte",
        "value is no property set",
        r"property set under datatype \d+",
        "number expected",
        "bytes expected",
    ),
}
_FINDER = re.compile("|".join(f"(?P<{kind}>{'|'.join(words)})" for kind, words in _TABLE.items()))
_ID_BYTES = 255  # of one level of a topic: it becomes a tag of every row
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")  # MQTT 3.1.1, 1.5.3: should not be there

KINDS = frozenset(_TABLE)


def kind_of(error: WireError) -> str:
    """Class of what the payload decoder refused."""
    found = _FINDER.fullmatch(error.reason)
    return found.lastgroup or OTHER if found else OTHER


def sound_ids(levels: Iterable[str | None]) -> bool:
    """Whether the levels of a topic can be tags of a row: at most 255 bytes of UTF-8, no control character."""
    return not any(
        level is not None and (_CONTROL.search(level) or len(level.encode("utf-8", "replace")) > _ID_BYTES)
        for level in levels
    )
