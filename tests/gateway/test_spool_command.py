"""`shutan spool` beside a running gateway and without one: a lost store is filled again from the spool."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shutan_gateway import cli
from shutan_gateway.counters import Counters
from shutan_gateway.deliver.dead_letters import DeadLetters, row_letter
from shutan_gateway.stores.sqlite.schema import list_series, open_readonly, read_series
from support.balance import pending
from support.field_nodes import Field
from support.gateway_process import gateway_process
from support.servers import Server, wait_until
from support.store_rows import row

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `shutan spool` in this process: exit code, stdout, stderr."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        code = cli.main(["spool", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def rows_in(path: Path) -> dict[tuple[object, ...], tuple[object, ...]]:
    with closing(open_readonly(path)) as conn:
        metrics = ("active_energy_import_wh", "active_power_w", "record", "boot", "received_ms")
        return {
            (*series[1:5], values[0]): values[1:]
            for series in list_series(conn)
            for values in read_series(conn, series, metrics, 0, 2**63 - 1)
        }


def status(run: Run, config: Path) -> Any:  # JSON
    code, out, err = run("status", "-c", config, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.mark.flow
def test_a_lost_store_is_filled_again_from_the_spool(mosquitto: Server, tmp_path: Path, run: Run) -> None:
    config, store = tmp_path / "gateway.toml", tmp_path / "series.sqlite"
    with Field(mosquitto.port, count=2, rate=200) as field, gateway_process(tmp_path, mosquitto.port) as gateway:
        wait_until(lambda: field.acked > 100, 60, "acknowledgements flow")
        field.finish(60)
        wait_until(lambda: pending(gateway) == 0, 60, "everything delivered")
        # The registry has the positions of a second ago at most, /metrics those of this moment.
        wait_until(lambda: status(run, config)["stores"][0]["pending"] == 0, 30, "the position is committed")
        found = status(run, config)
        assert found["end"] - found["first"] == gateway.number("shutan_accepted_total") >= field.sampled
        assert [(one["name"], one["pending"], one["oldest_pending_ms"]) for one in found["stores"]] == [
            ("local", 0, None)
        ]
        before = rows_in(store)
        code, out, _ = run("replay", "-c", config, "-s", "local", "--from", "2020-01-01", "--json")
        assert (code, json.loads(out)["refused_rows"]) == (0, {})
        assert rows_in(store) == before, "a replay beside the gateway changes nothing that is there"
    for path in tmp_path.glob("series.sqlite*"):
        path.unlink()
    code, out, err = run("replay", "-c", config, "-s", "local", "--from", "2020-01-01")
    assert code == 0, err
    assert "rows of" in out
    assert rows_in(store) == before


def write_config(folder: Path) -> Path:
    path = folder / "gateway.toml"
    path.write_text('[gateway]\ndata_dir = "data"\n[[store]]\nkind = "sqlite"\nname = "local"\npath = "s.sqlite"\n')
    return path


def test_mistakes_are_one_line(tmp_path: Path, run: Run) -> None:
    config = write_config(tmp_path)
    for arguments, code, said in [
        (("status", "-c", config), 1, "was a gateway ever started here"),
        (("replay", "-c", config, "-s", "local", "--from", "2026-11-01"), 1, "was a gateway ever started here"),
        (("replay", "-c", config, "-s", "other", "--from", "2026-11-01"), 1, "accepted: one of: local"),
        (("replay", "-c", config, "-s", "local", "--from", "soon"), 2, "a time such as 2026-11-23T08:00"),
        (("replay", "-c", config, "-s", "local", "--from", "2026-11-02", "--to", "2026-11-01"), 2, "before --to"),
        (("dead", "list", "-c", config, "-s", "other"), 1, "accepted: one of: local"),
    ]:
        found, out, err = run(*arguments)
        assert (found, out) == (code, "")
        assert said in err
        assert err.count("\n") == 1


def test_dead_letters_are_listed_and_retried(tmp_path: Path, run: Run) -> None:
    config = write_config(tmp_path)
    (tmp_path / "data").mkdir()
    from shutan_gateway.registry.state import State

    State.open(tmp_path / "data" / "registry.sqlite").close()
    assert run("dead", "list", "-c", config, "-s", "local")[1] == "local: no dead letters\n"
    letters = DeadLetters(tmp_path / "data" / "dead", "local", Counters(), file_bytes=10**6, files=2)
    letters.write([row_letter(row({"x_f": n / 2}, at=n), "type conflict: it was an integer") for n in range(3)])
    code, out, _ = run("dead", "list", "-c", config, "-s", "local")
    assert (code, out.split()) == (0, ["3", "row", "type", "conflict"])
    assert len(json.loads(run("dead", "list", "-c", config, "-s", "local", "--json")[1])["letters"]) == 3
    code, out, _ = run("dead", "retry", "-c", config, "-s", "local")
    assert (code, out) == (0, "local: 3 letters stored, 0 refused again\n")
    assert run("dead", "retry", "-c", config, "-s", "local", "--json")[1] == (
        '{"store": "local", "stored": 0, "refused": 0, "strange": 0}\n'
    )
