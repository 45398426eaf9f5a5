"""Folders of activity files: what is accepted, and every mistake by file, sheet, row and column."""

import json
from dataclasses import fields
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from shutan_collector.activity.book import NOTES_SHEET, load_activities, read_activities
from shutan_collector.activity.kinds import KINDS
from shutan_collector.activity.template_files import write_template
from shutan_collector.activity.templates import TEMPLATES
from shutan_collector.errors import ActivityError
from shutan_collector.site.file import parse_site
from support.activities import CHINA, csv_line, mistakes, read, write_csv, write_xlsx

VECTORS = [
    json.loads(line) for line in Path("tests/vectors/activity_units.jsonl").read_text(encoding="utf-8").splitlines()
]
BILL = "key,meter,start,end,energy [kWh]"
FUEL = "key,fuel,day,direction,quantity,unit,density,temperature_c,pressure_kpa"
SITE = """
[site]
id = "s"
region = "CN-SC"
[[meter]]
id = "entry"
carrier = "electricity"
role = "entry"
level = 1
node = "n"
device = "d"
[[meter]]
id = "press"
carrier = "electricity"
role = "sub"
level = 2
parent = "entry"
node = "n"
device = "e"
"""


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_unit_is_converted_exactly(case: dict[str, object], tmp_path: Path) -> None:
    columns, cells = case["columns"], case["cells"]
    assert isinstance(columns, list)
    assert isinstance(cells, list)
    write_csv(tmp_path / f"{case['kind']}.csv", csv_line(["key", *columns]), csv_line(["K1", *cells]))
    [row] = read(tmp_path).book
    assert getattr(row, str(case["field"])) == Fraction(str(case["value"]))
    assert row.written == case["written"]
    if "unit" in case:
        assert getattr(row, "unit", None) == case["unit"]


def test_vectors_name_their_source() -> None:
    assert all(case["source"] for case in VECTORS)


@pytest.mark.parametrize(
    ("row", "mistake"),
    [
        (
            "F1,dieesel,2025-06-03,purchase,1,t,,,",
            "fuel (B): found 'dieesel'; accepted: a fuel of the factor table: anth",
        ),
        ("F1,diesel,2025-06-31,purchase,1,t,,,", "day (C): found '2025-06-31'; accepted: a day of the calendar"),
        ("F1,diesel,3rd of June,purchase,1,t,,,", "day (C): found '3rd of June'; accepted: a day such as 2025-06-01"),
        (
            "F1,diesel,2205-06-03,purchase,1,t,,,",
            "day (C): found '2205-06-03'; accepted: a day of the years 1990 to 2100",
        ),
        ("F1,diesel,2025-06-03,burnt,1,t,,,", "direction (D): found 'burnt'; accepted: purchase 购入, opening_stock"),
        ("F1,diesel,2025-06-03,purchase,-1,t,,,", "quantity (E): found '-1'; accepted: 0 or more"),
        (
            "F1,diesel,2025-06-03,purchase,1 t,t,,,",
            "quantity (E): found '1 t'; accepted: a number such as 1234.5, without",
        ),
        ("F1,diesel,2025-06-03,purchase,nan,t,,,", "quantity (E): found 'nan'; accepted: a number"),
        ("F1,diesel,2025-06-03,purchase,,t,,,", "quantity (E): is empty, but needed"),
        ("F1,diesel,2025-06-03,purchase,1,Nm3,,,", "unit (F): found 'Nm3'; diesel is counted in t, accepted: t, kg, L"),
        (
            "F1,natural_gas,2025-06-03,purchase,1,t,,,",
            "unit (F): found 't'; natural_gas is counted in 1e4Nm3, accepted:",
        ),
        ("F1,diesel,2025-06-03,purchase,1,L,,,", "density (G): is needed for litres, in kg/L"),
        ("F1,diesel,2025-06-03,purchase,1,L,840,,", "density (G): found '840'; accepted: 3/10 to 3/2"),
        ("F1,natural_gas,2025-06-03,purchase,1,m3,,20,", "pressure_kpa (I): is needed for m3: the reference condition"),
        (",diesel,2025-06-03,purchase,1,t,,,", "key (A): is empty, but needed"),
        ("example-1,diesel,2025-06-03,purchase,1,t,,,", "key (A): found 'example-1'; accepted: a key of your own"),
        (
            "1.2E+17,diesel,2025-06-03,purchase,1,t,,,",
            "key (A): found '1.2E+17'; accepted: text; a spreadsheet has short",
        ),
        ("a|b,diesel,2025-06-03,purchase,1,t,,,", "key (A): found 'a|b'; accepted: at most 64 characters without |"),
        ("F1,diesel,2025-06-03,purchase,1,t,,,,x", "column J: found 'x' under an empty heading"),
    ],
)
def test_mistake_in_a_cell_is_named_with_what_is_accepted(row: str, mistake: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "fuel_movement.csv", FUEL, row)
    [found] = mistakes(tmp_path)
    assert found.startswith(f"fuel_movement.csv:2 {mistake}")


