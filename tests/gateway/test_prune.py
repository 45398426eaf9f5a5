"""Births that nothing needs leave the registry; what a record, a dead letter or a live device needs stays."""

from pathlib import Path

from shutan_gateway.counters import Counters
from shutan_gateway.deliver.dead_letters import DeadLetters, record_letter
from shutan_gateway.registry.state import SchemaRow, SessionRow, State
from shutan_gateway.spool.log import DATA, Spool, SpoolRecord
from shutan_gateway.upkeep.prune import prune


def schema(device: str, version: int) -> SchemaRow:
    return SchemaRow("plant", "n01", device, f'[["metric {version}", 1, 9]]')


def record(schema_id: int, session_id: int) -> SpoolRecord:
    return SpoolRecord(DATA, schema_id, session_id, 1, 1_795_000_000_000, 0, b"raw")


def test_only_what_nothing_needs_goes(tmp_path: Path) -> None:
    state = State.open(tmp_path / "registry.sqlite")
    ids = {(device, n): state.schema_id(schema(device, n)) for n in range(20) for device in ("m1", "m2")}
    sessions = [state.session_id(SessionRow("plant", "n01", 7, boot)) for boot in range(10)]
    state.flush()
    spool = Spool.open(tmp_path / "spool", segment_bytes=65_536, max_bytes=2**20, counters=Counters())
    spool.append_batch([record(ids["m1", 3], sessions[2]), record(ids["m1", 4], 0)])
    spool.sync()
    letters = DeadLetters(tmp_path / "dead", "local", Counters(), file_bytes=10**6, files=2)
    letters.write([record_letter(record(ids["m2", 5], sessions[4]), "no_schema: gone")])
    assert prune(state, tmp_path, many=41) == 0, "a small registry is left alone"
    assert state.births() == 40
    assert prune(state, tmp_path, many=40) == 35
    needed = {("m1", 3), ("m1", 4), ("m2", 5), ("m1", 19), ("m2", 19)}
    assert {key for key, number in ids.items() if state.schema(number) is not None} == needed
    assert [n for n in sessions if state.session(n) is not None] == [sessions[2], sessions[4], sessions[9]]
    assert prune(state, tmp_path, many=1) == 0
    # A birth that was forgotten and comes again gets a number that nothing ever had.
    again = state.schema_id(schema("m1", 0))
    assert again > max(ids.values())
    spool.close()
    state.close()
    state = State.open(tmp_path / "registry.sqlite")
    assert state.schema_id(schema("m2", 19)) == ids["m2", 19]
    state.close()
