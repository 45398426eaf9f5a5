"""What is made of the boards is what is committed, has the same bytes each time, and says what the profile says."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import typst

import hardware_pages
from shutan_gateway.hardware.board import find, packaged
from shutan_gateway.hardware.catalogue import catalogue
from shutan_gateway.hardware.page import artefacts
from shutan_gateway.hardware.power import budget
from shutan_gateway.hardware.svg import width_of
from shutan_node.config import load
from support.places import REPO

SVG = "{http://www.w3.org/2000/svg}"
BOARDS = list(packaged())


def test_the_committed_files_are_what_the_profiles_say() -> None:
    wanted = hardware_pages.pages()
    changed = [str(path.relative_to(REPO)) for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]
    assert changed == [], "run .venv/bin/python scripts/hardware_pages.py"
    made = {path for path in (REPO / "hardware/boards").glob("*/*") if path.name != "board.toml"}
    assert made == {path for path in wanted if path.parent.parent.name == "boards"}


@pytest.mark.parametrize("name", BOARDS)
def test_making_them_again_gives_the_same_bytes(name: str) -> None:
    assert artefacts(find(name)) == artefacts(find(name))
    assert find(name).name == name


def texts(picture: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter(f"{SVG}text"))  # noqa: S314 - our own drawing


@pytest.mark.parametrize("name", BOARDS)
def test_the_pin_out_names_every_signal_beside_its_pin(name: str) -> None:
    board = find(name)
    found = texts(artefacts(board)["pinout.svg"])
    rows = {y: [one.text or "" for one in found if one.get("y") == y] for y in {one.get("y") for one in found}}
    for pin in board.pin:
        row = next(row for row in rows.values() if any(words.startswith(f"{pin.signal} ") for words in row))
        assert f"IO{pin.gpio}" in row
        assert str(board.module_data.pads.index(pin.gpio) + 1) in row


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("kind", ["pinout.svg", "wiring.svg"])
def test_nothing_is_drawn_outside_the_picture(name: str, kind: str) -> None:
    picture = artefacts(find(name))[kind]
    root = ET.fromstring(picture)  # noqa: S314 - our own drawing
    width, height = int(root.get("width", "0")), int(root.get("height", "0"))
    for one in texts(picture):
        x, y, long = (
            int(one.get("x", "0")),
            int(one.get("y", "0")),
            width_of(one.text or "", int(one.get("font-size", "0"))),
        )
        left = {"start": x, "middle": x - long // 2, "end": x - long}[one.get("text-anchor", "start")]
        assert left >= 0, one.text
        assert left + long <= width, one.text
        assert 0 < y < height, one.text
    for box in root.iter(f"{SVG}rect"):
        x, y, wide, high = (int(box.get(key, "0")) for key in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + wide <= width
        assert y + high <= height


@pytest.mark.parametrize("name", BOARDS)
def test_the_wiring_shows_every_circuit_terminal_and_barrier(name: str) -> None:
    board = find(name)
    words = [one.text or "" for one in texts(artefacts(board)["wiring.svg"])]
    for circuit in board.circuit:
        assert set(circuit.terminals) <= set(words)
    drawn = {ref for circuit in board.circuit for ref in circuit.chain}
    barriers = [part for part in board.part if part.ref in drawn and len(part.domains) == 2]
    for part in barriers:
        known = board.class_of(part)
        assert f"{known.insulation} {known.isolation_vrms} V" in words
    assert any("DANGER" in one for one in words) == any(domain.kind == "mains" for domain in board.domain)


@pytest.mark.parametrize("name", BOARDS)
def test_every_signal_reaches_a_circuit_of_the_drawing_or_a_part_on_the_board(name: str) -> None:
    board = find(name)
    drawn = {signal for circuit in board.circuit for signal in circuit.signals}
    inside = {pin.signal for pin in board.pin if pin.to.startswith(("~", "D"))}
    assert {pin.signal for pin in board.pin} - drawn - inside == set()


@pytest.mark.parametrize("name", BOARDS)
def test_the_bill_of_materials_has_every_part_and_each_barrier_its_rating(name: str) -> None:
    board = find(name)
    rows = list(csv.DictReader(io.StringIO(artefacts(board)["bom.csv"])))
    assert [row["ref"] for row in rows] == [part.ref for part in board.part]
    for part, row in zip(board.part, rows, strict=True):
        assert int(row["quantity"]) == part.quantity
        assert bool(row["insulation"]) == (len(part.domains) == 2)
        if row["insulation"]:
            assert float(row["clearance_mm"]) > 0


def test_power_goes_up_the_rails_as_computed_by_hand() -> None:
    """ethernet_w5500: 3.3 V = module 50/80, regulator 5/10, transceiver 5/10, W5500 132/180, LED 2/2 = 194/282 mA.

    5 V = that through the linear regulator + 20/80 mA x 5 V through 70 % = 29/115 -> 223/397; 24 V at 85 %: 55/98.
    """
    found = {one.rail: one for one in budget(find("ethernet_w5500"))}
    assert (found["3v3"].typical_ma, found["3v3"].peak_ma) == (194, 282)
    assert (found["5v"].typical_ma, found["5v"].peak_ma) == (223, 397)
    assert (found["24v"].typical_ma, found["24v"].peak_ma) == (55, 98)
    assert found["3v3"].heat_mw == (5000 - 3300) * 194 // 1000


@pytest.mark.parametrize("name", BOARDS)
def test_the_buses_of_the_page_are_taken_by_a_node_with_the_pins_of_the_profile(name: str) -> None:
    board = find(name)
    page = artefacts(board)["README.md"]
    buses = json.loads(page.partition("```json\n")[2].partition("```")[0])["buses"]
    assert buses
    rest: dict[str, object] = {"site": "s", "node": "n", "broker": {"host": "b"}, "time": {"host": "t"}, "devices": []}
    taken = load(json.dumps({**rest, "buses": buses}))["buses"]
    assert [bus["id"] for bus in taken] == [
        bus.id for bus in board.bus if (name, bus.id) != ("ethernet_w5500", "spi-1")
    ]
    for bus in taken:
        by_line = {line: pins[0].gpio for line, pins in board.lines_of(bus["id"]).items()}
        by_line["pin"] = by_line.get("data", -1)
        for line in {"tx", "rx", "de", "scl", "sda", "sck", "mosi", "miso", "pin"} & set(bus):
            assert bus[line] == by_line[line]


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("kind", ["pinout.svg", "wiring.svg"])
def test_a_renderer_takes_the_drawing_and_gives_its_size(name: str, kind: str, tmp_path: Path) -> None:
    picture = artefacts(find(name))[kind]
    (tmp_path / kind).write_text(picture, encoding="utf-8")
    page = f'#set page(width: auto, height: auto, margin: 0pt)\n#image("{kind}")'
    (tmp_path / "page.typ").write_text(page, encoding="utf-8")
    found = typst.compile(str(tmp_path / "page.typ"), format="png", ppi=72)
    assert found.startswith(b"\x89PNG")
    size = tuple(int.from_bytes(found[at : at + 4], "big") for at in (16, 20))
    root = ET.fromstring(picture)  # noqa: S314 - our own drawing
    points = (int(root.get("width", "0")) * 0.75, int(root.get("height", "0")) * 0.75)  # a CSS pixel is 0.75 pt
    assert all(abs(drawn - wanted) <= 1 for drawn, wanted in zip(size, points, strict=True)), (size, points)


def test_the_tables_of_a_chip_speak_of_its_own_pins() -> None:
    for name, chip in catalogue().chips.items():
        for pins in (chip.input_only, chip.flash, chip.adc1, chip.adc2, chip.rtc, chip.console, chip.usb, chip.toggles):
            assert pins <= chip.gpio, name
        assert {one.gpio for one in chip.strapping} <= chip.gpio - chip.flash, name
        assert not chip.adc1 & chip.adc2, name
        assert len(chip.console) == 2, name
        for one in chip.strapping:
            assert {"up": "high", "down": "low"}.get(one.inside) != one.never or not one.never, (name, one)


def test_pads_of_a_module_are_on_its_chip_and_stand_once() -> None:
    known = catalogue()
    for name, module in known.modules.items():
        pads = [pad for pad in module.pads if isinstance(pad, int)]
        assert len(pads) == len(set(pads)), name
        assert set(pads) <= known.chips[module.chip].gpio, name
        assert not set(pads) & known.chips[module.chip].flash, name
    assert {len(module.pads) for name, module in known.modules.items() if "S3" in name} == {40}
    assert len(known.modules["ESP32-WROOM-32E-N4"].pads) == 38
    assert len(known.modules["ESP32-C3-WROOM-02-N4"].pads) == 18


@pytest.mark.parametrize("page", ["README", "SAFETY", "CALIBRATION"])
def test_every_page_stands_in_both_languages(page: str) -> None:
    for name in (f"{page}.md", f"{page}.zh-CN.md"):
        assert Path(REPO / "hardware" / name).stat().st_size > 1000


def test_the_pages_name_every_board() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (REPO / "hardware" / name).read_text(encoding="utf-8")
        assert [board for board in BOARDS if f"boards/{board}/README.md" not in text] == []
