"""Errors of the collector, by what the caller does about them.

CollectorError              where, reason; str() is one line for a person
├── StoreUnavailableError   retry later: the store does not answer or is being restored
├── SeriesError             tell a person: a stored series is not what the site model says it is
│   └── SeriesFileError     tell a person: the malformed rows of a readings file at once
├── SiteError               tell a person: every mistake of a site.toml at once
├── ActivityError           tell a person: every mistake of the activity files at once
├── ClaimError              tell a person: certificates or contracts claimed twice, beyond use or out of their time
├── ControlError            tell a person: every mistake of a budget, of allowance data or of deadlines at once
├── SectorError             tell a person: every mistake of a sector form at once, or a sector that is not registered
├── LedgerError             tell a person: the ledger refuses: period, certificate, meter, version, a broken chain
│   └── IncompleteError     tell a person: every meter that keeps a period from closing at once
├── EvidenceError           tell a person: a key, or evidence that cannot be exported or does not verify
├── FootprintError          tell a person: every mistake of a footprint plan at once
├── FactorError             tell a person: an emission factor is missing or malformed
└── RequestError            tell a person: the request itself is wrong (date, period, store address)
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ActivityError",
    "ClaimError",
    "CollectorError",
    "ControlError",
    "EvidenceError",
    "FactorError",
    "FootprintError",
    "IncompleteError",
    "LedgerError",
    "Problem",
    "RequestError",
    "SectorError",
    "SeriesError",
    "SeriesFileError",
    "SiteError",
    "StoreUnavailableError",
]


class CollectorError(Exception):
    """Root of the tree; `where` names the place, `reason` says what is wrong and what would be right."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"

    def lines(self) -> list[str]:
        """What a command prints: one line per mistake."""
        return [str(self)]


class StoreUnavailableError(CollectorError):
    """The series store cannot be read now; the same call may succeed later."""


class SeriesError(CollectorError):
    """A stored series has another type or shape than a counter."""


class FactorError(CollectorError):
    """A factor is missing, not valid for the activity, or malformed; there is no default."""


class LedgerError(CollectorError):
    """The ledger refuses what was asked, or is not what it should be; nothing has been changed."""


class EvidenceError(CollectorError):
    """A signing key that cannot be used, or evidence that cannot be exported as it is; nothing has been written."""


class RequestError(CollectorError):
    """A request that cannot be answered as it was put."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration file: its key and what would be accepted."""

    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


class _ManyError(CollectorError):
    """All mistakes of one input; `problems` holds one entry per mistake, in the order of the input."""

    def __init__(self, where: str, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(where, "; ".join(str(problem) for problem in problems))

    def lines(self) -> list[str]:
        """One line per mistake, each with the input in front."""
        return [f"{self.where}: {problem}" for problem in self.problems]


class SiteError(_ManyError):
    """All mistakes of one site file."""


class ActivityError(_ManyError):
    """All mistakes of a folder of activity files; a problem's key is "file:sheet:row column"."""


class ClaimError(_ManyError):
    """Every certificate and contract that a period may not claim; a problem's key is the row, "certificate/<key>"."""


class ControlError(_ManyError):
    """All mistakes of a budget file, of allowance data or of deadlines."""


class FootprintError(_ManyError):
    """All mistakes of a footprint plan, or of what it asks of a batch."""


class SectorError(_ManyError):
    """All mistakes of a sector's form.toml; a problem's key is the row's code."""


class SeriesFileError(SeriesError):
    """The malformed rows of one readings file; `problems` holds the first of them by line, then how many more."""

    def __init__(self, where: str, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(where, "; ".join(str(problem) for problem in problems))

    def lines(self) -> list[str]:
        """One line per malformed row, each with the file in front."""
        return [f"{self.where}: {problem}" for problem in self.problems]


class IncompleteError(_ManyError, LedgerError):
    """The meters that keep a period from closing: no reading up to its end, and not declared missing."""
