"""The signing key: made once, private to its owner, told by its fingerprint, never shown."""

import pickle
import stat
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shutan_collector.errors import EvidenceError
from shutan_collector.evidence.keys import SiteKey, create_key, grouped, load_key, public_path, read_passphrase


def test_a_key_is_written_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "site.key"
    made = create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).fingerprint == made.fingerprint
    assert public_path(path).read_bytes() == made.public_pem


def test_the_fingerprint_is_the_hash_of_the_raw_public_bytes_as_openssl_prints_them(tmp_path: Path) -> None:
    made = create_key(tmp_path / "site.key")
    done = subprocess.run(
        ["openssl", "pkey", "-in", str(tmp_path / "site.key"), "-pubout", "-outform", "DER"],
        capture_output=True,
        check=True,
    )
    assert made.fingerprint == sha256(done.stdout[-32:]).hexdigest()
    assert grouped(made.fingerprint).replace(" ", "") == made.fingerprint
    assert {len(part) for part in grouped(made.fingerprint).split()} == {8}


def test_a_passphrase_protects_the_key(tmp_path: Path) -> None:
    path = tmp_path / "site.key"
    made = create_key(path, b"open sesame")
    assert b"ENCRYPTED" in path.read_bytes()
    assert load_key(path, b"open sesame").fingerprint == made.fingerprint
    with pytest.raises(EvidenceError, match="wants its passphrase"):
        load_key(path)
    with pytest.raises(EvidenceError, match="passphrase is wrong"):
        load_key(path, b"open barley")


def test_a_passphrase_for_a_key_without_one_is_told(tmp_path: Path) -> None:
    create_key(tmp_path / "site.key")
    with pytest.raises(EvidenceError, match="has no passphrase"):
        load_key(tmp_path / "site.key", b"open sesame")


@pytest.mark.parametrize("there", ["site.key", "site.key.pub"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"mine")
    with pytest.raises(EvidenceError, match="is there already"):
        create_key(tmp_path / "site.key")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_bytes() == b"mine"


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    create_key(tmp_path / "site.key")
    (tmp_path / "site.key").chmod(0o640)
    with pytest.raises(EvidenceError, match="chmod 600"):
        load_key(tmp_path / "site.key")


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_what_is_no_ed25519_key_is_refused_without_showing_it(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(EvidenceError, match="is not an Ed25519 key"):
        load_key(_write(tmp_path / "p256.key", other))
    with pytest.raises(EvidenceError) as caught:
        load_key(_write(tmp_path / "junk.key", b"secret junk"))
    assert "secret" not in str(caught.value)
    with pytest.raises(EvidenceError, match="keygen"):
        load_key(tmp_path / "none.key")


def test_the_private_key_is_not_shown_and_not_pickled() -> None:
    private = Ed25519PrivateKey.generate()
    key = SiteKey(private)
    raw = private.private_bytes_raw()
    assert raw.hex() not in repr(key)
    assert repr(key) == f"SiteKey({key.fingerprint[:8]}…)"
    with pytest.raises(TypeError, match="not copied"):
        pickle.dumps(key)


def test_a_passphrase_file_holds_one_line(tmp_path: Path) -> None:
    (tmp_path / "pass").write_bytes(b"open sesame\r\nsecond line\n")
    assert read_passphrase(tmp_path / "pass") == b"open sesame"
    (tmp_path / "empty").write_bytes(b"\n")
    with pytest.raises(EvidenceError, match="first line is empty"):
        read_passphrase(tmp_path / "empty")
    with pytest.raises(EvidenceError, match="cannot be read"):
        read_passphrase(tmp_path / "none")
