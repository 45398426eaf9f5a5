"""Certificate ledger (绿证台账): what was issued, retired and claimed by id, and what is left. One MWh is claimed once.

Claims are what closed periods made of certificates; the book's own `claimed_for` says what a claim is meant for.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from shutan_collector.errors import ControlError, Problem
from shutan_collector.exact import exact_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from shutan_collector.activity.kinds import ActivityBook
    from shutan_collector.activity.rows import Certificate

__all__ = ["CertificateAccount", "CertificateLedger", "ClaimOf", "certificate_ledger"]

_WH_PER_MWH = 1_000_000


class ClaimOf(Protocol):
    """What a claim has to say: certificate id, energy in Wh, period ("2025-06" or "2025")."""

    @property
    def certificate(self) -> str:
        """Id of the certificate."""
        ...

    @property
    def energy_wh(self) -> int:
        """Energy claimed."""
        ...

    @property
    def period(self) -> str:
        """Period it is claimed in."""
        ...


@dataclass(frozen=True, slots=True)
class CertificateAccount:
    """One certificate, MWh.

    retired_mwh     all of it once it is retired (核销) by the day asked for, else 0
    claims          (period, MWh) in order
    remaining_mwh   issued less claimed
    """

    certificate: Certificate
    retired_mwh: Fraction
    claims: tuple[tuple[str, Fraction], ...]
    remaining_mwh: Fraction

    @property
    def claimed_mwh(self) -> Fraction:
        """All claims together."""
        return sum((mwh for _, mwh in self.claims), Fraction(0))


@dataclass(frozen=True, slots=True)
class CertificateLedger:
    """All certificates in the order of the book; issued = claimed + remaining, exactly."""

    accounts: tuple[CertificateAccount, ...]

    @property
    def issued_mwh(self) -> Fraction:
        """All certificates together."""
        return sum((item.certificate.mwh for item in self.accounts), Fraction(0))

    @property
    def retired_mwh(self) -> Fraction:
        """Those that are retired."""
        return sum((item.retired_mwh for item in self.accounts), Fraction(0))

    @property
    def claimed_mwh(self) -> Fraction:
        """All claims."""
        return sum((item.claimed_mwh for item in self.accounts), Fraction(0))

    @property
    def remaining_mwh(self) -> Fraction:
        """What may still be claimed."""
        return sum((item.remaining_mwh for item in self.accounts), Fraction(0))


def certificate_ledger(book: ActivityBook, claims: Iterable[ClaimOf], as_of: date) -> CertificateLedger:
    """The ledger of a book's certificates with the claims made of them.

    Raises ControlError with every claim of an unknown certificate, over what it holds, twice in one period, or for
    another period than the certificate is meant for.
    """
    by_id: dict[str, list[ClaimOf]] = defaultdict(list)
    for claim in claims:
        by_id[claim.certificate].append(claim)
    known = {row.key: row for row in book.certificates}
    problems = [
        Problem(name, "is claimed, but no certificate of that id is in the book") for name in by_id if name not in known
    ]
    accounts: list[CertificateAccount] = []
    for row in book.certificates:
        own = sorted(by_id.get(row.key, ()), key=lambda claim: claim.period)
        problems.extend(_wrong(row, own))
        made = tuple((claim.period, Fraction(claim.energy_wh, _WH_PER_MWH)) for claim in own)
        retired = row.mwh if row.retired_on is not None and row.retired_on <= as_of else Fraction(0)
        left = row.mwh - sum((mwh for _, mwh in made), Fraction(0))
        accounts.append(CertificateAccount(row, retired, made, left))
    if problems:
        raise ControlError("certificates", tuple(problems))
    return CertificateLedger(tuple(accounts))


def _wrong(row: Certificate, own: list[ClaimOf]) -> list[Problem]:
    problems: list[Problem] = []
    claimed = Fraction(sum(claim.energy_wh for claim in own), _WH_PER_MWH)
    periods = [claim.period for claim in own]
    if claimed > row.mwh:
        reason = f"{exact_text(claimed)} MWh are claimed ({', '.join(periods)}), it holds {exact_text(row.mwh)}"
        problems.append(Problem(row.key, reason))
    for claim in own:
        if claim.energy_wh <= 0:
            problems.append(Problem(row.key, f"the claim of {claim.period} is not above zero"))
        if row.claimed_for and not claim.period.startswith(row.claimed_for):
            problems.append(Problem(row.key, f"is claimed in {claim.period}, but meant for {row.claimed_for}"))
    problems.extend(
        Problem(row.key, f"is claimed twice in {period}")
        for period in sorted(set(periods))
        if periods.count(period) > 1
    )
    return problems
