"""`[[serial]]`: budgets with their numbers, and mistakes told with place and remedy."""

from pathlib import Path
from textwrap import dedent

import pytest

from shutan_gateway.config import load_config
from shutan_gateway.errors import ConfigError, Refusal
from shutan_gateway.serial.budget import budget_of, char_s, line_of, phases_s
from shutan_gateway.serial.profiles import packaged
from shutan_gateway.serial.writes import WriteReply, allowed_write, write_request
from shutan_meters import modbus
from support.wired_rig import bus_config

DLT = {"profile": "dlt645_three_phase"}
ENERGY = {"metrics": ["active_energy_import_wh"]}


def meters(count: int, **keys: object) -> list[dict[str, object]]:
    return [{"id": f"m{n}", "address": f"{n:012d}", **DLT, **keys} for n in range(1, count + 1)]


def problems(folder: Path, text: str) -> list[str]:
    path = folder / "gateway.toml"
    path.write_text('[gateway]\ndata_dir = "data"\n' + dedent(text), encoding="utf-8")
    try:
        load_config(path)
    except ConfigError as error:
        return [f"{one.key}: {one.found} | {one.accepted}" for one in error.problems]
    return []


def test_a_read_at_2400_baud_takes_what_the_characters_take() -> None:
    bus = bus_config(device="/dev/x", baud=2400, turnaround_ms=100, meter=meters(1, **ENERGY))
    # 20 bytes out, 40 back (4 wake, 12 frame, 4 identifier, 20 of five registers), 3.5 pause: 63.5 x 11 / 2400 s
    whole = 63.5 * 11 / 2400 + 0.1 + 0.005 + 0.05 * (20 * 11 / 2400 + 1.5)
    assert budget_of(bus).round_s == pytest.approx(whole)
    assert char_s(bus) == 11 / 2400
    assert line_of(bus_config(device="/dev/x", meter=meters(1))) == (2400, "8E1")
    assert 0.3 <= whole <= 0.7


def test_heat_water_modbus_and_1997_have_their_own_lengths() -> None:
    def cost(profile: str, address: str) -> float:
        entry = {"id": "m", "profile": profile, "address": address, "timeout_ms": 1000}
        bus = bus_config(device="/dev/x", baud=9600, turnaround_ms=0, meter=[entry])
        return (budget_of(bus).round_s - 0.005 - 0.05) * 9600 / 11

    assert cost("cjt188_water", "00000000000001") == pytest.approx(20 + 39 + 3.5 + 0.05 * 20)
    assert cost("cjt188_heat", "00000000000001") == pytest.approx(20 + 63 + 3.5 + 0.05 * 20)
    assert cost("pulse_totaliser", "1") == pytest.approx(8 + 13 + 3.5 + 0.05 * 8)


def test_an_interval_that_cannot_be_kept_is_refused_with_numbers(tmp_path: Path) -> None:
    many = "".join(
        f'[[serial.meter]]\nid = "m{n}"\nprofile = "dlt645_three_phase"\naddress = "{n:012d}"\n'
        'metrics = ["active_energy_import_wh", "active_power_w"]\n'
        for n in range(14)
    )
    head = '[[serial]]\nname = "rs485-1"\ndevice = "/dev/x"\nbaud = 2400\nsite = "s"\nnode = "n"\n'
    assert problems(tmp_path, head + "interval_s = 60\n" + many) == []
    (found,) = problems(tmp_path, head + "interval_s = 5\n" + many)
    assert found == (
        "serial[0].interval_s: bus rs485-1 at 2400 baud: 14 meters need 14.2 s a round, interval is 5 s | >= 15 s"
    )
    mixed = head + "interval_s = 5\n" + many.replace('id = "m0"\n', 'id = "m0"\ninterval_s = 3600\n')
    (found,) = problems(tmp_path, mixed)
    assert "intervals of 5 to 3600 s take" in found
    assert "times as long" in found


def test_meters_are_read_one_after_the_other_with_room_between() -> None:
    bus = bus_config(device="/dev/x", baud=9600, meter=meters(4, **ENERGY))
    cost = budget_of(bus).round_s / 4
    assert phases_s(bus) == pytest.approx([0, 2 * cost, 4 * cost, 6 * cost])
    tight = bus_config(device="/dev/x", baud=9600, interval_s=2, meter=meters(4, **ENERGY))
    assert phases_s(tight) == pytest.approx([0, 0.45, 0.9, 1.35])
    given = [{**meter, "phase_s": phase} for meter, phase in zip(meters(2, **ENERGY), (30, None), strict=True)]
    assert phases_s(bus_config(device="/dev/x", baud=9600, meter=given)) == pytest.approx([30, 2 * cost])


def test_modbus_tcp_has_no_characters() -> None:
    entry = {"id": "m", "profile": "eastron_sdm630", "address": 1}
    bus = bus_config(host="127.0.0.1", port=1502, meter=[entry])
    assert char_s(bus) == 0
    assert budget_of(bus).text == "bus bus1 over 127.0.0.1:1502: 1 meter needs 0.6 s a round, 1 % of the time"


