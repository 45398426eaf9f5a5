"""From the inventory of a window to the footprint of one batch in it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.errors import FootprintError, Problem, RequestError
from shutan_collector.footprint.inventory import Basis, Inventory, take_inventory, window_of
from shutan_collector.footprint.machine import StretchKind
from shutan_collector.footprint.notes import notes_of
from shutan_collector.footprint.plan import Boundary
from shutan_collector.footprint.rates import Rate
from shutan_collector.footprint.result import Component, Footprint, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shutan_collector.activity.kinds import SupplierInput
    from shutan_collector.factors.rows import Factor
    from shutan_collector.footprint.batch import Batch
    from shutan_collector.footprint.plan import Product

__all__ = ["build_footprint", "footprint_in"]

_ONE = Fraction(1)


def build_footprint(basis: Basis, product: str, batch: str, release: tuple[str, str]) -> Footprint:
    """The footprint of one batch.

    release   name and SHA-256 of the factor release that basis.factors came from

    Raises RequestError (no such batch, or no good output), FootprintError, FactorError, SeriesError,
    StoreUnavailableError.
    """
    days = window_of(basis.book, product, batch, basis.plan.window, basis.site)
    return footprint_in(take_inventory(basis, days), product, batch, release)


def footprint_in(inventory: Inventory, product: str, batch: str, release: tuple[str, str]) -> Footprint:
    """The footprint of one batch out of an inventory that holds it."""
    found = next((item for item in inventory.batches if item.id == (product, batch)), None)
    made = inventory.basis.plan.product(product)
    if found is None or made is None:
        raise RequestError(f"{product}/{batch}", "no such batch in this window")
    good, scrap = next((good, scrap) for key, good, scrap in inventory.output if key == found.id)
    if not good:
        raise RequestError(f"{product}/{batch}", "no good output: there is no footprint per unit; check the scrap rows")
    components = tuple(_components(inventory, found, good + scrap))
    notes = tuple(notes_of(inventory, components))
    return Footprint(inventory, made, found, good, scrap, components, notes, release)


def _components(inventory: Inventory, batch: Batch, processed: Fraction) -> Iterator[Component]:
    yield from _machines(inventory, batch)
    yield from _shared(inventory, batch)
    yield from _intermediates(inventory, batch, processed)
    if inventory.basis.plan.boundary is Boundary.CRADLE_TO_GATE:
        yield from _suppliers(inventory, batch, processed)


def _machines(inventory: Inventory, batch: Batch) -> Iterator[Component]:
    site = inventory.basis.site
    for machine, rate in inventory.machines:
        meter = site.meter(machine.meter)
        asset = inventory.basis.plan.asset(machine.asset)
        mine = [item for item in machine.stretches if item.batch == batch.id]
        ran = [item.amount for item in mine if item.kind is StretchKind.BATCH]
        if ran:
            yield Component(
                stage=Stage.MACHINE,
                id=f"machine/{machine.asset}/{machine.meter}",
                name=meter.name,
                name_zh=meter.name_zh,
                source=f"meter:{machine.meter}",
                quantity=Fraction(sum(amount.value for amount in ran)),
                share=_ONE,
                rule="metered",
                rate=rate,
                biogenic=False,
                primary=True,
                estimated=any(amount.estimated for amount in ran),
                exact=all(amount.exact for amount in ran),
            )
        idle_wh = inventory.idle_wh(machine, batch.id)
        if idle_wh and asset is not None:
            stretches = [item.amount for item in machine.stretches if item.kind is StretchKind.IDLE]
            yield Component(
                stage=Stage.IDLE,
                id=f"idle/{machine.asset}/{machine.meter}",
                name=f"{meter.name}, idle",
                name_zh=f"{meter.name_zh or meter.name}空载",
                source=f"meter:{machine.meter}",
                quantity=idle_wh,
                share=_ONE,
                rule=f"idle {asset.idle}" + (f" {asset.idle_key}" if asset.idle_key else ""),
                rate=rate,
                biogenic=False,
                primary=True,
                estimated=any(amount.estimated for amount in stretches),
                exact=all(amount.exact for amount in stretches),
            )


def _shared(inventory: Inventory, batch: Batch) -> Iterator[Component]:
    for pool in inventory.pools:
        share = pool.share(batch.id)
        if not share:
            continue
        for load in pool.loads:
            yield Component(
                stage=Stage.SHARED,
                id=f"shared/{pool.shared.id}/{load.source}",
                name=pool.shared.name,
                name_zh=pool.shared.name_zh,
                source=load.source,
                quantity=load.quantity,
                share=share,
                rule=pool.shared.key.value,
                rate=load.rate,
                biogenic=load.biogenic,
                primary=True,
                estimated=load.estimated,
                exact=load.exact,
                activities=load.activities,
            )


def _intermediates(inventory: Inventory, batch: Batch, processed: Fraction) -> Iterator[Component]:
    """Own intermediate products: the mean of their batches of the window, all burden over all good output.

    Up to three parts each, so that primary, secondary and biogenic carbon stay apart.
    """
    product = inventory.basis.plan.product(batch.product)
    for name, per_unit in product.made_of if product else ():
        mean = _mean_of(inventory, name)
        for kind, rate in mean.rates():
            yield Component(
                stage=Stage.INTERMEDIATE,
                id=f"intermediate/{name}/{kind}",
                name=f"{mean.product.name}, {kind}",
                name_zh=mean.product.name_zh or mean.product.name,
                source=f"product:{name}",
                quantity=per_unit * processed,
                share=_ONE,
                rule="mean of the window",
                rate=rate,
                biogenic=kind == "biogenic",
                primary=kind == "primary",
                estimated=mean.estimated,
                exact=mean.exact,
                activities=tuple(f"production/{row.key}" for item in mean.batches for row in item.rows),
            )


@dataclass(frozen=True, slots=True)
class _Mean:
    """All batches of an intermediate product in the window; kg by kind of carbon."""

    product: Product
    batches: tuple[Batch, ...]
    good: Fraction
    kg: tuple[tuple[str, Fraction], ...]
    factors: tuple[tuple[str, Factor], ...]
    provisional: bool
    estimated: bool
    exact: bool

    def rates(self) -> Iterator[tuple[str, Rate]]:
        """Kind of carbon and its rate per good unit; the totals stand in the rate's inputs."""
        for kind, kg in self.kg:
            if kg:
                inputs = (("kg", kg, "kg"), ("good", self.good, self.product.unit))
                yield (
                    kind,
                    Rate("mean.footprint/1", self.product.unit, kg / self.good, self.factors, inputs, self.provisional),
                )


