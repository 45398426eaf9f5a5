"""Documents of the month made by hand that no meter counts, each with its line; instruments for the bought power."""

from fractions import Fraction
from typing import Any

from support.evidence_ledger import Documents
from support.evidence_meters import add_meters
from support.evidence_month import END_NS, MONTH, START_NS, Month

__all__ = ["hand_made_month"]

F = Fraction


def hand_made_month() -> Documents:
    """The documents of 2025-06: every formula, every kind of break, an estimate, gaps, and certificates."""
    month = Month()
    add_meters(month)
    _fuels(month)
    _process(month)
    _gases(month)
    _heat(month)
    _rest(month)
    _market(month)
    return month.finish()


def _movement(key: str, fuel: str, day: str, direction: str, quantity: str) -> dict[str, Any]:
    return {
        "key": key, "fuel": fuel, "day": f"{MONTH}-{day}", "direction": direction, "quantity": quantity, "unit": "t",
        "supplier": "", "written": "",
    }  # fmt: skip


def _fuels(month: Month) -> None:
    month.rows(
        "fuel_movement",
        _movement("D1", "diesel", "01", "opening_stock", "1.25"),
        _movement("D2", "diesel", "12", "purchase", "3.402"),
        _movement("D3", "diesel", "20", "transfer_out", "0.4"),
        _movement("D4", "diesel", "30", "closing_stock", "0.875"),
        _movement("C1", "bituminous", "03", "purchase", "60"),
        _movement("C2", "bituminous", "18", "purchase", "41.5"),
    )
    quality = {
        "fuel": "bituminous",
        "start": f"{MONTH}-01",
        "end": f"{MONTH}-30",
        "unit": "t",
        "laboratory": "",
        "written": "",
    }
    month.rows(
        "fuel_quality",
        {
            **quality,
            "key": "Q1",
            "batch": "1",
            "quantity": "60",
            "ncv": "21.4",
            "carbon_content": "25.9",
            "oxidation_rate": None,
        },
        {
            **quality,
            "key": "Q2",
            "batch": "2",
            "quantity": "41.5",
            "ncv": "20.95",
            "carbon_content": "26.31",
            "oxidation_rate": None,
        },
    )
    diesel = {"ncv": "FUELB-DIESEL-NCV", "cc": "FUELB-DIESEL-CC", "of": "FUELB-DIESEL-OF"}
    ncv, cc, of = (month.value(row) for row in diesel.values())
    burnt = F("1.25") + F("3.402") - F("0.4") - F("0.875")
    month.line(
        "activity:fuel_movement|scope1", "combustion.carbon_balance/1",
        burnt * ncv * cc * of * 44 / 12 / 100, [("fc", burnt, "t")], list(diesel.items()),
        activities=[f"fuel_movement/D{n}" for n in (1, 2, 3, 4)], name="fuel_movement/diesel",
    )  # fmt: skip
    mass = F("101.5")
    ncv = (60 * F("21.4") + F("41.5") * F("20.95")) / mass
    cc = (60 * F("25.9") + F("41.5") * F("26.31")) / mass
    month.line(
        "activity:fuel_movement|scope1", "combustion.carbon_balance/1",
        mass * ncv * cc * month.value("FUELB-BITUMINOUS-OF") * 44 / 12 / 100,
        [("fc", mass, "t"), ("ncv", ncv, "GJ/t"), ("cc", cc, "tC/TJ")], [("of", "FUELB-BITUMINOUS-OF")],
        activities=["fuel_movement/C1", "fuel_movement/C2", "fuel_quality/Q1", "fuel_quality/Q2"],
        marks=["estimated"], name="fuel_movement/bituminous",
    )  # fmt: skip


