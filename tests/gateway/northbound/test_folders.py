"""Northbound folders: each is whole, and its sample loads."""

from pathlib import Path

import pytest

from shutan_gateway import northbound
from shutan_gateway.config import load_config
from shutan_gateway.errors import ConfigError
from shutan_gateway.stores import NORTHBOUND

ROOT = Path(northbound.__file__).parent
FOLDERS = sorted(path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("_"))


def test_the_table_names_every_folder() -> None:
    assert [folder.name for folder in FOLDERS] == sorted(NORTHBOUND)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_is_whole_and_its_sample_sound(folder: Path, tmp_path: Path) -> None:
    sample = (folder / "sample.toml").read_text(encoding="utf-8")
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert f"```toml\n{sample}```" in text, "the read-me shows the sample as it is"
    assert all(heading in text for heading in ("## Settings", "## When something is wrong"))
    assert list(folder.glob("testcases/*")) != []
    for name in ("hj212.password", "platform.token"):
        (tmp_path / name).write_text("secret")
    path = tmp_path / "gateway.toml"
    path.write_text(f'[gateway]\ndata_dir = "data"\n{sample}')
    assert {table.kind for table in load_config(path).store} == {folder.name}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('kind = "uns"\nenterprise = "e"\nhost = "broker.example"', "store[0].host: found 'broker.example'"),
        ('kind = "uns"\nenterprise = "a/+"', "store[0].enterprise: found 'a/+'"),
        ('kind = "key_energy"\nunit_code = "u"\nstate = "s"', "store[0].url: found neither url nor folder"),
        ('kind = "hj212"\nmn = "short"', "store[0].mn: found 'short'"),
    ],
)
def test_mistakes_are_told_with_their_place(more: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[gateway]\ndata_dir = "data"\n[[store]]\nname = "n"\n{more}\n')
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert said in str(raised.value)
