"""No float in the path from register to total: in the code of every room on the path, and in the values of a month."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import cast

import pytest

from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.activity.rows import (
    Certificate,
    Direction,
    FuelMovement,
    FuelQuality,
    Refrigerant,
    RefrigerantMethod,
    Wastewater,
)
from shutan_collector.carbon.activities import activity_lines, month_ns
from shutan_collector.carbon.formulas import evaluate
from shutan_collector.carbon.lines import Scope
from shutan_collector.carbon.market import market_lines
from shutan_collector.carbon.metered import metered_lines
from shutan_collector.carbon.sectors import fill_form, load_sector
from shutan_collector.carbon.totals import total_of
from shutan_collector.energy.measure import measure
from shutan_collector.energy.source import read_counter
from shutan_collector.factors.table import packaged_factors
from shutan_collector.periods import NS_PER_S, Kind, split
from shutan_collector.site.file import parse_site
from support.accounting import SITE, MemoryReader, steady
from support.places import REPO

COLLECTOR = REPO / "collector" / "shutan_collector"
ROOMS = ("energy", "factors", "activity", "carbon", "accounting", "ledger", "evidence", "footprint", "control")
MODULES = [
    *(path for room in ROOMS for path in sorted((COLLECTOR / room).rglob("*.py"))),
    *(COLLECTOR / name for name in ("units.py", "exact.py", "periods.py")),
]
# A spreadsheet holds binary numbers: where a cell is read it is turned into the decimal that the sheet shows, once.
EDGE = {"activity/sheets.py": ["float"], "activity/cells.py": ["float"]}
# Functions of `math` that give integers for integers.
INTEGER_MATH = {"isqrt", "gcd", "lcm", "comb", "perm", "prod"}
INTEGER_CALLS = {"len", "int", "ord", "round", "hash"}
INTEGER_ATTRIBUTES = {"numerator", "denominator", "value_wh", "energy_wh"}


class Finder(ast.NodeVisitor):
    """Places in one module where a float is written or arises."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self._integers: list[set[str]] = [set()]

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float | complex):
            self.found.append((node.lineno, f"literal {node.value!r}"))

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in {"float", "complex"}:
            self.found.append((node.lineno, node.id))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == "math" and node.attr not in INTEGER_MATH:
            self.found.append((node.lineno, f"math.{node.attr}"))
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for item in node.names:
            if item.name.split(".")[0] in {"statistics", "random", "numpy", "cmath"}:
                self.found.append((node.lineno, f"import {item.name}"))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module in {"statistics", "random", "numpy", "cmath"}:
            self.found.append((node.lineno, f"from {node.module}"))
        if node.module == "math":
            for item in node.names:
                if item.name not in INTEGER_MATH:
                    self.found.append((node.lineno, f"from math import {item.name}"))

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        self._integers.append({item.arg for item in arguments if _says_int(item.annotation)})
        self.generic_visit(node)
        self._integers.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name) and _says_int(node.annotation):
            self._integers[-1].add(node.target.id)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div) and self._integer(node.left) and self._integer(node.right):
            self.found.append((node.lineno, f"true division {ast.unparse(node)}"))
        if isinstance(node.op, ast.Pow) and self._integer(node.left) and isinstance(node.right, ast.UnaryOp):
            self.found.append((node.lineno, f"negative power {ast.unparse(node)}"))
        self.generic_visit(node)

    def _integer(self, node: ast.expr) -> bool:
        """Whether an expression is an integer for all that its text says."""
        says = False
        match node:
            case ast.Constant(value=value):
                says = isinstance(value, int)
            case ast.Name(id=name):
                says = any(name in names for names in self._integers)
            case ast.Attribute(attr=attribute):
                says = attribute in INTEGER_ATTRIBUTES or attribute.endswith(("_ns", "_wh", "_g"))
            case ast.Call(func=ast.Name(id=name)):
                says = name in INTEGER_CALLS
            case ast.UnaryOp(operand=operand):
                says = self._integer(operand)
            case ast.BinOp(left=left, op=op, right=right):
                says = not isinstance(op, ast.Div) and self._integer(left) and self._integer(right)
            case _:
                pass
        return says


def _says_int(annotation: ast.expr | None) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id == "int"


def floats_in(text: str) -> list[str]:
    finder = Finder()
    finder.visit(ast.parse(text))
    return [f"{line}: {what}" for line, what in sorted(finder.found)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(COLLECTOR).as_posix())
def test_no_float_in_the_code_of_the_path(path: Path) -> None:
    found = [what.split(": ")[1] for what in floats_in(path.read_text(encoding="utf-8"))]
    assert found == EDGE.get(path.relative_to(COLLECTOR).as_posix(), [])