def _process(month: Month) -> None:
    month.rows(
        "process_input",
        {"key": "P1", "material": "calcium_carbonate", "day": f"{MONTH}-10", "mass_t": "12.5", "purity": "0.953",
         "conversion": "0.98", "written": ""},
    )  # fmt: skip
    month.line(
        "activity:process_input|scope1", "process.mass/1",
        F("12.5") * F("0.953") * F("0.98") * month.value("PROC-CACO3") * 1000,
        [("mass", F("12.5"), "t"), ("purity", F("0.953"), "1"), ("conversion", F("0.98"), "1")],
        [("ef", "PROC-CACO3")], activities=["process_input/P1"],
    )  # fmt: skip
    month.rows(
        "clinker",
        {"key": "K1", "day": f"{MONTH}-30", "mass_t": "310.7", "cao": "0.652", "mgo": "0.021",
         "cao_non_carbonate": "0.004", "mgo_non_carbonate": "0.001", "written": ""},
    )  # fmt: skip
    month.line(
        "activity:clinker|scope1", "process.clinker/1",
        F("310.7") * (F("0.648") * 44 / 56 + F("0.02") * 44 / 40) * 1000,
        [("mass", F("310.7"), "t"), ("cao", F("0.652"), "1"), ("cao_nc", F("0.004"), "1"), ("mgo", F("0.021"), "1"),
         ("mgo_nc", F("0.001"), "1")],
        activities=["clinker/K1"],
    )  # fmt: skip


def _gases(month: Month) -> None:
    spare = {"opening_kg": "0", "bought_kg": "0", "closing_kg": "0", "recovered_kg": "0", "topped_up_kg": "0"}
    span = {"equipment": "chiller", "start": f"{MONTH}-01", "end": f"{MONTH}-30"}
    balance = {"opening_kg": "40", "bought_kg": "13.5", "closing_kg": "38.2", "recovered_kg": "1.05"}
    # A quarter's balance: 30 of 91 days are June's.
    quarter = {**span, "start": "2025-04-01"}
    month.rows(
        "refrigerant",
        {**spare, **quarter, **balance, "key": "R1", "gas": "hfc-134a", "method": "stock_balance"},
        {**spare, **span, "key": "R2", "gas": "sf6", "method": "top_up", "topped_up_kg": "0.333"},
    )
    share = F(30, 91)
    inputs = [(name.removesuffix("_kg"), F(value) * share, "kg") for name, value in balance.items()]
    lost = (40 + F("13.5") - F("38.2") - F("1.05")) * share
    month.line(
        "activity:refrigerant|scope1", "fugitive.stock_balance/1", lost, inputs,
        [("gwp", "GWP-HFC-134A-AR5")], gas="hfc-134a", gwp=month.value("GWP-HFC-134A-AR5"),
        activities=["refrigerant/R1"],
    )  # fmt: skip
    month.line(
        "activity:refrigerant|scope1", "fugitive.top_up/1", F("0.333"),
        [("topped_up", F("0.333"), "kg")], [("gwp", "GWP-SF6-AR5")], gas="sf6", gwp=month.value("GWP-SF6-AR5"),
        activities=["refrigerant/R2"],
    )  # fmt: skip


def _heat(month: Month) -> None:
    span = {"start": f"{MONTH}-01", "end": f"{MONTH}-30", "supplier": "", "written": ""}
    none = {"heat_gj": None, "mass_t": None, "enthalpy_kj_per_kg": None, "temperature_c": None}
    month.rows(
        "heat_purchase",
        {**none, **span, "key": "H1", "form": "heat", "heat_gj": "512.25"},
        {**none, **span, "key": "H2", "form": "steam", "mass_t": "33.1", "enthalpy_kj_per_kg": "2801"},
        {**none, **span, "key": "H3", "form": "hot_water", "mass_t": "77.7", "temperature_c": "85.5"},
    )
    ef, deduction = month.value("HEAT-CN"), month.value("HEAT-STEAM-SATREF")
    month.line(
        "activity:heat_purchase|scope2_heat", "heat.energy/1", F("512.25") * ef * 1000,
        [("heat", F("512.25"), "GJ")], [("ef", "HEAT-CN")], activities=["heat_purchase/H1"],
    )  # fmt: skip
    month.line(
        "activity:heat_purchase|scope2_heat", "heat.steam_mass/1", F("33.1") * (2801 - deduction) * ef,
        [("mass", F("33.1"), "t"), ("enthalpy", 2801, "kJ/kg")],
        [("deduction", "HEAT-STEAM-SATREF"), ("ef", "HEAT-CN")], activities=["heat_purchase/H2"],
    )  # fmt: skip
    month.line(
        "activity:heat_purchase|scope2_heat", "heat.hot_water/1", F("77.7") * F("65.5") * F("4.1868") * ef,
        [("mass", F("77.7"), "t"), ("temperature", F("85.5"), "Cel")], [("ef", "HEAT-CN")],
        activities=["heat_purchase/H3"],
    )  # fmt: skip


