"""Write what is made of the board profiles: README.md, bom.csv and two drawings each, and hardware/RULES.md.

A test holds the committed files against the profiles.
"""

from __future__ import annotations

from pathlib import Path

from shutan_gateway.hardware.board import find, packaged
from shutan_gateway.hardware.catalogue import catalogue
from shutan_gateway.hardware.page import artefacts

HARDWARE = Path(__file__).resolve().parents[1] / "hardware"


def rules_page() -> str:
    """hardware/RULES.md."""
    head = "# Rules of `shutan hardware check` 检查规则\n\n| rule | what must hold | 要求 |\n|---|---|---|\n"
    return head + "".join(f"| `{name}` | {rule.en} | {rule.zh} |\n" for name, rule in catalogue().rules.items())


def pages() -> dict[Path, str]:
    """Every file that is made, with its text."""
    found = {HARDWARE / "RULES.md": rules_page()}
    for name in packaged():
        for file, text in artefacts(find(name)).items():
            found[HARDWARE / "boards" / name / file] = text
    return found


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
