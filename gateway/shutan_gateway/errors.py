"""Every error of the gateway, sorted by what the caller does about it.

GatewayError
├── RetryLater            wait, then try the same again; nothing was lost
│   ├── SpoolFull         no space on the disk, or the configured limit is reached
│   ├── SpoolWriteError   write or fdatasync failed; the batch is not durable
│   ├── StateUnavailable  registry.sqlite is locked or cannot be written now
│   └── StoreUnavailable  a series store refused, timed out or asked to wait
├── Refusal               this one message is dropped and counted under `.reason`
└── TellPerson            stop and say so; only a person can change it
├── ConfigError       all mistakes of a configuration file at once
└── StartError        the machine does not give what the configuration asks for
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ConfigError",
    "GatewayError",
    "Problem",
    "Refusal",
    "RetryLater",
    "SpoolFull",
    "SpoolWriteError",
    "StartError",
    "StateUnavailable",
    "StoreUnavailable",
    "TellPerson",
]


class GatewayError(Exception):
    """Root of every error that the gateway raises by itself."""


class RetryLater(GatewayError):  # noqa: N818 - named after what the caller does
    """The same call may succeed later. `retry_after_s` is the other side's wish, None when it has none."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SpoolFull(RetryLater):
    """The spool has no space: the disk is full or `spool.max_bytes` is reached. Acknowledgements stop."""


class SpoolWriteError(RetryLater):
    """A write or fdatasync of the spool failed. What the batch left behind is void and written again."""


class StateUnavailable(RetryLater):
    """The registry could not commit. Memory stays as it was before the call."""


class StoreUnavailable(RetryLater):
    """A series store cannot take rows now; all rows of the call must be offered again."""


class Refusal(GatewayError):  # noqa: N818 - a verdict on a message, not a fault of the gateway
    """One message that is dropped and counted: `reason` is the label of shutan_rejected_total."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TellPerson(GatewayError):  # noqa: N818 - named after what the caller does
    """Shown to a person as one line, with place and remedy; the program ends with a code other than 0."""


class Problem(NamedTuple):
    """One mistake in a configuration: where it stands, what was found there, what is accepted."""

    file: str
    key: str
    found: str
    accepted: str

    def line(self) -> str:
        """The mistake as one line for a person."""
        return f"{self.file}: {self.key}: found {self.found}; accepted: {self.accepted}"


class ConfigError(TellPerson):
    """A configuration that cannot be used; `problems` holds every mistake, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(problem.line() for problem in problems))
        self.problems = tuple(problems)


class StartError(TellPerson):
    """The configuration is sound, but the machine refuses: a port in use, a folder that cannot be written."""
