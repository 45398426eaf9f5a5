"""DL/T 645-2007 meters on one bus, answered by the library `dlt645`.

The library's constructor copies 20,000 items (a second and 25 MB a meter), so a meter is built without it around the
few items that a three-phase meter has here. Traps kept in mind: the address lies reversed in its frames, a frame for
another address would be answered with an error, block reads are refused (error bit 1), so a reader asks one by one.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

from dlt645.model.types.data_type import DataItem
from dlt645.model.types.dlt645_type import PasswordManager
from dlt645.protocol.frame import Frame
from dlt645.protocol.protocol import DLT645Protocol
from dlt645.service.serversvc.server_service import MeterServerService

from shutan_sim.devices import Kind
from shutan_sim.instruments.instrument import Instrument
from shutan_sim.instruments.shared_line import meant, overlaid

READ_DATA = 0x11
READ_ADDRESS = 0x13
_BUFFER = 512
_ENERGY = "XXXXXX.XX"
_POWER = "XX.XXXX"


class _Item(NamedTuple):
    """metric, format on the wire, and what one displayed unit is of the metric's (1000 for kW of W)."""

    metric: str
    format: str
    unit: int = 1


ITEMS: dict[int, _Item] = {
    0x00010000: _Item("active_energy_import_wh", _ENERGY),
    0x00010100: _Item("active_energy_import_t1_wh", _ENERGY),
    0x00010200: _Item("active_energy_import_t2_wh", _ENERGY),
    0x00010300: _Item("active_energy_import_t3_wh", _ENERGY),
    0x00010400: _Item("active_energy_import_t4_wh", _ENERGY),
    0x00020000: _Item("active_energy_export_wh", _ENERGY),
    0x00030000: _Item("reactive_energy_import_varh", _ENERGY),
    0x00040000: _Item("reactive_energy_export_varh", _ENERGY),
    0x02010100: _Item("voltage_l1_v", "XXX.X"),
    0x02010200: _Item("voltage_l2_v", "XXX.X"),
    0x02010300: _Item("voltage_l3_v", "XXX.X"),
    0x02020100: _Item("current_l1_a", "XXX.XXX"),
    0x02020200: _Item("current_l2_a", "XXX.XXX"),
    0x02020300: _Item("current_l3_a", "XXX.XXX"),
    0x02030000: _Item("active_power_w", _POWER, 1000),
    0x02030100: _Item("active_power_l1_w", _POWER, 1000),
    0x02030200: _Item("active_power_l2_w", _POWER, 1000),
    0x02030300: _Item("active_power_l3_w", _POWER, 1000),
    0x02040000: _Item("reactive_power_var", _POWER, 1000),
    0x02050000: _Item("apparent_power_va", _POWER, 1000),
    0x02060000: _Item("power_factor", "X.XXX"),
    0x02800001: _Item("current_n_a", "XXX.XXX"),
    0x02800002: _Item("frequency_hz", "XX.XX"),
    0x02800004: _Item("active_power_demand_w", _POWER, 1000),
}


class _Meter:
    """One instrument and the library's service that speaks for it."""

    def __init__(self, instrument: Instrument) -> None:
        if instrument.device.kind is not Kind.DLT645:
            raise ValueError(instrument.device.id)
        self._instrument = instrument
        self.address = bytes.fromhex(instrument.device.address)[::-1]
        self._items = {di: DataItem(di, item.metric, item.format, 0.0) for di, item in ITEMS.items()}
        self._service = MeterServerService.__new__(MeterServerService)
        self._service.address = bytearray(self.address)
        data_map: dict[int, DataItem | list[DataItem]] = {**self._items}
        self._service.data_map = data_map
        self._service.password_manager = PasswordManager()

    def answer(self, frame: Frame, t_ms: int) -> bytes:
        """The library's answer, with the item that is asked for brought up to date; b"" for none."""
        if frame.ctrl_code == READ_DATA and len(frame.data) >= 4:
            di = int.from_bytes(frame.data[:4], "little")
            if di in self._items:
                self._items[di].value = self._shown(ITEMS[di], t_ms)
        reply = cast("bytearray | None", self._service.handle_request(frame))  # pyright: ignore[reportUnknownMemberType]  # the library has no types
        return bytes(reply) if reply else b""

    def _shown(self, item: _Item, t_ms: int) -> float:
        if item.metric in self._instrument.registers:
            return self._instrument.steps(item.metric, t_ms) / 100  # steps of 0.01 kWh: exact in a double
        return self._instrument.secondary(item.metric, t_ms) / item.unit


class Dlt645Meters:
    """All DL/T 645 meters of one bus. Reads and address requests are answered; whatever would change a meter is not.

    Meters that a shortened address means together answer together, into each other.
    """

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        meters = [_Meter(instrument) for instrument in instruments]
        self._meters = meters
        self._buffer = b""

    def forget(self) -> None:
        """Drop a half-received request."""
        self._buffer = b""

    def feed(self, data: bytes, t_ms: int) -> list[bytes]:
        """Received bytes in, answers out."""
        self._buffer = (self._buffer + data)[-_BUFFER:]
        replies: list[bytes] = []
        while True:
            self._buffer, frame = DLT645Protocol.deserialize_with_remaining(self._buffer)
            if frame is None:
                return replies
            if frame.ctrl_code not in (READ_DATA, READ_ADDRESS):
                continue
            asked = bytes(frame.addr)
            answers: list[bytes] = []
            for meter in self._meters:
                if meant(asked, meter.address):
                    frame.addr = bytearray(asked if frame.ctrl_code == READ_ADDRESS else meter.address)
                    answers.append(meter.answer(frame, t_ms))
            replies += overlaid([one for one in answers if one])
