"""What an export takes from a ledger, and that it does so the same way every time."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shutan_collector.errors import EvidenceError
from shutan_collector.evidence import verify
from shutan_collector.evidence.bundle import Evidence, export, verifier
from shutan_collector.evidence.files import refuse_existing, write_evidence
from shutan_collector.evidence.keys import SiteKey
from support.evidence_ledger import Documents, closed, evidence_of
from support.evidence_year import SITE, closed_year, small_month


def _members(evidence: Evidence) -> dict[str, bytes]:
    return verify.unpack(evidence.archive)


def _manifest(evidence: Evidence) -> dict[str, Any]:
    return json.loads(_members(evidence)["manifest.json"])


def test_the_same_closing_gives_the_same_bytes_whatever_was_written_since(documents: Documents, key: SiteKey) -> None:
    ledger = closed(documents)
    first = export(ledger, "2025-06", key)
    ledger.add("note", "later", "", {"text": "July"})
    again = export(ledger, "2025-06", key)
    assert first == again
    assert (first.head_seq, first.head_hash) == (ledger.chain[-2].seq, ledger.chain[-2].hash)


def test_members_and_manifest(evidence: Evidence, documents: Documents) -> None:
    members, manifest = _members(evidence), _manifest(evidence)
    bodies = {name for name in members if name.startswith("documents/")}
    assert members.keys() - bodies == {"manifest.json", "chain.jsonl", "README.txt"}
    assert len(bodies) == len(documents) + 1
    assert manifest["schema"] == "shutan.evidence/1"
    assert (manifest["period"], manifest["version"]) == ("2025-06", 1)
    assert manifest["head"] == {"seq": evidence.head_seq, "hash": evidence.head_hash}
    assert manifest["key_fingerprint"] == evidence.fingerprint
    assert manifest["verifier"]["sha256"] == sha256(verifier()).hexdigest()
    assert manifest["formulas"] == sorted(row["name"] for row in documents["formulas"]["rows"])
    assert manifest["software"].startswith("shutan ")
    stated = {name: tuple(pair) for name, pair in manifest["members"].items()}
    assert stated == {
        name: (sha256(content).hexdigest(), len(content))
        for name, content in members.items()
        if name != "manifest.json"
    }


def test_the_signature_is_ed25519_over_all_bytes(evidence: Evidence, key: SiteKey) -> None:
    assert len(evidence.signature) == 64
    Ed25519PublicKey.from_public_bytes(key.public_raw).verify(evidence.signature, evidence.archive)


def test_the_month_made_by_hand_uses_every_formula_the_verifier_knows(documents: Documents) -> None:
    assert {row["name"] for row in documents["formulas"]["rows"]} == set(verify.FORMULAS)


def test_an_open_period_is_refused(documents: Documents, key: SiteKey) -> None:
    with pytest.raises(EvidenceError, match="2025-07: the period is not closed"):
        export(closed(documents), "2025-07", key)


def test_evidence_that_would_not_verify_is_not_given_out(documents: Documents, key: SiteKey) -> None:
    documents["lines/meter:m-gas"]["lines"][0]["co2e_g"] += 1
    with pytest.raises(EvidenceError, match=r"does not verify.*meter:m-gas.*co2e_g"):
        evidence_of(documents, key)


def test_a_machine_that_cannot_verify_does_not_blame_the_evidence(
    documents: Documents, key: SiteKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with pytest.raises(EvidenceError, match=r"cannot be verified on this machine.*No such file or directory"):
        evidence_of(documents, key)


def test_a_restated_month_brings_the_version_that_holds(documents: Documents, key: SiteKey) -> None:
    ledger = closed(documents)
    first = ledger.chain[-1].seq
    ledger.close_month("2025-06", documents, restates=first, version=2)
    evidence = export(ledger, "2025-06", key)
    assert evidence.version == 2
    assert verify.examine(evidence.archive, evidence.signature, evidence.public_pem, "F.zip")["ok"]


def test_a_version_that_hides_an_earlier_one_is_refused(documents: Documents, key: SiteKey) -> None:
    ledger = closed(documents)
    ledger.close_month("2025-06", documents)
    with pytest.raises(EvidenceError, match=r'"field": "version", .*"expected": 2, "found": 1'):
        export(ledger, "2025-06", key)


def test_files_are_written_whole_and_nothing_is_overwritten(evidence: Evidence, tmp_path: Path) -> None:
    write_evidence(evidence, tmp_path / "F.zip")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict(evidence.files("F.zip"))
    with pytest.raises(EvidenceError, match="never overwritten"):
        write_evidence(evidence, tmp_path / "F.zip")
    with pytest.raises(EvidenceError, match="folder does not exist"):
        refuse_existing(tmp_path / "none" / "F.zip")
    (tmp_path / "G.zip.tsq").touch()
    refuse_existing(tmp_path / "G.zip")
    with pytest.raises(EvidenceError, match=r"G\.zip\.tsq: is there already"):
        refuse_existing(tmp_path / "G.zip", timestamp_query=True)


def test_a_year_brings_its_twelve_months(key: SiteKey) -> None:
    ledger = closed_year("2025")
    evidence = export(ledger, "2025", key)
    verdict = verify.examine(evidence.archive, evidence.signature, evidence.public_pem, "Y.zip", evidence.fingerprint)
    assert verdict["ok"], verdict
    assert [month["period"] for month in verdict["months"]] == [f"2025-{number:02d}" for number in range(1, 13)]
    assert [month["version"] for month in verdict["months"]] == [1, 1, 2, *[1] * 9]
    assert verdict["head"] == {"seq": ledger.chain[-1].seq, "hash": ledger.chain[-1].hash}
    assert sum(month["by_scope"]["scope2_heat"] for month in verdict["months"]) == 11 * 1_155_000 + 1_237_500


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("totals", "by_scope", "scope2_heat"), 1, "totals by_scope scope2_heat"),
        (("totals", "energy", "w-1"), [12_001, "L", "complete"], "totals energy w-1"),
        (("totals", "complete"), False, "totals complete"),
        (("months", 11), ["2026-01", 108, 1], "months"),
        (("months", 4, 2), 2, "version of 2025-05"),
        (("months", 2, 1), 27, "closing entry of 2025-03"),  # the version that was restated
    ],
)
def test_a_year_that_is_not_its_months_is_refused(
    key: SiteKey, path: tuple[Any, ...], value: object, field: str
) -> None:
    ledger = closed_year("2025")
    body = json.loads(ledger.bodies.pop())
    ledger.chain.pop()
    place = body
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    ledger.add("close", "2025", "2025", body)
    with pytest.raises(EvidenceError, match=f'"field": "{field}"'):
        export(ledger, "2025", key)


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"2025-06": small_month("2025-06", lost=7)}, "first register of w-1"),
        ({"2025-06": small_month("2025-06", key="H-2025-05")}, "row heat_purchase/H-2025-05"),
        (
            {"2025-06": small_month("2025-06", site=SITE.replace("[site]", '[site]\ngwp = "AR6"'))},
            "calendar, GWP set, fuel family",
        ),
    ],
)
def test_months_that_do_not_join_are_no_year(key: SiteKey, other: dict[str, Documents], field: str) -> None:
    """Each month is right in itself; between them seven litres are lost, an invoice is used twice, sets are mixed."""
    for documents in other.values():
        documents["site"]["gwp"] = "AR6" if "AR6" in documents["site"]["text"] else "AR5"
    with pytest.raises(EvidenceError, match=f'"field": "{field}"'):
        export(closed_year("2025", other), "2025", key)


def test_fuel_between_two_stocks_is_in_some_month() -> None:
    """Nine tonnes at the end of May, eight on the next morning: one would be burnt in no month."""
    months: list[verify.Month] = []
    for period, direction, quantity in (("2025-05", "closing_stock", "9"), ("2025-06", "opening_stock", "8")):
        documents = small_month(period)
        months.append(verify.Month(period, {name: (name, body) for name, body in documents.items()}))
        row = {"key": period, "fuel": "diesel", "day": f"{period}-01", "direction": direction, "quantity": quantity}
        months[-1].rows[f"fuel_movement/{period}"] = row
    before, after = map(verify.Joint, months)
    with pytest.raises(verify.Difference) as found:
        after.follows(before)
    assert found.value.field == "opening stock of diesel"
