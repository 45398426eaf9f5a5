"""The `fault` fixture: short form inside `make test`, long form with result files by `make faults`."""

import contextlib
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Protocol, cast

import pytest

from faults.harness import Fault, Settings, commit_now

_PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the `fault` fixture know whether its test went through."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


class _Capture(Protocol):
    """The part of pytest's capture manager that lets a line through."""

    def global_and_fixture_disabled(self) -> contextlib.AbstractContextManager[None]: ...


@pytest.fixture(scope="session")
def fault_settings(pytestconfig: pytest.Config) -> Settings:
    """What the command line says."""
    form = cast("str", pytestconfig.getoption("--form"))
    results = cast("str | None", pytestconfig.getoption("--results"))
    folder = Path(results).absolute() if results else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    capture = cast("_Capture | None", pytestconfig.pluginmanager.getplugin("capturemanager"))

    def say(text: str) -> None:
        with contextlib.nullcontext() if capture is None else capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{text}")
            sys.stderr.flush()

    return Settings(form, folder, say, commit_now())


@pytest.fixture
def fault(fault_settings: Settings, request: pytest.FixtureRequest) -> Iterator[Fault]:
    """Sizes, progress and result of this test; a test that takes it must record, unless it is skipped or fails."""
    node = cast("pytest.Function", request.node)
    one = Fault(fault_settings, node.originalname)
    yield one
    if node.stash.get(_PASSED, False):
        assert one.recorded, "a fault test without a figure does not count: call fault.record"
