"""Scope 2, market-based (基于市场): which instrument covers how much of the electricity bought in a month.

Order of cover: green power (绿电) and certificates (绿证) claimed for the month, certificates claimed for its year,
contracts, and the national residual mix (全国电力平均…不包括市场化交易的非化石能源电量) for the rest. Each line is one
instrument; together they are what was bought, to the Wh. Power made on site and used there was not bought: it is 0 in
scope 2 and needs no certificate.

Rules of a claim (GHG Protocol Scope 2 Guidance 2015, table 7.1 quality criteria); what breaks one is refused:

| rule | how |
|---|---|
| once | a certificate is claimed in one month, as a whole; what other closed periods claimed is refused |
| not beyond use | claims of a month within its purchase; those of a year fill its months in order, each whole |
| retired (核销) | by its registry, not after the report date |
| vintage close to the year | made from 6 months before to 3 months after the year of the claim (`VINTAGE`) |
| not for own power | a certificate of power made and used on site (registry 自发自用) covers nothing that was bought |

A contract covers by days the part of its amount that lies in the month, up to the rest. One that states nothing is no
instrument; one that states 0 needs a certificate, in China the only proof of it (发改能源〔2023〕1044号).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.kinds import month_share
from shutan_collector.carbon.activities import month_ns
from shutan_collector.carbon.drafts import Draft, Origin, make_line
from shutan_collector.carbon.lines import Category, Input, Scope
from shutan_collector.errors import ClaimError, Problem
from shutan_collector.exact import exact_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from shutan_collector.activity.kinds import ActivityBook
    from shutan_collector.activity.rows import Certificate, GreenPower
    from shutan_collector.carbon.lines import Line
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Site

__all__ = ["VINTAGE", "Claim", "MarketResult", "VintageRule", "market_lines"]

_WH_PER_MWH: Final = 1_000_000
_OWN: Final = ("自发自用", "own", "self")
_ZERO: Final = Input("ef", Fraction(0), "kgCO2/kWh")


@dataclass(frozen=True, slots=True)
class VintageRule:
    """How far from the year of its claim a certificate's power may have been made, in months."""

    before: int
    after: int

    def window(self, year: int) -> tuple[date, date]:
        """First day and first day after it; both limits are below 12 months."""
        first = date(year, 1, 1) if not self.before else date(year - 1, 13 - self.before, 1)
        return first, date(year + 1, 1 + self.after, 1)


# The 21 months that Green-e Energy uses: the last half of the year before to the first quarter of the year after.
VINTAGE: Final = VintageRule(before=6, after=3)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a certificate covers in a period; closed with the period, so that no other one claims it."""

    certificate: str
    energy_wh: int
    period: str


@dataclass(frozen=True, slots=True)
class MarketResult:
    """The market-based lines of a month, whose energies add up to what was bought, and the claims behind them."""

    lines: tuple[Line, ...]
    claims: tuple[Claim, ...]


def market_lines(  # noqa: PLR0917  (the order in which a month is accounted)
    site: Site,
    month: str,
    bought_wh: int,
    book: ActivityBook,
    already_claimed: Collection[str],
    factors: FactorTable,
    as_of: date,
    *,
    estimated: bool = False,
    exact: bool = True,
) -> MarketResult:
    """The market-based figure of one month.

    bought_wh          electricity bought, without what was made on site
    already_claimed    certificates that other closed periods have claimed
    estimated, exact   how sure bought_wh is: marks of the residual line, which is what is left of it

    Raises ClaimError with every claim that is refused, FactorError for a missing residual mix.
    """
    cover = _Cover(month, bought_wh, book.select(month), frozenset(already_claimed), as_of)
    cover.claim_month()
    cover.claim_year()
    cover.take_contracts()
    if cover.problems:
        raise ClaimError(f"claims of {month}", tuple(cover.problems))
    span_ns = month_ns(month, site)
    lines: list[Line] = []
    for item in cover.items:
        inputs = (Input("energy", Fraction(item.energy_wh), "Wh"), item.ef)
        draft = Draft(Scope.SCOPE_2_MARKET, Category.ELECTRICITY, "electricity.instrument/1", inputs)
        lines.append(make_line(draft, _origin(item.source, span_ns, activities=item.activities)))
    if cover.rest_wh:
        mix = factors.grid_residual(int(month[:4]), as_of)
        energy = (Input("energy", Fraction(cover.rest_wh), "Wh"),)
        rows = (("ef", mix.row),)
        draft = Draft(
            Scope.SCOPE_2_MARKET,
            Category.ELECTRICITY,
            "electricity.average/1",
            energy,
            rows,
            provisional=mix.provisional,
        )
        lines.append(make_line(draft, _origin("market:residual", span_ns, estimated=estimated, exact=exact)))
    return MarketResult(tuple(lines), tuple(cover.claims))


def _origin(
    source: str,
    span_ns: tuple[int, int],
    *,
    activities: tuple[str, ...] = (),
    estimated: bool = False,
    exact: bool = True,
) -> Origin:
    return Origin(
        id=f"{source}|{Scope.SCOPE_2_MARKET.value}|{span_ns[0]}",
        source=source,
        start_ns=span_ns[0],
        end_ns=span_ns[1],
        activities=activities,
        estimated=estimated,
        exact=exact,
    )


@dataclass(frozen=True, slots=True)
class _Item:
    """One instrument's part of the month."""

    source: str
    energy_wh: int
    ef: Input
    activities: tuple[str, ...]


