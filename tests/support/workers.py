"""Several workers of one session (`pytest -n`): what they begin with, and who may take which port."""

import os

import pytest

NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
COUNT = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def begin_early(items: list[pytest.Item]) -> None:
    """Put files marked `early` first, that no worker ends alone with minutes of waiting; the rest keeps its order."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


def may_take(port: int, number: int = NUMBER, count: int = COUNT) -> bool:
    """Whether a free port belongs to this worker; two workers that find the same one free would both take it.

    The kernel prefers ports of one parity, so pairs of ports are dealt out.
    """
    return port // 2 % count == number
