"""C5: fsync and fdatasync of the gateway fail or take 300 ms, by strace, under load."""

import time
from pathlib import Path

import pytest

from faults.harness import Fault
from support.balance import check_balance, pending
from support.field_check import RIGHT, compare
from support.field_nodes import Field
from support.gateway_process import GatewayProcess, gateway_process
from support.process_watch import MIB, look
from support.servers import Server, wait_until
from support.strace import hits, injected

pytestmark = [pytest.mark.flow, pytest.mark.fault]

SYNCS = "fsync,fdatasync"


def finish(field: Field, gateway: GatewayProcess) -> None:
    """All samples are acknowledged and delivered."""
    field.finish(300)
    wait_until(lambda: pending(gateway) == 0, 120, "everything delivered")
    assert check_balance(gateway)["shutan_accepted_total"] == field.sampled
    assert "Traceback" not in gateway.log_tail(10_000)


def test_c05_failing_sync_is_never_acknowledged(fault: Fault, mosquitto: Server, tmp_path: Path) -> None:
    """EIO for a while, again and again; every second time the gateway is killed before the disk heals."""
    cycles = fault.size(short=1, long=20)
    failed = acked_meanwhile = 0
    with (
        Field(mosquitto.port, 8, rate=fault.size(short=300, long=1000)) as field,
        gateway_process(tmp_path, mosquitto.port) as gateway,
    ):
        for number in range(cycles):
            seen = field.acked
            wait_until(lambda seen=seen: field.acked > seen, 60, "acknowledgements flow")
            with injected(gateway.pid, SYNCS, "error=EIO", tmp_path):
                wait_until(lambda: gateway.number("shutan_spool_blocked") == 1, 60, "the gateway sees the error")
                held, sampled = int(check_balance(gateway)["shutan_accepted_total"]), field.sampled
                wait_until(lambda sampled=sampled: field.sampled > sampled + 300, 60, "the nodes go on sampling")
                acked_meanwhile += max(0, field.acked - held)
                assert check_balance(gateway)["shutan_accepted_total"] == held
                if number % 2 == 0:
                    gateway.kill()
            failed += hits(tmp_path)
            if number % 2 == 0:
                gateway.start()
            fault.progress(f"{number + 1} of {cycles} times, {failed} syncs failed")
        finish(field, gateway)
    fault.record(
        "C5",
        part="eio",
        measured={
            "times": cycles,
            "killed_before_it_healed": (cycles + 1) // 2,
            "failed_syncs": failed,
            "records": field.sampled,
            "acked_without_sync": acked_meanwhile,
            **compare(tmp_path / "series.sqlite", field),
        },
        bar={**RIGHT, "acked_without_sync": "== 0", "failed_syncs": "> 0"},
        long_bar={"times": ">= 20"},
        note="strace answers EIO to every fsync and fdatasync of the process",
    )


def test_c05_slow_disk_leaves_memory_flat(fault: Fault, mosquitto: Server, tmp_path: Path) -> None:
    """Each sync takes 300 ms longer: batches grow, memory does not, everything is acknowledged a little later."""
    seconds = fault.size(short=1, long=120)
    samples: list[float] = []
    with (
        Field(mosquitto.port, 8, rate=fault.size(short=300, long=1000)) as field,
        gateway_process(tmp_path, mosquitto.port) as gateway,
    ):
        wait_until(lambda: field.acked > 0, 60, "acknowledgements flow")
        with injected(gateway.pid, SYNCS, "delay_enter=300000", tmp_path):
            seen = field.acked
            wait_until(lambda: field.acked > seen, 60, "acknowledgements flow with a slow disk")
            began_s, acked, sampled = time.monotonic(), field.acked, field.sampled
            while time.monotonic() - began_s < seconds:
                samples.append(look(gateway.pid).rss_kb / MIB)
                time.sleep(0.25)  # between two looks at the memory
                fault.progress(f"{time.monotonic() - began_s:.0f} of {seconds} s, RSS {samples[-1]:.1f} MiB")
            check_balance(gateway)
            share = (field.acked - acked) / (field.sampled - sampled)
        delayed = hits(tmp_path)
        finish(field, gateway)
    fault.record(
        "C5",
        part="slow_disk",
        measured={
            "seconds": seconds,
            "delayed_syncs": delayed,
            "records": field.sampled,
            "acked_of_sampled_meanwhile_percent": round(100 * share),
            "rss_at_start_mib": round(samples[0], 1),
            "rss_growth_mib": round(max(samples) - samples[0], 1),
            **compare(tmp_path / "series.sqlite", field),
        },
        bar={**RIGHT, "delayed_syncs": "> 0", "rss_growth_mib": "<= 16"},
        long_bar={"acked_of_sampled_meanwhile_percent": ">= 90", "seconds": ">= 120"},
        note="strace holds every fsync and fdatasync of the process for 300 ms",
    )
