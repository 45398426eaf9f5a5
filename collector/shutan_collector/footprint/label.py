"""The label of a footprint (产品碳足迹标识): an SVG with a QR code that points to the evidence.

The code carries product, batch, kg CO2e per declared unit and the SHA-256 of the JSON document, so that whoever has the
document can see whether it is the one that the label speaks of. The same footprint gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from shutan_collector.footprint.plan import Boundary
from shutan_collector.units import decimal_text

if TYPE_CHECKING:
    from fractions import Fraction

    from shutan_collector.accounting.summary import LedgerMark
    from shutan_collector.footprint.result import Footprint

__all__ = ["BOUNDARY_NAMES", "label_svg", "payload", "shown"]

BOUNDARY_NAMES: Final = {
    Boundary.CRADLE_TO_GATE: ("摇篮到大门", "cradle to gate"),
    Boundary.GATE_TO_GATE: ("大门到大门", "gate to gate"),
}
_WIDTH: Final = 360
_HEIGHT: Final = 200
_QR: Final = 132
_GROUP: Final = 8
_FIRST_WIDE: Final = 0x2E80  # from here on characters are as wide as they are high
_DIGITS: Final = 4
_MOST_PLACES: Final = 9


def shown(value: Fraction) -> str:
    """A figure for people: four significant digits, at least three places, rounded half to even."""
    places = 3
    while places < _MOST_PLACES and value and abs(round(value * 10**places)) < 10 ** (_DIGITS - 1):
        places += 1
    return decimal_text(value, places)


def payload(footprint: Footprint, sha256: str) -> str:
    """Text of the QR code: `shutan:footprint/1?product=…&batch=…&kgco2e=…&per=…&sha256=…`, percent-encoded."""
    fields = (
        ("product", footprint.product.id),
        ("batch", footprint.batch.batch),
        ("kgco2e", shown(footprint.footprint_kg)),
        ("per", footprint.product.declared_unit),
        ("sha256", sha256),
    )
    return "shutan:footprint/1?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in fields)


def label_svg(footprint: Footprint, sha256: str, mark: LedgerMark | None = None, *, family: str = "sans-serif") -> str:
    """The label; `mark` adds chain head and key fingerprint of the ledger, `family` is the font that is asked for."""
    product = footprint.product
    boundary_zh, boundary_en = BOUNDARY_NAMES[footprint.inventory.basis.plan.boundary]
    share = footprint.primary_share
    primary = "" if share is None else f"  一级数据 primary data {decimal_text(share * 100, 1)} %"
    marks = " ".join(
        text
        for text, here in (("暂用 provisional", footprint.provisional), ("估算 estimated", footprint.estimated))
        if here
    )
    lines = [
        (26, 13, "bold", product.name_zh or product.name),
        (42, 9, "normal", f"{product.name}  批次 batch {footprint.batch.batch}"),
        (66, 8, "normal", "产品碳足迹 product carbon footprint"),
        (96, 28, "bold", shown(footprint.footprint_kg)),
        (112, 9, "normal", f"kg CO2e / {_declared(footprint)}"),
        (128, 7, "normal", f"{boundary_zh} {boundary_en}{primary}"),
        (140, 7, "normal", f"GB/T 24067-2024, ISO 14067:2018, GWP {footprint.inventory.basis.plan.gwp}"),
        (152, 7, "normal", marks),
    ]
    foot = [("证据 evidence sha256", sha256)]
    if mark is not None:
        foot += [(f"链头 chain head #{mark.head_seq}", mark.head_hash), ("密钥指纹 key", mark.key_fingerprint)]
    texts = [_text(12, y, size, weight, text) for y, size, weight, text in lines if text]
    texts += [
        _text(12, 168 + 10 * at, 5, "normal", f"{name} {_grouped(digits)}") for at, (name, digits) in enumerate(foot)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="{escape(family)}" fill="#1d2a33">'
        f"<title>{escape(payload(footprint, sha256))}</title>"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff" stroke="#1d2a33"/>'
        f"{''.join(texts)}{_code(payload(footprint, sha256))}</svg>\n"
    )


def _declared(footprint: Footprint) -> str:
    zh, en = footprint.product.declared_unit_zh, footprint.product.declared_unit
    return f"{zh} {en}" if zh else en


def _text(x: int, y: int, size: int, weight: str, text: str) -> str:
    """A line that keeps off the QR code: a long one is set smaller. An em is 100; Chinese takes it all, Latin 58."""
    room = _WIDTH - x - (_QR + 16 if y < _QR + 12 else 8)
    width = sum(100 if ord(char) >= _FIRST_WIDE else 58 for char in text)
    tenths = min(10 * size, 1000 * room // max(width, 1))
    return (
        f'<text x="{x}" y="{y}" font-size="{tenths // 10}.{tenths % 10}" font-weight="{weight}">{escape(text)}</text>'
    )


def _grouped(digits: str) -> str:
    return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def _code(text: str) -> str:
    """The QR code as one path in a box of its own, quiet zone of four modules included."""
    import segno  # noqa: PLC0415 - a heavy library, needed only for labels

    rows = [bytes(row) for row in segno.make_qr(text, error="m").matrix]
    side = len(rows) + 8
    dots = "".join(f"M{x + 4} {y + 4}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return (
        f'<svg x="{_WIDTH - _QR - 8}" y="12" width="{_QR}" height="{_QR}" viewBox="0 0 {side} {side}" '
        f'shape-rendering="crispEdges"><path fill="#000000" d="{dots}"/></svg>'
    )
