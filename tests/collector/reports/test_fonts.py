"""Where a Chinese font is looked for, and the one line that says what to do without one."""

import shutil
from pathlib import Path

import pytest

from shutan_collector.errors import RequestError
from shutan_collector.reports import fonts
from shutan_collector.reports.fonts import find_typeface
from support.places import REPO

SHARE = REPO / ".tools" / "fonts" / "share"


def test_a_source_tree_brings_its_own() -> None:
    found = find_typeface(environ={})
    assert (found.family, found.mono) == ("Noto Sans CJK SC", "Noto Sans Mono CJK SC")


def test_a_folder_by_option_or_environment() -> None:
    assert find_typeface(SHARE).family == "Noto Sans CJK SC"
    assert find_typeface(environ={"SHUTAN_FONTS": str(SHARE)}).family == "Noto Sans CJK SC"


def test_a_font_deeper_in_a_folder_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "opentype" / "noto"
    deep.mkdir(parents=True)
    (deep / "NotoSansCJK-Regular.ttc").symlink_to(SHARE / "NotoSansCJK-Regular.ttc")
    assert find_typeface(tmp_path).family == "Noto Sans CJK SC"


@pytest.mark.parametrize("name", ["DejaVuSans.ttf", "NotoSansCJK-Regular.ttc"])
def test_a_folder_that_is_named_must_hold_one(tmp_path: Path, name: str) -> None:
    """A file that is no Chinese font, or no font at all, is not taken for one; nothing else is looked at."""
    (tmp_path / name).write_bytes(b"not a font")
    with pytest.raises(RequestError) as caught:
        find_typeface(tmp_path)
    assert str(caught.value) == (
        f"--fonts: {tmp_path} holds no font with Chinese glyphs; install one (apt install fonts-noto-cjk), "
        "or name its folder with --fonts DIR or SHUTAN_FONTS"
    )
    with pytest.raises(RequestError, match=r"SHUTAN_FONTS: .* holds no font"):
        find_typeface(environ={"SHUTAN_FONTS": str(tmp_path)})


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"--fonts: .*absent is not a folder"):
        find_typeface(tmp_path / "absent")


def test_a_machine_without_a_font_is_told_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fonts, "_usual_folders", lambda: iter((tmp_path, tmp_path / "absent")))
    with pytest.raises(RequestError, match=r"no font with Chinese glyphs was found; .*apt install fonts-noto-cjk"):
        find_typeface(environ={})


def test_a_font_file_can_be_replaced_between_runs(tmp_path: Path) -> None:
    """What was not found once is looked for again in another folder."""
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    with pytest.raises(RequestError):
        find_typeface(empty)
    shutil.copy(SHARE / "NotoSansCJK-Bold.ttc", full)
    assert find_typeface(full).family == "Noto Sans CJK SC"
