"""Stand-ins of the chip's modules under the real MicroPython, 64 and 32 bit."""

import os
import pty
import select
import signal
import subprocess
import tty
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from shutan_sim.image import Image
from support.places import tool

RUNTIMES = ("micropython", "micropython32")
LIMIT_S = 20


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image.build(tmp_path_factory.mktemp("image"))


class Line:
    """A pseudo-terminal whose master end the test holds."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)

    def read(self) -> bytes:
        assert select.select([self.master], [], [], LIMIT_S)[0], "nothing came"
        return os.read(self.master, 256)

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def line() -> Iterator[Line]:
    opened = Line()
    yield opened
    opened.close()


class Board:
    """Runs a script as a node runs: own folder, stand-ins first on the path, 100 KB heap."""

    def __init__(self, runtime: str, image: Image, folder: Path) -> None:
        self.program = tool(runtime)
        self.path = image.environment["MICROPYPATH"]
        self.folder = folder

    def start(self, script: str, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
        (self.folder / "script.py").write_text(script, encoding="utf-8")
        return subprocess.Popen(
            [self.program, "-X", "heapsize=100k", "script.py"],
            cwd=self.folder,
            env={**os.environ, "MICROPYPATH": self.path, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str, **environment: str) -> tuple[int, list[str]]:
        """(exit code, printed lines)."""
        with self.start(script, environment) as process:
            printed, _ = process.communicate(timeout=LIMIT_S)
        return process.returncode, printed.splitlines()


@pytest.fixture(params=RUNTIMES)
def board(request: pytest.FixtureRequest, image: Image, tmp_path: Path) -> Board:
    return Board(request.param, image, tmp_path)


def test_epoch_is_2000_and_a_cold_start_begins_there(board: Board) -> None:
    code, printed = board.run(
        "import time\n"
        "print(time.time() < 60, time.gmtime(0), time.gmtime(833587199))\n"
        "times = (2026, 6, 1, 0, 0, 0), (2000, 2, 30, 0, 0, 0), (1999, 12, 31, 23, 59, 59)\n"
        "print([time.mktime(t + (0, 0)) for t in times])\n"
        "print(all(time.mktime(time.gmtime(s)) == s for s in range(0, 1000000000, 8639977)))\n"
    )
    assert (code, printed) == (
        0,
        [
            "True (2000, 1, 1, 0, 0, 0, 5, 1) (2026, 5, 31, 23, 59, 59, 6, 151)",
            "[833587200, 5184000, -1]",
            "True",
        ],
    )


def test_calendar_runs_at_the_rate_and_ticks_in_real_time(board: Board) -> None:
    code, printed = board.run(
        "import time, machine\n"
        "r = machine.RTC()\n"
        "r.datetime((2026, 6, 1, 0, 7, 40, 0, 0))\n"
        "t = time.ticks_ms()\n"
        "time.sleep_ms(250)\n"
        "real = time.ticks_diff(time.ticks_ms(), t)\n"
        "now = r.datetime()\n"
        "passed = (time.time() - time.mktime((2026, 6, 1, 7, 40, 0, 0, 0)))\n"
        "print(machine.RATE, now[:5], 240 <= real < 2000, 15 <= passed <= 60 * real / 1000 + 5)\n",
        SHUTAN_SIM_RATE="60",
    )
    assert (code, printed) == (0, ["60 (2026, 6, 1, 0, 7) True True"])


def test_uart_reads_never_block_and_asyncio_waits_for_bytes(board: Board, line: Line) -> None:
    script = (
        "import asyncio, machine, time\n"
        "u = machine.UART(1, 9600, bits=8, parity=0, stop=1, timeout=0, rxbuf=512)\n"
        "buf = bytearray(4)\n"
        "print(u.any(), u.read(), u.read(5), u.readinto(buf))\n"
        "async def main():\n"
        "    u.write(b'ready')\n"
        "    s = asyncio.StreamReader(u)\n"
        "    ticks = 0\n"
        "    async def other():\n"
        "        nonlocal ticks\n"
        "        while True:\n"
        "            ticks += 1\n"
        "            await asyncio.sleep_ms(5)\n"
        "    task = asyncio.create_task(other())\n"
        "    first = await s.readexactly(3)\n"
        "    while u.any() < 6:\n"
        "        await asyncio.sleep_ms(1)\n"
        "    got = u.readinto(buf)\n"
        "    print(first, got, bytes(buf), u.any(), u.read(1), u.read(), ticks < 10000)\n"
        "    u.write(memoryview(b'bye')[1:])\n"
        "asyncio.run(main())\n"
    )
    with board.start(script, {"SHUTAN_SIM_UART1": line.path}) as process:
        assert line.read() == b"ready"
        os.write(line.master, b"\x00\xff\x16abcdef")
        assert line.read() == b"ye"
        printed, _ = process.communicate(timeout=LIMIT_S)
    assert printed.splitlines() == ["0 None None None", r"b'\x00\xff\x16' 4 b'abcd' 2 b'e' b'f' True"]


def test_a_port_that_is_not_wired_does_not_exist(board: Board) -> None:
    code, printed = board.run("import machine\nmachine.UART(2, 9600)\n")
    assert code == 1
    assert printed[-1] == "ValueError: UART(2) does not exist"


def test_a_dead_line_is_silent(board: Board, line: Line) -> None:
    script = (
        "import machine, sys\n"
        "u = machine.UART(1)\n"
        "u.write(b'go')\n"
        "sys.stdin.readline()\n"
        "print(u.read(), u.any() >= 0, u.write(b'x') in (None, 1))\n"
    )
    (board.folder / "script.py").write_text(script, encoding="utf-8")
    with subprocess.Popen(
        [board.program, "script.py"],
        cwd=board.folder,
        env={**os.environ, "MICROPYPATH": board.path, "SHUTAN_SIM_UART1": line.path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert line.read() == b"go"
        os.close(line.master)
        line.master = os.dup(line.slave)
        printed, _ = process.communicate("\n", timeout=LIMIT_S)
    assert printed.splitlines() == ["None True True"]


def test_watchdog_kills_a_hanging_interpreter_but_not_a_fed_one(board: Board) -> None:
    code, printed = board.run(
        "import machine, time\n"
        "w = machine.WDT(timeout=400)\n"
        "for _ in range(4):\n"
        "    time.sleep_ms(200)\n"
        "    w.feed()\n"
        "print('fed')\n"
        "while True:\n"
        "    pass\n"
    )
    assert (code, printed) == (-signal.SIGALRM, ["fed"])


@pytest.mark.parametrize(
    ("call", "code"), [("reset()", 3), ("soft_reset()", 4), ("deepsleep(10)", 5)], ids=["reset", "soft", "sleep"]
)
def test_reset_leaves_at_once_with_its_code(board: Board, call: str, code: int) -> None:
    found, printed = board.run(
        f"import machine\ntry:\n    print('a')\n    machine.{call}\nfinally:\n    print('never')\n"
    )
    assert (found, printed) == (code, ["a"])


def test_rtc_memory_survives_a_reset_and_not_a_power_cut(board: Board) -> None:
    show = "import machine\nprint(machine.reset_cause(), machine.RTC().memory())\n"
    assert board.run(show + "machine.RTC().memory(b'kept')\nmachine.reset()\n") == (3, ["1 b''"])
    assert board.run(show, SHUTAN_SIM_RESET_CAUSE="2") == (0, ["2 b'kept'"])
    assert board.run(show, SHUTAN_SIM_RESET_CAUSE="1") == (0, ["1 b''"])


def test_identity_pin_and_constants(board: Board) -> None:
    code, printed = board.run(
        "import machine\n"
        "p = machine.Pin(4, machine.Pin.OUT, value=1)\n"
        "a = p.value()\n"
        "p.off()\n"
        "p(1)\n"
        "print(a, p.value(), machine.unique_id(), machine.freq(), machine.WDT_RESET)\n"
        "try:\n"
        "    machine.no_such_thing\n"
        "except AttributeError:\n"
        "    print('no')\n",
        SHUTAN_SIM_UID="0242aabbccdd",
    )
    assert (code, printed) == (0, [r"1 1 b'\x02B\xaa\xbb\xcc\xdd' 240000000 3", "no"])


def test_network_is_up_until_the_radio_is_taken_away(board: Board) -> None:
    script = (
        "import network, os\n"
        "w = network.WLAN(network.STA_IF)\n"
        "try:\n"
        "    w.connect('a', 'b')\n"
        "except OSError as error:\n"
        "    print(error)\n"
        "w.active(True)\n"
        "print(w.isconnected())\n"
        "w.connect('a', 'b')\n"
        "print(w.isconnected(), w.status() == network.STAT_GOT_IP, w.status('rssi'), len(w.config('mac')))\n"
        "open('wlan.down', 'w').close()\n"
        "print(w.isconnected(), w.status() == network.STAT_NO_AP_FOUND)\n"
        "os.remove('wlan.down')\n"
        "print(w.isconnected())\n"
        "w.active(False)\n"
        "print(w.isconnected(), network.hostname())\n"
        "lan = network.LAN(phy_type=network.PHY_LAN8720)\n"
        "lan.active(True)\n"
        "print(lan.isconnected())\n"
    )
    code, printed = board.run(script)
    assert code == 0
    assert printed == [
        "Wifi Not Started",
        "False",
        "True True -55 6",
        "False True",
        "True",
        "False mpy-esp32",
        "True",
    ]


def test_esp32_flash_keys_survive_the_process(board: Board) -> None:
    assert board.run("import esp32\nn = esp32.NVS('a')\nn.set_i32('k', 5)\nn.commit()\n") == (0, [])
    code, printed = board.run(
        "import esp32\n"
        "n = esp32.NVS('a')\n"
        "print(n.get_i32('k'), esp32.mcu_temperature(), esp32.Partition(esp32.Partition.RUNNING).info()[4])\n"
        "n.erase_key('k')\n"
        "try:\n"
        "    n.get_i32('k')\n"
        "except OSError:\n"
        "    print('gone')\n"
    )
    assert (code, printed) == (0, ["5 41 ota_0", "gone"])


def test_stand_ins_take_little_of_the_nodes_heap(board: Board) -> None:
    """On a chip they are in flash; here they may take 4 % of the 100 KB that the node has."""
    code, printed = board.run(
        "import gc\ngc.collect()\nbefore = gc.mem_alloc()\n"
        "import time, machine\ngc.collect()\nprint(gc.mem_alloc() - before)\n"
    )
    assert code == 0
    assert int(printed[0]) < (4096 if board.program.name == "micropython32" else 8192)
