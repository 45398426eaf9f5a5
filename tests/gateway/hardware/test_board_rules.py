"""Each rule of `shutan hardware check` fires on a board that breaks it; the sound boards break none."""

import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.errors import ConfigError
from shutan_gateway.hardware.board import Board, load_board, packaged
from shutan_gateway.hardware.catalogue import catalogue
from shutan_gateway.hardware.check import check_board, check_named
from shutan_gateway.hardware.page import artefacts


class Bad(NamedTuple):
    """A sound board with one change. place: what the finding must name."""

    rule: str
    board: str
    old: str
    new: str
    place: str


def pin(gpio: int, signal: str) -> str:
    """The first two lines of a pin in a profile."""
    return f'gpio = {gpio}\nsignal = "{signal}"'


DE = 'line = "de"\nto = "U4.DE"\npull = "down"\nsafe = "low"'
INPUT = '[[pin]]\ngpio = 19\nsignal = "LED"\ndirection = "out"\nto = "D1"\nload_ma = 2'
CASES = [
    Bad("no-such-pin", "rs485_wroom", pin(19, "LED"), pin(20, "LED"), "GPIO20 LED"),
    Bad("no-such-pin", "rs485_wroom", pin(19, "LED"), pin(37, "LED"), "GPIO37 LED"),  # on the chip, not on the module
    Bad("memory-pin", "rs485_wroom", pin(19, "LED"), pin(6, "LED"), "GPIO6 LED"),
    Bad("memory-pin", "rs485_wroom", "ESP32-WROOM-32E-N4", "ESP32-WROVER-E-N4R8", "GPIO17 RS485_1_TX"),
    Bad("used-twice", "rs485_wroom", pin(19, "LED"), pin(23, "LED"), "GPIO23 LED"),
    Bad("input-only", "rs485_wroom", pin(19, "LED"), pin(34, "LED"), "GPIO34 LED"),
    Bad("input-only", "ethernet_w5500", 'line = "int"\npull = "up"', 'line = "int"',
        "GPIO34 ETH_INT"),
    Bad("strapping", "rs485_wroom", pin(21, "I2C_SDA"), pin(12, "I2C_SDA"), "GPIO12 I2C_SDA"),
    Bad("strapping", "rs485_wroom", pin(16, "RS485_1_RX"), pin(2, "RS485_1_RX"), "GPIO2 RS485_1_RX"),
    Bad("strapping", "rs485_wroom", 'to = "SW1"\npull = "up"', 'to = "SW1"\npull = "down"', "GPIO0 BOOT"),
    Bad("strapping", "rs485_wroom", 'to = "SW1"\npull = "up"', 'to = "SW1"', "GPIO0 BOOT"),  # nothing is said
    Bad("strapping", "machine_s3", pin(18, "RS485_RX"), pin(45, "RS485_RX"), "GPIO45 RS485_RX"),
    Bad("strapping", "pulse_c3", pin(10, "LED"), pin(2, "LED"), "GPIO2 LED"),
    Bad("strapping", "pulse_c3", 'to = "~10 k to 3V3"\npull = "up"', 'to = "~10 k to 0V"\npull = "down"',
        "GPIO8 STRAP_8"),
    Bad("strapping", "pulse_c3", 'to = "~10 k to 3V3"\npull = "up"\n[[pin]]\ngpio = 8',
        'to = "~none"\n[[pin]]\ngpio = 8', "GPIO2"),
    Bad("adc2-wifi", "rs485_wroom", INPUT, '[[pin]]\ngpio = 13\nsignal = "LEVEL"\ndirection = "analog"\nto = "J4.AI"',
        "GPIO13 LEVEL"),
    Bad("adc2-wifi", "pulse_c3", pin(10, "LED") + '\ndirection = "out"', pin(5, "LED") + '\ndirection = "analog"',
        "GPIO5 LED"),
    Bad("no-adc", "rs485_wroom", pin(19, "LED") + '\ndirection = "out"', pin(19, "LED") + '\ndirection = "analog"',
        "GPIO19 LED"),
    Bad("usb-pin", "machine_s3", pin(21, "LED"), pin(20, "LED"), "GPIO20 LED"),
    Bad("console-pin", "rs485_wroom", pin(4, "RS485_1_DE"), pin(1, "RS485_1_DE"), "GPIO1 RS485_1_DE"),
    Bad("console-pin", "machine_s3", pin(21, "LED"), pin(43, "LED"), "GPIO43 LED"),
    Bad("flash-port", "rs485_wroom", 'flashing = "uart0"', 'flashing = "usb"', "usb"),
    Bad("flash-port", "machine_s3", 'gpio = 0\nsignal = "BOOT"', 'gpio = 38\nsignal = "BOOT"', "GPIO0"),
    Bad("boot-level", "machine_s3", 'to = "U4.CS"\nbus = "spi-1"\nline = "cs"\npull = "up"',
        'to = "U4.CS"\nbus = "spi-1"\nline = "cs"', "GPIO10 VIB_CS"),
    Bad("boot-level", "rs485_wroom", pin(4, "RS485_1_DE"), pin(14, "RS485_1_DE"), "GPIO14 RS485_1_DE"),
    Bad("driver-enable", "rs485_wroom", DE, DE.replace('pull = "down"\n', ""), "GPIO4 RS485_1_DE"),
    Bad("pulse-glitch", "rs485_wroom", INPUT, '[[pin]]\ngpio = 36\nsignal = "S0"\ndirection = "pulse"\nto = "J4.S0"\n'
        'pull = "up"\ncounter = "pcnt"', "GPIO36 S0"),
    Bad("pulse-counter", "pulse_c3", 'counter = "interrupt"', 'counter = "pcnt"', "pulse inputs"),
    Bad("pulse-counter", "machine_s3", 'counter = "pcnt"', "", "GPIO4 CYCLE"),
    Bad("wake-pin", "pulse_c3", pin(10, "LED"), pin(10, "LED") + "\nwake = true", "GPIO10 LED"),
    Bad("bus-lines", "rs485_wroom", 'bus = "rs485-1"\nline = "rx"', "", "bus rs485-1"),
    Bad("bus-lines", "rs485_wroom", 'to = "J4.SDA"\npull = "up"', 'to = "J4.SDA"', "bus i2c-1"),
    Bad("bus-lines", "rs485_wroom", 'bus = "rs485-2"\nline = "rx"', 'bus = "rs485-1"\nline = "rx"', "bus rs485-1"),
    Bad("bus-unit", "rs485_wroom", 'kind = "uart"\nunit = 1', 'kind = "uart"\nunit = 0', "uart 0"),
    Bad("bus-unit", "rs485_wroom", 'kind = "uart"\nunit = 1', 'kind = "uart"\nunit = 2', "uart 2"),
    Bad("bus-unit", "pulse_c3", 'kind = "i2c"\nunit = 0', 'kind = "i2c"\nunit = 1', "i2c 1"),
    Bad("pin-current", "rs485_wroom", 'to = "D1"\nload_ma = 2', 'to = "D1"\nload_ma = 25', "GPIO19 LED"),
    Bad("pin-voltage", "rs485_wroom", 'to = "U4.RO"', 'to = "U4.RO"\nlevel_mv = 5000', "GPIO16 RS485_1_RX"),
    Bad("rail-current", "rs485_wroom", "limit_ma = 500", "limit_ma = 200", "rail 24v"),
    Bad("module-supply", "rs485_wroom", 'kind = "ldo_3v3_1a"', 'kind = "dcdc_isolated_1w"', "rail 3v3"),
    Bad("module-supply", "rs485_wroom", 'rails = ["3v3"]\nvalue = "ESP32-WROOM-32E-N4"', 'value = "x"', "module"),
    Bad("regulator-heat", "rs485_wroom", 'source = "5v"\nregulator = "U3"', 'source = "24v"\nregulator = "U3"',
        "rail 3v3"),
    Bad("isolation", "ct3_s3", 'kind = "voltage_transformer"', 'kind = "opto_input"', "T1"),
    Bad("isolation", "ct3_s3", "altitude_m = 4000", "altitude_m = 6000", "U2"),
    Bad("isolation", "ct3_s3", "category = 3", "category = 4", "U2"),
    Bad("isolation", "rs485_wroom", 'ref = "U4"\nkind = "rs485_isolated"', 'ref = "U4"\nkind = "meter_chip"', "U4"),
    Bad("mains-part", "ct3_s3", 'kind = "mains_terminal"', 'kind = "terminal"', "J1"),
    Bad("mains-fuse", "ct3_s3", 'kind = "mains_fuse"', 'kind = "mains_varistor"', "domain mains"),
    Bad("crossing", "rs485_wroom", 'ref = "U4"\nkind = "rs485_isolated"\ndomains = ["logic", "line1"]',
        'ref = "U4"\nkind = "rs485_isolated"\ndomains = ["line1"]', "GPIO17 RS485_1_TX"),
    Bad("crossing", "rs485_wroom", 'chain = ["U4", "R1", "J2"]', 'chain = ["R1", "U6", "J2"]', "circuit meter line 1"),
    Bad("crossing", "rs485_wroom", 'rails = ["3v3", "5v_line1"]', 'rails = ["3v3", "5v"]', "U4"),
    Bad("crossing", "rs485_wroom", 'source = "5v"\nregulator = "U5"', 'source = "5v"\nregulator = "U2"',
        "rail 5v_line1"),
]  # fmt: skip


