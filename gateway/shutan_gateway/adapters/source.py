"""The adapters as one source of the gateway: their memory, their intake, their link, one thread."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from shutan_gateway.adapters import open_adapter
from shutan_gateway.adapters.intake import AdapterIntake
from shutan_gateway.adapters.link import AdapterLink
from shutan_gateway.adapters.memory import Memory, Settled
from shutan_gateway.errors import StateUnavailable
from shutan_gateway.supervise import Supervised

if TYPE_CHECKING:
    from shutan_gateway.config import GatewayConfig
    from shutan_gateway.sources import SourceTools

__all__ = ["AdapterSource"]

_END_S = 6.0
_OWN = ""  # notes of the link itself, beside those of the adapters


class AdapterSource:
    """Opens `data_dir/adapters.sqlite` when made, connects when started."""

    name = "adapter"

    def __init__(self, config: GatewayConfig, tools: SourceTools) -> None:
        """Raises StartError (the file) or ConfigError (secrets, certificates)."""
        self._tools = tools
        self._memory = Memory.open(tools.folder / "adapters.sqlite")
        self._failed: str | None = None
        self._stop = threading.Event()
        self._started = False
        self._link: AdapterLink | None = None
        try:
            adapters = [open_adapter(settings, self._memory.notes(settings.name)) for settings in config.adapter]
            self._intake = AdapterIntake(adapters, self._memory, tools, self._wake, config.intake.tick_ms / 1000)
            filters = json.loads(self._memory.notes(_OWN).get("filters", "[]"))
            self._link = AdapterLink(config.mqtt, self._intake, tools.counters, known=set(filters))
        except BaseException:
            self._memory.close()
            raise
        self._thread = Supervised(
            "adapters", self._run, counters=tools.counters, stop=self._stop, give_up=self._give_up
        )

    def _wake(self) -> None:
        if self._link is not None:
            self._link.wake()

    def _run(self) -> None:
        assert self._link is not None  # noqa: S101 - made in __init__
        self._link.run()

    def _give_up(self, name: str) -> None:
        self._failed = f"{name} failed too often; see the log, then start the gateway again"

    def start(self) -> None:
        """Connect; a broker that is not there yet is waited for."""
        self._started = True
        self._thread.start()

    def stop(self) -> None:
        """End the session (the broker keeps it); what was not acknowledged comes again."""
        self._stop.set()
        if self._link is None:
            return
        self._link.stop()
        if not self._started:
            self._memory.close()
        elif self._thread.join(_END_S):
            self._remember(self._link)
            self._memory.close()

    def _remember(self, link: AdapterLink) -> None:
        filters = json.dumps(sorted(link.subscribed))
        try:
            self._memory.commit([Settled(b"", (), ((_OWN, "filters", filters),))])
        except StateUnavailable:  # a later start then does not unsubscribe what is not wanted any more
            self._tools.counters.inc("shutan_state_errors_total")

    @property
    def trouble(self) -> str | None:
        """No session, a state file that cannot be written, or a thread that ended."""
        link = None if self._link is None else self._link.trouble
        return self._failed or self._intake.trouble or link
