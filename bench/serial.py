"""Serial: two RS-485 buses of 12 meters at 9600 baud and a 60 s interval in real time; three meters fail on the way.

Pseudo-terminals carry the buses; every character takes its 11 bits at 9600 baud, and the instruments are the libraries
`dlt645` (24 values a meter, asked one by one since it refuses blocks) and `pymodbus` (22 values in 7 requests). After
two rounds a DL/T 645 meter dies and one begins to babble for 2 s whenever it is addressed, and a Modbus meter dies.
Measured are the times between two readings of each of the other 21 meters, by their samples' own timestamps, from the
first full minute on. SHUTAN_SERIAL_ROUNDS sets the number of rounds (7), SHUTAN_SERIAL_INTERVAL_S another interval.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests"))

from shutan_gateway.config.serial import SerialBus  # noqa: E402 - the folder is known only now
from shutan_gateway.serial.budget import budget_of  # noqa: E402
from shutan_gateway.serial.source import SerialSource  # noqa: E402
from support.wired_rig import BABBLE, DEAD, Taken, bus_config, dlt_bus, modbus_bus, running  # noqa: E402

METERS = 12
HEALTHY_ROUNDS = 2
BARS = {
    "healthy_meters": ("at least", 21),
    "intervals_measured": ("at least", 21 * 5),
    "interval_error_max_pct": ("at most", 10.0),
    "readings_left_out": ("at most", 0),
}


def main() -> Mapping[str, int | float | str]:
    """Run the rounds; figure -> value."""
    rounds = int(os.environ.get("SHUTAN_SERIAL_ROUNDS", "7"))
    interval_s = int(os.environ.get("SHUTAN_SERIAL_INTERVAL_S", "60"))
    dlt, dlt_addresses = dlt_bus(METERS)
    modbus, modbus_addresses = modbus_bus(METERS)
    configs = [
        bus_config(
            name=name,
            node=name,
            device=sim.path,
            baud=9600,
            interval_s=interval_s,
            turnaround_ms=20,
            meter=[
                {"id": f"m{n}", "profile": profile, "address": address, "timeout_ms": timeout_ms}
                for n, address in enumerate(addresses)
            ],
        )
        for name, sim, profile, addresses, timeout_ms in (
            ("dlt645", dlt, "dlt645_three_phase", dlt_addresses, 700),  # 500 to begin, and its longest answer
            ("modbus", modbus, "eastron_sdm630", modbus_addresses, 500),
        )
    ]
    sick = {("dlt645", "m3"), ("dlt645", "m7"), ("modbus", "m5")}
    with tempfile.TemporaryDirectory(prefix="shutan-bench-") as folder, running([dlt, modbus]):
        taken = Taken(Path(folder))
        source = SerialSource(configs, taken.tools)
        cpu_s, began_s = time.process_time(), time.monotonic()
        source.start()
        _wait(taken, HEALTHY_ROUNDS * interval_s)
        dlt.faults[bytes.fromhex(dlt_addresses[3])[::-1]] = DEAD
        dlt.faults[bytes.fromhex(dlt_addresses[7])[::-1]] = BABBLE
        modbus.faults[bytes([int(modbus_addresses[5])])] = DEAD
        _wait(taken, (rounds - HEALTHY_ROUNDS) * interval_s)
        source.stop()
        cpu = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
        taken.close()
    errors = _errors(taken, sick, interval_s)
    return {
        "interval_s": interval_s,
        "rounds": rounds,
        "healthy_meters": sum(bool(found) for found in errors.values()),
        "lost_meters": len(sick) - sum(_up(taken, *one) for one in sick),
        "intervals_measured": sum(len(found) for found in errors.values()),
        "interval_error_max_pct": round(max(max(found) for found in errors.values()), 2),
        "interval_error_median_pct": round(sorted(e for found in errors.values() for e in found)[_half(errors)], 2),
        "readings_left_out": sum(error >= 90 for found in errors.values() for error in found),
        "readings_late": _requests(taken, configs, sick, "late"),
        "healthy_silent": _requests(taken, configs, sick, "silent"),
        "healthy_damaged": _requests(taken, configs, sick, "damaged"),
        "budget_dlt645_s_a_round": round(budget_of(configs[0]).round_s, 1),
        "budget_modbus_s_a_round": round(budget_of(configs[1]).round_s, 1),
        "duty_dlt645_pct": taken.counters.get("shutan_serial_duty_percent", bus="dlt645"),
        "duty_modbus_pct": taken.counters.get("shutan_serial_duty_percent", bus="modbus"),
        "cpu_with_instruments_pct": round(100 * cpu, 1),
        "rss_with_instruments_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _requests(taken: Taken, configs: list[SerialBus], sick: set[tuple[str, str]], what: str) -> int:
    """Requests to healthy meters that went wrong."""
    return sum(
        int(taken.counters.get(f"shutan_serial_{what}_total", bus=bus.name, meter=meter.id))
        for bus in configs
        for meter in bus.meter
        if (bus.name, meter.id) not in sick
    )


def _wait(taken: Taken, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        taken.take()
        time.sleep(1)


def _up(taken: Taken, bus: str, meter: str) -> bool:
    return taken.counters.get("shutan_serial_meter_up", bus=bus, meter=meter) == 1


def _half(errors: Mapping[tuple[str, str], list[float]]) -> int:
    return sum(len(found) for found in errors.values()) // 2


def _errors(taken: Taken, sick: set[tuple[str, str]], interval_s: int) -> dict[tuple[str, str], list[float]]:
    """Healthy meter -> deviation of each interval in percent, from the first reading at a full interval on."""
    times: dict[tuple[str, str], list[int]] = {}
    for offer in taken.take():
        times.setdefault((offer.node, offer.device), []).append(offer.metrics[0].timestamp or 0)
    return {
        one: [abs(after - before - 1000 * interval_s) / interval_s / 10 for before, after in pairwise(t[1:])]
        for one, t in times.items()
        if one not in sick
    }
