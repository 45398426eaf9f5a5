"""Changes as text: what appeared, what is well again; in the channel's language, as plain text, markdown or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.operation.doctor.finding import Finding

__all__ = ["Change", "as_json", "markdown", "subject", "text"]

_SHOWN = 20  # of one message; the rest is a number
_WORDS = {
    "en": ("wrong", "well again", "{n} more", "{host}: {wrong} wrong, {well} well again"),
    "zh": ("出现问题", "已恢复", "另有 {n} 条", "{host}:{wrong} 个问题,{well} 个已恢复"),
}


class Change(NamedTuple):
    """A finding that appeared (or is well again) at a time, UTC ms."""

    finding: Finding
    appeared: bool
    at_ms: int


def subject(host: str, changes: Sequence[Change], language: str) -> str:
    """One line."""
    wrong = sum(change.appeared for change in changes)
    if len(changes) == 1:
        first = changes[0]
        return f"{host}: {_WORDS[language][0 if first.appeared else 1]}: {first.finding.what(language)}"
    return _WORDS[language][3].format(host=host, wrong=wrong, well=len(changes) - wrong)


def text(changes: Sequence[Change], language: str) -> str:
    """Plain text for mail: what, and what to do."""
    lines: list[str] = []
    for change in changes[:_SHOWN]:
        lines.append(f"[{_WORDS[language][0 if change.appeared else 1]}] {change.finding.what(language)}")
        if change.appeared:
            lines.append(f"    {change.finding.remedy(language)}")
    if len(changes) > _SHOWN:
        lines.append(_WORDS[language][2].format(n=len(changes) - _SHOWN))
    return "\n".join(lines) + "\n"


def markdown(host: str, changes: Sequence[Change], language: str, limit_bytes: int) -> str:
    """Markdown of the two robots: a title, a line a change, a quoted remedy; cut at whole lines to `limit_bytes`."""
    lines = [f"### {_safe(subject(host, changes, language))}"]
    for change in changes[:_SHOWN]:
        word = _WORDS[language][0 if change.appeared else 1]
        lines.append(f"- **{word}** {_safe(change.finding.what(language))}")
        if change.appeared:
            lines.append(f"> {_safe(change.finding.remedy(language))}")
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line.encode()) + 1
        if size > limit_bytes - 40:
            break
        kept.append(line)
    left = len(changes) - sum(line.startswith("- ") for line in kept)
    if left:
        kept.append(f"- {_WORDS[language][2].format(n=left)}")
    return "\n".join(kept)


def _safe(words: str) -> str:
    """Text of a finding carries names from the field: no line breaks, links or mentions out of them."""
    flat = " ".join(words.split())
    return flat.translate(str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "@": "＠", "`": "'", "*": "·"}))


def as_json(host: str, changes: Sequence[Change]) -> dict[str, object]:
    """The body of a generic webhook; both languages, each change with its time."""
    return {
        "source": "shutan-gateway",
        "host": host,
        "changes": [
            {"appeared": change.appeared, "at_ms": change.at_ms, **change.finding.as_dict()} for change in changes
        ],
    }
