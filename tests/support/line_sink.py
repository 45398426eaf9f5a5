"""A store at the end of the line: takes line protocol, remembers which records of a node came, can be made to fail."""

from __future__ import annotations

import re
import threading
import time
from array import array
from collections import defaultdict
from typing import TYPE_CHECKING, Self

from support.scripted_http import Request, Say, ScriptedHttp
from support.sparkplug_node import T0_MS

if TYPE_CHECKING:
    from collections.abc import Callable

_LINE = re.compile(rb"^\w+,\S*?node=([^, ]+)\S* .* (\d+)$", re.MULTILINE)


class LineSink:
    """An InfluxDB 1.x as a gateway sees it: a POST to /write is taken with 204 unless `fail` says otherwise.

    fail: the answer instead of 204, or None to take the request; it may block.
    newest: node -> its newest record so far.
    order: node -> numbers of its records in the order they came, repeats too (times as sparkplug_node makes them).
    """

    def __init__(self) -> None:
        self.fail: Callable[[Request], Say | None] = lambda _request: None
        self.order: defaultdict[bytes, array[int]] = defaultdict(lambda: array("L"))
        self.posts = 0
        self.refused = 0
        self.records = 0
        self.newest: defaultdict[bytes, int] = defaultdict(int)  # node -> newest record taken
        self.came_s = 0.0  # monotonic time of the last request taken
        self._lock = threading.Lock()
        self._http = ScriptedHttp(self._answer)

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.__exit__(*exc)

    def pace(self, bytes_per_s: int) -> None:
        """Read bodies no faster than this; 0 = as fast as they come."""
        self._http.bytes_per_s = bytes_per_s

    def refuse(self) -> None:
        """Nobody listens any more, and who is connected is cut off."""
        self.fail = lambda _request: Say(reset=True)
        self._http.__exit__()

    def listen(self) -> None:
        """On the same port again."""
        self._http = ScriptedHttp(self._answer, self.port)
        self._http.__enter__()
        self.fail = lambda _request: None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._http.port

    def config(self, name: str = "sink", more: str = "") -> str:
        """The store's table for a gateway's configuration."""
        where = f'kind = "influxdb"\nname = "{name}"\nurl = "{self._http.url}"\nversion = 1\ndatabase = "d"\n'
        return f"[[store]]\n{where}{more}\n"

    def missing(self, node: str, newest: int) -> int:
        """How many of a node's records 1..newest never came."""
        return len(set(range(1, newest + 1)) - set(self.order[node.encode()]))

    def _answer(self, request: Request) -> Say:
        self._http.requests.clear()
        with self._lock:
            self.posts += 1
        say = self.fail(request)
        if say is not None:
            with self._lock:
                self.refused += 1
            return say
        found = _LINE.findall(request.body)
        with self._lock:
            for node, t_ns in found:
                number = (int(t_ns) // 1_000_000 - T0_MS) // 1000
                self.order[node].append(number)
                self.newest[node] = max(self.newest[node], number)
            self.records += len(found)
            self.came_s = time.monotonic()
        return Say()


def is_subsequence(found: array[int], published: array[int]) -> bool:
    """Whether the first occurrences of `found` came in the order of publishing."""
    seen: set[int] = set()
    sent = iter(published)
    for number in found:
        if number in seen:
            continue
        seen.add(number)
        if not any(number == other for other in sent):
            return False
    return True
