"""The energy flow (能流) of a month or year in tce: purchase, conversion, distribution, end use, and what is lost.

Drawn from the meter tree. A meter of generation and the consuming meters of its asset make a conversion (a boiler: gas
in, steam out; the difference is its loss); where no meter names the asset, the fuel meters of its area. What a meter
supplies and the meters behind it do not show is a band of its own, "unaccounted". What only documents know, bought coal
for example, goes straight to its use. Water and compressed air are media, not energy, and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.accounting.summary import YearSummary
from shutan_collector.reports.carriers import CARRIER_NAMES
from shutan_collector.reports.coefficient import Missing, meter_coal
from shutan_collector.reports.consumption import consumption
from shutan_collector.reports.plots.sankey import Band, Node, draw_sankey
from shutan_collector.reports.table import Both
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.reports.consumption import CarrierUse
    from shutan_collector.site.model import Meter, Site

__all__ = ["STAGES", "EnergyFlow", "draw_flow", "energy_flow"]

STAGES: Final = (
    Both("购入与自产", "purchase"),
    Both("加工转换", "conversion"),
    Both("输送分配", "distribution"),
    Both("终端使用", "end use"),
)
_PURCHASE, _CONVERSION, _DISTRIBUTION, _END = range(4)
_KG_PER_T: Final = 1000
_LOST: Final = "lost"
_MEDIA: Final = frozenset({Carrier.WATER, Carrier.COMPRESSED_AIR})
_FUELS: Final = frozenset({Carrier.NATURAL_GAS, Carrier.DIESEL, Carrier.COAL})
_SIDE: Final = frozenset({Role.BOUNDARY, Role.EXPORT})


@dataclass(frozen=True, slots=True)
class EnergyFlow:
    """Nodes and bands in tce.

    left_out    meters without a figure or a coefficient
    overdrawn   meters behind which more was used than they supplied
    """

    nodes: tuple[Node, ...]
    bands: tuple[Band, ...]
    left_out: tuple[str, ...]
    overdrawn: tuple[str, ...]

    @property
    def unaccounted_tce(self) -> Fraction:
        """What no meter behind another one shows, without conversion losses."""
        return sum((band.amount for band in self.bands if band.target.startswith("unaccounted:")), Fraction())


def energy_flow(summary: MonthSummary | YearSummary, factors: FactorTable) -> EnergyFlow:
    """The flow of one period."""
    months = summary.months if isinstance(summary, YearSummary) else (summary,)
    amounts: dict[str, Fraction] = {}
    left_out: set[str] = set()
    for month in months:
        for meter in month.site.meters:
            if meter.carrier in _MEDIA:
                continue
            tce = _tce(month, meter, factors)
            if tce is None:
                left_out.add(meter.id)
            else:
                amounts[meter.id] = amounts.get(meter.id, Fraction()) + tce
    for meter_id in left_out:
        amounts.pop(meter_id, None)
    by_documents = [item for item in consumption(summary, factors).carriers if not item.metered and item.tce]
    return _Builder(summary.site, amounts).build(sorted(left_out), by_documents)


def draw_flow(flow: EnergyFlow, family: str) -> str:
    """The flow as SVG."""
    return draw_sankey(flow.nodes, flow.bands, "tce", STAGES, family)


def _tce(month: MonthSummary, meter: Meter, factors: FactorTable) -> Fraction | None:
    use = month.meter(meter.id)
    if use is None or use.value is None:
        return None
    coal = meter_coal(month, meter, use.value, factors)
    return None if isinstance(coal, Missing) else coal.kgce / _KG_PER_T


class _Builder:
    """Walks the meter tree from the entries down."""

    def __init__(self, site: Site, amounts: dict[str, Fraction]) -> None:
        self._site = site
        self._amounts = amounts
        self._known = [meter for meter in site.tree() if meter.id in amounts]
        self._nodes: dict[str, Node] = {}
        self._bands: list[Band] = []
        self._overdrawn: list[str] = []
        self._made = [m for m in self._known if m.role is Role.GENERATION and m.carrier is not Carrier.PV]
        self._into = _conversions(self._known, self._made)

    def build(self, left_out: Iterable[str], by_documents: Iterable[CarrierUse]) -> EnergyFlow:
        """Everything, roots first; fuels and heat that only documents know go straight to their use."""
        for meter in self._known:
            if meter.role is Role.ENTRY:
                self._entry(meter)
        for meter in self._made:
            self._converted(meter)
        for item in by_documents:
            bought, use = f"documents:{item.key}", f"documents:{item.key}:use"
            self._nodes[bought] = Node(bought, item.name, _PURCHASE, item.key)
            self._nodes[use] = Node(use, item.name, _END, item.key)
            self._bands.append(Band(bought, use, item.tce or Fraction(), item.key))
        order = sorted(self._nodes.values(), key=lambda node: node.kind == _LOST)
        return EnergyFlow(tuple(order), tuple(self._bands), tuple(left_out), tuple(self._overdrawn))

    def _entry(self, meter: Meter) -> None:
        """An entry; where something feeds in behind it or is shared out, a main distribution stands after it."""
        self._node(meter.id, _name(meter), _PURCHASE, meter.carrier)
        behind = self._behind(meter)
        if not behind:
            self._used_whole(meter.id, meter)
            return
        fed_in = [child for child in behind if child.role is Role.GENERATION]
        at, supply = meter.id, self._amounts[meter.id]
        if fed_in:
            at = f"{meter.id}:main"
            self._node(at, Both("变配电", "power distribution"), _CONVERSION, meter.carrier)
            self._band(meter.id, at, self._amounts[meter.id], meter.carrier)
            for child in fed_in:
                self._node(child.id, _name(child), _PURCHASE, child.carrier)
                self._band(child.id, at, self._amounts[child.id], child.carrier)
                supply += self._amounts[child.id]
        self._share_out(meter, at, supply, [child for child in behind if child not in fed_in])

    def _converted(self, made: Meter) -> None:
        """The output of a conversion, shared out behind it; its loss is what went in and did not come out."""
        inputs = [band for band in self._bands if band.target == _conversion(made)]
        if not inputs:
            return
        amount = self._amounts[made.id]
        self._node(made.id, _name(made), _DISTRIBUTION, made.carrier)
        self._band(_conversion(made), made.id, amount, made.carrier)
        self._rest(_conversion(made), sum((band.amount for band in inputs), Fraction()) - amount, "loss", made)
        self._share_out(made, made.id, amount, self._behind(made))

    def _used_whole(self, at: str, meter: Meter) -> None:
        """Nothing is metered behind an entry: what it counts is one end use, or goes into the conversion beside it."""
        if meter.id in self._into:
            self._use(at, meter)
            return
        use = f"{meter.id}:use"
        self._node(use, _name(meter), _END, meter.carrier)
        self._band(at, use, self._amounts[meter.id], meter.carrier)

    def _share_out(self, meter: Meter, at: str, supply: Fraction, behind: list[Meter]) -> None:
        if not behind:
            return
        for child in behind:
            supply -= self._amounts[child.id]
            self._use(at, child)
        self._rest(at, supply, "unaccounted", meter)

    def _use(self, at: str, child: Meter) -> None:
        made = self._into.get(child.id)
        amount = self._amounts[child.id]
        if made is not None:
            name = Both(f"{made.name_zh}装置", made.asset or made.id)
            self._node(_conversion(made), name, _CONVERSION, child.carrier)
            self._band(at, _conversion(made), amount, child.carrier)
            return
        behind = [] if child.role in _SIDE else self._behind(child)
        from_stage = self._nodes[at].stage
        stage = _DISTRIBUTION if behind and from_stage < _DISTRIBUTION else _END
        self._node(child.id, _name(child), stage, child.carrier)
        self._band(at, child.id, amount, child.carrier)
        if stage == _DISTRIBUTION:
            self._share_out(child, child.id, amount, behind)

    def _rest(self, at: str, amount: Fraction, kind: str, meter: Meter) -> None:
        """What is left: a band to a node of its own; a negative rest is not drawn but named."""
        if amount < 0:
            self._overdrawn.append(meter.id)
        if amount <= 0:
            return
        carrier = CARRIER_NAMES[meter.carrier]
        target = f"{kind}:{meter.carrier.value}"
        name = Both(f"未计量{carrier.zh}", f"unaccounted {carrier.en}")
        if kind == "loss":
            name = Both("转换损失", f"conversion loss, {carrier.en}")
        self._nodes.setdefault(target, Node(target, name, _END, _LOST))
        self._bands.append(Band(at, target, amount, _LOST))

    def _behind(self, meter: Meter) -> list[Meter]:
        return [child for child in self._known if child.parent == meter.id]

    def _node(self, key: str, name: Both, stage: int, carrier: Carrier) -> None:
        self._nodes.setdefault(key, Node(key, name, stage, carrier.value))

    def _band(self, source: str, target: str, amount: Fraction, carrier: Carrier) -> None:
        self._bands.append(Band(source, target, amount, carrier.value))


def _conversions(known: Sequence[Meter], made: Iterable[Meter]) -> dict[str, Meter]:
    """What is made from the figure of a meter, by its id."""
    found: dict[str, Meter] = {}
    for output in made:
        others = [meter for meter in known if meter.role is not Role.GENERATION]
        inputs = [meter for meter in others if output.asset and meter.asset == output.asset]
        if not inputs:
            inputs = [m for m in others if m.carrier in _FUELS and output.area and m.area == output.area]
        for meter in inputs:
            found.setdefault(meter.id, output)
    return found


def _conversion(made: Meter) -> str:
    return f"conversion:{made.id}"


def _name(meter: Meter) -> Both:
    return Both(meter.name_zh, meter.name)
