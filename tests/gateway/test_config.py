"""Configuration: all mistakes at once, each with file, key, what was found and what is accepted; secrets masked."""

import json
from pathlib import Path

import pytest

from shutan_gateway.cli import main
from shutan_gateway.config import SqliteStoreConfig, load_config, read_secret
from shutan_gateway.errors import ConfigError

GOOD = """
[gateway]
data_dir = "data"
[[store]]
name = "local"
kind = "sqlite"
path = "series.sqlite"
"""


def problems(folder: Path, text: str) -> list[tuple[str, str]]:
    """(key, found) of every mistake."""
    path = folder / "gateway.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    for problem in caught.value.problems:
        assert problem.file == str(path)
        assert problem.accepted
    return [(problem.key, problem.found) for problem in caught.value.problems]


def test_defaults_and_relative_paths(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD)
    config = load_config(path)
    assert config.gateway.data_dir == tmp_path / "data"
    store = config.store[0]
    assert isinstance(store, SqliteStoreConfig)
    assert store.path == tmp_path / "series.sqlite"
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.keepalive_s) == ("127.0.0.1", 1883, 15)
    assert (config.intake.tick_ms, config.spool.segment_bytes, config.http.port) == (20, 16_777_216, 8463)


def test_the_packaged_example_is_sound() -> None:
    example = Path(__file__).resolve().parents[2] / "gateway/deploy/gateway.toml"
    assert load_config(example).store


def test_three_mistakes_are_three_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD + '[mqtt]\nport = "many"\nkeep_alive_s = 3\n[http]\nhost = "0.0.0.0"\n')
    for command in ("check", "gateway"):
        assert main([command, "--config", str(path)]) != 0
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 3, lines
        assert all(str(path) in line and "accepted" in line for line in lines)
        assert "Traceback" not in "".join(lines)


def test_check_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD)
    assert main(["check", "--config", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(path), "problems": []}
    path.write_text(GOOD + "[intake]\ntick_ms = 0\n")
    assert main(["check", "--config", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["problems"]
    assert [(p["key"], p["found"], p["accepted"]) for p in found] == [("intake.tick_ms", "0", "a number >= 1")]


def test_every_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    text = """
[gateway]
host_id = "a b"
[mqtt]
host = "broker.example"
password_file = "missing"
groups = ["a/b"]
[mqtt.tls]
cert_file = "missing.pem"
[intake]
queue_messages = 1
surprise = 1
[spool]
segment_bytes = 1000000
max_bytes = 1000000
[[store]]
name = "a"
kind = "sqlite"
[[store]]
name = "a"
kind = "influxdb"
url = "ftp://x"
[[store]]
name = "b"
kind = "influxdb"
url = "http://127.0.0.1:8086"
version = 2
[[store]]
kind = "magic"
"""
    keys = [key for key, _ in problems(tmp_path, text)]
    assert sorted(keys) == sorted(
        [
            "gateway.data_dir",
            "gateway.host_id",
            "mqtt.password_file",
            "mqtt.username",
            "mqtt.groups[0]",
            "mqtt.tls.ca_file",
            "mqtt.tls.cert_file",
            "mqtt.tls",
            "intake.queue_messages",
            "intake.surprise",
            "spool.max_bytes",
            "store[0].path",
            "store[1].name",
            "store[1].url",
            "store[1].database",
            "store[2].bucket",
            "store[3]",
        ]
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[gateway\n", "(file)"),
        ("", "gateway"),
        ("gateway = 3\n", "gateway"),
        ('[gateway]\ndata_dir = "d"\n[mqtt]\nhost = "10.1.2.3"\n', "mqtt.host"),
        ('[gateway]\ndata_dir = "d"\nstore = 3\n', "gateway.store"),
        ('store = 3\n[gateway]\ndata_dir = "d"\n', "store"),
        ('mqtt = []\n[gateway]\ndata_dir = "d"\n', "mqtt"),
    ],
)
def test_one_mistake_is_one_line(tmp_path: Path, text: str, key: str) -> None:
    assert [found for found, _ in problems(tmp_path, text)] == [key]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml: \(file\): found No such file"):
        load_config(tmp_path / "nothing.toml")


def test_secrets_are_read_from_files_and_masked(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("geheim\nsecond line\n")
    secret = read_secret(path, "mqtt.password_file")
    assert secret.reveal() == "geheim"
    assert "geheim" not in f"{secret!r} {secret}"
    path.write_text("\n")
    with pytest.raises(ConfigError, match="empty first line"):
        read_secret(path, "mqtt.password_file")


def test_check_needs_no_heavy_import() -> None:
    """A technician's check starts fast, and a gateway with the embedded store never loads the InfluxDB client."""
    import subprocess
    import sys

    code = (
        "import sys, shutan_gateway.commands.check, shutan_gateway.service, shutan_gateway.stores.sqlite\n"
        "print([m for m in ('influxdb_client', 'paho', 'reactivex', 'numpy', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
