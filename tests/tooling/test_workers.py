"""Several workers begin with what takes long, and share the ports among them."""

from functools import partial

import pytest

from support import servers, workers


class One(pytest.Item):
    """A test that does nothing."""

    def runtest(self) -> None:
        pass


def test_the_early_ones_begin_and_the_others_keep_their_order(request: pytest.FixtureRequest) -> None:
    def item(name: str) -> pytest.Item:
        return One.from_parent(request.session, name=name)  # pyright: ignore[reportUnknownMemberType] - **kw

    items = [item("one"), item("two"), item("three"), item("four")]
    items[2].add_marker(pytest.mark.early)
    workers.begin_early(items)
    assert [one.name for one in items] == ["three", "one", "two", "four"]


def test_each_port_belongs_to_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for port in range(32768, 32868):
        assert [workers.may_take(port, number, 3) for number in range(3)].count(True) == 1
    monkeypatch.setattr(servers, "may_take", partial(workers.may_take, number=1, count=3))
    assert {servers.free_port() // 2 % 3 for _ in range(20)} == {1}
