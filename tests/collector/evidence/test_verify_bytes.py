"""Every changed byte of archive, signature or key is found, and where it is."""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from shutan_collector.evidence import verify
from shutan_collector.evidence.bundle import Evidence

CHANGES = 1_000
BY_PROGRAM = 36
SEED = 20250601
VERIFY = Path(verify.__file__)


def _changed(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + bytes([value]) + content[at + 1 :]


def _draw(evidence: Evidence, count: int, seed: int) -> list[tuple[str, int, int]]:
    """File, place and new value of so many single-byte changes, over all bytes of the three files alike."""
    dice = random.Random(seed)  # noqa: S311 - a seeded choice of test cases
    files = [("", evidence.archive), (".sig", evidence.signature), (".pub", evidence.public_pem)]
    places = [(suffix, at) for suffix, content in files[1:] for at in range(len(content))]
    drawn: list[tuple[str, int, int]] = []
    while len(drawn) < count:
        number = dice.randrange(len(evidence.archive) + len(places))
        suffix, at = ("", number) if number < len(evidence.archive) else places[number - len(evidence.archive)]
        content = dict(files)[suffix]
        drawn.append((suffix, at, dice.choice([value for value in range(256) if value != content[at]])))
    return drawn


def _verdict(evidence: Evidence, suffix: str, at: int, value: int) -> dict[str, object]:
    parts = {"": evidence.archive, ".sig": evidence.signature, ".pub": evidence.public_pem}
    parts[suffix] = _changed(parts[suffix], at, value)
    return verify.examine(parts[""], parts[".sig"], parts[".pub"], "F.zip", evidence.fingerprint)


def test_a_thousand_random_single_byte_changes_are_found_and_located(
    evidence: Evidence, record_property: Callable[[str, object], None]
) -> None:
    found: Counter[str] = Counter()
    for suffix, at, value in _draw(evidence, CHANGES, SEED):
        verdict = _verdict(evidence, suffix, at, value)
        assert not verdict["ok"], (suffix, at, value)
        difference = verdict["difference"]
        assert isinstance(difference, dict)
        if suffix:
            assert difference["member"] == f"F.zip{suffix}"
            found["named by file"] += 1
        else:
            assert difference["offset"] == at, (at, value, difference)
            found["located to the byte"] += 1
    assert found.total() == CHANGES
    record_property("changes", dict(found))
    sys.stdout.write(f"single-byte changes: {CHANGES} of {CHANGES} found, {dict(found)}\n")


def test_every_byte_of_signature_and_key_is_found(evidence: Evidence) -> None:
    for suffix, content in ((".sig", evidence.signature), (".pub", evidence.public_pem)):
        for at in range(0, len(content), 3):
            verdict = _verdict(evidence, suffix, at, content[at] ^ 0x20)
            assert not verdict["ok"]
            assert verdict["difference"]["member"] == f"F.zip{suffix}"  # pyright: ignore[reportIndexIssue]  # an object


def test_the_signature_alone_finds_a_changed_byte(evidence: Evidence) -> None:
    for _, at, value in _draw(evidence, 12, SEED + 1):
        with pytest.raises(verify.Difference) as caught:
            verify.check_signature(
                _changed(evidence.archive, at % len(evidence.archive), value ^ 1),
                evidence.signature,
                evidence.public_pem,
                "F.zip",
            )
        assert caught.value.field == "signature"


def test_the_program_finds_them_too(evidence: Evidence, written: Path) -> None:
    for suffix, at, value in _draw(evidence, BY_PROGRAM, SEED + 2):
        path = Path(f"{written}{suffix}")
        before = path.read_bytes()
        path.write_bytes(_changed(before, at, value))
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(VERIFY), str(written), "--json", "--fingerprint", evidence.fingerprint],
            capture_output=True,
            check=False,
        )
        path.write_bytes(before)
        assert done.returncode == 1, (suffix, at, value)
        assert done.stderr == b""
        assert json.loads(done.stdout)["difference"]["offset"] == (None if suffix else at)


@pytest.mark.parametrize("cut", [1, 22, 1000])
def test_a_cut_or_lengthened_archive_is_found(evidence: Evidence, cut: int) -> None:
    for data in (evidence.archive[:-cut], evidence.archive + bytes(cut), evidence.archive[cut:], b""):
        verdict = verify.examine(data, evidence.signature, evidence.public_pem, "F.zip")
        assert not verdict["ok"]


def test_two_changed_bytes_are_located_to_the_member(evidence: Evidence) -> None:
    start = evidence.archive.index(b'"flows":[[')
    data = _changed(_changed(evidence.archive, start + 20, 0x21), start + 300, 0x21)
    verdict = verify.examine(data, evidence.signature, evidence.public_pem, "F.zip")
    assert verdict["difference"]["field"] == "sha256"
    assert verdict["difference"]["member"].startswith("documents/")