def test_every_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    text = """
        [[serial]]
        name = "a"
        site = "s"
        node = "n"
        [[serial.meter]]
        id = "one"
        profile = "nosuch"
        address = 1
        [[serial.meter]]
        id = "one"
        profile = "dlt645_three_phase"
        address = "12"
        [[serial]]
        name = "a"
        device = "/dev/y"
        host = "10.0.0.1"
        site = "s"
        node = "n"
        [[serial.meter]]
        id = "three"
        profile = "dlt645_three_phase"
        address = "000000000001"
        metrics = ["gas_volume_l"]
        meter_type = "11"
        [[serial.meter]]
        id = "four"
        profile = "pulse_totaliser"
        address = 4
        phase_s = 60
        [[serial.meter.write]]
        name = "reset"
        wire_register = "0001"
        low = 5
        high = 4
        [[serial.meter]]
        id = "five"
        profile = "dlt645_three_phase"
        address = "000000000005"
        [[serial.meter.write]]
        name = "reset"
        wire_register = "0001"
    """
    found = problems(tmp_path, text)
    keys = [line.partition(": ")[0] for line in found]
    assert keys == [
        "serial[0]",
        "serial[0].meter[1].id",
        "serial[0].meter[0].profile",
        "serial[0].meter[1].address",
        "serial[1]",
        "serial[1].name",
        "serial[1].meter[0].meter_type",
        "serial[1].meter[1].phase_s",
        "serial[1].meter[1].write[0].high",
        "serial[1].meter[2].profile",
        "serial[1].meter[2].write",
    ]
    assert "no profile 'nosuch'; known: acrel_adl400" in found[2]


def test_types_and_unknown_keys_are_told_by_the_same_check(tmp_path: Path) -> None:
    text = '[[serial]]\nname = "a"\nsite = "s"\nnode = "n"\nbaudrate = 9600\n[[serial.meter]]\nid = "x y"\n'
    found = "\n".join(problems(tmp_path, text))
    assert "serial[0].baudrate: an unknown key" in found
    assert "serial[0].meter[0].id: 'x y' | text matching" in found
    assert "serial[0].meter[0].profile: nothing | a value (the key is required)" in found


def test_a_profile_of_ones_own_stands_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(packaged()["pulse_totaliser"].read_text(encoding="utf-8"), encoding="utf-8")
    text = """
        [[serial]]
        name = "a"
        device = "/dev/y"
        site = "s"
        node = "n"
        [[serial.meter]]
        id = "m"
        profile = "mine.json"
        address = 4
    """
    assert problems(tmp_path, text) == []
    (tmp_path / "mine.json").write_bytes(b"\xff")
    (found,) = problems(tmp_path, text)
    assert "not UTF-8" in found


WRITES = [
    {"name": "relay", "wire_register": "000d", "low": 0, "high": 1},
    {"name": "coil", "function": 5, "wire_register": "0002"},
]


def test_nothing_is_written_that_the_allow_table_does_not_list() -> None:
    entry = {"id": "m", "profile": "pulse_totaliser", "address": 9}
    bus = bus_config(device="/dev/x", meter=[{**entry, "write": WRITES}, {**entry, "id": "plain"}])
    place = ("plant", "gw1", "m")
    assert allowed_write([bus], place, "relay", 1).wire_register == "000D"
    for where, name, value, reason in (
        (("plant", "gw1", "plain"), "relay", 1, "not_allowed"),
        (("plant", "gw1", "none"), "relay", 1, "unknown_meter"),
        (place, "reset", 1, "not_allowed"),
        (place, "relay", 2, "out_of_range"),
    ):
        with pytest.raises(Refusal) as caught:
            allowed_write([bus], where, name, value)
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("function", "value", "body"),
    [
        (6, 513, "09 06 000D 0201"),
        (16, 513, "09 10 000D 0001 02 0201"),
        (5, 1, "09 05 000D FF00"),
        (5, 0, "09 05 000D 0000"),
    ],
)
def test_write_frames_and_their_answers(function: int, value: int, body: str) -> None:
    entry = {"name": "w", "function": function, "wire_register": "000D"}
    bus = bus_config(device="/dev/x", meter=[{"id": "m", "profile": "pulse_totaliser", "address": 9, "write": [entry]}])
    request = write_request(9, allowed_write([bus], ("plant", "gw1", "m"), "w", value), value)
    expected = bytes.fromhex(body)
    assert request[:-2] == expected
    assert modbus.sealed(request, 0, len(request))

    def sealed(data: bytes) -> bytes:
        return data + modbus.crc16(data, 0, len(data)).to_bytes(2, "little")

    reply = WriteReply(request)
    answer = b"\xff" + sealed(request[:6])
    assert all(reply(answer[:end]) == 0 for end in range(len(answer)))
    assert reply(answer) == len(answer)
    assert reply.done(answer) == 0
    refused = sealed(bytes([9, function | 0x80, 2]))
    assert reply(refused) == 5
    assert reply.done(refused) == 2
