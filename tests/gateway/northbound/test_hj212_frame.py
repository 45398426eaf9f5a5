"""Frames of HJ 212: published check values, cuts and noise, and packets that come back as they went."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.northbound import hj212
from shutan_gateway.northbound.hj212.frame import ANSWER, MAX_SEGMENT, SPLIT, Framer, Packet, build, crc, parse

CASES: Any = json.loads((Path(hj212.__file__).parent / "testcases" / "crc.json").read_text(encoding="utf-8"))
PACKET = Packet("20260801085857223", "32", "2051", "100000", "010000A8900016F000169DC0", 9, "DataTime=20260801080000")
texts = st.text("ABCxyz019-=,", max_size=200)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["crc"])
def test_published_check_values(case: dict[str, str]) -> None:
    assert f"{crc(case['segment'].encode()):04X}" == case["crc"]
    frame = f"##{len(case['segment']):04d}{case['segment']}{case['crc']}\r\n".encode()
    assert f"CP=&&{parse(frame).cp}&&" in case["segment"]
    assert build(parse(frame)) == frame


def test_a_frame_as_the_standard_writes_it() -> None:
    frame = build(PACKET)
    assert frame.startswith(b"##")
    assert frame.endswith(b"\r\n")
    assert int(frame[2:6]) == len(frame) - 12
    assert b"Flag=9;CP=&&DataTime=20260801080000&&" in frame
    assert PACKET.wants_answer
    assert PACKET.field("DataTime") == "20260801080000"
    assert PACKET.field("EndTime") is None


@given(cp=texts, flag=st.sampled_from([4, 5, 8, 9, 8 | SPLIT, 8 | SPLIT | ANSWER]), pno=st.integers(1, 99))
def test_packets_come_back(cp: str, flag: int, pno: int) -> None:
    packet = PACKET._replace(cp=cp, flag=flag)
    if flag & SPLIT:
        packet = packet._replace(pnum=99, pno=pno)
    assert parse(build(packet)) == packet


@given(cuts=st.lists(st.integers(1, 60), max_size=40), noise=st.binary(max_size=20).filter(lambda b: b"#" not in b))
def test_frames_are_found_in_a_stream_however_it_is_cut(cuts: list[int], noise: bytes) -> None:
    frames = [build(PACKET._replace(cp=f"x={n}")) for n in range(5)]
    stream = noise + b"".join(frames)
    framer, found = Framer(), list[bytes]()
    at = 0
    for cut in [*cuts, len(stream)]:
        found += framer.feed(stream[at : at + cut])
        at += cut
    assert [parse(frame).cp for frame in found] == [f"x={n}" for n in range(5)]


@given(st.binary(max_size=300))
def test_no_bytes_make_trouble(data: bytes) -> None:
    framer = Framer()
    for frame in framer.feed(data):
        try:
            parse(frame)
        except ValueError as error:
            assert str(error)  # noqa: PT017 - any frame may be sound or not
    assert framer.feed(b"....####" + build(PACKET))[-1:] in ([], [build(PACKET)[:-2]])


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"#0012", "no ## and length"),
        (b"##12", "the frame is cut"),
        (b"##0050QN=1", "the frame is cut"),
        (b"##0004QN=1ZZZZ\r\n", "not ASCII"),
        (b"##0004QN=10000\r\n", "CRC 0000 does not fit"),
    ],
)
def test_what_is_wrong_is_said(frame: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(frame)


def test_a_segment_that_is_too_long_is_not_built() -> None:
    with pytest.raises(ValueError, match=f"{MAX_SEGMENT} are allowed"):
        build(PACKET._replace(cp="x" * 1000))
