"""Births and sessions that nothing needs any more leave the registry, at the start of the gateway.

A birth is needed by the records of the spool and by dead letters that name it; the newest of each device is kept in any
case. It is done before anything is taken in, since a running intake writes records with numbers that it remembers, and
only in a registry that has grown large, since the whole spool is read for it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from shutan_gateway.deliver.dead_letters import Letter
from shutan_gateway.spool.view import records, segments
from shutan_gateway.upkeep.letters import letters_in

if TYPE_CHECKING:
    from pathlib import Path

    from shutan_gateway.registry.state import State

__all__ = ["prune"]

log = logging.getLogger("shutan.registry")


def prune(state: State, folder: Path, many: int) -> int:
    """Forget what nothing needs, if there are so many births; folder: data_dir. Returns how many went.

    Raises StateUnavailable; then nothing changed.
    """
    if state.births() < many:
        return 0
    schemas: set[int] = set()
    sessions: set[int] = set()
    for segment in segments(folder / "spool"):
        for taken in records(segment):
            schemas.add(taken.record.schema_id)
            sessions.add(taken.record.session_id)
    for path in (folder / "dead").glob("*.jsonl"):
        for letter in letters_in(path):
            if isinstance(letter, Letter) and letter.kind == "record":
                body = cast("dict[str, Any]", letter.body)
                schemas.add(int(body["schema_id"]))
                sessions.add(int(body["session_id"]))
    gone = state.forget_others(schemas, sessions)
    if gone:
        log.info("registry: %d births that no record needs any more are forgotten", gone)
    return gone