@pytest.mark.parametrize(
    ("kind", "heading", "row", "mistake"),
    [
        ("bill", BILL, "B1,e,2025-06-25,2025-05-26,1", "end (D): 2025-05-26 is before start 2025-06-25"),
        (
            "bill",
            f"{BILL},peak [kWh]",
            "B1,e,2025-05-26,2025-06-25,1,2",
            "energy (E): sharp, peak, flat and valley tog",
        ),
        (
            "bill",
            f"{BILL},power_factor",
            "B1,e,2025-05-26,2025-06-25,1,1.2",
            "power_factor (F): found '1.2'; accepted: 0 to 1",
        ),
        (
            "refrigerant",
            "key,gas,equipment,start,end,method,opening [kg],bought [kg],closing [kg],recovered [kg]",
            "R1,r410a,c,2025-01-01,2025-12-31,库存平衡,1,1,3,0",
            "closing (I): opening + bought - closing - recovered is negative",
        ),
        (
            "refrigerant",
            "key,gas,equipment,start,end,method,opening [kg],topped_up [kg]",
            "R1,r410a,c,2025-01-01,2025-12-31,top_up,1,3",
            "opening (G): has no meaning for top_up; leave it empty",
        ),
        (
            "refrigerant",
            "key,gas,equipment,start,end,method",
            "R1,co3,c,2025-01-01,2025-12-31,top_up",
            "gas (B): found 'co3'",
        ),
        (
            "process_input",
            "key,material,day,mass [t],purity,conversion",
            "P1,calcium_carbonate,2025-06-03,1,1.01,1",
            "purity (E): found '1.01'; accepted: 0 to 1",
        ),
        (
            "clinker",
            "key,day,mass [t],cao,mgo,cao_non_carbonate,mgo_non_carbonate",
            "C1,2025-06-03,1,0.6,0.02,0.61,0",
            "cao_non_carbonate (F): is more than cao",
        ),
        (
            "heat_purchase",
            "key,start,end,form,mass [t]",
            "H1,2025-06-01,2025-06-30,steam,12",
            "enthalpy: is needed for steam",
        ),
        (
            "wastewater",
            "key,start,end,cod_removed [kg],sludge_cod [kg],mcf,recovered_ch4 [kg]",
            "W1,2025-06-01,2025-06-30,10,11,0.3,0",
            "sludge_cod (E): is more than cod_removed",
        ),
        (
            "certificate",
            "key,energy [MWh],vintage_start,vintage_end,technology,registry",
            "G1,1,2025-04-30,2025-04-01,wind,x",
            "vintage_end (D): 2025-04-01 is before vintage_start 2025-04-30",
        ),
        (
            "production",
            "key,product,batch,start,end,asset,line,good,scrap,unit",
            "P1,p,b,2025-06-03 08:00,2025-06-03 08:00,a,l,1,0,件",
            "end (E): is not after start",
        ),
        (
            "manual_reading",
            "key,meter,time,register,unit,person",
            "M1,e,2025-06-03 08:00,1.2345,m3,Li",
            "register (D): is finer than the step of the register, 1 L",
        ),
        (
            "fuel_quality",
            "key,fuel,start,end,batch,quantity,unit,ncv,ncv_unit,oxidation_rate [%]",
            "Q1,bituminous,2025-06-01,2025-06-30,b,1,t,22,GJ/t,0.98",
            "oxidation_rate (J): found '0.98'; accepted: 50 to 100 %",
        ),
        (
            "fuel_quality",
            "key,fuel,start,end,batch,quantity,unit,ncv,ncv_unit",
            "Q1,bituminous,2025-06-01,2025-06-30,b,1,t,22,MJ/Nm3",
            "ncv_unit (I): found 'MJ/Nm3'; bituminous is counted in t, accepted: GJ/t, kJ/kg, kcal/kg",
        ),
    ],
)
def test_contradiction_within_a_row_is_told(kind: str, heading: str, row: str, mistake: str, tmp_path: Path) -> None:
    write_csv(tmp_path / f"{kind}.csv", heading, row)
    assert mistakes(tmp_path)[0].startswith(f"{kind}.csv:2 {mistake}")


