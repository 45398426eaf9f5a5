"""The owner of the key changes one value and signs again: the recomputation finds it, or the value is a known label.

docs/evidence.md lists the values that no computation can check; the list here is that list, and it is exact in both
directions: a label that a check finds, or a value that no check finds and that is no label, fails the test.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from shutan_collector.evidence import verify
from shutan_collector.evidence.archive import build_archive
from shutan_collector.evidence.bundle import collect
from shutan_collector.evidence.keys import SiteKey
from support.evidence_activities import hand_made_month
from support.evidence_leaves import Leaf, is_number, leaves, nudged, with_leaf
from support.evidence_ledger import Documents, closed
from support.places import REPO

DOCUMENT = REPO / "docs" / "evidence.md"


def _labels() -> set[str]:
    """The table of labels in docs/evidence.md, as patterns of places."""
    text = DOCUMENT.read_text(encoding="utf-8").split("<!-- labels -->")[1]
    return set(re.findall(r"`([\w./*]+)`", text))


def _is_label(leaf: Leaf, labels: set[str]) -> str | None:
    return next(
        (label for label in sorted(labels) if re.fullmatch(label.replace(".", r"\.").replace("*", ".*"), leaf.label)),
        None,
    )


def _means_nothing(leaf: Leaf) -> bool:
    """What stands in no rule: masses that a refrigerant's method does not use, a register whose fall is not counted,
    and the whole of a certificate of which only a part was delivered."""
    unused = leaf.document == "activities/refrigerant" and leaf.value == "0"
    return unused or (leaf.document, leaf.path) in {
        ("readings/m-heat", ("register", 0)),
        ("activities/certificate", ("rows", 2, "mwh")),
    }


def _checked(documents: Documents) -> dict[str, Any] | None:
    """What the verifier finds in these documents, None if nothing."""
    try:
        verify.Month("2025-06", {name: (name, body) for name, body in documents.items()}).check()
    except verify.Difference as found:
        return {"at": found.at, "field": found.field}
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return {"at": ("", ""), "field": f"form: {error}"}
    return None


def _changed(documents: Documents, leaf: Leaf, value: Any) -> Documents:
    return {**documents, leaf.document: with_leaf(documents[leaf.document], leaf.path, value)}


def test_every_value_of_a_month_is_computed_again_or_is_a_known_label(
    documents: Documents, record_property: Callable[[str, object], None]
) -> None:
    labels = _labels()
    assert _checked(documents) is None
    counts: dict[str, int] = defaultdict(int)
    seen: set[str] = set()
    missed: set[str] = set()
    for leaf in leaves(documents):
        if leaf.value is None or _means_nothing(leaf):
            continue
        label = _is_label(leaf, labels)
        found = _checked(_changed(documents, leaf, nudged(leaf.value)))
        counts["numbers" if is_number(leaf.value) else "words"] += 1
        counts["found" if found else "labels"] += 1
        if label and not found:
            seen.add(label)
        elif not found:
            missed.add(f"{leaf.label}: {leaf.document} {leaf.path} {leaf.value!r}")
    record_property("values", dict(counts))
    assert sorted(missed)[:20] == []
    assert labels - seen == set()
    assert counts["found"] > 2_000


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("t_ns", 3), 2 * verify.HOUR_NS),
        (("t_ns", 11), 1),  # of a sealed swap: both readings stand at one instant
        (("boundaries", 100), [verify.HOUR_NS, 0, 0]),
        (("interval_ns",), None),
    ],
)
def test_a_reading_far_from_its_boundary_is_found(documents: Documents, path: tuple[Any, ...], value: Any) -> None:
    body = documents["readings/m-entry"]
    before: Any = body
    for part in path:
        before = before[part]
    after = before + value if isinstance(before, int) and isinstance(value, int) else value
    found = _checked({**documents, "readings/m-entry": with_leaf(body, path, after)})
    assert bool(found) is (path != ("interval_ns",))


def _drop_line(documents: Documents) -> None:
    documents["lines/meter:m-gas"]["lines"].pop()


def _drop_all_lines(documents: Documents) -> None:
    del documents["lines/meter:m-gas"]


def _repeat_line(documents: Documents) -> None:
    documents["lines/meter:m-gas"]["lines"].append(documents["lines/meter:m-gas"]["lines"][0])


def _drop_purchase(documents: Documents) -> None:
    documents["activities/fuel_movement"]["rows"].append(
        {**documents["activities/fuel_movement"]["rows"][1], "key": "D5", "quantity": "9"}
    )


def _drop_analysis(documents: Documents) -> None:
    documents["activities/fuel_quality"]["rows"].append(
        {**documents["activities/fuel_quality"]["rows"][1], "key": "Q3", "ncv": "30"}
    )


def _drop_flow(documents: Documents) -> None:
    documents["readings/m-still"]["flows"].pop()


def _footprint_factor(documents: Documents) -> None:
    for row in documents["factors"]["rows"]:
        if row["id"] == "GRID-SC-2023":
            row.update(category="electricity_footprint", parameter="co2e_life_cycle")


def _claim_twice(documents: Documents) -> None:
    documents["claims"]["claims"].append(["GEC-1", 10_000_000, "2025-06"])


def _claim_more(documents: Documents) -> None:
    documents["claims"]["claims"][1][1] = 9_000_000


def _green_beyond(documents: Documents) -> None:
    documents["activities/green_power"]["rows"][0]["mwh"] = "4"
    documents["claims"]["claims"][2][1] = 4_500_000


def _row_twice(documents: Documents) -> None:
    rows = documents["activities/process_input"]["rows"]
    rows.append({**rows[0], "mass_t": "99"})


def _factor_twice(documents: Documents) -> None:
    documents["factors"]["rows"].append({**documents["factors"]["rows"][0], "value": "1"})


def _unknown_mark(documents: Documents) -> None:
    documents["lines/market"]["lines"][0]["marks"].append("checked")


def _valued_and_not(documents: Documents) -> None:
    body, flow = documents["lines/meter:m-gas"], documents["lines/meter:m-gas"]["lines"][0]
    times = {"start_ns": flow["start_ns"], "end_ns": flow["end_ns"]}
    body["unvalued"].append({**times, "source": "meter:m-gas", "value": "31007", "unit": "L", "reason": ""})


def _not_valued_less(documents: Documents) -> None:
    documents["lines/meter:m-heat"]["unvalued"][0]["value"] = "5"


def _hole(documents: Documents) -> None:
    body = documents["readings/m-still"]
    body["boundaries"][-1], body["flows"] = None, []


def _another_transformer(documents: Documents) -> None:
    documents["readings/m-entry"]["instruments"][1]["ct"] = "80"


def _sub_meter(documents: Documents) -> None:
    documents["readings/m-entry"]["role"] = "sub"


@pytest.mark.parametrize(
    ("forge", "field"),
    [
        (_drop_line, "flows with a line in scope1"),
        (_drop_all_lines, "flows with a line in scope1"),
        (_repeat_line, "ids, each once"),
        (_drop_purchase, "input fc|rows"),
        (_drop_analysis, "input ncv|rows"),
        (_drop_flow, "flows"),
        (_footprint_factor, "kind"),
        (_claim_twice, "certificate"),
        (_claim_more, "energy of GEC-2"),
        (_sub_meter, "role"),
        (_green_beyond, "green power of GEC-3"),
        (_row_twice, "rows, each key once"),
        (_factor_twice, "rows, each id once"),
        (_unknown_mark, "marks"),
        (_valued_and_not, "not valued flow 0"),
        (_not_valued_less, "not valued flow 1"),
        (_hole, "declared_missing"),
        (_another_transformer, "instrument n01/m-entry-1 #20190411"),
    ],
)
def test_what_is_left_out_or_put_in_is_found(
    documents: Documents, forge: Callable[[Documents], None], field: str
) -> None:
    forge(documents)
    found = _checked(documents)
    assert found is not None
    assert re.fullmatch(field, found["field"]), found


def test_whole_evidence_with_one_number_changed_hashed_and_signed_again_does_not_verify(key: SiteKey) -> None:
    documents, labels = hand_made_month(), _labels()
    dice = random.Random(7)  # noqa: S311 - a seeded choice of test cases
    numbers = [leaf for leaf in leaves(documents) if is_number(leaf.value) and not _is_label(leaf, labels)]
    numbers = [leaf for leaf in numbers if not _means_nothing(leaf)]
    for leaf in dice.sample(numbers, 25):
        _, members = collect(closed(_changed(documents, leaf, nudged(leaf.value))), "2025-06", key.fingerprint)
        archive = build_archive(members)
        verdict = verify.examine(archive, key.sign(archive), key.public_pem, "F.zip", key.fingerprint)
        assert verdict["signature"] == "good"
        assert not verdict["ok"], (leaf.document, leaf.path)


def test_a_changed_gram_is_named_by_member_line_and_field(documents: Documents, key: SiteKey) -> None:
    line = documents["lines/meter:m-gas"]["lines"][3]
    line["co2e_g"] += 1
    close, members = collect(closed(documents), "2025-06", key.fingerprint)
    archive = build_archive(members)
    difference = verify.examine(archive, key.sign(archive), key.public_pem, "F.zip")["difference"]
    assert difference["place"] == line["id"]
    assert (difference["field"], difference["expected"], difference["found"]) == (
        "co2e_g",
        line["co2e_g"] - 1,
        line["co2e_g"],
    )
    stated = json.loads(members[difference["member"]])
    assert stated["lines"][3]["id"] == line["id"]
    assert close.seq > 0
