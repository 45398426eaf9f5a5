"""What is sent next: live records first, then what was never acknowledged, paced by the acknowledgements.

| the acknowledgement ...                    | so                                                                 |
|--------------------------------------------|--------------------------------------------------------------------|
| advances                                   | RAM is freed, the window doubles, waiting starts again              |
| does not for `ram_window_ms`               | RAM goes to flash                                                  |
| does not for 2 x keepalive (then 4 x, ...) | everything after it is sent again, in half the window               |
| has never come for `foreign_ms` online     | the host is a foreign one: what was sent is held 2 x keepalive long |

No I/O and no clock of its own: `now` is real milliseconds that never wrap.
"""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node.store import Store

_WINDOW_MIN = 8
_WINDOW_START = 16
_WINDOW_MAX = 256
_WAIT_MAX_MS = 600000
_SETTLE_MS = 1000  # after births: the host's first acknowledgement saves most of a replay


class Delivery:
    """Order of sending, and the reaction to acknowledgements.

    keepalive_ms, ram_window_ms, foreign_ms: see the table. `online` is true between births and the loss of the link.
    """

    def __init__(self, store: "Store", keepalive_ms: int, ram_window_ms: int, foreign_ms: int) -> None:
        self._store = store
        self._keepalive_ms = keepalive_ms
        self._ram_window_ms = ram_window_ms
        self._foreign_ms = foreign_ms
        self.online = False
        self.foreign = False
        self._live = 1  # next record to send as live
        self._cursor = 1  # next record to send again, up to _end
        self._end = 0
        self._limit = 0  # replay may not go beyond this number for now
        self._start_ms = 0  # when the replay may begin
        self._window = _WINDOW_START
        self._wait_ms = 2 * keepalive_ms
        self._progress_ms = 0  # last time that something came of waiting for an acknowledgement
        self._ram_ms = 0  # since when the oldest record waits in RAM
        self._online_ms = 0
        self._mark = 0  # foreign host: sent before _mark_ms
        self._mark_ms = 0

    def begin(self, now: int) -> None:
        """The births are out: everything held is sent again, everything new is live."""
        if not self.online:
            self.online = True
            self._online_ms = now
        self._live = self._store.newest + 1
        self._restart(now)
        self._start_ms = now + _SETTLE_MS

    def end(self) -> None:
        """The link is lost."""
        self.online = False
        self._mark = 0

    def added(self, now: int) -> None:
        """A record was added to the store."""
        if self._store.ring.first == self._store.newest:
            self._ram_ms = now

    def ack(self, store_id: int, number: int, now: int) -> bool:
        """Take an acknowledgement from the host; False if it was refused or old."""
        if not self._store.ack(store_id, number):
            return False
        self.foreign = False
        self._ram_ms = self._progress_ms = now
        self._wait_ms = 2 * self._keepalive_ms
        self._window = min(2 * self._window, _WINDOW_MAX)
        self._limit = number + self._window
        return True

    def next(self, now: int) -> "tuple[int, memoryview, bool] | None":
        """(number, body, historical) of the record to send now, None = nothing at the moment."""
        store = self._store
        if not self.online:
            return None
        if self._live <= store.newest:
            found = store.seek(self._live)
            if found is None:
                self._live = store.newest + 1
                return None
            if store.first >= found[0]:  # nothing else was waiting for an acknowledgement
                self._progress_ms = now
            self._live = found[0] + 1
            return found[0], found[1], False
        self._cursor = max(self._cursor, store.first)
        if not self._cursor <= min(self._end, self._limit) or now < self._start_ms:
            return None
        found = store.seek(self._cursor)
        number = min(self._end if found is None else found[0] - 1, self._end)
        if found is None or number >= self._cursor:
            self._declare(self._cursor, number)
            self._limit += number + 1 - self._cursor  # what is not there takes no room in the window
            self._cursor = number + 1
            return self.next(now)
        self._cursor += 1
        return found[0], found[1], True

    def _declare(self, low: int, high: int) -> None:
        """Numbers that should be held are not: rotten pages. Say so once."""
        for known_low, known_high in self._store.holes:
            if known_low <= low and high <= known_high:
                return
        self._store.lost += high - low + 1
        self._store.gap(low, high, True, 0, 0)

    def _restart(self, now: int) -> None:
        self._cursor = self._store.first
        self._end = self._live - 1
        self._limit = self._store.first - 1 + self._window
        self._progress_ms = now

    def tick(self, now: int) -> None:
        """Do what time asks for."""
        store = self._store
        if store.ring.first <= store.ring.last and now - self._ram_ms >= self._ram_window_ms:
            if not (self.online and self.foreign):
                store.spill()
            self._ram_ms = now
        if self.online:
            if self.foreign:
                self._roll(now)
            elif store.first < self._live and now - self._progress_ms >= self._wait_ms:
                self._wait_ms = min(2 * self._wait_ms, _WAIT_MAX_MS)
                self._window = max(self._window // 2, _WINDOW_MIN)
                self._restart(now)
            if not store.acked and now - self._online_ms >= self._foreign_ms:
                self.foreign = True

    def _roll(self, now: int) -> None:
        """Foreign host: no acknowledgement paces the replay or frees what was sent."""
        self._limit = self._cursor + _WINDOW_START - 1
        if now - self._mark_ms >= 2 * self._keepalive_ms:
            if self._mark >= self._store.first:
                self._store.release(self._mark)
            self._mark = (self._cursor if self._cursor <= self._end else self._live) - 1
            self._mark_ms = now

    def replaying(self) -> bool:
        """Whether records are being sent again."""
        return self._cursor <= self._end