def text_of(name: str) -> str:
    return packaged()[name].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", packaged())
def test_a_packaged_board_breaks_no_rule(name: str) -> None:
    assert [finding.line() for finding in check_named(name)] == []


@pytest.mark.parametrize("bad", CASES, ids=[f"{bad.rule}-{bad.place}".replace(" ", "_") for bad in CASES])
def test_a_board_that_breaks_a_rule_is_told_where_and_what_to_do(bad: Bad) -> None:
    text = text_of(bad.board)
    assert bad.old in text
    findings = check_board(load_board(text.replace(bad.old, bad.new), "bad.toml"))
    hits = [one for one in findings if (one.rule, one.place) == (bad.rule, bad.place)]
    assert hits, [finding.line() for finding in findings]
    for one in hits:
        assert one.what
        assert one.remedy
        line = one.line()
        assert line == f"{bad.board}: {bad.place}: {bad.rule}: {one.what}; {one.remedy}"
        assert "\n" not in line


@pytest.mark.parametrize("bad", CASES, ids=[f"{bad.rule}-{bad.place}".replace(" ", "_") for bad in CASES])
def test_a_board_that_breaks_a_rule_can_still_be_shown(bad: Bad) -> None:
    board = load_board(text_of(bad.board).replace(bad.old, bad.new), "bad.toml")
    assert set(artefacts(board)) == {"README.md", "bom.csv", "pinout.svg", "wiring.svg"}


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(packaged())),
    which=st.integers(0, 99),
    gpio=st.integers(0, 64),
    wired=st.fixed_dictionaries(
        {
            "direction": st.sampled_from(["out", "in", "bidir", "analog", "pulse"]),
            "pull": st.sampled_from(["up", "down", ""]),
        }
    ),
    module=st.sampled_from(list(catalogue().modules)),
)
def test_any_pin_anywhere_is_judged_without_a_fault(
    name: str, which: int, gpio: int, wired: dict[str, str], module: str
) -> None:
    tree = tomllib.loads(text_of(name))
    tree["module"] = module
    tree["pin"][which % len(tree["pin"])] |= {"gpio": gpio, **wired}
    board = Board.model_validate(tree)
    findings = check_board(board)
    assert {one.rule for one in findings} <= set(catalogue().rules)
    pads = set(catalogue().modules[module].pads)
    assert gpio in pads or any(one.rule == "no-such-pin" and f"GPIO{gpio} " in one.place for one in findings)
    assert artefacts(board)


