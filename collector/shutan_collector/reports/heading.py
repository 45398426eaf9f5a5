"""What stands on every report: who, which period, how sure; and the foot of each page that makes a forgery show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.accounting.summary import YearSummary
from shutan_collector.reports.table import Both

if TYPE_CHECKING:
    from datetime import date

    from shutan_collector.accounting.summary import LedgerMark, MonthSummary

__all__ = ["MARKS", "Heading", "excel_foot", "foot_lines", "heading_data", "heading_of", "heading_rows"]

_HEX_GROUP: Final = 8
NO_KEY: Final = "未提供 not given"

# Marks of figures; a report prints the legend of all of them.
MARKS: Final[tuple[tuple[str, Both], ...]] = (
    (
        "暂用",
        Both(
            "活动年份的因子尚未发布，采用已发布的最新因子，发布后重算",
            "provisional: the factor of the activity year was not issued yet; the latest issued one is used until then",
        ),
    ),
    (
        "估算",
        Both(
            "某一时段边界缺少读数，按两侧读数线性插值",
            "estimated: a boundary had no reading and lies on the line between the readings around it",
        ),
    ),
    (
        "不完整",
        Both(
            "缺数或未计值，合计不含该部分",
            "incomplete: something was not measured or not valued, and is not in the totals",
        ),
    ),
    (
        "不确切",
        Both(
            "清零、无换表底数等，另有未知用量",
            "inexact: an unknown amount passed besides (reset, swap without registers)",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Heading:
    """Identity and standing of a report.

    version   of the closing (核算版本), 0 while open; of a year the highest of its months
    as_of     report date that decided which factors were issued; it dates the file as well
    """

    schema: str
    organisation: str
    credit_code: str
    site: str
    site_name: str
    site_name_zh: str
    region: str
    zone: str
    period: str
    closed: bool
    version: int
    complete: bool
    provisional: bool
    estimated: bool
    as_of: date
    mark: LedgerMark | None


def heading_of(summary: MonthSummary | YearSummary, schema: str) -> Heading:
    """Heading of a report over a month or a year; ValueError for a year without months."""
    site = summary.site
    months = summary.months if isinstance(summary, YearSummary) else (summary,)
    return Heading(
        schema=schema,
        organisation=site.organisation or site.name_zh or site.name,
        credit_code=site.credit_code,
        site=site.id,
        site_name=site.name,
        site_name_zh=site.name_zh,
        region=site.region,
        zone=site.zone.key,
        period=summary.period,
        closed=summary.closed,
        version=max(month.version for month in months) if summary.closed else 0,
        complete=summary.complete,
        provisional=summary.provisional,
        estimated=any(use.estimated for use in summary.meters) or any(item.estimated for item in summary.emissions),
        as_of=max(month.as_of for month in months),
        mark=summary.mark,
    )


def standing(heading: Heading) -> Both:
    """Closed with its version, or the plain word that it is not."""
    if heading.closed:
        return Both(f"已结账 第{heading.version}版", f"closed, version {heading.version}")
    return Both("未结账", "NOT CLOSED")


def foot_lines(heading: Heading) -> tuple[str, ...]:
    """Lines at the foot of each page: standing and versions, chain head, key fingerprint."""
    first = f"{standing(heading)} · 报告 report {heading.schema}"
    if heading.mark is None:
        return (first, "无账本标记：本页数字未由账本证明 · no ledger mark: nothing proves the figures on this page")
    return (
        first,
        f"链头 chain head #{heading.mark.head_seq} {_hex(heading.mark.head_hash)}",
        f"密钥指纹 key fingerprint {_hex(heading.mark.key_fingerprint) or NO_KEY}",
    )


def excel_foot(heading: Heading) -> str:
    """The same in one short text: Excel prints at most 255 characters at the foot of a page."""
    if heading.mark is None:
        return f"{standing(heading)} · 无账本标记 no ledger mark"
    mark = heading.mark
    return f"{standing(heading)}\n#{mark.head_seq} {mark.head_hash}\n{mark.key_fingerprint or NO_KEY}"


def heading_rows(heading: Heading, title: Both) -> tuple[tuple[str, str], ...]:
    """Label and text of each line of a cover."""
    name = str(Both(heading.site_name_zh, heading.site_name))
    return (
        (str(title), heading.period),
        ("组织 Organisation", heading.organisation),
        ("统一社会信用代码 Credit code", heading.credit_code or "—"),
        ("厂区 Site", f"{name} ({heading.site})"),
        ("区域 Region", heading.region),
        ("时区 Time zone", heading.zone),
        ("结账 Closing", str(standing(heading))),
        ("数据 Data", "; ".join(str(remark) for remark in remarks(heading))),
        ("因子截至 Factors as of", heading.as_of.isoformat()),
        *(("账本 Ledger", line) for line in foot_lines(heading)[1:]),
    )


def remarks(heading: Heading) -> tuple[Both, ...]:
    """What a reader must know before any figure."""
    found = [
        Both("数据完整", "data complete")
        if heading.complete
        else Both("数据不完整：合计不含缺失部分", "DATA INCOMPLETE: totals lack what is missing")
    ]
    if heading.provisional:
        found.append(Both("含暂用因子", "provisional factors used"))
    if heading.estimated:
        found.append(Both("含估算值", "estimates included"))
    return tuple(found)


def heading_data(heading: Heading, title: Both) -> dict[str, object]:
    """Plain JSON values for a template."""
    return {
        "title": {"zh": title.zh, "en": title.en},
        "organisation": heading.organisation,
        "credit_code": heading.credit_code,
        "site": {"zh": heading.site_name_zh or heading.site_name, "en": heading.site_name, "id": heading.site},
        "region": heading.region,
        "zone": heading.zone,
        "period": heading.period,
        "as_of": heading.as_of.isoformat(),
        "closed": heading.closed,
        "complete": heading.complete,
        "standing": {"zh": standing(heading).zh, "en": standing(heading).en},
        "remarks": [{"zh": remark.zh, "en": remark.en} for remark in remarks(heading)],
        "foot": list(foot_lines(heading)),
        "marks": [{"mark": mark, "zh": text.zh, "en": text.en} for mark, text in MARKS],
    }


def _hex(digits: str) -> str:
    """Hex digits in groups of eight."""
    return " ".join(digits[at : at + _HEX_GROUP] for at in range(0, len(digits), _HEX_GROUP))
