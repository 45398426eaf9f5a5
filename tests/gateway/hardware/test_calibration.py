"""A record of calibration: taken when its gains follow from its readings, else refused with the key of each mistake."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.errors import ConfigError
from shutan_gateway.hardware.calibration import load_record, new_gain
from support.places import REPO

SAMPLE = (REPO / "hardware/calibration.sample.json").read_text(encoding="utf-8")


def test_the_sample_is_taken() -> None:
    record = load_record(SAMPLE, "sample")
    assert record.operator.endswith("张伟")
    assert [one.gain_after for one in record.channels] == [33003, 32894, 32591, 33189, 32522, 32840]
    assert [one.after for one in record.angles] == [14, 12, 17]


@pytest.mark.parametrize(
    ("gain", "reference", "reading", "after"),
    [
        (32768, "230.05", "228.41", 33003),  # 33003.278
        (32768, "100", "100", 32768),
        (1000, "1.0005", "1", 1001),  # 1000.5: half goes up
        (1000, "1.00049", "1", 1000),
        (40000, "3", "1", 120000),  # does not fit, which record_problems says
    ],
)
def test_a_gain_is_exact_and_rounded_once(gain: int, reference: str, reading: str, after: int) -> None:
    assert new_gain(gain, reference, reading) == after


@given(
    gain=st.integers(1, 65535),
    reference=st.decimals("0.001", "100000", places=3),
    reading=st.decimals("0.001", "100000", places=3),
)
def test_a_gain_is_never_more_than_half_a_step_off(gain: int, reference: Decimal, reading: Decimal) -> None:
    exact = gain * Fraction(reference) / Fraction(reading)
    assert abs(new_gain(gain, str(reference), str(reading)) - exact) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ('"gain_after": 33003', '"gain_after": 33004', "channels.0.gain_after (UgainA)", "33003 = 32768 x reference"),
        ('"reading": "228.41"', '"reading": "100"', "channels.0.gain_after (UgainA)", "16 bits"),
        ('"load_percent": 50', '"load_percent": 9', "channels.3.load_percent (IgainA)", "10 or more"),
        ('"check_reading": "229.98"', '"check_reading": "228.80"', "channels.0.check_reading (UgainA)", "0.530 % off"),
        ('"check_reading": "1152.0"', '"check_reading": "1160.0"', "angles.0.check_reading (PhiA)", "0.852 % off"),
        ('"register": "UgainB"', '"register": "UgainA"', "channels.1.register", "each register once"),
        ('"register": "PhiB"', '"register": "PhiA"', "angles.1.register", "each register once"),
        ('"valid_until": "2027-04-11"', '"valid_until": "2026-05-19"', "reference.valid_until", "2026-05-20 or later"),
        ('"error_percent": "0.1"', '"error_percent": "0.2"', "reference.error_percent", "a third of accept_percent"),
        ('"operator": "Zhang W. 张伟"', '"operator": ""', "operator", "at least 1 character"),
        ('"date": "2026-05-20"', '"date": "20 May"', "date", "date"),
        ('"reading": "228.41"', '"reading": "NaN"', "channels.0.reading", "above 0"),
        ('"reading": "228.41"', '"reading": "0"', "channels.0.reading", "above 0"),
        ('"reading": "228.41"', '"reading": "1e999999"', "channels.0.reading", "above 0"),
        ('"reading": "228.41"', '"reading": 228.41', "channels.0.reading", "string"),
        ('"format": 1,', '"format": 2,', "format", "1"),
        ('"format": 1,', '"format": 1, "colour": 1,', "colour", "Extra inputs"),
        ('"channels": [', '"channels": {', "line 18", "JSON"),
    ],
)
def test_a_mistake_is_told_with_its_key(old: str, new: str, key: str, said: str) -> None:
    assert old in SAMPLE
    with pytest.raises(ConfigError) as caught:
        load_record(SAMPLE.replace(old, new, 1), "record.json")
    assert [one for one in caught.value.problems if one.key == key and said in one.line()], str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    tree = json.loads(SAMPLE)
    tree["channels"][0]["gain_after"] += 1
    tree["channels"][5]["load_percent"] = 5
    tree["reference"]["valid_until"] = "2020-01-01"
    with pytest.raises(ConfigError) as caught:
        load_record(json.dumps(tree), "record.json")
    assert len(caught.value.problems) == 3
