"""`[[adapter]]` in the configuration: every mistake by key, found and accepted."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from shutan_gateway.config import load_config
from shutan_gateway.errors import ConfigError

GATEWAY = '[gateway]\ndata_dir = "data"\n'
SOUND = 'kind = "json"\nname = "m"\nsite = "works"\ntopic = "a/{device}"\n'
MAP = '[[adapter.map]]\nfield = "x"\n'


def problems(tmp_path: Path, text: str) -> dict[str, str]:
    """Key -> what is accepted there."""
    path = tmp_path / "gateway.toml"
    path.write_text(GATEWAY + text, encoding="utf-8")
    tomllib.loads(path.read_text(encoding="utf-8"))
    with pytest.raises(ConfigError) as error:
        load_config(path)
    return {problem.key: problem.accepted for problem in error.value.problems}


@pytest.mark.parametrize(
    ("text", "key", "accepted"),
    [
        ('[[adapter]]\nkind = "zwave"\nname = "m"\nsite = "works"\n', "adapter[0].kind", "'json'"),
        (f"[[adapter]]\n{SOUND}", "adapter[0]", "topic and at least one"),
        ('[[adapter]]\nkind = "tasmota"\nname = "m"\nsite = "works"\ntopic = "a/{device}"\n', "adapter[0]", "{prefix}"),
        ('[[adapter]]\nkind = "shelly"\nname = "m"\nsite = "works"\ntopic = "a/#"\n', "adapter[0]", "levels"),
        (f'[[adapter]]\n{SOUND}{MAP}metric = "active_power_w"\nunit = "kWh"\n', "adapter[0].map[0]", "leads to W "),
        (f'[[adapter]]\n{SOUND}{MAP}metric = "mine"\nunit = "kWh"\n', "adapter[0].map[0]", "use scale"),
        (f'[[adapter]]\n{SOUND}{MAP}metric = "mine"\nscale = "1e3"\n', "adapter[0].map[0].scale", "1/3"),
        (f'[[adapter]]\n{SOUND}{MAP}metric = "mine"\nscale = "0"\n', "adapter[0].map[0].scale", "positive"),
        (f'[[adapter]]\n{SOUND}time_zone = "Chengdu"\n{MAP}metric = "mine"\n', "adapter[0].time_zone", "Asia/Shanghai"),
        (f'[[adapter]]\n{SOUND}time_format = "epoch"\n{MAP}metric = "mine"\n', "adapter[0].time_format", "unix_ms"),
        (f'[[adapter]]\n{SOUND}prefix = "x"\n{MAP}metric = "mine"\n', "adapter[0].prefix", "time_zone"),
        (f'[[adapter]]\n{SOUND}{MAP}metric = "m"\n' * 2, "adapter[1].name", "no other adapter"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, key: str, accepted: str) -> None:
    found = problems(tmp_path, text)
    assert list(found) == [key]
    assert accepted in found[key]


def test_defaults_fit_the_devices_as_they_are_installed(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f'{GATEWAY}[[adapter]]\nkind = "tasmota"\nname = "plugs"\nsite = "works"\n')
    (table,) = load_config(path).adapter
    assert table.pattern == "{prefix}/{device}"
    assert table.map == ()


def test_without_an_adapter_nothing_of_them_is_loaded(tmp_path: Path) -> None:
    """The base starts fast: no MQTT library, no adapter, before one is configured."""
    path = tmp_path / "gateway.toml"
    path.write_text(GATEWAY)
    code = (
        "import sys, pathlib; from shutan_gateway.config import load_config; import shutan_gateway.service;"
        f"load_config(pathlib.Path({str(path)!r}));"
        "print(*sorted(m for m in sys.modules if m.startswith(('paho', 'shutan_gateway.adapters.'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["shutan_gateway.adapters.table"]
