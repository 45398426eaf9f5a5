"""What tests read back out of published files: text and glyphs of a PDF, cells of a workbook."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, cast

from openpyxl import load_workbook
from pypdf import PageObject, PdfReader
from pypdf.generic import ContentStream, DictionaryObject, IndirectObject, StreamObject

Cells = dict[str, list[list[Any]]]


def pdf_texts(pdf: bytes) -> list[str]:
    """Text of each page, with runs of space made one."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def pdf_text(pdf: bytes) -> str:
    """Text of the document."""
    return "\n".join(pdf_texts(pdf))


def missing_glyphs(pdf: bytes) -> int:
    """Number of glyphs drawn as .notdef, the empty box: glyph 0 of an embedded font."""
    reader = PdfReader(BytesIO(pdf))
    return sum(_boxes(stream, reader) for page in reader.pages for stream in _streams(page))


def fonts(pdf: bytes) -> set[str]:
    """Names of the fonts of a document, without the tag of their subset."""
    reader = PdfReader(BytesIO(pdf))
    found: set[str] = set()
    for page in reader.pages:
        resources = cast("DictionaryObject", page["/Resources"])
        for holder in (resources, *_forms(resources)):
            inner = cast("DictionaryObject", _value(holder.get("/Resources", holder)))
            for font in cast("DictionaryObject", _value(inner.get("/Font", DictionaryObject()))).values():
                name = str(cast("DictionaryObject", _value(font))["/BaseFont"])
                found.add(name.lstrip("/").partition("+")[2] or name)
    return found


def xlsx_cells(xlsx: bytes) -> Cells:
    """Values of every sheet by rows."""
    book = load_workbook(BytesIO(xlsx))
    return {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book.worksheets}


def _streams(page: PageObject) -> Iterator[StreamObject]:
    contents = page.get_contents()
    assert contents is not None
    yield contents
    yield from _forms(cast("DictionaryObject", page["/Resources"]))


def _forms(resources: DictionaryObject) -> Iterator[StreamObject]:
    """Form objects of a page, which hold the plots, however deep."""
    for item in cast("DictionaryObject", _value(resources.get("/XObject", DictionaryObject()))).values():
        form = _value(item)
        if isinstance(form, StreamObject) and form.get("/Subtype") == "/Form":
            yield form
            if "/Resources" in form:
                yield from _forms(cast("DictionaryObject", _value(form["/Resources"])))


def _boxes(stream: StreamObject, reader: PdfReader) -> int:
    found = 0
    for operands, operator in ContentStream(stream, reader).operations:
        if operator not in {b"Tj", b"TJ"}:
            continue
        shown = cast("list[Any]", operands[0] if operator == b"TJ" else operands)
        for part in shown:
            if isinstance(part, bytes | str):
                codes = part if isinstance(part, bytes) else cast("Any", part).original_bytes
                found += sum(codes[at : at + 2] == b"\0\0" for at in range(0, len(codes), 2))
    return found


def _value(item: Any) -> Any:
    return item.get_object() if isinstance(item, IndirectObject) else item
