"""`shutan quarantine` lists and shows what was refused, whatever is in it."""

import json
from pathlib import Path

import pytest

from shutan_gateway.cli import main
from shutan_gateway.counters import Counters
from shutan_gateway.payload.place import find_place
from shutan_gateway.quarantine import Limits, Quarantine

CONFIG = '[gateway]\ndata_dir = "data"\n'
BROKEN = bytes.fromhex("08fb909282e7331202100112060a02ffff10011800")  # second metric: a name not in UTF-8
TOPIC = "spBv1.0/plant/DDATA/n01/m1"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(CONFIG)
    quarantine = Quarantine(tmp_path / "data/quarantine", Counters(), Limits(payload_bytes=5_000))
    quarantine.keep(
        "mqtt", "bad_utf8", "sparkplug.metric[1]: string is not UTF-8", BROKEN, topic=TOPIC, received_ms=1000
    )
    quarantine.keep("adapters/shelly", "deep_json", "[31m\x1b[31mred", b"[" * 6_000, topic="x", received_ms=86_400_000)
    quarantine.close()
    return file


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["quarantine", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_list_and_its_filters(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "-c", config)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["id", "1", "2"]
    filters = {
        ("--reason", "bad_utf8"): [1],
        ("--source", "adapters"): [2],
        ("--since", "1970-01-01T12:00Z"): [2],
        ("--until", "1970-01-01T12:00Z"): [1],
        ("--reason", "bad_utf8", "--source", "serial"): [],
    }
    for words, numbers in filters.items():
        assert [
            item["number"] for item in json.loads(run(capsys, "list", "-c", config, "--json", *words)[1])
        ] == numbers


def test_show_marks_the_broken_bytes(config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "show", "1", "-c", config, "--raw", tmp_path / "raw.bin")
    assert code == 0
    assert "bad_utf8: sparkplug.metric[1]: string is not UTF-8" in out
    assert "place     bytes 13 to 16: sparkplug.metric[1]: string is not UTF-8" in out
    assert "> 000000  08 fb 90" in out
    assert (tmp_path / "raw.bin").read_bytes() == BROKEN
    tree = json.loads(run(capsys, "show", "1", "-c", config, "--json")[1])
    assert (tree["place"]["first"], tree["place"]["end"], bytes.fromhex(tree["hex"])) == (13, 17, BROKEN)


def test_show_of_a_long_and_hostile_input(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", "2", "-c", config)
    assert code == 0
    assert "\x1b" not in out
    assert "\\u001b[31mred" in out
    assert "6000 bytes, the first 5000 of them kept" in out
    assert "904 more bytes" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["show", "9"], 1, "there is no such item"),
        (["list", "--since", "yesterday"], 2, "--since: a time such as"),
        (["show", "x"], 2, "should be a valid integer"),
    ],
)
def test_mistakes_are_one_line(
    config: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    found, _, err = run(capsys, *words, "-c", config)
    assert (found, err.count("\n")) == (code, 1)
    assert said in err


def test_a_damaged_file_is_told_beside_the_list(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "data/quarantine/00000001.q").write_bytes(b"\xff")
    code, out, err = run(capsys, "list", "-c", config)
    assert (code, len(out.splitlines()), err.count("\n")) == (0, 2, 1)
    assert "damaged" in err


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("08", 0, 1),  # a tag alone
        ("08010b", 2, 3),  # a group
        ("0801127f10", 2, 5),  # a metric longer than the payload
        ("0801120520017a0178", 2, 9),  # a string under Int8: each field is sound, the metric is not
        ("1206100158030f00", 6, 8),
    ],
)
def test_the_broken_piece_is_found(text: str, first: int, end: int) -> None:
    place = find_place(bytes.fromhex(text))
    assert place is not None
    assert (place.first, place.end) == (first, end)


def test_a_sound_payload_has_no_broken_piece() -> None:
    assert find_place(b"\x18\x00") is None
