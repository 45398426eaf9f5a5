"""Secrets stand in files of their own; their type hides them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Secret", "read_secret"]


class Secret:
    """A password or token; only `reveal` shows it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret('***')"

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._text


def read_secret(path: Path, key: str) -> Secret:
    """First line of a secret file without its line end. Raises ConfigError when there is none."""
    try:
        text = path.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), key, type(error).__name__, "a readable UTF-8 file")]) from error
    if not text:
        raise ConfigError([Problem(str(path), key, "an empty first line", "the secret on the first line")])
    return Secret(text)