@pytest.mark.parametrize(
    ("heading", "mistake"),
    [
        (
            "key,meter,start,end,energy",
            ":1 column E: energy: the heading must state its unit; write energy [kWh], accepted: kWh",
        ),
        (
            "key,meter,start,end,energy [GJ]",
            ":1 column E: energy: unit 'GJ' does not fit; write energy [kWh], accepted: kWh",
        ),
        (
            "key,meter,start,end,enrgy [kWh]",
            ":1 column E: unknown column 'enrgy [kWh]'; did you mean energy? accepted: key,",
        ),
        ("key,meter [id],start,end,energy [kWh]", ":1 column B: meter has no unit; write meter"),
        ("key,meter,start,end,energy [kWh],电量 [kWh]", ":1 column F: energy stands twice"),
        ("key,meter,start,energy [kWh]", ":1: column 'end 截止日' is missing"),
        ("key;meter;start;end;energy [kWh]", ":1: is separated by semicolons; save it as CSV with commas"),
        ("key\tmeter\tstart", ":1: is separated by tabs; save it as CSV with commas"),
    ],
)
def test_wrong_heading_is_told_and_no_row_is_read(heading: str, mistake: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "bill.csv", heading, "B1,entry,garbage,garbage,garbage")
    assert mistakes(tmp_path)[0].startswith(f"bill.csv{mistake}")
    assert all(":2" not in found for found in mistakes(tmp_path))


def test_headings_in_chinese_english_or_both_and_any_width(tmp_path: Path) -> None:
    for number, heading in enumerate(
        (BILL, "编号,计量点,起始日,截止日,电量（ｋＷｈ）", "KEY 编号, Meter ,start 起始日,END,energy 电量【kWh】")
    ):
        write_csv(tmp_path / f"bill-{number}.csv", heading, f"B{number},m{number},2025-05-26,2025-06-25,7")
    assert [(row.key, row.energy_kwh) for row in read(tmp_path).book.bills] == [("B0", 7), ("B1", 7), ("B2", 7)]


def test_all_mistakes_of_all_files_are_told_at_once_and_nothing_is_read(tmp_path: Path) -> None:
    write_csv(tmp_path / "bill.csv", BILL, "B1,entry,2025-05-26,2025-06-25,x", "B2,entry,2025-06-26,2025-07-25,1")
    (tmp_path / "sub").mkdir()
    write_csv(tmp_path / "sub" / "fuel_movement.csv", FUEL, "F1,diesel,2025-06-03,purchase,-1,t,,,", ",,,,,,,,")
    write_xlsx(tmp_path / "certificate.xlsx", ["key", "nonsense"], ["G1", 1])
    found = mistakes(tmp_path)
    assert [text.partition(" ")[0] for text in found] == [
        "bill.csv:2",
        "certificate.xlsx:certificate:1",
        *["certificate.xlsx:certificate:1:"] * 5,
        "sub/fuel_movement.csv:2",
    ]


