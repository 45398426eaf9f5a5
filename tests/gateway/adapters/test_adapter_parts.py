"""Ids, patterns, numbers, times, templates: the small parts of the adapters."""

import contextlib
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.adapters.clock import Clock
from shutan_gateway.adapters.exact import exact, scale_of, whole
from shutan_gateway.adapters.homeassistant.template import Template, TemplateError, parse_template
from shutan_gateway.adapters.json_text import parse_json
from shutan_gateway.adapters.names import own_name, safe_id
from shutan_gateway.adapters.readings import read_as, target_for
from shutan_gateway.adapters.topics import Pattern, matches
from shutan_gateway.errors import Refusal
from shutan_gateway.payload.definition import Role, field_of
from shutan_wire import datatypes as dt
from shutan_wire import ids

NOW_MS = 1_780_243_200_000  # 2026-05-31T16:00:00Z


@given(st.text())
def test_any_text_becomes_an_id(text: str) -> None:
    assert ids.check_id(safe_id(text)) == safe_id(text)


@given(one=st.text(max_size=40), other=st.text(max_size=40))
def test_two_texts_never_share_an_id(one: str, other: str) -> None:
    assert (safe_id(one) == safe_id(other)) == (one == other)
    assert safe_id(safe_id(one)) != safe_id(other) or safe_id(one) == other


def test_ids_stay_where_they_can() -> None:
    assert safe_id("shellypro3em-aabbccddeeff") == "shellypro3em-aabbccddeeff"
    assert safe_id("gas main") == "gas_main-658870a4"
    assert safe_id("gas_main-658870a4") != "gas_main-658870a4"  # or one device could take the id of another
    assert len(safe_id("x" * 33)) == 32


@pytest.mark.parametrize("name", ["bdSeq", "Store/Record", "Node Control/Rebirth", "Store/GapFrom", "", "x" * 300])
def test_a_field_never_becomes_part_of_the_record_protocol(name: str) -> None:
    assert field_of(own_name(name), dt.DOUBLE).role == Role.SAMPLE
    assert 0 < len(own_name(name)) <= 57


def test_a_pattern_finds_its_levels() -> None:
    pattern = Pattern("plant/{line}/+/{device}/json")
    assert pattern.filter == "plant/+/+/+/json"
    assert pattern.match("plant/l1/x/m7/json") == {"line": "l1", "device": "m7"}
    assert pattern.match("plant/l1/x/m7") is None
    assert pattern.match("plant//x/m7/json") is None


@pytest.mark.parametrize("text", ["", "a/#", "a/{b}/{b}", "a/{B}", "a/x{b}", "a/b+"])
def test_a_broken_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|levels"):
        Pattern(text)


def test_filters_cover_topics_as_mqtt_says() -> None:
    assert matches("a/+/c", "a/b/c")
    assert not matches("a/+", "a/b/c")
    assert matches("a/#", "a")
    assert not matches("+/x", "$SYS/x")
    assert not matches("a/b", "a")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (Decimal("123.456"), Fraction(123456, 1000)),
        ("123.456", Fraction("123.456")),
        ("-1e3", -1000),
        ("7.", 7),
    ],
)
def test_numbers_are_exact(value: int | Decimal | str, number: Fraction) -> None:
    assert exact(value) == number


@pytest.mark.parametrize("value", [True, None, "", "1,5", "0x10", "nan", "1e999", Decimal("1e99"), "9" * 31, [1], {}])
def test_what_is_no_number_is_none(value: object) -> None:
    assert exact(value) is None  # pyright: ignore[reportArgumentType] - JSON of any kind


def test_a_register_is_cut_off_not_rounded() -> None:
    assert whole(Fraction("62758.999")) == 62758


def test_units_lead_to_the_catalogue() -> None:
    assert scale_of("W.h", "MWh") == (1_000_000, 0)
    assert scale_of("W.h", "V") is None
    fahrenheit = scale_of("Cel", "°F")
    assert fahrenheit is not None
    assert fahrenheit.apply(Fraction(212)) == 100
    assert read_as(target_for("active_energy_import_wh", "kWh"), Decimal("0.1")).register == 100
    with pytest.raises(ValueError, match=r"W\.h"):
        target_for("active_energy_import_wh", "A")
    with pytest.raises(ValueError, match="no unit"):
        target_for("of_my_own", "kWh")


def test_uptime_is_no_register() -> None:
    assert read_as(target_for("uptime_s"), 15).value == 15
    assert read_as(target_for("relay_state"), "ON").value == 1
    assert read_as(target_for("relay_state"), "maybe").value is None


