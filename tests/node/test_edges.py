"""Counting by interrupt, as on a chip without a pulse counter, under MicroPython."""

from pathlib import Path

import pytest

from shutan_sim.image import Image
from sim.test_hal import RUNTIMES, Board

SCRIPT = """\
import _rom
import machine, time
from shutan_node import board
counter = board.make("inputs").counter(4, False, 20)
pin = counter._pin
print(counter.value())
for gap in (30, 1, 1, 30, 25, 5):
    time.sleep_ms(gap)
    pin.handler(pin)
print(counter.value(), hasattr(machine, "Counter"))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image.build(tmp_path_factory.mktemp("image"))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_bounce_is_not_counted(runtime: str, image: Image, tmp_path: Path) -> None:
    code, lines = Board(runtime, image, tmp_path).run(SCRIPT, SHUTAN_SIM_ROM=str(image.rom))
    assert code == 0, lines
    assert lines == ["0", "3 False"]
