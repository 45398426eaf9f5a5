"""Finding a font with Chinese glyphs; a document without one would be full of empty boxes, so there is no fallback."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typst import Fonts

__all__ = ["ENVIRONMENT", "Typeface", "find_typeface"]

ENVIRONMENT: Final = "SHUTAN_FONTS"
_REMEDY: Final = "install one (apt install fonts-noto-cjk), or name its folder with --fonts DIR or SHUTAN_FONTS"
# Simplified Chinese families, the most complete first; each has Latin letters of its own.
_FAMILIES: Final = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei", "Microsoft YaHei", "PingFang SC", "SimHei",
)  # fmt: skip
_MONO_FAMILIES: Final = ("Noto Sans Mono CJK SC", "WenQuanYi Zen Hei Mono", "WenQuanYi Micro Hei Mono")
_PATTERNS: Final = ("*CJK*", "NotoSansSC*", "SourceHanSans*", "wqy-*", "msyh*", "PingFang*", "simhei*")
_FONT_SUFFIXES: Final = frozenset({".ttc", ".ttf", ".otf"})
_SYSTEM_FOLDERS: Final = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts",
    "/System/Library/Fonts", "C:/Windows/Fonts",
)  # fmt: skip
_SOURCE_TREE_FONTS: Final = Path(".tools") / "fonts" / "share"


@dataclass(frozen=True, slots=True)
class Typeface:
    """A Chinese sans-serif family and, where there is one, its fixed-width sister, with the files they come from."""

    family: str
    mono: str
    fonts: Fonts


def find_typeface(folder: Path | None = None, environ: Mapping[str, str] | None = None) -> Typeface:
    """The first Chinese typeface in: `folder` (--fonts), SHUTAN_FONTS, a source tree's .tools/fonts, the system.

    A folder that is named, by option or environment, must hold one: it is not passed over in silence.
    Raises RequestError with the remedy.
    """
    named = (environ if environ is not None else os.environ).get(ENVIRONMENT, "")
    if folder is not None:
        return _from_named(folder, "--fonts")
    if named:
        return _from_named(Path(named), ENVIRONMENT)
    for place in _usual_folders():
        if (found := _typeface(place)) is not None:
            return found
    raise RequestError("fonts", f"no font with Chinese glyphs was found; {_REMEDY}")


def _from_named(folder: Path, option: str) -> Typeface:
    if not folder.is_dir():
        raise RequestError(option, f"{folder} is not a folder; {_REMEDY}")
    found = _typeface(folder)
    if found is None:
        raise RequestError(option, f"{folder} holds no font with Chinese glyphs; {_REMEDY}")
    return found


def _usual_folders() -> Iterator[Path]:
    for parent in Path(__file__).resolve().parents:
        if (parent / _SOURCE_TREE_FONTS).is_dir():
            yield parent / _SOURCE_TREE_FONTS
            break
    yield from (Path(name).expanduser() for name in _SYSTEM_FOLDERS)


@cache
def _typeface(folder: Path) -> Typeface | None:
    """The best family among the font files below a folder; only files that look Chinese are opened."""
    if not folder.is_dir():
        return None
    holders = sorted(
        {
            path.parent
            for pattern in _PATTERNS
            for path in folder.rglob(pattern)
            if path.suffix.lower() in _FONT_SUFFIXES
        }
    )
    if not holders:
        return None
    from typst import Fonts  # noqa: PLC0415 a heavy library, needed only where a document is set

    fonts = Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(holder) for holder in holders]
    )
    families = set(fonts.families())
    family = next((name for name in _FAMILIES if name in families), "")
    mono = next((name for name in _MONO_FAMILIES if name in families), family)
    return Typeface(family, mono, fonts) if family else None