def test_every_rule_has_a_board_that_breaks_it_and_no_finding_is_without_words() -> None:
    assert {bad.rule for bad in CASES} | {"form"} == set(catalogue().rules)
    assert all(rule.en and rule.zh for rule in catalogue().rules.values())


def test_a_wider_distance_is_asked_for_high_above_the_sea() -> None:
    """CAT III, reinforced: 5.5 mm up to 2000 m, times 1.48 = 8.14 mm at 5000 m, which the 8 mm of the parts miss."""
    at = {metres: text_of("ct3_s3").replace("altitude_m = 4000", f"altitude_m = {metres}") for metres in (4000, 5000)}
    assert check_board(load_board(at[4000], "ct3.toml")) == []
    lines = [finding.line() for finding in check_board(load_board(at[5000], "ct3.toml"))]
    assert len(lines) == 3
    assert all("clearance 8 mm, CAT 3, 5000 m: 8.14 mm needed" in line for line in lines)


def test_a_barrier_to_mains_is_judged_by_insulation_clearance_and_creepage() -> None:
    weak = text_of("ct3_s3").replace('kind = "voltage_transformer"', 'kind = "opto_input"')
    said = [one.what for one in check_board(load_board(weak, "bad.toml")) if one.rule == "isolation"]
    assert said == [
        "basic insulation, 3750 V between mains and what can be touched",
        "clearance 4 mm, CAT 3, 4000 m: 7.1 mm needed",
        "creepage 4 mm, 6.4 mm needed",
    ]


