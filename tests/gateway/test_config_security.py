"""What an installation cannot be talked into by accident."""

from pathlib import Path

import pytest

from shutan_gateway.config import load_config
from shutan_gateway.errors import ConfigError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text('[gateway]\ndata_dir = "data"\n' + text, encoding="utf-8")
    return path


def test_a_broker_off_this_machine_needs_tls_or_a_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, '[mqtt]\nhost = "192.0.2.7"\n'))
    assert "mqtt.tls" in str(caught.value)
    assert load_config(write(tmp_path, '[mqtt]\nhost = "192.0.2.7"\nplaintext = true\n')).mqtt.plaintext


def test_the_page_of_counters_stays_on_this_machine(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, '[http]\nhost = "0.0.0.0"\n'))
    assert "loopback" in str(caught.value)
