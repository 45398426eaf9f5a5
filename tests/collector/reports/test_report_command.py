"""`shutan report energy` as a user runs it: tables, JSON, and one clear line for everything that is wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shutan_collector.commands.report import EXIT_MISTAKE, EXIT_RETRY, app
from support.accounting import SITE, fill_sqlite, rows, steady
from support.servers import HOST, Server

WH = "active_energy_import_wh"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site file and a store with one day of three meters."""
    path = tmp_path_factory.mktemp("report")
    (path / "site.toml").write_text(SITE, encoding="utf-8")
    batch = rows("n01", "m-entry", WH, steady("2026-06-01", 24, 600_000))
    batch += rows("n02", "m-bottling", WH, steady("2026-06-01", 24, 36_000))
    batch += rows("n03", "g-boiler", "gas_volume_l", steady("2026-06-01", 24, 12_348))
    fill_sqlite(path / "series.db", [batch])
    return path


Run = Callable[..., Result]


@pytest.fixture
def run(folder: Path) -> Run:
    """Run the command with good options, some of them replaced."""

    def run_with(*extra: str, **options: str) -> Result:
        given = {
            "from": "2026-06-01",
            "to": "2026-06-02",
            "site": str(folder / "site.toml"),
            "store": f"sqlite:{folder / 'series.db'}",
            "as-of": "2026-06-30",
        } | {key.replace("_", "-").strip("-"): value for key, value in options.items()}
        arguments = [part for key, value in given.items() for part in (f"--{key}", value)]
        return CliRunner().invoke(app, ["energy", *arguments, *extra], env={"COLUMNS": "160"})

    return run_with


def test_json_of_a_day(run: Run) -> None:
    result = run("--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    document = json.loads(result.stdout)
    totals = {meter["id"]: meter["total"]["consumption"] for meter in document["meters"]}
    assert totals == {
        "entry": {"value": 14_400_000, "unit": "Wh"},
        "bottling": {"value": 864_000, "unit": "Wh"},
        "boiler-gas": {"value": 296_352, "unit": "L"},
    }
    assert document["complete"] is True
    assert document["factors_as_of"] == "2026-06-30"
    assert [len(meter["periods"]) for meter in document["meters"]] == [24] * 3


@pytest.mark.parametrize(("period", "count"), [("15min", 96), ("hour", 24), ("day", 1), ("month", 1)])
def test_every_period(run: Run, period: str, count: int) -> None:
    document = json.loads(run("--json", "--period", period).stdout)
    assert [len(meter["periods"]) for meter in document["meters"]] == [count] * 3
    assert document["carbon"]["scope2_location"]["value"] == 2_252_160


def test_tables_of_a_day(run: Run) -> None:
    result = run()
    assert result.exit_code == 0
    for said in ("Grid entry 总进线", "14400.000", "2252.160", "暂用", "06-01 23:00"):
        assert said in result.stdout


def test_the_same_request_gives_the_same_bytes(run: Run) -> None:
    assert run("--json").stdout == run("--json").stdout


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        ({"_from": "2026-06-31"}, "--from: '2026-06-31' is not a date", EXIT_MISTAKE),
        ({"to": "tomorrow"}, "--to: 'tomorrow' is not a date", EXIT_MISTAKE),
        ({"as_of": "June"}, "--as-of: 'June' is not a date", EXIT_MISTAKE),
        ({"to": "2026-06-01"}, "--to: 2026-06-01T00:00:00+08:00 is not after --from", EXIT_MISTAKE),
        ({"site": "/nonexistent/site.toml"}, "/nonexistent/site.toml: file: no such site file", EXIT_MISTAKE),
        ({"store": "series.db"}, "--store: 'series.db' is not a store address", EXIT_MISTAKE),
        ({"store": "oracle:x"}, "--store: 'oracle:x' is not a store address", EXIT_MISTAKE),
        ({"store": "sqlite:/nonexistent/series.db"}, "sqlite:/nonexistent/series.db: no such file", EXIT_MISTAKE),
        ({"store": f"influxdb1:http://{HOST}:1/db"}, "does not answer", EXIT_RETRY),
        ({"as_of": "2023-01-01"}, "co2_average for CN-SC 2026: no factor of this or an earlier year", EXIT_MISTAKE),
    ],
)
def test_a_mistake_is_one_line(run: Run, options: dict[str, str], said: str, code: int) -> None:
    result = run(**options)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("shutan report: ")
    assert said in result.stderr
    assert isinstance(result.exception, SystemExit)


def test_three_mistakes_in_a_site_file_are_three_lines(run: Run, tmp_path: Path) -> None:
    text = SITE.replace('region = "CN-SC"', 'region = "Sichuan"').replace('role = "sub"', 'role = "subject"')
    text = text.replace('metric = "gas_volume_l"', 'metric = "gas_volume"')
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    result = run(site=str(tmp_path / "site.toml"))
    assert result.exit_code == EXIT_MISTAKE
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    for key in ("site.region", "meter[2] bottling.role", "meter[3] boiler-gas.metric"):
        assert any(key in line for line in lines)


def test_help_names_every_option() -> None:
    text = CliRunner().invoke(app, ["energy", "--help"], env={"COLUMNS": "160"}).stdout
    for option in ("--from", "--to", "--site", "--store", "--period", "--estimate", "--as-of", "--json"):
        assert option in text


@pytest.mark.flow
def test_from_influxdb_as_from_sqlite(run: Run, influxd: Server, influx_database: str) -> None:
    batch = [
        ("n01", "m-entry", WH, 600_000),
        ("n02", "m-bottling", WH, 36_000),
        ("n03", "g-boiler", "gas_volume_l", 12_348),
    ]
    lines = [
        f"energy,device={device},node={node},site=jiuniang {metric}={value}i {t_ns}"
        for node, device, metric, per_hour in batch
        for t_ns, value in steady("2026-06-01", 24, per_hour)
    ]
    influxd.post("/write", "\n".join(lines).encode(), db=influx_database)
    result = run("--json", store=f"influxdb1:{influxd.url}/{influx_database}")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == run("--json").stdout


@pytest.mark.flow
def test_the_shutan_command_prints_utf8_into_a_pipe(folder: Path) -> None:
    """A process of its own, output into a pipe, in a plain locale: Chinese names stay."""
    period = ["--from", "2026-06-01", "--to", "2026-06-02"]
    options = [*period, "--site", "site.toml", "--store", "sqlite:series.db", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "shutan_gateway.cli", "report", "energy", *options],
        cwd=folder,
        env={"LC_ALL": "C.UTF-8", "PATH": ""},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["site"]["name_zh"] == "九酿酒厂"


@pytest.mark.flow
def test_the_shutan_command_passes_the_exit_code_on(folder: Path) -> None:
    options = ["--from", "2026-06-31", "--to", "2026-06-02", "--site", "site.toml", "--store", "sqlite:series.db"]
    done = subprocess.run(
        [sys.executable, "-m", "shutan_gateway.cli", "report", "energy", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == EXIT_MISTAKE
    assert done.stderr == (
        "shutan report: --from: '2026-06-31' is not a date; "
        "give 2026-06-01, 2026-06-01T08:00 or 2026-06-01T08:00+08:00\n"
    )
