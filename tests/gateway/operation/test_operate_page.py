"""docs/operate.md and its Chinese version name every finding and every key of a notification; figures as printed."""

import subprocess

import pytest

from shutan_gateway.config.notify import DingtalkNotify, MailNotify, WatchSection, WebhookNotify, WecomNotify
from shutan_gateway.operation.doctor.texts import TEXTS
from support.places import REPO, tool

PAGES = [REPO / "docs/operate.md", REPO / "docs/operate.zh-CN.md"]


@pytest.fixture(params=PAGES, ids=lambda path: path.name)
def page(request: pytest.FixtureRequest) -> str:
    return request.param.read_text(encoding="utf-8")


def test_every_finding_is_named(page: str) -> None:
    assert [kind for kind in TEXTS if f"`{kind}`" not in page] == []


def test_every_key_is_named(page: str) -> None:
    models = (WatchSection, WebhookNotify, MailNotify, WecomNotify, DingtalkNotify)
    keys = {key for model in models for key in model.model_fields} - {"ca_file"}
    assert sorted(key for key in keys if key not in page) == []


@pytest.mark.parametrize("unit", ["shutan-gateway.service", "shutan-broker.service"])
def test_the_exposure_is_the_one_that_systemd_prints(page: str, unit: str) -> None:
    command = [tool("systemd-analyze"), "security", "--offline=true", REPO / "gateway/deploy" / unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    score = done.stdout.rpartition("exposure level for")[2].split()[1]
    assert f"`{unit}` {score}" in page