def _mean_of(inventory: Inventory, name: str) -> _Mean:
    product = inventory.basis.plan.product(name)
    batches = tuple(batch for batch in inventory.batches if batch.product == name)
    output = {batch: (good, scrap) for batch, good, scrap in inventory.output}
    good = sum((output[batch.id][0] for batch in batches), Fraction())
    if product is None or not good:
        first, last = inventory.days
        text = (
            f'no good output of {name} from {first} to {last}: there is no mean; use window = "month" or supplier data'
        )
        raise FootprintError("footprint plan", (Problem(f"product {name}", text),))
    parts = [part for batch in batches for part in _components(inventory, batch, sum(output[batch.id], Fraction()))]
    kinds = {"primary": Fraction(), "secondary": Fraction(), "biogenic": Fraction()}
    for part in parts:
        kinds["biogenic" if part.biogenic else "primary" if part.primary else "secondary"] += part.kg
    return _Mean(
        product,
        batches,
        good,
        tuple(kinds.items()),
        tuple({row.id: (role, row) for part in parts for role, row in part.rate.factors}.values()),
        provisional=any(part.rate.provisional for part in parts),
        estimated=any(part.estimated for part in parts),
        exact=all(part.exact for part in parts),
    )


def _suppliers(inventory: Inventory, batch: Batch, processed: Fraction) -> Iterator[Component]:
    """Materials for good and scrap units; of several rows for a material, the latest year that is not after the batch.

    A figure below zero is carbon that the material took up from the air: biogenic.
    """
    chosen: dict[str, SupplierInput] = {}
    for row in inventory.basis.book.supplier_inputs:
        if row.product != batch.product or row.year > inventory.days[1].year:
            continue
        before = chosen.get(row.material)
        if before is not None and before.year == row.year:
            text = f"{row.material} of {row.year} stands twice, at {before.place} and {row.place}"
            raise FootprintError("supplier_input", (Problem(row.key, text),))
        if before is None or before.year < row.year:
            chosen[row.material] = row
    for material, row in sorted(chosen.items()):
        yield Component(
            stage=Stage.SUPPLIER,
            id=f"supplier/{row.key}",
            name=material,
            name_zh=material,
            source=f"activity:{row.ref}",
            quantity=row.quantity_per_unit * processed,
            share=_ONE,
            rule="per unit of product",
            rate=Rate("supplier.footprint/1", row.unit, row.kg_co2e_per_unit, ()),
            biogenic=row.kg_co2e_per_unit < 0,
            primary=row.primary,
            estimated=False,
            exact=True,
            activities=(row.ref,),
        )
