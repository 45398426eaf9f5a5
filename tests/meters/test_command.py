"""`shutan meter`: JSON for frames, one line for mistakes."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shutan_gateway.cli import main

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
PROFILES = Path(__file__).resolve().parents[2] / "firmware/shutan_meters/profiles"
FORWARD = "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"
SDM_REQUEST = "01 04 00 00 00 02 71 CB"
SDM_REPLY = "01 04 04 43 66 33 34 1B 38"

Decode = Callable[..., Any]


@pytest.fixture
def decode(capsys: pytest.CaptureFixture[str]) -> Decode:
    """Decode by the command line; the parsed JSON, or the line on stderr after asserting a non-zero exit."""

    def call(protocol: str, text: str, *more: str) -> Any:
        code = main(["meter", "decode", "--protocol", protocol, "--hex", text, *more])
        out, err = capsys.readouterr()
        if code == 0:
            assert err == ""
            return json.loads(out)
        assert out == ""
        assert err.startswith("shutan: ")
        assert err.count("\n") == 1
        return err.removeprefix("shutan: ").rstrip("\n")

    return call


def vectors() -> list[dict[str, Any]]:
    lines = [line for file in sorted(VECTORS.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()]
    found = [json.loads(line) for line in lines]
    return [vector for vector in found if "frame" in vector and "protocol" in vector]


def test_every_golden_frame_through_the_command(decode: Decode) -> None:
    found = vectors()
    assert len(found) == 51
    for vector in found:
        more = ["--profile", vector["profile"]] if "profile" in vector else []
        more += ["--request", vector["request"]] if "request" in vector else []
        report = decode(vector["protocol"], vector["hex"], *more)
        assert report["checksum_ok" if vector["protocol"] != "modbus" else "crc_ok"] is True
        assert report["direction"] == vector["direction"]


def test_value_with_the_standards_unit_and_the_profiles_name(decode: Decode) -> None:
    report = decode("dlt645", FORWARD, "--profile", "dlt645_three_phase")
    assert report["values"] == [{"name": "forward active energy, total", "value": 0.26, "unit": "kWh"}]
    assert report["metrics"] == [{"metric": "active_energy_import_wh", "value": 260, "unit": "W.h", "quality": "good"}]
    assert "metrics" not in decode("dlt645", FORWARD)


def test_several_frames_are_a_list(decode: Decode) -> None:
    reports = decode("dlt645", "68 AA AA AA AA AA AA 68 13 00 DF 16 00 " + FORWARD + " FF")
    assert [report["direction"] for report in reports] == ["request", "reply"]
    assert [report["noise_before"] for report in reports] == ["", "00"]
    assert reports[1]["noise_after"] == "FF"


def test_modbus_request_in_front_of_its_reply_names_the_registers(decode: Decode) -> None:
    wanted = [{"metric": "voltage_l1_v", "value": 230.2, "unit": "V", "quality": "good"}]
    reports = decode("modbus", SDM_REQUEST + SDM_REPLY, "--profile", "eastron_sdm630")
    assert [report["direction"] for report in reports] == ["request", "reply"]
    assert reports[1]["values"] == wanted
    assert decode("modbus", SDM_REPLY, "--profile", "eastron_sdm630", "--request", SDM_REQUEST)["values"] == wanted


def test_modbus_reply_alone_says_what_it_could_mean(decode: Decode) -> None:
    report = decode("modbus", SDM_REPLY, "--profile", "eastron_sdm630")
    assert report["values"] == []
    assert "--request" in report["note"]
    assert [one["start"] for one in report["candidates"]][:2] == ["0000", "0002"]
    assert all("active_energy" not in str(one) or one["values"][0]["value"] == 230200 for one in report["candidates"])
    other = decode("modbus", SDM_REPLY, "--profile", "eastron_sdm630", "--request", "01 04 00 01 00 06 21 C8")
    assert other["note"] == "the request given is not the one that this reply answers"
    assert decode("modbus", SDM_REPLY)["as_f32_big"] == [230.2]


def test_modbus_frame_that_request_and_reply_share(decode: Decode) -> None:
    written = "01 06 00 02 00 05 E8 09"
    assert decode("modbus", written)["direction"] == "request or reply"
    assert decode("modbus", written, "--request", written)["direction"] == "reply"


def test_hex_from_stdin(decode: Decode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FORWARD.encode() + b"\n")))
    assert decode("dlt645", "-")["address"] == "000000000161"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xe6\x95\xb0")))
    assert decode("dlt645", "-").startswith("--hex, character 1: ")


def test_profile_by_path(decode: Decode, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes((PROFILES / "dlt645_three_phase/profile.json").read_bytes())
    assert decode("dlt645", FORWARD, "--profile", str(file))["metrics"][0]["value"] == 260
    file.write_text('{"profile": "mine"}', encoding="utf-8")
    assert decode("dlt645", FORWARD, "--profile", str(file)).count("missing") == 4
    file.write_bytes(b"\xff\xfe")
    assert decode("dlt645", FORWARD, "--profile", str(file)).endswith("byte 0: not UTF-8 text")


@pytest.mark.parametrize(
    ("protocol", "text", "said"),
    [
        ("dlt645", "68 6", "--hex, character 4: a byte needs two hex digits"),
        ("dlt645", "68 0G", "--hex, character 5: 'G' is not a hex digit"),
        ("dlt645", "", "byte 0: nothing to decode"),
        ("dlt645", "12 34 56", "byte 0: no start byte 68 in 3 bytes"),
        ("dlt645", FORWARD[:-5] + "8B 16", "byte 18: checksum is 8B, computed 8A over bytes 0..17"),
        ("dlt645", FORWARD[:-2] + "17", "byte 19: end byte 16 expected, found 17"),
        ("dlt645", FORWARD[:-9], "byte 9: length 8 makes a frame of 20 bytes, found 17"),
        ("dlt645", "68 61 01 00 00 00 00 69 91", "byte 7: second start byte 68 expected, found 69"),
        ("dlt645", "68 61 01 00 00 00 00 68 1F 00 51 16", "byte 8: control code 1F is not defined in DL/T 645"),
        ("dlt645", SDM_REPLY, "byte 0: no start byte 68 in 9 bytes (the bytes are a valid modbus frame)"),
        ("modbus", SDM_REPLY[:-2] + "39", "byte 7: CRC is 1B 39, computed 1B 38"),
        ("modbus", SDM_REPLY[:-6], "byte 7: a frame of 8 or 9 bytes expected, found 7"),
        ("modbus", "01 2B 0E 01 00 70 77", "byte 1: function code 2B is not a known one"),
        ("modbus", "01", "byte 1: a Modbus frame has at least 4 bytes"),
        ("modbus", FORWARD, "byte 1: function code 61 is not a known one (the bytes are a valid dlt645 frame)"),
        ("cjt188", "68 10 AA", "byte 0: no undamaged CJ/T 188 frame in 3 bytes"),
    ],
)
def test_bad_bytes_are_one_line_that_names_the_place(decode: Decode, protocol: str, text: str, said: str) -> None:
    assert decode(protocol, text) == said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--profile", "nosuch"], "--profile: no profile 'nosuch'; known: "),
        (["--profile", "eastron_sdm630"], "--profile: eastron_sdm630 is a modbus profile, not dlt645"),
        (["--request", SDM_REQUEST], "--request: belongs to --protocol modbus"),
    ],
)
def test_options_that_do_not_fit(decode: Decode, more: list[str], said: str) -> None:
    assert decode("dlt645", FORWARD, *more).startswith(said)


def test_damaged_request(decode: Decode) -> None:
    assert decode("modbus", SDM_REPLY, "--request", "01 04").startswith("request: not an undamaged Modbus request")


def test_list_of_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meter", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    folders = sorted(path.name for path in PROFILES.iterdir() if path.is_dir())
    assert [row["profile"] for row in rows] == folders
    assert all(row["metrics"] and row["title"] and row["title_zh"] for row in rows)
    assert main(["meter", "list"]) == 0
    table = capsys.readouterr().out
    assert all(folder in table for folder in folders)


def stream_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[Any], str]:
    code = main(["meter", "decode", "--stream", *arguments])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


@pytest.mark.parametrize("spelled", [False, True])
def test_stream_of_all_protocols(tmp_path: Path, capsys: pytest.CaptureFixture[str], spelled: bool) -> None:
    found = vectors()
    frames = [bytes.fromhex(vector["hex"]) for vector in found]
    data = b"".join(b"\x00\xff\x68" + frame for frame in frames) + b"\x68\x01"
    capture = tmp_path / "line.capture"
    capture.write_bytes(data.hex(" ").replace("68 01", "6801\n").encode() if spelled else data)
    code, lines, err = stream_of(capsys, str(capture))
    assert (code, err) == (0, "")
    assert [line["direction"] for line in lines if "direction" in line] == [vector["direction"] for vector in found]
    assert lines[-1]["summary"]["bytes"] == len(data)
    assert lines[-1]["summary"]["frame_bytes"] == sum(map(len, frames))
    assert lines[-1]["summary"]["skipped_bytes"] == 3 * len(frames) + 2
    assert sum(lines[-1]["summary"]["frames"].values()) == len(frames)
    assert [line["at"] for line in lines[:-1]] == sorted(line["at"] for line in lines[:-1])


def test_stream_with_one_protocol_and_a_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = tmp_path / "line.capture"
    capture.write_text(f"{SDM_REQUEST} {SDM_REPLY} {FORWARD}", encoding="ascii")
    code, lines, _ = stream_of(capsys, str(capture), "--protocol", "modbus", "--profile", "eastron_sdm630")
    assert code == 0
    assert [list(line)[2] for line in lines[:-1]] == ["protocol", "protocol", "hex"]
    assert lines[1]["values"] == [{"metric": "voltage_l1_v", "value": 230.2, "unit": "V", "quality": "good"}]
    assert lines[2]["skipped"] == 20


@pytest.mark.parametrize(
    ("content", "said", "lines"),
    [
        (b"", "--stream: nothing to decode", 0),
        (b"68 6", "--stream: a byte needs two hex digits: their number is odd", 0),
        (b"\x00\xff\x00", "--stream: no valid frame in 3 bytes", 2),
        (None, "No such file or directory", 0),
    ],
)
def test_streams_that_say_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str, lines: int
) -> None:
    capture = tmp_path / "line.capture"
    if content is not None:
        capture.write_bytes(content)
    code, printed, err = stream_of(capsys, str(capture))
    assert code == 1
    assert said in err
    assert len(printed) == lines


@pytest.mark.parametrize("arguments", [["--hex", FORWARD], ["--protocol", "dlt645"], ["--hex", "00", "--stream", "-"]])
def test_decode_needs_one_source_and_hex_its_protocol(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["meter", "decode", *arguments]) == 2
    said = capsys.readouterr().err
    assert "--stream" in said or "--protocol" in said
