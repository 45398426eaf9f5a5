"""docs/metrics.md is what the code says: each number of the gateway with its words and labels."""

import metrics_page
from shutan_gateway.counters import HELP


def test_the_page_is_what_the_code_says() -> None:
    assert metrics_page.PAGE.read_text(encoding="utf-8") == metrics_page.page(), "make metrics"


def test_labels_and_kinds_are_read_off_the_code() -> None:
    found = metrics_page.labels()
    assert found["shutan_rejected_total"] == {"reason"}
    assert found["shutan_nodes"] == {"state"}
    assert found["shutan_store_rows_total"] == {"store"}
    assert (
        {"shutan_receive_to_durable_seconds", "shutan_durable_to_store_seconds"} <= metrics_page.observed() <= set(HELP)
    )
