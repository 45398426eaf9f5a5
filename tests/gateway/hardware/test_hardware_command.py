"""`shutan hardware` as a person calls it: lists, checks with exit codes, drawings, parts, power, calibration."""

import json
from pathlib import Path

import pytest

from shutan_gateway.cli import main
from shutan_gateway.hardware.board import find, packaged
from shutan_gateway.hardware.page import artefacts
from support.places import REPO


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["hardware", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def bad_board(folder: Path) -> Path:
    """rs485_wroom with the driver enable on the pin that selects the flash's voltage, held high."""
    text = packaged()["rs485_wroom"].read_text(encoding="utf-8")
    old = 'gpio = 4\nsignal = "RS485_1_DE"'
    assert old in text
    file = folder / "board.toml"
    changed = text.replace(old, 'gpio = 12\nat_reset = "high"\nsignal = "RS485_1_DE"')
    file.write_text(changed, encoding="utf-8")
    return file


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(packaged())
    code, out, _ = run(capsys, "list", "--json")
    assert [row["board"] for row in json.loads(out)] == list(packaged())


def test_check_of_all_boards_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check") == (0, f"{len(packaged())} boards, nothing found\n", "")
    assert run(capsys, "check", "pulse_c3", "--json") == (0, "[]\n", "")


def test_check_of_a_bad_board_is_one_line_a_finding_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(bad_board(tmp_path))
    code, out, err = run(capsys, "check", file)
    assert (code, err) == (1, "")
    line = next(line for line in out.splitlines() if ": strapping: " in line)
    assert line.startswith("rs485_wroom: GPIO12 RS485_1_DE: strapping: high at reset selects 1.8 V for the flash")
    assert "; hold it low at reset, or move the signal (free: 4, 13, 18, 32, 33)" in line
    assert line in (REPO / "hardware/README.md").read_text(encoding="utf-8")
    code, out, _ = run(capsys, "check", "ct3_s3", file, "--json")
    assert code == 1
    assert {"board", "place", "rule", "what", "remedy"} == set(json.loads(out)[0])


def test_check_of_what_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "check", "no_such_board")
    assert code == 1
    assert "ct3_s3" in out
    code, _, err = run(capsys, "check", str(tmp_path / "gone.toml"))
    assert (code, err) == (1, f"shutan: {tmp_path / 'gone.toml'}: No such file or directory\n")


def test_show_writes_the_committed_drawings_and_prints_parts_and_power(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run(capsys, "show", "ct3_s3", "--svg", str(tmp_path / "out"), "--bom", "--power")
    assert code == 0
    for name in ("pinout.svg", "wiring.svg"):
        assert (tmp_path / "out" / name).read_bytes() == (REPO / "hardware/boards/ct3_s3" / name).read_bytes()
    assert out.startswith(artefacts(find("ct3_s3"))["bom.csv"])
    assert out.splitlines()[-2].split()[:8] == ["3v3", "3.3", "V", "147", "mA", "typical", "542", "mA"]
    code, out, _ = run(capsys, "show", "ct3_s3")
    assert out == (REPO / "hardware/boards/ct3_s3/README.md").read_text(encoding="utf-8")
    code, out, _ = run(capsys, "show", "ct3_s3", "--json")
    assert {one["rail"] for one in json.loads(out)["power"]} == {"mains", "5v", "3v3", "5v_line1"}


def test_calibration_prints_the_registers_and_refuses_a_wrong_record(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sample = REPO / "hardware/calibration.sample.json"
    code, out, _ = run(capsys, "calibration", str(sample))
    assert code == 0
    assert out.splitlines()[:2] == ["ct3_s3 CT3-0001, ATM90E32AS, 2026-05-20, Zhang W. 张伟", "UgainA     33003"]
    code, out, _ = run(capsys, "calibration", str(sample), "--json")
    assert json.loads(out)["registers"]["PhiC"] == 17
    wrong = tmp_path / "wrong.json"
    wrong.write_text(sample.read_text(encoding="utf-8").replace("33003", "33333"), encoding="utf-8")
    code, out, err = run(capsys, "calibration", str(wrong))
    assert (code, out) == (1, "")
    assert err.startswith(f"shutan: {wrong}: channels.0.gain_after (UgainA): found 33333; accepted: 33003")
