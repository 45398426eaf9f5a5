"""The process around the service: signals, control socket, reload with validation first, and what systemd hears.

SIGHUP or `shutan reload`: the file is read and checked; a mistake is said and nothing changes. Where only stores or
sources differ, those alone are changed; otherwise the service is stopped and made anew in the same process, which nodes
feel as a broken link of a second: nothing is lost. If the new one cannot start, the old one is started again.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Any

from shutan_gateway.config import load_config
from shutan_gateway.control import Control
from shutan_gateway.errors import ConfigError, GatewayError, Problem, TellPerson
from shutan_gateway.operation import systemd
from shutan_gateway.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shutan_gateway.config import GatewayConfig
    from shutan_gateway.control import Peer

__all__ = ["Runner"]

log = logging.getLogger("shutan")

_LOOK_S = 0.5  # how often the end of the service's own accord is noticed


class _Reload:
    """One request to reload and what came of it."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.error: GatewayError | None = None
        self.text = ""


class Runner:
    """One gateway process. `run` returns when it was stopped; signal handlers may call `stop` and `reload`."""

    def __init__(self, path: Path, config: GatewayConfig) -> None:
        """Open everything. Raises StartError or ConfigError, then nothing is left open."""
        self._path = path
        self._config = config
        self._requests: queue.SimpleQueue[_Reload | None] = queue.SimpleQueue()
        self.service = Service(config)
        verbs = {"reload": self._reload_verb, "command": self._command_verb}
        try:
            self._control = Control(config.gateway.data_dir, verbs)
        except BaseException:
            self.service.stop()
            raise

    def stop(self) -> None:
        """End `run`."""
        self._requests.put(None)

    def reload(self) -> _Reload:
        """Ask `run` to read the configuration again."""
        request = _Reload()
        self._requests.put(request)
        return request

    def run(self) -> str | None:
        """Work until `stop`; returns the name of a thread that failed again and again, else None."""
        watchdog = systemd.Watchdog(self._late)
        try:
            self.service.start()
            self._control.start()
            self._say_ready()
            watchdog.start()
            while self.service.failed is None:
                try:
                    request = self._requests.get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
                if request is None:
                    break
                self._serve(request)
        finally:
            systemd.stopping()
            watchdog.stop()
            self._control.stop()
            self.service.stop()
        return self.service.failed

    def _late(self) -> list[str]:
        """Threads of the service as it is now that have not gone round."""
        return self.service.pulses.late()

    def _say_ready(self) -> None:
        page = f"http://{self._config.http.host}:{self.service.http.port}/metrics"
        log.info("gateway is running: metrics on %s", page)
        systemd.ready(f"metrics on {page}")

    def _serve(self, request: _Reload) -> None:
        try:
            request.text = self._take_over(self._load())
            log.info("configuration: %s", request.text)
        except GatewayError as error:
            request.error = error
            for line in str(error).splitlines():
                log.error("configuration not taken over: %s", line)  # noqa: TRY400 - for a person, no trace
        finally:
            request.done.set()

    def _load(self) -> GatewayConfig:
        config = load_config(self._path)
        if config.gateway.data_dir != self._config.gateway.data_dir:
            accepted = f"{self._config.gateway.data_dir} while the gateway runs; stop it to move its data"
            raise ConfigError([Problem(str(self._path), "gateway.data_dir", str(config.gateway.data_dir), accepted)])
        return config

    def _take_over(self, config: GatewayConfig) -> str:
        """Raises GatewayError; then the old configuration is in force."""
        if config == self._config:
            return "read again, nothing differs"
        names = ", ".join(
            name for name in type(config).model_fields if getattr(config, name) != getattr(self._config, name)
        )
        if self.service.follow(config):
            self._config = config
            return f"taken over while running: {names}"
        self.service.stop()
        try:
            self._begin(config)
        except TellPerson:
            self._begin(self._config)
            raise
        self._config = config
        self._say_ready()
        return f"taken over by a restart inside: {names}"

    def _begin(self, config: GatewayConfig) -> None:
        """A new service in the place of the one that was stopped. Raises TellPerson, then nothing is left open."""
        service = Service(config)
        try:
            service.start()
        except TellPerson:
            service.stop()
            raise
        self.service = service

    def _reload_verb(self, _request: dict[str, Any], _peer: Peer) -> Iterator[dict[str, Any]]:
        self._load()  # told to who asks before anything is queued
        request = self.reload()
        request.done.wait()
        if request.error is not None:
            raise request.error
        yield {"ok": True, "text": request.text}

    def _command_verb(self, request: dict[str, Any], peer: Peer) -> Iterator[dict[str, Any]]:
        yield from self.service.desk.verb(request, peer)