def test_a_larger_memory_takes_more_pins() -> None:
    led = text_of("machine_s3").replace(pin(21, "LED"), pin(35, "LED"))
    assert check_board(load_board(led, "bad.toml")) == []
    octal = load_board(led.replace("WROOM-1-N8", "WROOM-1-N16R8"), "bad.toml")
    assert [(one.rule, one.place) for one in check_board(octal)] == [("memory-pin", "GPIO35 LED")]


def test_a_radio_that_is_off_allows_adc2() -> None:
    analog = 'gpio = 13\nsignal = "LEVEL"\ndirection = "analog"\nto = "~terminal"\n\n[[pin]]\ngpio = 21'
    wired = text_of("ethernet_w5500").replace("gpio = 21", analog)
    assert check_board(load_board(wired, "bad.toml")) == []
    radio = wired.replace('link = "ethernet"', 'link = "wifi"')
    assert [one.rule for one in check_board(load_board(radio, "bad.toml"))] == ["adc2-wifi"]


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ('module = "ESP32-WROOM-32E-N4"', 'module = "ESP33"', "module", "found ESP33; accepted: ESP32-WROOM-32E-N4"),
        ('link = "wifi"', 'link = "lora"', "link", "wifi"),
        ('link = "wifi"', 'link = "wifi"\ncolour = "red"', "colour", "extra_forbidden"),
        ("gpio = 17\n", 'gpio = "seventeen"\n', "pin.3.gpio", "int_parsing"),
        ('to = "U4.DI"', 'to = "U9.DI"', "pin.RS485_1_TX.to", "U9.DI"),
        ('chain = ["J4"]', 'chain = ["J9"]', "circuit.sensors", "J9"),
        ('source = "24v"', 'source = "3v3"', "rail.5v", "3v3"),  # a rail that feeds itself
        ('kind = "buck_24v"', 'kind = "magic"', "part.U2.kind", "magic"),
        ('ref = "U5"', 'ref = "U4"', "part.U4", "used twice"),
        ('bus = "i2c-1"', 'bus = "i2c-9"', "pin.I2C_SDA.bus", "i2c-9"),
        ("[[pin]]", "[[pin", "file", "TOML"),
    ],
)
def test_a_mistake_of_form_is_told_with_its_key(old: str, new: str, place: str, said: str) -> None:
    text = text_of("rs485_wroom")
    assert old in text
    with pytest.raises(ConfigError) as caught:
        load_board(text.replace(old, new, 1), "bad.toml")
    assert [one for one in caught.value.problems if one.key == place and said in one.line()], str(caught.value)


def test_a_file_of_bad_form_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    for raw in (b"", b"\xff\xfe", b"x" * 200_000, b"name = 1"):
        file.write_bytes(raw)
        findings = check_named(str(file))
        assert findings
        assert {one.rule for one in findings} == {"form"}
    assert [one.rule for one in check_named("no_such_board")] == ["form"]
