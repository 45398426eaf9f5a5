"""Plots: well-formed SVG that repeats byte for byte, with what is missing or lost drawn as such."""

import re
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.activity.kinds import ActivityBook, FuelMovement
from shutan_collector.activity.rows import Direction
from shutan_collector.factors.table import packaged_factors
from shutan_collector.reports.flow import draw_flow, energy_flow
from shutan_collector.reports.plots.bars import Layer, draw_bars
from shutan_collector.reports.plots.burndown import Forecast, draw_burndown
from shutan_collector.reports.plots.heatmap import draw_heatmap
from shutan_collector.reports.plots.sankey import Band, Node, draw_sankey
from shutan_collector.reports.plots.svg import Drawing, nice_steps, text_width
from shutan_collector.reports.table import Both
from support.summary_year import month

FAMILY = "Noto Sans CJK SC"
MONTHS = [f"{number}月" for number in range(1, 13)]
STAGES = tuple(Both(text, "") for text in "购转配用")
SPACE = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [item.text or "" for item in ET.fromstring(svg).iter(f"{SPACE}text")]  # noqa: S314 our own text


def shapes(svg: str, tag: str) -> list[dict[str, str]]:
    return [dict(item.attrib) for item in ET.fromstring(svg).iter(SPACE + tag)]  # noqa: S314 our own text


def test_flow_shows_what_is_unaccounted_and_lost() -> None:
    flow = energy_flow(month("2025-06"), packaged_factors())
    svg = draw_flow(flow, FAMILY)
    assert svg == draw_flow(flow, FAMILY)
    shown = texts(svg)
    assert {"未计量电力", "未计量天然气", "未计量蒸汽", "转换损失"} <= set(shown)
    assert len([fill for item in shapes(svg, "rect") if (fill := item.get("fill")) == "url(#lost)"]) == 4


def test_thickness_of_a_band_is_in_proportion() -> None:
    nodes = [Node(name, Both(name, ""), stage, "electricity") for name, stage in (("a", 0), ("b", 3), ("c", 3))]
    bands = [Band("a", "b", Fraction(3), "electricity"), Band("a", "c", Fraction(1), "electricity")]
    svg = draw_sankey(nodes, bands, "tce", STAGES, FAMILY)
    heights = [float(item["height"]) for item in shapes(svg, "rect") if item.get("width") == "9"]
    assert max(heights) == pytest.approx(430 - 17.5)  # the column's height less the gap between its two nodes
    shares = sorted({round(height / max(heights), 3) for height in heights})
    assert shares == [0.25, 0.75, 1.0]


def test_a_band_over_several_stages_keeps_a_place_free_in_each() -> None:
    nodes = [Node(name, Both(name, ""), stage, "coal") for name, stage in (("a", 0), ("m", 1), ("b", 3), ("c", 2))]
    bands = [
        Band("a", "b", Fraction(1), "coal"), Band("a", "m", Fraction(1), "coal"), Band("m", "c", Fraction(1), "coal")
    ]  # fmt: skip
    svg = draw_sankey(nodes, bands, "tce", STAGES, FAMILY)
    assert len(shapes(svg, "path")) == 3 + 2


def test_bands_without_amount_are_not_drawn() -> None:
    nodes = [Node("a", Both("a", ""), 0, "coal"), Node("b", Both("b", ""), 3, "coal")]
    svg = draw_sankey(nodes, [Band("a", "b", Fraction(0), "coal")], "tce", STAGES, FAMILY)
    assert shapes(svg, "path") == []


def test_an_hour_without_a_value_is_hatched_and_explained() -> None:
    values = {(0, hour): 1000 * hour if hour != 5 else None for hour in range(24)}
    svg = draw_heatmap(["1"], values, "kWh", FAMILY, 1000)
    assert sum(item.get("fill") == "url(#missing)" for item in shapes(svg, "rect")) == 1 + 1  # the cell and the legend
    assert "缺数 no reading" in texts(svg)
    assert "23 kWh" in texts(svg)
    whole = draw_heatmap(["1"], dict.fromkeys(values, 0), "kWh", FAMILY, 1000)
    assert "缺数 no reading" not in texts(whole)


