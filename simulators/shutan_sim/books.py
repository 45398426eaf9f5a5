"""When a plant's registers began: its opening day, kept in the folder of the simulation.

Registers count from the opening day, so history and live run must agree on it although they are two commands. The first
of them to use a folder fixes it in `books.json`: `OPEN_DAYS` before its start, or earlier where a longer history asks
for it. That keeps the start of a simulation short whatever date it has.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import cast

from shutan_sim.errors import SetupError
from shutan_sim.local_time import DAY_MS, ZONE, day_of, day_start_ms

FILE = "books.json"
OPEN_DAYS = 62


def _date(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, ZONE):%Y-%m-%d}"


def opening_ms(folder: Path, seed: int, start_ms: int, days: int = 0) -> int:
    """Start of the opening day in ms since 1970; days: of history before `start_ms`.

    Raises SetupError where the folder holds another plant, or one that opened too late.
    """
    path = folder / FILE
    needed = day_start_ms(day_of(start_ms - days * DAY_MS))
    try:
        kept = cast("dict[str, int]", json.loads(path.read_text(encoding="utf-8")))
        if kept["seed"] != seed:
            raise SetupError(str(path), f"this folder holds the plant of seed {kept['seed']}", "give another --dir")
        if kept["opening_ms"] > needed:
            last = _date(kept["opening_ms"])
            raise SetupError(str(path), f"this folder's plant opened on {last}", "ask for less, or give another --dir")
        return kept["opening_ms"]
    except FileNotFoundError:
        return _open(path, seed, day_start_ms(day_of(start_ms) - max(OPEN_DAYS, days + 1)))
    except OSError as error:
        raise SetupError(str(path), error.strerror or str(error), "give --dir a folder that can be written") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(str(path), f"cannot be used: {error!r}", "give --dir a folder of its own") from error


def _open(path: Path, seed: int, opening: int) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"seed": seed, "opening_ms": opening}), encoding="utf-8")
    except OSError as error:
        raise SetupError(str(path), error.strerror or str(error), "give --dir a folder that can be written") from error
    return opening
