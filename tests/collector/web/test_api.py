"""What the API answers is what the ledger holds, to the gram and the register."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shutan_collector.accounting.documents import PeriodDocuments
from shutan_collector.factors.release import Release
from shutan_collector.ledger.closing import close_month, close_year, restate_month
from shutan_collector.ledger.store import Ledger, open_ledger
from shutan_collector.site.model import Site
from shutan_collector.web.api import MOST_PER_PAGE, create_api
from support.api import ApiClient
from support.ledgers import AT, month
from support.year import Year

MAY, JUNE = "2025-05", "2025-06"


def get(client: ApiClient, path: str, **query: object) -> Any:
    answer = client.get(path, params={key: str(value) for key, value in query.items()})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.content, parse_float=lambda text: pytest.fail(f"a float: {text}"))


def all_lines(client: ApiClient, period: str, **query: object) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        page = get(client, f"/periods/{period}/lines", offset=offset, limit=MOST_PER_PAGE, **query)
        yield from page["lines"]
        offset += len(page["lines"])
        if not page["lines"]:
            assert offset == page["total"]
            return


def body(documents: tuple[PeriodDocuments, ...], period: str, name: str) -> Any:
    return next(one for one in documents if one.period == period).find(name)


def test_periods_are_listed_with_what_marks_them(client: ApiClient, ledger: Ledger) -> None:
    found = get(client, "/periods")
    assert [(item["period"], item["state"], item["version"]) for item in found["periods"]] == [
        (MAY, "closed", 1),
        (JUNE, "closed", 1),
    ]
    assert found["head"] == {"seq": ledger.head().seq, "hash": ledger.head().hash} == get(client, "/ledger/head")
    assert all(item["marks"]["provisional"] for item in found["periods"])
    page = get(client, "/periods", offset=1, limit=1)
    assert [item["period"] for item in page["periods"]] == [JUNE]
    assert page["total"] == 2


def test_totals_are_those_of_the_close(client: ApiClient, documents: tuple[PeriodDocuments, ...]) -> None:
    found = get(client, f"/periods/{JUNE}")
    totals = body(documents, JUNE, "totals")
    assert {item["scope"]: item["co2e_g"] for item in found["totals"]["by_scope"]} == totals["by_scope"]
    assert {f"{i['source']}|{i['scope']}": i["co2e_g"] for i in found["totals"]["by_source"]} == totals["by_source"]
    assert {
        f"{i['scope']}|{i['category']}|{i['gas']}": [i["gas_g"], i["co2e_g"]] for i in found["totals"]["by_category"]
    } == totals["by_category"]
    assert {i["meter"]: [i["value"], i["unit"], i["state"]] for i in found["totals"]["energy"]} == totals["energy"]
    assert {item["scope"] for item in found["totals"]["by_scope"] if item["memo"]} >= {"memo_biogenic"}
    assert [item["name"] for item in found["documents"]] == [
        one.name for period in documents if period.period == JUNE for one in period.documents
    ]


def test_an_open_period_says_so(client: ApiClient) -> None:
    found = get(client, "/periods/2025-07")
    assert (found["state"], found["version"], found["totals"], found["versions"]) == ("open", 0, None, [])


def test_lines_of_all_pages_add_up_to_the_totals(client: ApiClient, documents: tuple[PeriodDocuments, ...]) -> None:
    sums: dict[str, int] = defaultdict(int)
    ids: set[str] = set()
    for line in all_lines(client, JUNE):
        sums[f"{line['source']}|{line['scope']}"] += line["co2e_g"]
        ids.add(line["id"])
    assert sums == body(documents, JUNE, "totals")["by_source"]
    by_source = [
        line for source in {key.rpartition("|")[0] for key in sums} for line in all_lines(client, JUNE, source=source)
    ]
    assert {line["id"] for line in by_source} == ids
    assert len(by_source) == len(ids)


def test_emissions_are_the_lines_by_gas(client: ApiClient) -> None:
    sums: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
    for line in all_lines(client, MAY):
        found = sums[line["source"], line["scope"], line["category"], line["gas"]]
        found[0] += line["gas_g"]
        found[1] += line["co2e_g"]
    answered = get(client, f"/periods/{MAY}/emissions")
    keys = ("source", "scope", "category", "gas")
    assert {tuple(i[k] for k in keys): [i["gas_g"], i["co2e_g"]] for i in answered["emissions"]} == sums
    assert answered["version"] == 1


def test_energy_is_what_passed(client: ApiClient, year: Year) -> None:
    found = get(client, f"/periods/{MAY}/energy")
    assert len(found["meters"]) == 12
    assert all(item["hours"] is None for item in found["meters"])
    (gas,) = get(client, f"/periods/{MAY}/energy", meter="g-boiler")["meters"]
    passed = year.hours("g-boiler")[: 31 * 24]
    assert gas["value"] == sum(passed) == gas["last"]["register"] - gas["first"]["register"]
    assert [hour["value"] for hour in gas["hours"]] == passed
    assert gas["hours"][0]["start"] == "2025-05-01T00:00:00+08:00"
    assert gas["first"]["time"] == "2025-05-01T00:00:00+08:00"


def test_a_line_of_every_kind_opens_to_what_it_rests_on(client: ApiClient) -> None:
    kinds: dict[tuple[str, str], dict[str, Any]] = {}
    for line in all_lines(client, JUNE):
        kinds.setdefault((line["formula"], line["source"].partition(":")[0]), line)
    assert {formula for formula, _ in kinds} >= {
        "electricity.average/1", "combustion.metered_gas/1", "combustion.carbon_balance/1", "heat.metered/1",
        "biogenic.fermentation/1", "wastewater.ch4/1", "electricity.instrument/1",
    }  # fmt: skip
    for line in kinds.values():
        found = get(client, f"/periods/{JUNE}/lines/{line['id']}/trace")
        assert found["line"] == line
        assert round(Fraction(found["exact_kg"]) * 1000) == line["co2e_g"]
        assert found["formula"]["name"] == line["formula"]
        assert [[used["role"], used["factor"]["id"]] for used in found["factors"]] == line["factors"]
        assert [f"{row['kind']}/{row['key']}" for row in found["activities"]] == line["activities"]
        assert (found["flow"] is None) is (line["flow"] is None)
        if found["flow"]:
            assert sum(step["counted"] for step in found["flow"]["steps"]) == found["flow"]["value"]
            assert Fraction(line["inputs"][0]["value"]) == found["flow"]["value"]


def test_a_break_is_seen_in_the_trace(client: ApiClient, documents: tuple[PeriodDocuments, ...]) -> None:
    """The entry meter's day came late: one line stands for the hole, between the readings around it."""
    flows = body(documents, MAY, "readings/m-entry")["flows"]
    (hole,) = [number for number, flow in enumerate(flows) if flow[1] - flow[0] > 1]
    (line,) = [
        line
        for line in all_lines(client, MAY, source="meter:m-entry")
        if line["flow"] == hole and line["scope"] == "scope2_location"
    ]
    flow = get(client, f"/periods/{MAY}/lines/{line['id']}/trace")["flow"]
    assert flow["readings"][-1]["register"] - flow["readings"][0]["register"] == flow["value"]
    assert flow["present"] < flow["expected"]
    assert flow["instruments"][0]["ct"] == "8"
    assert flow["instruments"][0]["pt"] == "100"