def test_key_stands_once_across_files_also_where_its_row_is_wrong(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "certificate-1.csv", "key,energy [MWh],vintage_start,vintage_end,technology,registry", "GEC-7,1,x,,,"
    )
    write_csv(
        tmp_path / "certificate-2.csv",
        "key,energy [MWh],vintage_start,vintage_end,technology,registry",
        "ｇｅｃ-7,1,2025-04-01,2025-04-30,wind,r",
    )
    assert (
        "certificate-2.csv:2 key (A): 'ｇｅｃ-7' stands already at certificate-1.csv:2; keys are unique within a kind"
        in mistakes(tmp_path)
    )


def test_same_key_in_two_kinds_is_two_rows(tmp_path: Path) -> None:
    write_csv(tmp_path / "bill.csv", BILL, "K1,entry,2025-05-26,2025-06-25,1")
    write_csv(tmp_path / "land_area.csv", "key,start,area [m2]", "K1,2024-01-01,10")
    assert {row.ref for row in read(tmp_path).book} == {"bill/K1", "land_area/K1"}


def test_bills_of_a_meter_may_touch_but_not_overlap(tmp_path: Path) -> None:
    write_csv(tmp_path / "bill.csv", BILL, "B1,m,2025-05-26,2025-06-25,1", "B2,m,2025-06-26,2025-07-25,1")
    assert mistakes(tmp_path) == []
    write_csv(tmp_path / "bill.csv", BILL, "B1,m,2025-05-26,2025-06-26,1", "B2,m,2025-06-26,2025-07-25,1")
    [found] = mistakes(tmp_path)
    assert found.startswith("bill.csv:3 start: 2025-06-26 lies within the bill 'B1' of the same meter")


def test_green_power_needs_a_certificate_that_holds_enough(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "certificate.csv",
        "key,energy [MWh],vintage_start,vintage_end,technology,registry",
        "C1,10,2025-04-01,2025-04-30,风电,r",
    )
    heading = "key,month,energy [MWh],certificate"
    write_csv(tmp_path / "green_power.csv", heading, "G1,2025-06,6,C1", "G2,2025-07,4,C1")
    assert mistakes(tmp_path) == []
    write_csv(tmp_path / "green_power.csv", heading, "G1,2025-06,6,C1", "G2,2025-07,4.001,C1", "G3,2025-07,1,C2")
    assert mistakes(tmp_path) == [
        "green_power.csv:3 energy: more than the 10 MWh of the certificate 'C1'",
        "green_power.csv:4 certificate: 'C2' is not among the rows of certificate",
    ]


def test_month_of_value_added_and_unit_of_a_product_stand_once(tmp_path: Path) -> None:
    write_csv(tmp_path / "value_added.csv", "key,month,value [万元]", "V1,2025-06,1", "V2,2025/6,1")
    heading = "key,product,batch,start,end,asset,line,good,scrap,unit"
    rows = (
        "P1,p,b,2025-06-03 08:00,2025-06-03 09:00,a,l,1,0,kg",
        "P2,p,b,2025-06-03 09:00,2025-06-03 10:00,a,l,1,0,瓶",
    )
    write_csv(tmp_path / "production.csv", heading, *rows)
    assert mistakes(tmp_path) == [
        "value_added.csv:3 month: the same month stands already at value_added.csv:2 ('V1')",
        "production.csv:3 unit: found 'bottle'; 'p' is counted in kg at production.csv:2",
    ]


