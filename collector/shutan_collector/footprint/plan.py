"""The footprint plan (产品碳足迹方案): what a footprint of a product takes in, and by which rule it is shared.

`footprint.toml` stands beside site.toml. It holds decisions, not numbers that are measured: declared unit, which meters
belong to which machine, which loads are shared and by which key, what is cut off. Nothing in it has a silent default:
a shared load without a key, or a product whose mass a key needs, is a mistake that is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = ["Asset", "Boundary", "IdleRule", "Key", "Plan", "Product", "Shared", "Window"]


class Boundary(StrEnum):
    """System boundary (系统边界) of GB/T 24067 and ISO 14067."""

    CRADLE_TO_GATE = "cradle-to-gate"
    GATE_TO_GATE = "gate-to-gate"


class Window(StrEnum):
    """The calendar period in which a batch ends, and over which shared loads are divided."""

    DAY = "day"
    MONTH = "month"


class Key(StrEnum):
    """Allocation key (分配方法), in the order of preference of ISO 14067 6.4.6.

    submeter        what a meter of the load's own carrier counted for the machine during the batch: no allocation
    energy          electricity that the batch's machines used during the batch
    machine_hours   time of the batch on the machines (running time where the machine counts it)
    mass            mass processed, good and scrap
    pieces          units processed, good and scrap
    value           economic value of the good output
    """

    SUBMETER = "submeter"
    ENERGY = "energy"
    MACHINE_HOURS = "machine_hours"
    MASS = "mass"
    PIECES = "pieces"
    VALUE = "value"


class IdleRule(StrEnum):
    """Who carries what a machine uses between batches (空载能耗).

    next_batch     the batch that follows: it was heated up, cleaned or set up for; after the last one, nobody
    by_key         all batches of the month on this machine, by a key
    unattributed   nobody; it is shown
    """

    NEXT_BATCH = "next_batch"
    BY_KEY = "by_key"
    UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True)
class Product:
    """A product as its footprint is declared.

    unit            production is counted in
    declared_unit   声明单位 in words; `per_declared` units of output make one of it
    mass_kg         of one unit; value_yuan of one good unit; None where no key needs them
    output_assets   whose rows count as output where a batch passes several machines; empty = the only one
    made_of         own intermediate products (自产中间产品), and how much of each (in its own unit) one unit takes
    cut_off         what is left out (取舍), and why
    """

    id: str
    name: str
    name_zh: str
    unit: str
    declared_unit: str
    declared_unit_zh: str
    per_declared: Fraction
    mass_kg: Fraction | None
    value_yuan: Fraction | None
    output_assets: tuple[str, ...]
    made_of: tuple[tuple[str, Fraction], ...]
    cut_off: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asset:
    """A machine (设备).

    meters     of its electricity; none: it is metered as a part of a shared load
    run_time   node and device that count its running time (run_time_s); None = the length of a batch stands for it
    """

    id: str
    meters: tuple[str, ...]
    idle: IdleRule
    idle_key: Key | None
    run_time: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Shared:
    """A load or emission that several batches share (公用系统).

    meters         counted for the month, less the meters in `minus` that stand behind them
    activities     kinds of documents whose emissions of the month it takes in
    assets         only batches on these machines share it; empty = all
    submeters      asset and meter, for the key submeter
    attributable   share of it that belongs to production; the rest is shown as not attributed
    """

    id: str
    name: str
    name_zh: str
    meters: tuple[str, ...]
    minus: tuple[str, ...]
    activities: tuple[str, ...]
    key: Key
    assets: tuple[str, ...]
    submeters: tuple[tuple[str, str], ...]
    attributable: Fraction


@dataclass(frozen=True, slots=True)
class Plan:
    """All of footprint.toml; `gwp` names the set of potentials."""

    gwp: str
    boundary: Boundary
    window: Window
    products: tuple[Product, ...]
    assets: tuple[Asset, ...]
    shared: tuple[Shared, ...]

    def product(self, product_id: str) -> Product | None:
        """The product of that id."""
        return next((product for product in self.products if product.id == product_id), None)

    def asset(self, asset_id: str) -> Asset | None:
        """The machine of that id."""
        return next((asset for asset in self.assets if asset.id == asset_id), None)