class _Cover:
    """Covers one month's purchase; what may not be claimed is collected in `problems`."""

    def __init__(
        self, month: str, bought_wh: int, book: ActivityBook, already_claimed: frozenset[str], as_of: date
    ) -> None:
        self._month = month
        self._bought_wh = bought_wh
        self._book = book
        self._already = already_claimed
        self._as_of = as_of
        self._certificates = {row.key: row for row in book.certificates}
        self.rest_wh = bought_wh
        self.items: list[_Item] = []
        self.claims: list[Claim] = []
        self.problems: list[Problem] = []

    def claim_month(self) -> None:
        """Green power, then the certificates claimed for this very month; each has to fit."""
        delivered: dict[str, list[GreenPower]] = defaultdict(list)
        for row in self._book.green_powers:
            delivered[row.certificate].append(row)
        for key in sorted(delivered.keys() - self._certificates.keys()):
            for row in delivered[key]:
                self._refuse(row.ref, f"its certificate {key} is not among the certificates: import it first")
        own = [row for row in self._book.certificates if row.claimed_for == self._month and row.key not in delivered]
        first = [self._certificates[key] for key in sorted(delivered.keys() & self._certificates.keys())]
        for row in (*first, *sorted(own, key=_order)):
            rows = delivered.get(row.key, [])
            energy_wh = self._claimed_wh(row, rows)
            fault = self._fault(row) or self._beyond(row, rows, energy_wh)
            if fault:
                self._refuse(row.ref, fault)
            else:
                self._claim(row, energy_wh, tuple(item.ref for item in rows))

    def claim_year(self) -> None:
        """Certificates claimed for the year: each as a whole in the first month whose rest holds it."""
        taken = {claim.certificate for claim in self.claims} | self._already
        year = self._month[:4]
        for row in sorted(self._book.certificates, key=_order):
            if row.claimed_for != year or row.key in taken or row.key in self._delivered():
                continue
            fault = self._fault(row)
            energy_wh = _wh(row.mwh)
            if not fault and energy_wh <= self.rest_wh:
                self._claim(row, energy_wh, ())
            elif fault or self._month.endswith("-12"):
                whole = f"no month of {year} has {exact_text(row.mwh)} MWh left for it: claim fewer, or by month"
                self._refuse(row.ref, fault or whole)

    def take_contracts(self) -> None:
        """Contracts that state their emission, up to what is left."""
        for row in sorted(self._book.power_contracts, key=lambda row: (row.start, row.key)):
            if row.kg_co2_per_kwh is None:
                continue
            if row.kg_co2_per_kwh == 0:
                self._refuse(
                    row.ref, "it states 0 kg/kWh without a certificate: enter it as green power with its certificate"
                )
                continue
            energy_wh = min(_wh(row.mwh * month_share(row.start, row.end, self._month)), self.rest_wh)
            if energy_wh:
                ef = Input("ef", row.kg_co2_per_kwh, "kgCO2/kWh")
                self.items.append(_Item(f"market:contract/{row.key}", energy_wh, ef, (row.ref,)))
                self.rest_wh -= energy_wh

    def _delivered(self) -> set[str]:
        return {row.certificate for row in self._book.green_powers}

    def _claimed_wh(self, row: Certificate, rows: list[GreenPower]) -> int:
        """A certificate claimed for the month counts whole; one that only came with green power as far as delivered."""
        if row.claimed_for == self._month or not rows:
            return _wh(row.mwh)
        return _wh(sum((item.mwh for item in rows), Fraction()))

    def _claim(self, row: Certificate, energy_wh: int, green: tuple[str, ...]) -> None:
        self.items.append(_Item(f"market:{row.key}", energy_wh, _ZERO, (row.ref, *green)))
        self.claims.append(Claim(row.key, energy_wh, self._month))
        self.rest_wh -= energy_wh

    def _fault(self, row: Certificate) -> str:
        """Why a certificate may not be claimed at all; empty if it may."""
        year = int(self._month[:4])
        first, after = VINTAGE.window(year)
        if row.key in self._already:
            return "another closed period has claimed it: one certificate is claimed once; take it out of this period"
        if row.claimed_for not in {"", self._month, self._month[:4]}:
            return f"it is claimed for {row.claimed_for}: claim it for {self._month}, or deliver another one"
        if row.registry.strip().lower() in _OWN:
            return "it is for power made and used on site, which is 0 already: it covers no bought electricity"
        if row.retired_on is None or row.retired_on > self._as_of:
            since = "not retired" if row.retired_on is None else f"retired on {row.retired_on}, after {self._as_of}"
            return f"it is {since}: retire it at its registry and enter the day, or leave claimed_for empty"
        if row.vintage_start < first or row.vintage_end >= after:
            made = f"{row.vintage_start} to {row.vintage_end}"
            return f"its power was made {made}; for {year} it has to be from {first} on and before {after}"
        return ""

    def _beyond(self, row: Certificate, rows: list[GreenPower], energy_wh: int) -> str:
        """Why an amount may not be claimed; empty if it may."""
        if _wh(sum((item.mwh for item in rows), Fraction())) > _wh(row.mwh):
            return f"green power of {self._month} is more than its {exact_text(row.mwh)} MWh: correct the delivery"
        if energy_wh > self.rest_wh:
            amount, rest, bought = (_mwh(value) for value in (energy_wh, self.rest_wh, self._bought_wh))
            return (
                f"its {amount} MWh go beyond use: of {bought} MWh bought in {self._month} only {rest} MWh are not "
                "covered yet; claim it for a later month of the year"
            )
        return ""

    def _refuse(self, ref: str, reason: str) -> None:
        self.problems.append(Problem(ref, reason))


def _order(row: Certificate) -> tuple[date, str]:
    return row.vintage_start, row.key


def _wh(mwh: Fraction) -> int:
    """Whole Wh, rounded down: a claim is never above its document."""
    return mwh.numerator * _WH_PER_MWH // mwh.denominator


def _mwh(energy_wh: int) -> str:
    return exact_text(Fraction(energy_wh, _WH_PER_MWH))
