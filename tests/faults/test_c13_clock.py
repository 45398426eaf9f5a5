"""C13: the clock of the gateway's machine jumps while it works; what nodes sampled keeps the nodes' own times."""

import os
import time
from pathlib import Path

import pytest

from faults.harness import Fault
from support.balance import check_balance, pending
from support.field_check import RIGHT, compare
from support.field_nodes import Field
from support.gateway_process import GatewayProcess, gateway_process
from support.servers import Server, wait_until

pytestmark = [pytest.mark.flow, pytest.mark.fault]

DAY_S = 86_400
JUMPS_S = {
    "ten years back": -3652 * DAY_S,
    "a day ahead": DAY_S,
    "two hours back": -2 * 3600,
    "behind 2038": 2**31 - int(time.time()) + 60,
    "no clock chip: 1970": -int(time.time()) + 5,
    "right again": 0,
}
# Read by the interpreter before anything else: the clock of the whole process, and what a file adds to it.
INJECTED = """\
import time
_ns, _now = time.time_ns, time.monotonic
_known = [0, -1.0]
def _clock():
    if _now() > _known[1] + 0.005:
        with open({path!r}) as file:
            _known[:] = int(file.read() or 0) * 1_000_000_000, _now()
    return _ns() + _known[0]
time.time_ns = _clock
time.time = lambda: _clock() / 1e9
"""


def with_clock(gateway: GatewayProcess, folder: Path) -> Path:
    """The gateway gets a clock that the test can set: the file holds the seconds that it is wrong by."""
    wrong = folder / "wrong-by"
    wrong.write_text("0")
    (folder / "sitecustomize.py").write_text(INJECTED.format(path=str(wrong)))
    gateway.environment["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return wrong


def jump(wrong: Path, by_s: int) -> None:
    """Set the clock in one step."""
    fresh = wrong.with_suffix(".new")
    fresh.write_text(str(by_s))
    fresh.replace(wrong)


def test_c13_clock_of_the_gateway_jumps(fault: Fault, mosquitto: Server, tmp_path: Path) -> None:
    """Nothing is dropped for time alone, acknowledgements and rebirths keep their pace, every sample its time."""
    folder = tmp_path / "clock"
    folder.mkdir()
    rounds = fault.size(short=1, long=10)
    gateway = gateway_process(tmp_path, mosquitto.port)
    wrong = with_clock(gateway, folder)
    slowest_s, jumps = 0.0, 0
    with Field(mosquitto.port, 8, rate=fault.size(short=200, long=400)) as field, gateway:
        wait_until(lambda: field.acked > 0, 60, "acknowledgements flow")
        for number in range(rounds):
            for name, by_s in JUMPS_S.items():
                jump(wrong, by_s)
                jumps += 1
                for _ in range(2):
                    began_s, acked = time.monotonic(), field.acked
                    wait_until(lambda acked=acked: field.acked > acked, 60, f"acknowledgements after {name}", 0.005)
                    slowest_s = max(slowest_s, time.monotonic() - began_s)
                if number % 2:
                    gateway.kill()  # and a start with the wrong clock
                    gateway.start()
                fault.progress(f"{jumps} jumps, slowest acknowledgement {slowest_s:.2f} s")
        field.finish(fault.size(short=60, long=300))
        wait_until(lambda: pending(gateway) == 0, 60, "everything delivered")
        numbers = check_balance(gateway)
        rejected = sum(
            value
            for key, value in numbers.items()
            if key.startswith("shutan_rejected_total") and "data_before_birth" not in key  # a start knows no births yet
        )
        assert numbers["shutan_accepted_total"] == field.sampled
        assert "Traceback" not in gateway.log_tail(10_000)
    fault.record(
        "C13",
        measured={
            "jumps": jumps,
            "records": field.sampled,
            "rejected_but_before_birth": int(rejected),
            **compare(tmp_path / "series.sqlite", field),
            "slowest_acknowledgement_s": round(slowest_s, 2),
        },
        bar={**RIGHT, "rejected_but_before_birth": "== 0"},
        long_bar={"jumps": ">= 60", "slowest_acknowledgement_s": "< 5"},
        note="the clock of the gateway process: ten years back, a day ahead, two hours back, behind 2038, 1970; every "
        "second round it starts with the wrong clock; all samples are compared with what the nodes sampled",
    )
