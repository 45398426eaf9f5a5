"""What the private apt takes from the machine's own archive list."""

from pathlib import Path

import pytest

import apt_private

DEB822 = """\
Types: deb
# a comment between fields
URIs: {mirror}
Suites: bookworm bookworm-updates
Components: main contrib
Architectures: amd64
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
Check-Valid-Until: no

Types: deb
URIs: {mirror}-security
Suites: bookworm-security
Components: main

Types: deb-src
URIs: {mirror}
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: {mirror}-old
Suites: bookworm
Components: main
"""
ONE_LINE = """\
# deb {mirror} bookworm main
deb [arch=amd64,i386 signed-by=/etc/keyring.gpg check-valid-until=no] {mirror} stable main contrib # end
deb-src {mirror} bookworm main
deb {mirror} bookworm-backports main
deb {other} nodistro main
"""
EMBEDDED = """\
Types: deb
URIs: {mirror}
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
"""
PLACES = {"mirror": "http://mirror.example/linux", "other": "http://other.example/apt"}


def _etc(folder: Path, **files: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        stem, ending = name.rsplit("_", 1)
        path = folder / "sources.list" if stem == "main" else folder / f"sources.list.d/{stem}.{ending}"
        path.write_text(text.format(**PLACES))
    return folder


def test_deb822_keeps_options_and_replaces_the_suite(tmp_path: Path) -> None:
    (source,) = apt_private.machine_sources(_etc(tmp_path, debian_sources=DEB822))
    assert source.render("trixie", "i386").splitlines() == [
        "Types: deb",
        "URIs: http://mirror.example/linux",
        "Suites: trixie",
        "Components: main",
        "Architectures: i386",
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg",
        "Check-Valid-Until: no",
    ]


def test_one_line_style_becomes_the_same(tmp_path: Path) -> None:
    (source,) = apt_private.machine_sources(_etc(tmp_path, main_list=ONE_LINE))
    assert source.uris == "http://mirror.example/linux"
    assert source.options == {"Signed-By": "/etc/keyring.gpg", "Check-Valid-Until": "no"}


def test_an_embedded_key_survives(tmp_path: Path) -> None:
    (source,) = apt_private.machine_sources(_etc(tmp_path, debian_sources=EMBEDDED))
    assert source.render("trixie", "amd64").endswith("\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----\n")


def test_an_archive_of_debian_comes_before_others_and_only_once(tmp_path: Path) -> None:
    vendor = "deb [signed-by=/etc/vendor.gpg] {other} bookworm main\n"
    twice = "deb {mirror} bookworm main\ndeb {mirror} bookworm main\n"
    sources = apt_private.machine_sources(_etc(tmp_path, a_list=vendor, z_list=twice))
    assert [source.uris for source in sources] == [PLACES["mirror"], PLACES["other"]]


def test_no_archive_is_no_error_here(tmp_path: Path) -> None:
    assert apt_private.machine_sources(tmp_path) == []


@pytest.mark.skipif(not apt_private.is_debian(), reason="not run: apt settings: this machine has no apt")
def test_private_settings_keep_the_proxy_and_drop_hooks(tmp_path: Path) -> None:
    source = apt_private.Source("http://mirror.example/linux")
    apt_private.PrivateApt(tmp_path / "apt", source, "trixie", "i386", "amd64")
    text = (tmp_path / "apt/apt.conf").read_text()
    assert "Post-Invoke" not in text
    assert 'APT::Architectures { "amd64";"i386"; };' in text
    assert (tmp_path / "apt/apt.conf").stat().st_mode & 0o077 == 0
    assert (tmp_path / "apt/status").read_bytes() == b""