def test_bars_stack_to_their_sum() -> None:
    layers = [
        Layer(Both("气", "gas"), tuple(Fraction(number) for number in range(12))),
        Layer(Both("电", "power"), (Fraction(5), *(None,) * 11)),
    ]
    svg = draw_bars(MONTHS, layers, "t", FAMILY)
    shown = texts(svg)
    assert {"气 gas", "电 power", "12月", "5.0", "11.0"} <= set(shown)
    assert len(shapes(svg, "rect")) == 12 - 1 + 1 + 2


def test_a_month_without_any_figure_says_so() -> None:
    svg = draw_bars(["1月", "2月"], [Layer(Both("气", ""), (Fraction(1), None))], "t", FAMILY)
    assert texts(svg).count("无") == 1


def test_a_long_legend_wraps_inside_the_picture() -> None:
    layers = [Layer(Both(f"第{number}个很长的名称", "with a long name"), (Fraction(1),)) for number in range(9)]
    svg = draw_bars(["1月"], layers, "t", FAMILY)
    for item in ET.fromstring(svg).iter(f"{SPACE}text"):  # noqa: S314 our own text
        if item.get("text-anchor") == "start":
            assert float(item.attrib["x"]) + text_width(item.text or "", float(item.attrib["font-size"])) <= 720


def test_burn_down_ends_below_zero_in_red() -> None:
    used: list[Fraction | None] = [Fraction(100)] * 12
    svg = draw_burndown(MONTHS, used, Fraction(1000), None, "t", FAMILY)
    assert "-200.0" in texts(svg)
    assert [item["fill"] for item in shapes(svg, "circle")][-2:] == ["#a9453a", "#a9453a"]
    inside = [float(item["cy"]) for item in shapes(svg, "circle")]
    assert max(inside) <= 240
    forecast = Forecast(Fraction(900), Fraction(800), Fraction(1100))
    part = draw_burndown(MONTHS, [Fraction(100), *(None,) * 11], Fraction(1000), forecast, "t", FAMILY)
    assert "+100.0" in texts(part)
    assert len(shapes(part, "circle")) == 2
    assert len(shapes(part, "polygon")) == 1


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_axis_steps_reach_the_top_in_few_round_steps(top: float) -> None:
    steps = nice_steps(top)
    assert steps[0] == 0
    assert steps[-1] >= top * 0.999
    assert 2 <= len(steps) <= 13


def test_text_is_escaped_and_numbers_are_short() -> None:
    drawing = Drawing(10, 10, 'A "quoted" & <odd> family')
    drawing.text((1 / 3, -0.0001), "<&>")
    svg = drawing.to_svg()
    assert texts(svg) == ["<&>"]
    assert not re.search(r"\d\.\d{3}", svg)
    assert 'y="0"' in svg


def test_many_end_uses_keep_their_room() -> None:
    nodes = [Node("a", Both("a", ""), 0, "coal"), *(Node(f"b{at}", Both("b", ""), 3, "coal") for at in range(60))]
    svg = draw_sankey(nodes, [Band("a", f"b{at}", Fraction(1), "coal") for at in range(60)], "tce", STAGES, FAMILY)
    boxes = [item for item in shapes(svg, "rect") if item.get("width") == "9"]
    right = max(float(item["x"]) for item in boxes)
    places = sorted(float(item["y"]) for item in boxes if float(item["x"]) == right)
    assert len(places) == 60
    assert min(below - above for above, below in pairwise(places)) >= 17


def test_bought_fuels_and_leaf_entries_reach_an_end_use() -> None:
    summary = month("2025-06")
    meters = tuple(replace(m, parent="") if m.id == "g-boiler" else m for m in summary.site.meters)
    coal = FuelMovement(
        key="1", fuel="raw_coal", day=date(2025, 6, 1), direction=Direction.PURCHASE, quantity=Fraction(10), unit="t"
    )
    flow = energy_flow(
        replace(summary, site=replace(summary.site, meters=meters), book=ActivityBook(fuel_movements=(coal,))),
        packaged_factors(),
    )
    ends = {band.source: band.target for band in flow.bands}
    assert ends["g-entry"] == "g-entry:use"
    assert ends["documents:raw_coal"] == "documents:raw_coal:use"
    assert next(band.amount for band in flow.bands if band.source == "documents:raw_coal") == Fraction("7.143")