def test_factors_are_the_release(client: ApiClient, release: Release) -> None:
    found = get(client, "/factors", limit=MOST_PER_PAGE)
    assert found["total"] == len(release.table)
    assert found["release"] == release.name
    row = found["factors"][0]
    assert get(client, f"/factors/{row['id']}") == row
    some = get(client, "/factors", category="grid_electricity", region="CN-SC")
    assert all((item["category"], item["region"]) == ("grid_electricity", "CN-SC") for item in some["factors"])


def test_the_chain_is_paged_to_its_head(client: ApiClient, ledger: Ledger) -> None:
    after, seen = 0, list[dict[str, Any]]()
    while after is not None:
        page = get(client, "/ledger/entries", after=after, limit=7)
        seen += page["entries"]
        after = page["next"]
    assert [item["seq"] for item in seen] == list(range(1, ledger.head().seq + 1))
    assert seen[-1]["hash"] == ledger.head().hash
    assert all(right["previous"] == left["hash"] for left, right in pairwise(seen))
    closes = get(client, "/ledger/entries", kind="close")["entries"]
    assert [item["period"] for item in closes] == [MAY, JUNE]


@pytest.fixture
def years(url: str, release: Release, site: Site) -> Iterator[tuple[ApiClient, Ledger]]:
    """A ledger with a closed year of made-up months."""
    with open_ledger(url, create=True) as ledger:
        for number in range(1, 13):
            close_month(ledger, month(period=f"2025-{number:02d}", energy_wh=1000 * number), "zeng", AT)
        close_year(ledger, "2025", "zeng", AT)
        yield ApiClient(create_api(ledger, release, site)), ledger


