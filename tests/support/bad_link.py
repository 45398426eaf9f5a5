"""A TCP proxy that makes a link bad in user space: slow, lossy, one way, cut.

A TCP connection over a lossy line does not lose bytes: it stalls while the lost segment is sent again, each time twice
as long (RFC 6298), and dies after enough of that. That is what this proxy does to every portion of at most `SEGMENT`
bytes; tc netem, which does it below TCP, needs a kernel module that is not everywhere.
"""

import asyncio
import random
import threading
from typing import NamedTuple, Self

from support.servers import HOST, free_port

SEGMENT = 1400
QUEUED = 256  # portions on their way in one direction: more is back-pressure
FIRST_TIMEOUT_S = 0.2  # Linux's least time before a segment is sent again
LOSSES_MAX = 8  # of one portion; then the connection is dead
UP, DOWN = "up", "down"  # from the client to the broker, and back


class Weather(NamedTuple):
    """loss: probability that a segment must be sent again; latency_s: least and most, one way."""

    loss: float = 0.0
    latency_s: tuple[float, float] = (0.0, 0.0)


class _Connection:
    """One client's connection: two pumps, and the directions in which nothing arrives any more."""

    def __init__(self, link: "BadLink", client: asyncio.StreamWriter, broker: asyncio.StreamWriter) -> None:
        self.deaf: set[str] = set()
        self._link = link
        self._writers = {UP: broker, DOWN: client}

    async def pump(self, reader: asyncio.StreamReader, direction: str) -> None:
        """Take portions in as they come and let them out when the weather says so, in their order."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED)
        let_out = asyncio.ensure_future(self._let_out(queue, direction))
        loop = asyncio.get_running_loop()
        free_s = 0.0
        try:
            while data := await reader.read(SEGMENT):
                delay_s = self._link.delay_s()
                if delay_s is None:
                    self._link.died += 1
                    self.close()
                    return
                free_s = max(free_s, loop.time() + delay_s)
                await queue.put((free_s, data))
            await queue.put((free_s, b""))
            await let_out
        except OSError:
            self.close()
        finally:
            let_out.cancel()

    async def _let_out(self, queue: "asyncio.Queue[tuple[float, bytes]]", direction: str) -> None:
        loop = asyncio.get_running_loop()
        writer = self._writers[direction]
        data = b"-"
        while data:
            at_s, data = await queue.get()
            if at_s > loop.time():
                await asyncio.sleep(at_s - loop.time())
            if direction in self.deaf:
                continue  # the end of a connection does not get through either
            if not data:
                writer.close()
                continue
            writer.write(data)
            try:
                await writer.drain()
            except OSError:
                self.deaf.add(direction)
                self.close()

    def close(self) -> None:
        """Reset both sides."""
        for writer in self._writers.values():
            writer.transport.abort()


class BadLink:
    """The proxy, in a thread of its own; its methods are called from the test's."""

    def __init__(self, target: int, seed: int = 1) -> None:
        self.port = free_port()
        self.weather = Weather()
        self.opened = 0
        self.died = 0  # connections that a segment killed, lost again and again
        self._target = target
        self._chance = random.Random(seed)  # noqa: S311 - the same weather each time
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def delay_s(self) -> float | None:
        """How long the next portion takes; None: it never arrives."""
        low, high = self.weather.latency_s
        delay_s, timeout_s = self._chance.uniform(low, high), FIRST_TIMEOUT_S
        for _ in range(LOSSES_MAX):
            if self._chance.random() >= self.weather.loss:
                return delay_s
            delay_s += timeout_s
            timeout_s *= 2
        return None

    def deafen(self, direction: str) -> int:
        """From now on nothing arrives in this direction on the connections of this moment; how many those are."""
        connections = list(self._connections)
        for connection in connections:
            connection.deaf.add(direction)
        return len(connections)

    def cut(self) -> None:
        """Reset every connection."""
        self._loop.call_soon_threadsafe(lambda: [connection.close() for connection in list(self._connections)])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            broker_reader, broker_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, writer, broker_writer)
        self._connections.add(connection)
        self.opened += 1
        try:
            await asyncio.gather(connection.pump(reader, UP), connection.pump(broker_reader, DOWN))
        finally:
            connection.close()
            self._connections.discard(connection)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, HOST, self.port, backlog=1024))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # aborted transports close in the loop's next rounds

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the proxy did not start"
        return self

    def __exit__(self, *_exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
