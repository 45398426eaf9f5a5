"""Errors of the demo.

DemoError
├── PartMissingError     a program that the demo starts is not on this machine: a person installs it
├── PartFailedError      a program that the demo started ended or never became ready: a person reads its log
└── NotSettledError      the factory did not come to rest in time: the result would mean nothing
"""

from pathlib import Path


class DemoError(Exception):
    """Root: one line for the person at the terminal."""


class PartMissingError(DemoError):
    """A program is not on this machine."""

    def __init__(self, part: str, remedy: str) -> None:
        self.part = part
        super().__init__(f"{part} is not on this machine: {remedy}")


class PartFailedError(DemoError):
    """A program that the demo started ended or never became ready."""

    def __init__(self, part: str, reason: str, log: Path) -> None:
        self.part = part
        self.log = log
        super().__init__(f"{part}: {reason}; its log is {log}")


class NotSettledError(DemoError):
    """The factory did not come to rest within the limit."""
