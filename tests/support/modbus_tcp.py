"""A Modbus TCP server of pymodbus with one pulse totaliser."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

__all__ = ["pymodbus_server"]

_UNIT = 9
_HOLDING = 3


@contextlib.contextmanager
def pymodbus_server(port: int) -> Generator[Callable[[int, int], list[int]]]:
    """A server with the registers of a pulse totaliser as unit 9; yields a reader of them: (first, how many)."""
    loop = asyncio.new_event_loop()
    device = SimDevice(_UNIT, [SimData(0, values=[0x12, 0xD687, 0, 89], datatype=DataType.REGISTERS)])
    ready = threading.Event()
    servers: list[ModbusTcpServer] = []

    async def start() -> None:
        server = ModbusTcpServer(device, address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        servers.append(server)
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(servers[0].shutdown())
        loop.close()

    async def held(first: int, count: int) -> list[int]:
        found = await servers[0].async_getValues(_UNIT, _HOLDING, first, count)
        assert isinstance(found, list)
        return [int(value) for value in found]

    def registers(first: int, count: int) -> list[int]:
        return asyncio.run_coroutine_threadsafe(held(first, count), loop).result(10)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield registers
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
