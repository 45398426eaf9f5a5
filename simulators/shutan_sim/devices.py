"""Which instruments exist: what each one measures, on which bus of which node, and its register layout in numbers.

A device is one instrument with one bus address. A meter of the site model is one counter of a device; most devices
carry one meter, the pulse module carries two (gas and steam heat).
"""

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """Type of instrument; the value is the profile by which the node reads it."""

    DLT645 = "dlt645_three_phase"
    SDM630 = "eastron_sdm630"
    PZEM = "pzem_004t_v3"
    PULSE = "pulse_totaliser"


# Register step in Wh (L, kJ) on the meter's own side, and how many steps it counts before it begins again at 0.
ENERGY_STEP_WH = {Kind.DLT645: 10, Kind.SDM630: 10, Kind.PZEM: 1}
ENERGY_SPAN = {Kind.DLT645: 10**8, Kind.SDM630: 10**9, Kind.PZEM: 10**7}
PULSE_STEP = {"gas_volume_l": 100, "steam_heat_kj": 1000}
PULSE_SPAN = 2**32


@dataclass(frozen=True, slots=True)
class Device:
    """One instrument.

    id:       Sparkplug device id, and id of its meter in the site model unless `meters` says otherwise
    address:  12 digits (DL/T 645) or unit 1..247 (Modbus)
    channel:  what it counts; `reverse` is the channel of its export register ("" = stays at 0)
    ct, pt:   transformer ratios; the instrument shows secondary values
    tan_permille: reactive / active power, permille
    phases:   share of L1, L2, L3 in permille (1000, 0, 0 = one phase)
    start:    main register at the plant's first moment, in its own steps
    metrics:  what the node reads
    pulses:   for a pulse module: metric -> (meter id, channel, start in steps)
    """

    id: str
    node: str
    kind: Kind
    address: str
    channel: str
    metrics: tuple[str, ...]
    reverse: str = ""
    ct: int = 1
    pt: int = 1
    tan_permille: int = 300
    phases: tuple[int, int, int] = (338, 331, 331)
    start: int = 0
    pulses: dict[str, tuple[str, str, int]] = field(default_factory=dict[str, tuple[str, str, int]])

    @property
    def ratio(self) -> int:
        """CT x PT."""
        return self.ct * self.pt


@dataclass(frozen=True, slots=True)
class Layout:
    """All devices of a site. baud: of every bus; interval_s: plant time between two samples of a device."""

    site: str
    devices: tuple[Device, ...]
    baud: int = 9600
    interval_s: int = 10

    @property
    def nodes(self) -> tuple[str, ...]:
        """Node names in order of first mention."""
        return tuple(dict.fromkeys(device.node for device in self.devices))

    def of_node(self, node: str) -> tuple[Device, ...]:
        """Devices of a node, in the order of its configuration (device index 1, 2, ...)."""
        return tuple(device for device in self.devices if device.node == node)
