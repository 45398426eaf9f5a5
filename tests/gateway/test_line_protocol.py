"""Line protocol: what is written is what an independent reader reads, and no name or text can become anything else."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.payload.shape_lanes import SoundNames
from shutan_gateway.rows import Row, Value
from shutan_gateway.stores.influxdb.line import LineEncoder, RowFault, coded, device_of, name_of
from support.line_parser import parse_lines
from support.store_rows import T0_NS, row

# Signs with a meaning somewhere in the protocol come often, so that short examples hit their combinations.
NASTY = st.text(
    st.one_of(st.sampled_from('\\",= \n\r\t#%25%5Cu\x00i-é网'), st.characters(exclude_categories=["Cs"])), min_size=1
)
NAMES = NASTY.map(lambda name: name + "_f")
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.one_of(st.sampled_from('\\", =\n#'), st.characters(exclude_categories=["Cs"]))),
)


def sound(names: list[str], integers: list[bool]) -> SoundNames:
    made = SoundNames(names)
    made.integers = tuple(integers)
    return made


SOUND = [
    sound(["active_power_w"], [False]),
    sound(["active_energy_import_wh", "active_power_w"], [True, False]),
    sound([f"x{place}_f" for place in range(40)], [place % 4 == 0 for place in range(40)]),
]


def lines(*rows: Row, mirror: bool = False) -> str:
    encoder = LineEncoder(mirror=mirror)
    return b"\n".join([encoder.line(one) for one in rows]).decode()


@given(
    st.lists(
        st.tuples(NASTY, NASTY, st.one_of(st.just(""), NASTY), st.dictionaries(NAMES, VALUES, min_size=1, max_size=5)),
        min_size=1,
        max_size=4,
    )
)
def test_any_names_and_values_come_back_as_they_were(drawn: list[tuple[str, str, str, dict[str, Value]]]) -> None:
    rows = [row(values, site=site, node=node, device=device) for site, node, device, values in drawn]
    points = parse_lines(lines(*rows))
    assert len(points) == len(rows), "a name or text started another line"
    for point, one in zip(points, rows, strict=True):
        assert set(point.tags) == {"device", "node", "site"}, "a name became a tag"
        assert (name_of(point.tags["site"]), name_of(point.tags["node"])) == (one.site, one.node)
        assert device_of(point.tags["device"]) == one.device
        assert point.time_ns == one.t_ns
        fields = {name_of(name): value for name, value in point.fields.items()}
        assert (fields.pop("record"), fields.pop("boot"), fields.pop("received_ms")) == (1, 5, one.received_ms)
        expected = dict(zip(one.metrics, one.values, strict=True))
        assert fields == expected
        assert {name: type(value) for name, value in fields.items()} == {n: type(v) for n, v in expected.items()}


@given(NASTY, NASTY)
def test_two_names_never_become_one(one: str, other: str) -> None:
    assert name_of(coded(one)) == one
    assert (coded(one) == coded(other)) == (one == other)


def test_the_node_itself_and_a_device_called_dash_stay_apart() -> None:
    node, dash = parse_lines(lines(row({"uptime_s": 1}, device=""), row({"uptime_s": 1}, device="-")))
    assert node.tags["device"] == "-"
    assert dash.tags["device"] != "-"
    assert device_of(dash.tags["device"]) == "-"


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float32_gauges_keep_every_bit(value: float) -> None:
    for mirror in (False, True):
        text = lines(row({"active_power_w": value}), mirror=mirror)
        (point,) = parse_lines(text)
        assert struct.pack("<f", point.fields["active_power_w"]) == struct.pack("<f", value)
        if mirror:
            assert len(text.split("active_power_w=")[1].split(",")[0]) <= len("-1.23456789e-38")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_keep_every_bit_under_any_name(value: float) -> None:
    (point,) = parse_lines(lines(row({"active_power_w": value, "tank_level_f": value})))
    assert struct.pack("<d", point.fields["tank_level_f"]) == struct.pack("<d", value)
    assert struct.pack("<d", point.fields["active_power_w"]) == struct.pack("<d", value)


def test_a_row_is_one_wide_line_with_the_tags_of_the_contract() -> None:
    one = row(
        {"active_energy_import_wh": 2**62, "active_power_w": 230.5, "on_b": True}, qualities={"active_power_w": 0}
    )
    assert lines(one) == (
        "energy,device=m-entry,node=n01,site=jiuniang active_energy_import_wh=4611686018427387904i,"
        f"active_power_w=230.5,on_b=True,active_power_w_q=0i,record=1i,boot=5i,received_ms={one.received_ms}i {T0_NS}"
    )


def test_foreign_rows_have_no_record_and_no_boot() -> None:
    (point,) = parse_lines(lines(row({"x_f": 1.5}, record=None, boot=None)))
    assert set(point.fields) == {"x_f", "received_ms"}


def test_a_quality_without_a_value_is_kept() -> None:
    (point,) = parse_lines(lines(row({}, qualities={"active_power_w": 500})))
    assert point.fields["active_power_w_q"] == 500


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (row({"x_f": math.nan}), "number: x_f"),
        (row({"x_f": -math.inf}), "number: x_f"),
        (row({"x_i": 2**63}), "range: x_i"),
        (row({"x_i": -(2**63) - 1}), "range: x_i"),
        (row({"x_s": "\ud800"}), "text: x_s"),
        (row({"\ud800_f": 1.0}), "name: "),
        (row({"record": 1}), "name: 'record'"),
        (row({"time": 1}), "name: 'time'"),
        (row({"": 1}), "name: ''"),
        (row({"x_q": 1}), "name: "),
        (row({}), "empty: "),
        (row({"x_f": 1.0}, site=""), "id: "),
        (row({"x_f": 1.0}, node="\ud800"), "id: "),
        (row({"x_f": 1.0})._replace(values=(None,)), "type: x_f"),
        (row({"x_f": 1.0})._replace(values=(1.0, 2.0)), "shape: "),
        (row({"x_f": 1.0})._replace(t_ns=2**63), "time: "),
        (row({"x_f": 1.0}, record=2**63), "range: record"),
        (row({"x_f": 1.0}, qualities={"x_f": 2**64}), "range: quality of x_f"),
    ],
)
def test_a_row_that_no_store_takes_is_refused_with_its_reason(one: Row, reason: str) -> None:
    encoder = LineEncoder()
    for _ in range(2):  # the second time from the caches
        with pytest.raises(RowFault, match=reason):
            encoder.line(one)
    assert encoder.line(row({"x_f": 1.0}))


@given(
    st.lists(st.one_of(st.integers(0, 2**56 - 1), st.floats(allow_nan=False, allow_infinity=False)), min_size=1),
    st.one_of(st.none(), st.integers(1, 2**63 - 1)),
    st.one_of(st.none(), st.integers(0, 2**64 - 1)),
    NASTY,
)
def test_the_fast_line_and_the_general_line_are_the_same_point(
    values: list[Value], record: int | None, boot: int | None, text: str
) -> None:
    names = SoundNames(f"{text}{place}_f" for place in range(len(values)))
    names.integers = tuple(isinstance(value, int) for value in values)
    general = row(dict(zip(names, values, strict=True)), device=text, record=record, boot=boot)
    encoder = LineEncoder()
    for _ in range(2):  # the second time from the caches
        fast = encoder.line(general._replace(metrics=names))
        points = [parse_lines(text) for text in (fast.decode(), lines(general))]
        for (point,) in points:
            point.fields.update(sorted((name, point.fields.pop(name)) for name in list(point.fields)))
        assert repr(points[0]) == repr(points[1])


def test_a_body_is_its_lines_in_any_mixture_of_names_and_devices() -> None:
    rows: list[Row] = []
    for n in range(200):
        names = SOUND[n % 3]
        values = [n * 0.1 if not integer else 3**n % 2**50 for integer in names.integers]
        one = row(dict(zip(names, values, strict=True)), device=f"d{n % 7}", at=n, record=None if n % 5 == 0 else n)
        rows.append(one._replace(metrics=names))
    encoder = LineEncoder()
    body = encoder.body(rows)
    assert body is not None
    assert sorted(body.splitlines()) == sorted(encoder.line(one) for one in rows)
    assert body.endswith(b"\n")
    assert encoder.body([*rows, row({"x_s": "text"})]) is None
    assert encoder.body([rows[0]._replace(site="")]) is None, "the general way says why"
    assert LineEncoder(mirror=True).body(rows) is None


def test_huge_sound_numbers_pass_though_their_sum_overflows() -> None:
    (point,) = parse_lines(lines(row({"a_f": 1.7e308, "b_f": 1.7e308})))
    assert point.fields["b_f"] == 1.7e308


def test_a_mirror_gets_only_what_it_keeps_and_the_rest_is_counted() -> None:
    encoder = LineEncoder(mirror=True)
    one = row({"a_s": "text", "b_i": 2**53 + 1, "c_i": 2**53, "d_f": 0.1, "e_b": True})
    (point,) = parse_lines(encoder.line(one).decode())
    assert point.fields == {"c_i": 2**53, "d_f": 0.1, "e_b": True, "record": 1, "received_ms": one.received_ms}
    assert encoder.omitted == 2
    (point,) = parse_lines(encoder.line(row({"a_s": "text"})).decode())
    assert set(point.fields) == {"record", "received_ms"}
    assert encoder.omitted == 3


def test_caches_stay_bounded_and_right() -> None:
    encoder = LineEncoder(shapes=8, heads=8)
    for n in range(100):
        (point,) = parse_lines(encoder.line(row({f"x{n}_i": n}, device=f"d{n}")).decode())
        assert (point.tags["device"], point.fields[f"x{n}_i"]) == (f"d{n}", n)
    assert len(encoder) <= 8 + 3 * 8