def test_every_room_of_the_path_is_looked_at() -> None:
    rooms = {path.relative_to(COLLECTOR).parts[0] for path in MODULES}
    assert {"energy", "factors", "activity", "carbon", "accounting", "ledger", "evidence"} <= rooms


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 0.5", "1: literal 0.5"),
        ("x = 1e3", "1: literal 1000.0"),
        ("x = float(y)", "1: float"),
        ("def f(a: float): ...", "1: float"),
        ("x = 1 / 2", "1: true division 1 / 2"),
        ("x = len(a) / 2", "1: true division len(a) / 2"),
        ("def f(a: int, b: int):\n    return (a - b) / b", "2: true division (a - b) / b"),
        ("x = flow.value_wh / 1000", "1: true division flow.value_wh / 1000"),
        ("x: int = f()\ny = x / 4", "2: true division x / 4"),
        ("x = 10 ** -k", "1: negative power 10 ** (-k)"),
        ("import math\nx = math.sqrt(2)", "2: math.sqrt"),
        ("from math import log", "1: from math import log"),
        ("import statistics", "1: import statistics"),
        ("from random import random", "1: from random"),
    ],
)
def test_the_finder_finds(text: str, said: str) -> None:
    assert floats_in(text) == [said]


def test_the_finder_lets_exact_arithmetic_be() -> None:
    text = "import math\nx = Fraction(1, 2) / 3\ny = math.isqrt(9)\nz = a // b\nw = energy_kwh * 10**3\n"
    assert floats_in(text) == []


def values_in(value: object, at: str, seen: set[int]) -> Iterator[tuple[str, object]]:
    """Every number inside a value, with the way to it."""
    if id(value) in seen or isinstance(value, str | bytes | bool | Enum | type(None)):
        return
    seen.add(id(value))
    if isinstance(value, int | Fraction | float | complex | Decimal):
        yield at, value
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from values_in(getattr(value, field.name), f"{at}.{field.name}", seen)
    elif isinstance(value, tuple | list | set | frozenset):
        for item in cast("Iterable[object]", value):
            yield from values_in(item, f"{at}[]", seen)


def the_book() -> ActivityBook:
    june = (date(2025, 6, 1), date(2025, 6, 30))
    return ActivityBook(
        fuel_movements=(
            FuelMovement(
                key="p", fuel="diesel", day=june[0], direction=Direction.PURCHASE, quantity=Fraction(7, 3), unit="t"
            ),
        ),
        fuel_qualities=(
            FuelQuality(
                key="q",
                fuel="natural_gas",
                start=june[0],
                end=june[1],
                batch="q",
                quantity=Fraction(1),
                unit="1e4Nm3",
                ncv=Fraction("390.1"),
            ),
        ),
        refrigerants=(
            Refrigerant(
                key="r",
                gas="r410a",
                equipment="e",
                start=date(2025, 5, 20),
                end=june[1],
                method=RefrigerantMethod.TOP_UP,
                opening_kg=Fraction(0),
                bought_kg=Fraction(0),
                closing_kg=Fraction(0),
                recovered_kg=Fraction(0),
                topped_up_kg=Fraction("3.2"),
            ),
        ),
        wastewaters=(
            Wastewater(
                key="w",
                start=june[0],
                end=june[1],
                cod_removed_kg=Fraction("1000.1"),
                sludge_cod_kg=Fraction(10),
                mcf=Fraction("0.3"),
                recovered_ch4_kg=Fraction(0),
            ),
        ),
        certificates=(
            Certificate(
                key="C",
                mwh=Fraction(5),
                vintage_start=june[0],
                vintage_end=june[1],
                technology="solar",
                registry="r",
                retired_on=date(2025, 7, 1),
                claimed_for="2025-06",
            ),
        ),
    )


def test_a_whole_month_holds_integers_and_fractions_only() -> None:
    site = parse_site(SITE, "site.toml")
    factors, as_of, book = packaged_factors(), date(2026, 1, 15), the_book()
    start_ns, end_ns = month_ns("2025-06", site)
    readings = {
        ("n01", "m-entry", "active_energy_import_wh"): steady("2025-06-01", 720, 600_000),
        ("n03", "g-boiler", "gas_volume_l"): steady("2025-06-01", 720, 12_345),
    }
    hours = split(start_ns, end_ns, Kind.HOUR, site.zone)
    lines = list(activity_lines(site, book, "2025-06", factors, as_of)[0])
    for meter in site.meters:
        counter, _ = read_counter(site, meter, MemoryReader(readings), start_ns, end_ns)
        energy = measure(counter, hours, site.tolerance_s * NS_PER_S)
        lines += metered_lines(site, meter, energy.periods, factors, as_of, book=book)[0]
    bought = [line for line in lines if line.scope is Scope.SCOPE_2_LOCATION]
    bought_wh = sum(line.inputs[0].value.numerator for line in bought)
    assert bought_wh == 720 * 600_000
    market = market_lines(site, "2025-06", bought_wh, book, (), factors, as_of)
    lines += market.lines
    emissions = [
        evaluate(line.formula, line.inputs, {use.role: factors.by_id(use.id) for use in line.factors}) for line in lines
    ]
    form = fill_form(load_sector("food_drink"), lines)
    found = list(values_in([lines, market, emissions, total_of(lines), form, list(factors)], "month", set()))
    assert len(lines) == 720 * 3 + 3 + 2
    assert [(at, value) for at, value in found if type(value) not in {int, Fraction}] == []
    grams = [value for at, value in found if at.endswith("_g")]
    assert len(grams) >= len(lines)
    assert {type(value) for value in grams} == {int}
    assert {type(value) for at, value in found if at.endswith((".value", "_kg"))} == {Fraction}
