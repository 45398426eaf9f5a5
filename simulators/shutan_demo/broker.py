"""The demo's broker: mosquitto where there is one, amqtt from PyPI as a child process elsewhere.

Loopback only and anonymous, in the demo's own temporary folder. The settings are those of
``shutan broker config`` that decide what survives a kill: persistence on, saved on every change, a queue of
100,000 messages instead of 1,000.
"""

import os
import shutil
import sys
from enum import StrEnum
from pathlib import Path

from shutan_demo.errors import PartMissingError
from shutan_demo.parts import Part, listens
from shutan_demo.tools import tool


class BrokerKind(StrEnum):
    """What ``--broker`` accepts."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    AMQTT = "amqtt"


MOSQUITTO_CONF = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
max_queued_messages 100000
log_type error
log_type warning
"""

AMQTT_PROGRAM = """\
import asyncio, signal, sys
from amqtt.broker import Broker

async def main(port: int) -> None:
    broker = Broker({
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    })
    await broker.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await broker.shutdown()

asyncio.run(main(int(sys.argv[1])))
"""


def make_broker(kind: BrokerKind, folder: Path, port: int) -> Part:
    """A broker on loopback, not started yet. Raises PartMissingError if the named one cannot be had."""
    mosquitto = tool("mosquitto")
    if kind is BrokerKind.MOSQUITTO and mosquitto is None:
        raise PartMissingError("mosquitto", "run scripts/fetch-tools or install it, or use --broker amqtt")
    folder.mkdir(parents=True, exist_ok=True)
    if mosquitto is not None and kind is not BrokerKind.AMQTT:
        conf = folder / "mosquitto.conf"
        conf.write_text(MOSQUITTO_CONF.format(port=port, folder=folder), encoding="utf-8")
        if os.geteuid() == 0:  # mosquitto gives up root for a user that may not exist here
            with conf.open("a", encoding="utf-8") as f:
                f.write("user root\n")
        return Part("mosquitto", [mosquitto, "-c", str(conf)], folder, lambda: listens(port))
    if shutil.which(sys.executable) is None:
        raise PartMissingError("amqtt", "this Python cannot start itself")
    program = folder / "run_amqtt.py"
    program.write_text(AMQTT_PROGRAM, encoding="utf-8")
    return Part("amqtt", [sys.executable, str(program), str(port)], folder, lambda: listens(port))
