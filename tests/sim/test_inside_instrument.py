"""The meter inside a board's process, under MicroPython, against an independent Modbus implementation."""

import struct
from pathlib import Path

import pytest
from pymodbus.framer import FramerRTU

from shutan_sim.image import Image
from sim.test_hal import RUNTIMES, Board

REQUEST = bytes([17, 4, 0, 0, 0, 10])
SCRIPT = """\
import _instrument

meter = _instrument.UART(1, 9600)
request = bytes.fromhex("{request}")
print(meter.read())
for _ in range(3):
    meter.write(request)
    answer = meter.read()
    print(None if answer is None else bytes(answer).hex(), meter.read())
meter.write(request[:5])
print(meter.read())
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image.build(tmp_path_factory.mktemp("image"))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_answers_count_up_and_end(runtime: str, image: Image, tmp_path: Path) -> None:
    request = REQUEST + FramerRTU.compute_CRC(REQUEST).to_bytes(2, "big")
    code, lines = Board(runtime, image, tmp_path).run(SCRIPT.format(request=request.hex()), SHUTAN_SIM_READINGS="2")
    assert code == 0, lines
    assert lines[0] == "None"
    for number, line in enumerate(lines[1:3], 1):
        text, again = line.split()
        reply = bytes.fromhex(text)
        assert again == "None", "an answer is there once"
        assert reply[:3] == bytes([17, 4, 20])
        assert FramerRTU.compute_CRC(reply[:-2]).to_bytes(2, "big") == reply[-2:]
        words = struct.unpack(">10H", reply[3:-2])
        assert words[5] | words[6] << 16 == number, "Wh"
        assert words[3] | words[4] << 16 == 10 * number, "W/10"
    assert lines[3:] == ["None None", "None"], "silent after its last reading, and to half a request"