def test_a_year_is_its_months_and_says_when_one_was_restated(years: tuple[ApiClient, Ledger]) -> None:
    client, ledger = years
    found = get(client, "/periods/2025")
    assert (found["kind"], found["state"], len(found["months"]), found["stale"]) == ("year", "closed", 12, [])
    of_months = sum(
        item["co2e_g"]
        for number in range(1, 13)
        for item in get(client, f"/periods/2025-{number:02d}")["totals"]["by_scope"]
    )
    assert [item["co2e_g"] for item in found["totals"]["by_scope"]] == [of_months]
    restate_month(ledger, month(period="2025-03", energy_wh=7), "li", "换算错误", AT)
    assert get(client, "/periods/2025")["stale"] == ["2025-03"]
    march = get(client, "/periods/2025-03")
    assert [(item["version"], item["author"], item["reason"]) for item in march["versions"]] == [
        (1, "zeng", ""),
        (2, "li", "换算错误"),
    ]


def test_an_unchanged_ledger_is_not_sent_again(years: tuple[ApiClient, Ledger]) -> None:
    client, ledger = years
    answer = client.get("/periods/2025-05")
    tag = answer.headers["etag"]
    assert tag == f'"{ledger.head().hash}"'
    for sent in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get("/periods/2025-05", headers={"If-None-Match": sent})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    close_month(ledger, month(period="2026-01"), "zeng", AT)
    changed = client.get("/periods/2025-05", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert get(client, "/periods")["periods"][-1]["period"] == "2026-01"


PROBLEMS = [
    ("/nowhere", 404, "there is nothing at /nowhere; /openapi.json lists what there is"),
    ("/periods/2025-13", 400, "'2025-13' is not a period; ask for a month such as 2025-06 or a year such as 2025"),
    ("/periods/２０２５", 400, "is not a period"),
    ("/periods/2025-07/emissions", 404, "period 2025-07 is open: it has figures once it is closed"),
    ("/periods/2025-05/energy?meter=none", 404, "period 2025-05 has no meter 'none'"),
    ("/periods/2025-05/lines?source=meter:none", 404, "period 2025-05 has no lines of source 'meter:none'"),
    ("/periods/2025-05/lines?limit=501", 422, "limit: Input should be less than or equal to 500"),
    ("/periods/2025-05/lines?offset=-1", 422, "offset: Input should be greater than or equal to 0"),
    ("/periods/2025-05/lines?limit=many", 422, "limit: Input should be a valid integer"),
    ("/periods/2025-05/lines/none|x/trace", 404, "period 2025-05 has no line 'none|x'"),
    ("/factors/NONE", 404, "NONE: "),
]


@pytest.mark.parametrize(("path", "status", "said"), PROBLEMS)
def test_a_problem_is_one_clear_line(client: ApiClient, path: str, status: int, said: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert said in problem["detail"]
    assert "\n" not in problem["detail"]
    assert problem["status"] == status
    assert problem.keys() == {"type", "title", "status", "detail"}


def test_nothing_can_be_written(client: ApiClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = client.request(method, f"/periods/{MAY}")
        assert answer.status_code == 405
        assert answer.json()["detail"] == f"{method} is not offered: this service only reads"


def test_a_year_has_no_lines_of_its_own(years: tuple[ApiClient, Ledger]) -> None:
    answer = years[0].get("/periods/2025/lines")
    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "2025 is a year: ask for one of its months, such as 2025-01",
    )


def test_openapi_names_every_path_with_a_typed_answer(client: ApiClient) -> None:
    described = get(client, "/openapi.json")
    assert set(described["paths"]) == {
        "/", "/periods", "/periods/{period}", "/periods/{period}/emissions", "/periods/{period}/energy",
        "/periods/{period}/lines", "/periods/{period}/lines/{line_id}/trace", "/factors", "/factors/{factor_id}",
        "/ledger/head", "/ledger/entries",
    }  # fmt: skip
    for operations in described["paths"].values():
        assert set(operations) == {"get"}
        schema = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert re.fullmatch(r"#/components/schemas/\w+", schema["$ref"])
        assert operations["get"]["summary"]
    assert "number" not in {
        field.get("type")
        for model in described["components"]["schemas"].values()
        for field in model.get("properties", {}).values()
    }
    for path in ("/docs", "/redoc"):
        assert client.get(path).status_code == 404


def test_the_service_says_what_it_is(client: ApiClient, site: Site) -> None:
    found = get(client, "/")
    assert (found["site"], found["name_zh"]) == (site.id, site.name_zh)
    assert client.get("/").headers["x-content-type-options"] == "nosniff"


def test_the_page_about_the_api_names_its_paths(client: ApiClient, repo: Path) -> None:
    text = (repo / "docs" / "api.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `/")]
    named = {path for row in rows for path in re.findall(r"`(/[^`]*)`", row)}
    assert named == {*get(client, "/openapi.json")["paths"], "/openapi.json"}
    assert f"at most {MOST_PER_PAGE} items" in text
