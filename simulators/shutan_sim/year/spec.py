"""What is known of one metering point of the year's site: its place, its instrument, and what it counts."""

from dataclasses import dataclass
from zlib import crc32

__all__ = ["MeterSpec"]


@dataclass(frozen=True, slots=True)
class MeterSpec:
    """A metering point 计量点 with the instrument in it on the first day.

    channel    of the plant (`year.plant`)
    step       of the register on the meter's own side, in the metric's unit (Wh, L, kJ)
    span       steps until the register begins again at 0
    ct, pt     (primary, secondary) of the transformers; (1, 1) = direct
    start      register on the first day, in steps
    rated_kw   of the equipment behind it, 0 = not stated
    age_years  since its last verification (检定), valid_years: until the next one is due
    """

    id: str
    name: str
    name_zh: str
    carrier: str
    role: str
    level: int
    parent: str
    metric: str
    node: str
    device: str
    channel: str
    step: int
    span: int
    ct: tuple[int, int] = (1, 1)
    pt: tuple[int, int] = (1, 1)
    start: int = 0
    area: str = ""
    line: str = ""
    asset: str = ""
    rated_kw: int = 0
    accuracy_class: str = ""
    model: str = ""
    location: str = ""
    measuring_range: str = ""
    age_years: int = 1
    valid_years: int = 6
    mandatory: bool = False

    @property
    def ratio(self) -> int:
        """CT × PT, a whole number for every meter here."""
        return self.ct[0] * self.pt[0] // (self.ct[1] * self.pt[1])

    @property
    def serial(self) -> str:
        """Number on the plate of the first instrument."""
        return f"{crc32(self.id.encode()) % 10**8:08d}"
