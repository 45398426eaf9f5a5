"""The canonical zip: the same members give the same bytes, other tools read it, and any other form is refused."""

import io
import random
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.errors import EvidenceError
from shutan_collector.evidence import archive, verify
from shutan_collector.evidence.archive import build_archive

NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
MEMBERS = st.dictionaries(NAMES, st.binary(max_size=300), max_size=6)
SOME_MEMBERS = st.dictionaries(NAMES, st.binary(max_size=300), min_size=1, max_size=6)


@given(MEMBERS, st.randoms(use_true_random=False))
def test_order_of_members_makes_no_difference_and_both_readers_agree(
    members: dict[str, bytes], shuffle: random.Random
) -> None:
    names = list(members)
    shuffle.shuffle(names)
    data = build_archive({name: members[name] for name in names})
    assert data == build_archive(members)
    assert data == verify.build(members)[0]  # the verifier's own builder, written separately
    assert verify.unpack(data) == members
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == sorted(members)
        assert {name: opened.read(name) for name in members} == members


def test_the_fixed_fields_are_what_they_should_be() -> None:
    with zipfile.ZipFile(io.BytesIO(build_archive({"a": b"1", "b/c": b"22"}))) as opened:
        for info in opened.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.compress_type == zipfile.ZIP_STORED
            assert (info.extra, info.comment, info.flag_bits) == (b"", b"", 0)
            assert info.external_attr == 0o100644 << 16
        assert opened.comment == b""


def _zip(
    compression: int, comment: bytes = b"", date: tuple[int, int, int, int, int, int] = (1980, 1, 1, 0, 0, 0)
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        for name in ("a", "b"):
            info = zipfile.ZipInfo(name, date)
            info.create_system, info.external_attr, info.compress_type = 3, 0o100644 << 16, compression
            opened.writestr(info, b"content " * 9)
        opened.comment = comment
    return buffer.getvalue()


def test_pythons_own_zip_in_canonical_form_is_accepted() -> None:
    assert verify.unpack(_zip(zipfile.ZIP_STORED)) == {"a": b"content " * 9, "b": b"content " * 9}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (_zip(zipfile.ZIP_DEFLATED), "length"),
        (_zip(zipfile.ZIP_STORED, comment=b"hello"), "length"),
        (_zip(zipfile.ZIP_STORED, date=(2025, 6, 1, 0, 0, 0)), "local header: date"),
        (_zip(zipfile.ZIP_STORED) + b"\0", "length"),
        (b"\0" + _zip(zipfile.ZIP_STORED), "length"),
        (_zip(zipfile.ZIP_STORED)[:-1], "length"),
        (b"", "length"),
        (b"no zip at all, but long enough to hold an end record", "length"),
    ],
)
def test_another_form_of_zip_is_refused(data: bytes, field: str) -> None:
    with pytest.raises(verify.Difference) as caught:
        verify.unpack(data)
    assert caught.value.field == field


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_fail_otherwise(data: bytes) -> None:
    try:
        members = verify.unpack(data)
    except verify.Difference:
        return
    assert build_archive(members) == data


@given(SOME_MEMBERS, st.data())
def test_each_changed_byte_is_located(members: dict[str, bytes], data: Any) -> None:
    archive_bytes = build_archive(members)
    at: int = data.draw(st.integers(0, len(archive_bytes) - 1))
    flip: int = data.draw(st.integers(1, 255))
    changed = archive_bytes[:at] + bytes([archive_bytes[at] ^ flip]) + archive_bytes[at + 1 :]
    with pytest.raises(verify.Difference) as caught:
        verify.unpack(changed)
    assert caught.value.offset is not None


def test_what_the_format_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_SIZE", 100)
    with pytest.raises(EvidenceError, match="month by month"):
        build_archive({"a": bytes(200)})
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1)
    with pytest.raises(EvidenceError, match="2 members"):
        build_archive({"a": b"", "b": b""})
