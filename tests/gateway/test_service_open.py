"""What a service opened is closed again when it cannot start, or when it is stopped before it started."""

import functools
import os
import socket
from pathlib import Path

import pytest

from shutan_gateway import service, sources
from shutan_gateway.config import GatewayConfig, load_config
from shutan_gateway.control import NAME
from shutan_gateway.counters import Counters
from shutan_gateway.errors import StartError
from shutan_gateway.intake.offers import Offers
from shutan_gateway.quarantine import Quarantine
from shutan_gateway.runner import Runner
from shutan_gateway.service import Service
from shutan_gateway.sources import SourceTools

CONFIG = """
[gateway]
data_dir = "data"
[http]
port = {port}
[[adapter]]
kind = "tasmota"
name = "plugs"
site = "plant"
[[serial]]
name = "rs485-1"
device = "/dev/none"
site = "plant"
node = "gw"
[[serial.meter]]
id = "one"
profile = "eastron_sdm630"
address = 1
[[store]]
kind = "sqlite"
name = "first"
path = "data/first.sqlite"
[[store]]
kind = "sqlite"
name = "second"
path = "data/second.sqlite"
"""


def config_of(folder: Path, port: int = 0) -> GatewayConfig:
    path = folder / "gateway.toml"
    path.write_text(CONFIG.format(port=port), encoding="utf-8")
    return load_config(path)


def open_files(folder: Path) -> set[str]:
    """Names of the files below a folder that this process holds open."""
    found: set[str] = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = entry.readlink()
        except FileNotFoundError:  # that of the listing itself
            continue
        if target.is_relative_to(folder):
            found.add(target.name)
    return found


def test_a_service_that_cannot_start_leaves_nothing_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = config_of(tmp_path, taken.getsockname()[1])
        with pytest.raises(StartError, match=r"http\.port"):
            Service(config)
    assert open_files(tmp_path) == set()
    whole = Service(config_of(tmp_path))
    assert {"lock", "adapters.sqlite", "registry.sqlite"} <= open_files(tmp_path)
    whole.stop()
    assert open_files(tmp_path) == set()


def test_a_new_data_folder_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    (tmp_path / "var").mkdir()
    path = tmp_path / "gateway.toml"
    path.write_text('[gateway]\ndata_dir = "var/lib/shutan"\n[http]\nport = 0\n', encoding="utf-8")
    Service(load_config(path)).stop()
    assert [one.relative_to(tmp_path).as_posix() for one in synced[:2]] == ["var", "var/lib"], "above the new names"


def test_a_process_without_its_control_socket_leaves_nothing_open(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / NAME).mkdir()  # something else has the socket's name
    with pytest.raises(StartError, match="the data folder must take a socket"):
        Runner(tmp_path / "gateway.toml", config)
    assert open_files(tmp_path) == set()


class Opened:
    """A source or store that notes its end."""

    trouble = None

    def __init__(self, name: str, ended: list[str]) -> None:
        self.name = name
        self._ended = ended

    def stop(self) -> None:
        self._ended.append(self.name)

    close = stop


def test_sources_are_ended_when_a_later_one_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(sources, "made", functools.partial(_make, ended), raising=False)
    monkeypatch.setattr(sources, "refused", _refuse, raising=False)
    table = {"serial": "shutan_gateway.sources:made", "adapter": "shutan_gateway.sources:refused"}
    monkeypatch.setattr(sources, "SOURCES", table)
    counters = Counters()
    tools = SourceTools(Offers(1, lambda: None), counters, Quarantine(tmp_path / "q", counters), tmp_path)
    with pytest.raises(StartError, match="no"):
        sources.open_sources(config_of(tmp_path), tools, table)
    assert ended == ["serial"]


def test_stores_are_closed_when_a_later_one_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    def opening(config: object, counters: Counters) -> Opened:
        name = str(getattr(config, "name", ""))
        return Opened(name, closed) if name == "first" else _refuse(counters)

    monkeypatch.setattr(service, "open_store", opening)
    one = Service(config_of(tmp_path))
    try:
        with pytest.raises(StartError, match="no"):
            one.start()
    finally:
        one.stop()
    assert closed == ["first"]
    assert open_files(tmp_path) == set()


class Remembering(Opened):
    """A source whose state is a number in a file: read when it is made, written at its end."""

    def __init__(self, path: Path) -> None:
        super().__init__("adapter", [])
        self._path = path
        self.number = int(path.read_text()) if path.is_file() else 0
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        if self.running:
            self._path.write_text(str(self.number + 1))
        self.running = False


def test_a_source_that_takes_over_knows_what_the_one_before_it_wrote_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Remembering] = []

    def make(*_: object) -> Remembering:
        made.append(Remembering(tmp_path / "state"))
        return made[-1]

    monkeypatch.setattr(sources, "make", make, raising=False)
    monkeypatch.setitem(sources.SOURCES, "adapter", "shutan_gateway.sources:make")
    config = config_of(tmp_path)
    one = Service(config)
    try:
        made[0].start()
        again = config.adapter[0].model_copy(update={"site": "other"})
        assert one.follow(config.model_copy(update={"adapter": (again,)}))
        running = [source for source in made if source.running]
        assert [source.number for source in running] == [1]
    finally:
        one.stop()
    assert not any(source.running for source in made)


def _make(ended: list[str], *_: object) -> Opened:
    return Opened("serial", ended)


def _refuse(*_: object) -> Opened:
    raise StartError("no")
