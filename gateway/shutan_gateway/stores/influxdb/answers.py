"""What an answer to a write means: InfluxDB 1.x, 2.x, 3.x and servers that speak their API.

| status                | means | what is done |
|-----------------------|-------|--------------|
| 2xx                   | all points are durable | go on |
| 400, 422 about points | some points are refused, the others may be stored | find them, dead-letter them |
| 400, 422 otherwise    | perhaps points, perhaps the request | find them, but only beside points that are accepted |
| 413                   | body too large | split |
| 401, 403, 404, other 3xx and 4xx | not as configured | keep, tell a person |
| 408, 429, 5xx         | not now, Retry-After if given | keep, wait |

`dropped=N` in a partial write of 1.x counts points of a type conflict or beyond the retention; for lines that cannot be
parsed it says 0 (1.6.7), so there it says nothing.
"""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "Kind", "TypeConflict", "read_answer"]

_REASON_CHARS: Final = 300


class Kind(Enum):
    """What the caller does about an answer."""

    DONE = "done"
    FAULTY = "faulty points"
    TOO_LARGE = "too large"
    LATER = "later"
    REFUSED = "refused"


class TypeConflict(NamedTuple):
    """Points whose `field` is not of the type that the measurement has it as."""

    measurement: str
    field: str
    exists_as: str


class Answer(NamedTuple):
    """An answer, read.

    | field         | meaning |
    |---------------|---------|
    | kind          | what to do |
    | reason        | `<class>: <the server's words>`, at most a few hundred characters |
    | retry_after_s | the server's wish |
    | sure          | the text is about points, so that points may be refused on its word alone |
    | dropped       | how many points were dropped, None when the answer does not say so reliably |
    | conflict      | points of this kind were dropped |
    | refused_text  | the server's text, in which lines that it could not parse are repeated |
    | lines         | numbers of refused lines of the body, from 1 |
    | oldest        | the dropped points are the oldest ones |
    """

    kind: Kind
    reason: str = ""
    retry_after_s: float | None = None
    sure: bool = False
    dropped: int | None = None
    conflict: TypeConflict | None = None
    refused_text: str = ""
    lines: tuple[int, ...] = ()
    oldest: bool = False


_DROPPED: Final = re.compile(r"dropped=(\d+)\s*$")
_CONFLICT: Final = re.compile(
    r'field type conflict: input field "((?:[^"\\]|\\.)*)" on measurement "((?:[^"\\]|\\.)*)" is type \w+, '
    r"already exists as type (\w+)"
)
_ABOUT_POINTS: Final = re.compile(
    r"partial write|unable to parse|type conflict|beyond retention|max key size|line protocol|errors encountered on"
)
_CLASSES: Final = (
    ("field type conflict", "type conflict"),
    ("invalid column type", "type conflict"),
    ("unable to parse", "unparsable"),
    ("beyond retention", "beyond retention"),
    ("limit exceeded", "limit"),
)


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Read the answer to a write; header names in lower case. Never raises: a strange body is text for the reason."""
    if 200 <= status < 300:
        return Answer(Kind.DONE)
    text, lines = _message(body)
    text = text or headers.get("x-influxdb-error", "")
    reason = f"HTTP {status}: {_short(text)}" if text else f"HTTP {status}"
    if status in {400, 422}:
        return _faulty(reason, text, lines)
    if status == 413:
        return Answer(Kind.TOO_LARGE, f"too large: {reason}")
    if status in {408, 429} or status >= 500:
        return Answer(Kind.LATER, reason, _retry_after(headers))
    return Answer(Kind.REFUSED, f"{reason} ({_REMEDIES.get(status, 'check url and version')})")


_REMEDIES: Final = {
    401: "check the token or password",
    403: "check what the token or user may write",
    404: "check database or bucket, org and url",
}


def _faulty(reason: str, text: str, lines: tuple[int, ...]) -> Answer:
    partial = "unable to parse" not in text
    dropped = _DROPPED.search(text) if partial else None
    found = _CONFLICT.search(text)
    return Answer(
        Kind.FAULTY,
        f"{next((name for part, name in _CLASSES if part in text), 'refused')}: {reason}",
        sure=bool(lines) or _ABOUT_POINTS.search(text) is not None,
        dropped=int(dropped[1]) if dropped else None,
        conflict=TypeConflict(_unquoted(found[2]), _unquoted(found[1]), found[3]) if found and partial else None,
        refused_text="" if partial else text,
        lines=lines,
        oldest="beyond retention" in text,
    )


def _message(body: bytes) -> tuple[str, tuple[int, ...]]:
    """The server's words and the lines it numbers: "error" of 1.x, "message" and "line" of 2.x, "data" of 3.x."""
    text = body.decode("utf-8", "replace").strip()
    try:
        tree: Any = json.loads(text)  # Any: a foreign server's JSON
    except ValueError:
        return text, ()
    if not isinstance(tree, dict):
        return text, ()
    fields = cast("dict[str, Any]", tree)
    lines = [fields.get("line")]
    data: Any = fields.get("data")
    if isinstance(data, list):
        entries = [cast("dict[str, Any]", entry) for entry in cast("list[Any]", data) if isinstance(entry, dict)]
        lines += [entry.get("line_number") for entry in entries]
    words: Any = fields.get("error") or fields.get("message")
    if data and isinstance(words, str):
        words = f"{words}: {json.dumps(data, ensure_ascii=False)}"
    return (words if isinstance(words, str) else text), tuple([n for n in lines if isinstance(n, int) and n > 0])


def _short(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= _REASON_CHARS:
        return text
    # A refused line is repeated in the middle; what is wrong with it comes after it.
    return f"{text[: _REASON_CHARS // 2]} ... {text[-_REASON_CHARS // 2 :]}"


def _unquoted(text: str) -> str:
    """A name in Go's quoted form; the names that this store writes hold no sign that needs more than this."""
    return re.sub(r"\\(.)", r"\1", text)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds; an HTTP date counts from the answer's own Date. None when absent or not understood."""
    wish = headers.get("retry-after", "").strip()
    if wish.isascii() and wish.isdigit():
        return float(wish)
    try:
        return max(0.0, (parsedate_to_datetime(wish) - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (ValueError, TypeError):  # not a date, or one of the two has no zone
        return None
