"""One thing that is wrong, with its words in both languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shutan_gateway.operation.doctor.texts import ERROR, INFO, TEXTS, WARNING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Finding", "worst"]

_ORDER = {ERROR: 0, WARNING: 1, INFO: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """kind: a key of TEXTS; subject: what it is about (a store, a node, a file): (kind, subject) is one state."""

    kind: str
    subject: str = ""
    facts: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def severity(self) -> str:
        """error, warning or info."""
        return TEXTS[self.kind].severity

    @property
    def key(self) -> str:
        """The same as long as the same thing is wrong."""
        return f"{self.kind} {self.subject}".strip()

    def what(self, language: str = "en") -> str:
        """What is wrong."""
        text = TEXTS[self.kind]
        return (text.what_zh if language == "zh" else text.what).format(**self.facts)

    def remedy(self, language: str = "en") -> str:
        """What to do."""
        text = TEXTS[self.kind]
        return (text.remedy_zh if language == "zh" else text.remedy).format(**self.facts)

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "severity": self.severity,
            "what": self.what(),
            "do": self.remedy(),
            "what_zh": self.what("zh"),
            "do_zh": self.remedy("zh"),
            "facts": dict(self.facts),
        }


def worst(findings: list[Finding]) -> list[Finding]:
    """Errors first, then warnings, each by its key."""
    return sorted(findings, key=lambda finding: (_ORDER[finding.severity], finding.key))
