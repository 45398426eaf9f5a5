"""Adapter folders: each is whole, its sample loads, and its captured payloads give what the case says."""

import contextlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from shutan_gateway import adapters
from shutan_gateway.adapters import KINDS, open_adapter
from shutan_gateway.adapters.readings import DeviceSample, Inbound, Reading
from shutan_gateway.config import load_config
from shutan_gateway.config.adapters import AdapterConfig
from shutan_gateway.errors import Refusal

ROOT = Path(adapters.__file__).parent
FOLDERS = sorted(path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("_"))
CASES = sorted(ROOT.glob("*/testcases/*.json"))
KIND_OF = {kind.folder: name for name, kind in KINDS.items()}
HEADINGS = ["## Settings", "## What is stored", "## When something is wrong"]


def seen(reading: Reading) -> object:
    """A reading as a case writes it; a register as its exact content in steps."""
    return reading.value if reading.register is None else Fraction(reading.register)


def wanted(value: object) -> object:
    """What a case says, in the form of `seen`."""
    return Fraction(value["register"]) if isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType] - JSON


def shown(sample: DeviceSample) -> dict[str, object]:
    """A sample as a case writes it."""
    metrics = {reading.name: seen(reading) for reading in sample.readings}
    return {"node": sample.node, "device": sample.device, "t_ms": sample.t_ms, "metrics": metrics}


def test_the_table_of_kinds_names_every_folder() -> None:
    assert [folder.name for folder in FOLDERS] == sorted(kind.folder for kind in KINDS.values())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_is_whole(folder: Path) -> None:
    sample = (folder / "sample.toml").read_text(encoding="utf-8")
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert f"```toml\n{sample}```" in text, "the read-me shows the sample as it is"
    assert [heading for heading in HEADINGS if heading not in text] == []
    assert list(folder.glob("testcases/*.json")) != []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_sample_is_a_sound_configuration(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    sample = (folder / "sample.toml").read_text(encoding="utf-8")
    path.write_text(f'[gateway]\ndata_dir = "data"\n{sample}')
    tables = load_config(path).adapter
    assert {table.kind for table in tables} == {KIND_OF[folder.name]}
    for table in tables:
        assert open_adapter(table, {}).filters


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_payload_in_metrics_out(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert case["source"], "where the payload comes from"
    settings = {"kind": KIND_OF[path.parts[-3]], "name": "test", "site": "works", **case["settings"]}
    adapter = open_adapter(AdapterConfig.model_validate(settings), {})
    for message in case["messages"]:
        raw = bytes.fromhex(message["payload_hex"]) if "payload_hex" in message else message["payload"].encode()
        inbound = Inbound(message["topic"], raw, case["received_ms"])
        assert adapter.claims(inbound.topic)
        if "refused" in message:
            with pytest.raises(Refusal) as refusal:
                adapter.read(inbound)
            assert refusal.value.reason == message["refused"]
            continue
        samples = [
            {**sample, "metrics": {name: wanted(value) for name, value in sample["metrics"].items()}}
            for sample in message["samples"]
        ]
        assert [shown(sample) for sample in adapter.read(inbound)] == samples


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_payload_raises_anything_but_a_refusal(kind: str) -> None:
    settings = {"kind": kind, "name": "test", "site": "works"}
    if kind == "json":
        settings |= {"topic": "a/{device}", "map": [{"field": "x", "metric": "active_power_w"}]}
    adapter = open_adapter(AdapterConfig.model_validate(settings), {})
    payloads = [
        b"",
        b"null",
        b"true",
        b"0",
        b'""',
        b"[]",
        b"{}",
        b'{"":{"":[[]]}}',
        b"\x00",
        b'{"params":1}',
        b"-1e-400",
    ]
    payloads += [
        b'{"StatusSNS":{"ENERGY":[1]}}',
        b'{"ENERGY":{"Total":{"a":1},"Power":[[1]]}}',
        b'{"method":"NotifyStatus"}',
    ]
    payloads += [b'{"stat_t":5}', b'{"stat_t":"x","dev":[1]}', b'{"stat_t":"x","dev":{"ids":[]}}', b'{"cmps":{"a":1}}']
    for filters in adapter.filters:
        for payload in payloads:
            with contextlib.suppress(Refusal):
                adapter.read(Inbound(filters.replace("+", "x"), payload, 1_700_000_000_000))
