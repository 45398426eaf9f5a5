"""C4: the disk under the gateway is full: its folder on a small file system, and writes that find no space."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.harness import Fault
from support.balance import check_balance, pending
from support.field_check import RIGHT, compare
from support.field_nodes import Field
from support.gateway_process import SQLITE, GatewayProcess, gateway_process
from support.servers import Server, listens, wait_until
from support.strace import hits, injected

pytestmark = [pytest.mark.flow, pytest.mark.fault]

SMALL = "[spool]\nsegment_bytes = 65536\nmax_bytes = 100000000\n" + SQLITE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The gateway's folder on a file system of 4 MB in memory."""
    folder = tmp_path / "data"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("not run: mounting a small file system needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"not run: no small file system here ({done.stderr.strip()})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the space that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


def blocked(gateway: GatewayProcess, field: Field) -> None:
    """Nothing is acknowledged now; the process lives, says so, and counts no further record."""
    wait_until(lambda: gateway.number("shutan_spool_blocked") == 1, 60, "the gateway sees that there is no space")
    assert gateway.request("GET", "/healthz")[0] == 503
    held, sampled = int(gateway.number("shutan_accepted_total")), field.sampled
    wait_until(lambda: field.sampled > sampled + 300, 60, "the nodes go on sampling")
    assert check_balance(gateway)["shutan_accepted_total"] == held
    assert field.acked <= held
    assert gateway.process.poll() is None


def resumed(field: Field, acked: int) -> float:
    """Seconds until a record is acknowledged."""
    began_s = time.monotonic()
    wait_until(lambda: field.acked > acked, 60, "acknowledgements go on", step_s=0.005)
    return time.monotonic() - began_s


def finish(field: Field, gateway: GatewayProcess) -> dict[str, float]:
    """All samples are acknowledged and delivered; the counters of that moment."""
    field.finish(120)
    wait_until(lambda: pending(gateway) == 0, 60, "everything delivered")
    numbers = check_balance(gateway)
    assert numbers["shutan_accepted_total"] == field.sampled
    assert "Traceback" not in gateway.log_tail(10_000)
    return numbers


def test_c04_disk_full(fault: Fault, mosquitto: Server, tmp_path: Path, small_disk: Path) -> None:
    """No crash, no acknowledgement while full; a start waits for space; with space all goes on by itself."""
    cycles = fault.size(short=1, long=20)
    resumed_s: list[float] = []
    crashes = starts = 0
    with Field(mosquitto.port, 4, rate=600) as field, gateway_process(tmp_path, mosquitto.port, SMALL) as gateway:
        wait_until(lambda: field.acked > 0, 60, "acknowledgements flow")
        for number in range(cycles):
            ballast = fill(small_disk)
            blocked(gateway, field)
            acked = field.acked
            if number % 2:
                starts += 1
                gateway.kill()
                fill(small_disk)
                gateway.start(wait=False)
                sampled = field.sampled
                wait_until(lambda sampled=sampled: field.sampled > sampled + 1200, 60, "two seconds of sampling")
                assert field.acked == acked
            crashes += gateway.process.poll() is not None
            ballast.unlink()
            resumed_s.append(resumed(field, acked))
            wait_until(lambda: listens(gateway.port), 60, "the page is there again")
            fault.progress(f"{number + 1} of {cycles} times full, slowest {max(resumed_s):.2f} s")
        finish(field, gateway)
    fault.record(
        "C4",
        measured={
            "times_full": cycles,
            "starts_on_the_full_disk": starts,
            "records": field.sampled,
            "crashes": crashes,
            **compare(tmp_path / "series.sqlite", field),
            "slowest_resumption_s": round(max(resumed_s), 2),
        },
        bar={**RIGHT, "crashes": "== 0"},
        long_bar={"times_full": ">= 20", "slowest_resumption_s": "<= 5"},
        note="data_dir on a tmpfs of 4 MB, filled to its last byte while 600 records/s come in",
    )


def test_c04_no_space_in_mid_write(fault: Fault, mosquitto: Server, tmp_path: Path) -> None:
    """Writes of spool, registry and store fail one after the other, wherever the gateway is."""
    cycles = fault.size(short=1, long=20)
    resumed_s: list[float] = []
    failed = 0
    with Field(mosquitto.port, 4, rate=600) as field, gateway_process(tmp_path, mosquitto.port) as gateway:
        process = gateway.process
        wait_until(lambda: field.acked > 0, 60, "acknowledgements flow")
        for number in range(cycles):
            with injected(gateway.pid, "pwrite64,fallocate", "error=ENOSPC", tmp_path):
                blocked(gateway, field)
                acked = field.acked
            resumed_s.append(resumed(field, acked))
            failed += hits(tmp_path)
            fault.progress(f"{number + 1} of {cycles} times, {failed} writes failed, slowest {max(resumed_s):.2f} s")
        finish(field, gateway)
        crashes = int(gateway.process is not process)
    fault.record(
        "C4",
        part="mid_write",
        measured={
            "times": cycles,
            "failed_writes": failed,
            "records": field.sampled,
            "crashes": crashes,
            **compare(tmp_path / "series.sqlite", field),
            "slowest_resumption_s": round(max(resumed_s), 2),
        },
        bar={**RIGHT, "crashes": "== 0", "failed_writes": "> 0"},
        long_bar={"times": ">= 20", "slowest_resumption_s": "<= 5"},
        note="strace answers ENOSPC to every pwrite64 and fallocate of the process",
    )
