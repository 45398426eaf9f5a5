"""A Modbus RTU bus answered by `pymodbus`: its framer (and CRC), its request decoder, its simulated devices.

Its serial server is left out: a request for an absent unit would be answered with an exception whatever its settings,
where a real bus is silent.
"""

from collections.abc import Coroutine, Sequence
from typing import Any, cast

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.simulator import SimDevice
from pymodbus.simulator.simcore import SimCore

_REQUEST = 8  # bytes of a read request
_READS = (3, 4)


def _result(coroutine: Coroutine[Any, Any, ModbusPDU]) -> ModbusPDU:
    """Run a coroutine that never waits (a datastore in memory) to its end."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("ModbusPDU", end.value)
    coroutine.close()
    raise RuntimeError("the datastore waited for something")


class ModbusBus:
    """All devices of one bus. Registers can be read only; a request for another unit meets silence.

    functions: of the reads that are answered; a meter that knows only one of them is silent to the other here
    now_ms:    plant time of the request that is being answered, for a device's action
    """

    def __init__(self, devices: Sequence[SimDevice], functions: Sequence[int] = _READS) -> None:
        self.now_ms = 0
        self._units = {device.id for device in devices}
        self._functions = tuple(functions)
        self._core = SimCore(list(devices))
        self._framer = FramerRTU(DecodePDU(True))
        self._buffer = b""

    def forget(self) -> None:
        """Drop a half-received request: a pause ends a frame."""
        self._buffer = b""

    def feed(self, data: bytes, t_ms: int) -> list[bytes]:
        """Received bytes in, answers out."""
        self._buffer += data
        if len(self._buffer) < _REQUEST:
            return []
        request, self._buffer = self._buffer, b""
        if request[0] not in self._units or request[1] not in self._functions:
            return []
        self.now_ms = t_ms
        _, pdu = self._framer.handleFrame(request, 0, 0)
        if pdu is None:  # damaged
            return []
        # The library's own server passes its SimCore where the signature names an older class.
        response = _result(pdu.datastore_update(cast("Any", self._core), pdu.dev_id))
        response.dev_id = pdu.dev_id
        return [self._framer.buildFrame(response)]
