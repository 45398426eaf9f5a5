"""The template of every kind of document (模板)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_collector.activity.templates_output import OUTPUT_TEMPLATES
from shutan_collector.activity.templates_power import POWER_TEMPLATES
from shutan_collector.activity.templates_sources import SOURCE_TEMPLATES
from shutan_collector.errors import RequestError

if TYPE_CHECKING:
    from shutan_collector.activity.columns import Template

__all__ = ["TEMPLATES", "kind_of_name", "template_of"]

TEMPLATES: Final = (*POWER_TEMPLATES, *SOURCE_TEMPLATES, *OUTPUT_TEMPLATES)
_BY_KIND: Final = {template.kind: template for template in TEMPLATES}


def template_of(kind: str) -> Template:
    """The template of a kind by its name or Chinese title. Raises RequestError."""
    for template in TEMPLATES:
        if kind in {template.kind, template.zh}:
            return template
    raise RequestError("kind", f"{kind!r} is not a kind of document; accepted: {', '.join(_BY_KIND)}")


def kind_of_name(name: str) -> Template | None:
    """The template that a file or sheet is for: its name starts with the kind ("bill-2025", "电费结算单 6月")."""
    text = name.strip().lower()
    for template in sorted(TEMPLATES, key=lambda template: -len(template.kind)):
        for start in (template.kind, template.zh):
            rest = text[len(start) :]
            if text.startswith(start) and not (start.isascii() and rest[:1].isascii() and rest[:1].isalpha()):
                return template
    return None
