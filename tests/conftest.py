"""Fixtures that every room shares, and the "not run" lines at the end of a session."""

import itertools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from support import places, servers, workers


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the fault tests (tests/faults/README.md); they must stand in a file that pytest reads at its start."""
    parser.addoption("--form", choices=("short", "long"), default="short", help="size of the fault tests")
    parser.addoption("--results", metavar="DIR", help="folder for the result files of the fault tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Among several workers, begin with what takes long; in one process everything stays as pytest-randomly says."""
    if hasattr(config, "workerinput"):
        workers.begin_early(items)


@pytest.fixture(scope="session")
def repo() -> Path:
    """Root of the repository."""
    return places.REPO


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Path of a fetched program by name: `tool("mosquitto")`."""
    return places.tool


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that gives another free loopback port at each call."""
    return servers.free_port


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A fresh broker for each test: retained messages and sessions do not leak."""
    with servers.mosquitto(tmp_path_factory.mktemp("mosquitto")) as server:
        yield server


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """One InfluxDB 1.6 for the session; take `influx_database` for an empty database in it."""
    with servers.influxd(tmp_path_factory.mktemp("influxd")) as server:
        server.shared = True
        yield server


_numbers = itertools.count(1)


@pytest.fixture
def influx_database(influxd: servers.Server) -> Iterator[str]:
    """Name of an empty database in `influxd`."""
    name = f"test{next(_numbers)}"
    servers.influx_query(influxd, f"CREATE DATABASE {name}")
    yield name
    servers.influx_query(influxd, f"DROP DATABASE {name}")


@pytest.fixture
def victoria_metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A fresh VictoriaMetrics for each test."""
    with servers.victoria_metrics(tmp_path_factory.mktemp("victoria")) as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the logs of the servers that run beside a failed test into its report."""
    report = yield
    if report.failed:
        used = list(item.funcargs.values()) if isinstance(item, pytest.Function) else []
        beside = (server for server in servers.RUNNING if not server.shared or server in used)
        report.sections += [(f"log of {server.name}", server.log_tail()) for server in beside]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what this machine cannot run, so that nothing passes in silence."""
    for line in places.not_run_lines():
        terminalreporter.write_line(line)
