"""The board: with `board` and `edges` (its sensors) the only modules that import `machine`; the only one for `network`.

Process time (sampling, stamps) runs at machine.RATE where a simulated board has one; link timers are real.
"""

from time import ticks_diff, ticks_ms

import machine

from shutan_node.clock import Uptime

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

    from network import WLAN

RATE: int = getattr(machine, "RATE", 1)

_real = Uptime(ticks_ms, ticks_diff)
real_ms = _real.ms


def uptime_ms() -> int:
    """Process time in ms since start."""
    return _real.ms() * RATE


class Line:
    """One RS-485 line: a UART and, where the transceiver does not switch by itself, its direction pin."""

    def __init__(  # noqa: PLR0917 - a row of the plan
        self, uart: int, baud: int, line: str, tx: "int | None", rx: "int | None", de: "int | None"
    ) -> None:
        pins: dict[str, int] = {}
        if tx is not None:
            pins["tx"] = tx
        if rx is not None:
            pins["rx"] = rx
        parity = {"N": None, "E": 0, "O": 1}[line[1]]
        self._uart = machine.UART(uart, baud, bits=8, parity=parity, stop=int(line[2]), timeout=0, rxbuf=512, **pins)
        self._de = None if de is None else machine.Pin(de, machine.Pin.OUT, value=0)
        self.read = self._uart.read

    def write(self, data: bytes) -> None:
        """Send; with a direction pin, return only when the last bit is out."""
        if self._de is None:
            self._uart.write(data)
        else:
            self._de.value(1)
            self._uart.write(data)
            self._uart.flush()
            self._de.value(0)


_wlan: "list[WLAN]" = []


def join(wifi: "dict[str, str] | None") -> None:
    """Begin to join the network; nothing to do where there is none to join (wired, simulated)."""
    if wifi:
        import network

        _wlan.append(network.WLAN(network.STA_IF))
        _wlan[0].active(True)
        _wlan[0].connect(wifi["ssid"], wifi["password"])


def online() -> bool:
    """Whether the network is there."""
    return not _wlan or _wlan[0].isconnected()


def rssi_dbm() -> "int | None":
    """Signal level; None without a radio."""
    return _wlan[0].status("rssi") if _wlan else None


def watchdog(timeout_ms: int) -> "Callable[[], None]":
    """Start the watchdog; returns its feed function."""
    return machine.WDT(timeout=timeout_ms).feed


reset = machine.reset
reset_cause = machine.reset_cause