@pytest.mark.parametrize(
    ("value", "form", "found"),
    [
        ("2026-05-31T16:00:00Z", "iso", NOW_MS),
        ("2026-05-31T18:00:00+02:00", "iso", NOW_MS),
        ("2026-06-01T00:00:00", "iso", NOW_MS),  # Asia/Shanghai
        (Decimal("1780243199.25"), "unix_s", NOW_MS - 750),
        ("1780243200000", "unix_ms", NOW_MS),
        (1_780_243_200, "unix_ms", None),  # seconds, where milliseconds were said: 1970
        ("2026-05-31T16:11:00Z", "iso", None),  # ahead of the gateway
        ("1970-01-01T00:00:07", "iso", None),
        ("soon", "iso", None),
        (None, "iso", None),
    ],
)
def test_device_times(value: str | int | Decimal | None, form: str, found: int | None) -> None:
    clock = Clock(ZoneInfo("Asia/Shanghai"))
    assert clock.read(value, form, NOW_MS) == found  # pyright: ignore[reportArgumentType] - one of the three


def test_a_local_time_without_a_zone_is_not_used() -> None:
    assert Clock(None).read("2026-06-01T00:00:00", "iso", NOW_MS) is None


def test_the_hour_that_comes_twice_is_the_one_nearer_to_its_arrival() -> None:
    clock = Clock(ZoneInfo("Europe/Berlin"))
    first_ms = 1_761_438_600_000  # 2025-10-26T00:30:00Z, 02:30 in summer time
    for arrived_ms in (first_ms + 5_000, first_ms + 3_605_000):
        assert clock.read("2025-10-26T02:30:00", "iso", arrived_ms) == arrived_ms - 5_000


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("{{ value }}", Template(None, Fraction(1))),
        ("{{value_json.a.b}}", Template(("a", "b"), Fraction(1))),
        ("{{ value_json['ENERGY'][\"Total\"] }}", Template(("ENERGY", "Total"), Fraction(1))),
        ("{{- value_json.a[2].c | float(0) -}}", Template(("a", 2, "c"), Fraction(1))),
        ("{{ (value_json.x | float) * 0.1 }}", Template(("x",), Fraction(1, 10))),
        ("{{ float(value)/1000.0 }}", Template(None, Fraction(1, 1000))),
        ("{{ (value_json.x | float / 1000) | round(3) }}", None),
        ("{{ value_json.a | round(2) | is_defined }}", Template(("a",), Fraction(1))),
        ("{{ value_json }}", None),
        ("{{ value_json.a + 1 }}", None),
        ("{{ value_json.a / 0 }}", None),
        ("{{ value | regex_replace('a','b') }}", None),
        ("{% set x = 1 %}{{ x }}", None),
        ("{{ states('sensor.x') }}", None),
        ("{{ value_json.a }}{{ value_json.b }}", None),
        ("{{ " + "(" * 200 + "value" + ")" * 200 + " }}", None),
    ],
)
def test_templates_are_paths_or_refused(text: str, template: Template | None) -> None:
    if template is None:
        with pytest.raises(TemplateError):
            parse_template(text)
    else:
        assert parse_template(text) == template


@given(st.text(alphabet="{}value_json.()[]'|*/ 019float,round", max_size=120))
def test_no_template_raises_anything_else(text: str) -> None:
    with contextlib.suppress(TemplateError):
        parse_template(text)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_refusal(raw: bytes) -> None:
    with contextlib.suppress(Refusal):
        parse_json(raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'"' + b"x" * 65_535 + b'"', "oversize"),
        (b"[" * 17 + b"]" * 17, "deep_json"),
        (b"[" * 60_000, "deep_json"),
        (b'{"a":{"b":1,"b":2}}', "duplicate_key"),
        (b"[Infinity]", "nan"),
        (b"1" * 41, "long_number"),
        (b"0." + b"1" * 40, "long_number"),
        (b'"\xc3"', "bad_utf8"),
        (b'"\\udc00"', "bad_utf8"),
        (b"", "bad_json"),
        (b"{'a':1}", "bad_json"),
        (b"[1,]", "bad_json"),
        (b"1 2", "bad_json"),
    ],
)
def test_each_malformed_class_has_its_name(raw: bytes, reason: str) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_json(raw)
    assert refusal.value.reason == reason


def test_sound_json_of_the_limits_is_read() -> None:
    assert parse_json(b'"' + b"x" * 65_534 + b'"') == "x" * 65_534
    deep = parse_json(b"[" * 16 + b'"]]["' + b"]" * 16)
    for _ in range(16):
        assert isinstance(deep, list)
        (deep,) = deep
    assert deep == "]]["
    assert parse_json(b"\xef\xbb\xbf1.10") == Decimal("1.10")