def _rest(month: Month) -> None:
    month.rows("fermentation", {"key": "E1", "day": f"{MONTH}-15", "ethanol_t": "88.09", "written": ""})
    month.line(
        "activity:fermentation|memo_biogenic", "biogenic.fermentation/1",
        F("88.09") * 44 / 46 * 1000, [("ethanol", F("88.09"), "t")], activities=["fermentation/E1"],
    )  # fmt: skip
    month.rows(
        "wastewater",
        {"key": "W1", "start": f"{MONTH}-01", "end": f"{MONTH}-30", "cod_removed_kg": "90210.5",
         "sludge_cod_kg": "1200", "mcf": "0.8", "recovered_ch4_kg": "15000.25"},
    )  # fmt: skip
    bo = month.value("PROC-WW-BO")
    month.line(
        "activity:wastewater|scope1", "wastewater.ch4/1",
        (F("90210.5") - 1200) * bo * F("0.8") - F("15000.25"),
        [("cod_removed", F("90210.5"), "kg"), ("sludge", 1200, "kg"), ("recovered", F("15000.25"), "kg"),
         ("mcf", F("0.8"), "1")],
        [("bo", "PROC-WW-BO"), ("gwp", "GWP-CH4-AR5")], gas="ch4", gwp=month.value("GWP-CH4-AR5"),
        activities=["wastewater/W1"],
    )  # fmt: skip
    month.rows(
        "declared_missing",
        {"key": "DM-1", "meter": "m-gas", "start": f"{MONTH}-01", "end": f"{MONTH}-30", "method": "linear",
         "person": "李工", "reason": "modem out of order"},
    )  # fmt: skip


def _market(month: Month) -> None:
    bought = sum(flow[2] for flow in month.documents["readings/m-entry"]["flows"])
    span = {"vintage_start": "2025-01-01", "vintage_end": "2025-12-31", "technology": "wind", "written": ""}
    registry = {"registry": "GEC", "retired_on": "2025-12-20", "claimed_for": MONTH}
    month.rows(
        "certificate",
        {**span, **registry, "key": "GEC-1", "mwh": "10"},
        {**span, **registry, "key": "GEC-2", "mwh": "7.654321"},
        {**span, **registry, "key": "GEC-3", "mwh": "4", "claimed_for": ""},
    )
    month.rows(
        "power_contract",
        {"key": "PC-1", "start": f"{MONTH}-01", "end": f"{MONTH}-30", "mwh": "20", "supplier": "", "written": "",
         "kg_co2_per_kwh": "0.31"},
    )  # fmt: skip
    claims: list[list[Any]] = [["GEC-1", 10_000_000, MONTH], ["GEC-2", 7_654_321, MONTH], ["GEC-3", 2_500_000, MONTH]]
    # Green power came with a part of a certificate that is not claimed otherwise.
    green = {"written": "", "supplier": "", "certificate": "GEC-3", "month": MONTH}
    month.rows("green_power", {**green, "key": "G1", "mwh": "2"}, {**green, "key": "G2", "mwh": "0.5"})
    month.documents["claims"] = {"schema": "shutan.claims/1", "claims": claims}
    for key, energy_wh, _ in claims:
        papers = [f"certificate/{key}", *(["green_power/G1", "green_power/G2"] if key == "GEC-3" else [])]
        month.line(
            f"market:{key}|scope2_market", "electricity.instrument/1", F(0),
            [("energy", int(energy_wh), "Wh"), ("ef", 0, "kgCO2/kWh")], activities=papers, span=(START_NS, END_NS),
        )  # fmt: skip
    month.line(
        "market:contract/PC-1|scope2_market", "electricity.instrument/1", 20_000 * F("0.31"),
        [("energy", 20_000_000, "Wh"), ("ef", F("0.31"), "kgCO2/kWh")], activities=["power_contract/PC-1"],
    )  # fmt: skip
    rest = bought - 40_154_321
    ef = month.value("GRID-CN-2023-RES")
    month.line(
        "market:residual|scope2_market", "electricity.average/1", F(rest, 1000) * ef,
        [("energy", rest, "Wh")], [("ef", "GRID-CN-2023-RES")], marks=["provisional"],
    )  # fmt: skip