def test_meters_are_checked_against_the_site(tmp_path: Path) -> None:
    site = parse_site(SITE, "site.toml")
    write_csv(
        tmp_path / "bill.csv",
        BILL,
        "B1,entry,2025-05-26,2025-06-25,1",
        "B2,press,2025-05-26,2025-06-25,1",
        "B3,nowhere,2025-05-26,2025-06-25,1",
    )
    reading = "key,meter,time,register,unit,person"
    write_csv(tmp_path / "manual_reading.csv", reading, "M1,press,2025-06-03 08:00,5,m3,Li")
    with pytest.raises(ActivityError) as told:
        load_activities(tmp_path, CHINA, site)
    assert [str(problem) for problem in told.value.problems] == [
        "bill.csv:3 meter (B): 'press' is not an entry meter of electricity, which a utility bills",
        "bill.csv:4 meter (B): found 'nowhere'; accepted: a meter of the site model: entry, press",
        "manual_reading.csv:2 unit (E): found 'm3'; 'press' counts in Wh, kWh, MWh, 万kWh",
    ]


def test_kind_comes_from_the_name_of_file_or_sheet(tmp_path: Path) -> None:
    heading: list[object] = ["key", "start", "area [m2]"]
    write_xlsx(tmp_path / "everything.xlsx", heading, ["L1", "2024-01-01", 5], sheet="用地面积 2024")
    write_xlsx(tmp_path / "land_area 2025.xlsx", heading, ["L2", "2025-01-01", 6], sheet="Sheet1")
    write_csv(tmp_path / "用地面积.CSV", "key,start,area [m2]", "L3,2026-01-01,7")
    (tmp_path / "~$land_area.xlsx").write_bytes(b"lock")
    (tmp_path / ".land_area.csv").write_bytes(b"hidden")
    (tmp_path / "photo.jpg").write_bytes(b"jpg")
    assert {row.key for row in read(tmp_path).book.land_areas} == {"L1", "L2", "L3"}
    write_csv(tmp_path / "stuff.csv", "a,b", "1,2")
    (tmp_path / "bill.xls").write_bytes(b"old")
    found = mistakes(tmp_path)
    assert found[0] == "bill.xls: .xls files are not read; save it as .xlsx or .csv"
    assert found[1].startswith("stuff.csv: of which kind is it? Start the name of file or sheet with one of bill, ")


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ActivityError, match="no such folder"):
        read(tmp_path / "nowhere")


def test_a_folder_without_files_is_a_slip(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    assert "holds no .csv or .xlsx file" in mistakes(tmp_path)[0]


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_template_of_every_kind_reads_back_as_its_example(suffix: str, tmp_path: Path) -> None:
    for template in TEMPLATES:
        write_template(template, tmp_path / f"{template.kind}.{suffix}")
    assert len(mistakes(tmp_path)) == len(TEMPLATES)
    assert all("is the template's example, delete its row" in found for found in mistakes(tmp_path))


def test_every_kind_has_a_template_whose_columns_fill_its_row(tmp_path: Path) -> None:
    assert {template.row for template in TEMPLATES} == set(KINDS.values())
    for template in TEMPLATES:
        cells = [column.example for column in template.columns]
        cells[0] = "GEC-0001" if template.kind == "certificate" else "K1"
        if template.kind == "certificate":
            cells[1] = "100"
        write_csv(
            tmp_path / f"{template.kind}.csv",
            csv_line([column.heading for column in template.columns]),
            csv_line(cells),
        )
        own = {field.name for field in fields(template.row)} - {"place", "written"}
        assert {column.target for column in template.columns} - {""} == own
    book = read(tmp_path).book
    assert [len(book.of_kind(kind)) for kind in KINDS] == [1] * len(KINDS)
    assert book.bills[0].start == date(2025, 5, 26)


def test_notes_sheet_of_a_template_is_not_data(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "land_area.xlsx", ["anything"], sheet=NOTES_SHEET)
    assert mistakes(tmp_path) == []


def test_files_are_named_with_hash_encoding_and_rows(tmp_path: Path) -> None:
    write_csv(tmp_path / "bill.csv", BILL, "B1,entry,2025-05-26,2025-06-25,1")
    imported = read_activities(tmp_path, CHINA)
    [file] = imported.files
    assert (file.name, file.encoding, file.rows) == ("bill.csv", "utf-8", 1)
    assert len(file.sha256) == len("0" * 64)
    assert imported.file_of(imported.book.bills[0]) is file
