"""Whole evaluations with the fake environment: resume, retries, two runners; failures are in test_faults.py."""

import json
from collections import Counter

import pytest
from fake_driving import configuration, row, settings

from sim2real_bench.errors import ConfigurationError, RecordError, SimulatorError
from sim2real_bench.evaluation.plan import make_plan, read_plan
from sim2real_bench.evaluation.records import Outcome, RecordLog, read_records
from sim2real_bench.evaluation.runner import evaluate


class Watcher:
    """Remembers what the runner told it."""

    def __init__(self):
        self.resumed, self.attempts = None, []

    def begin(self, plan, finished):
        self.resumed = len(finished)

    def attempt(self, record):
        self.attempts.append(record)


def records_of(folder):
    return read_records(folder / "episodes.jsonl")


def finished_keys(folder):
    return Counter(record.key for record in records_of(folder) if record.finished)


def test_an_evaluation_from_plan_to_table(tmp_path):
    watcher = Watcher()
    table = evaluate(settings(tmp_path, options={"folder": str(tmp_path)}), watcher)
    plan = read_plan(tmp_path / "plan.json")
    assert plan == make_plan(configuration(), spawn_count=7)
    assert watcher.resumed == 0
    assert len(watcher.attempts) == plan.planned == 30
    assert set(finished_keys(tmp_path).values()) == {1}
    assert table.complete
    assert json.loads((tmp_path / "table.json").read_text())["plan_sha256"] == plan.sha256
    assert {"table.md", "table.csv"} <= {path.name for path in tmp_path.iterdir()}
    record = records_of(tmp_path)[0]
    assert record.backend == "embedded"
    assert record.versions["simulator"] == "fake 1.0"
    # One worker, rows one after the other: one environment for both rows that see the same.
    (pid_file,) = tmp_path.glob("pid-*")
    assert json.loads(pid_file.read_text()) == ["rgb"]
    assert list(tmp_path.glob("closed-*"))


def test_rows_are_paired_by_episode(tmp_path):
    evaluate(settings(tmp_path))
    by_row = {}
    for record in records_of(tmp_path):
        key = record.key
        by_row.setdefault(key.method, set()).add((key.controller, key.spawn_index, key.weather, key.seed))
    assert len(by_row) == 3
    assert len({frozenset(episodes) for episodes in by_row.values()}) == 1


def test_a_finished_folder_is_not_driven_again(tmp_path):
    evaluate(settings(tmp_path))
    before = (tmp_path / "episodes.jsonl").read_bytes()
    watcher = Watcher()
    evaluate(settings(tmp_path, options={"refuses": "no environment may be made"}), watcher)
    assert watcher.resumed == 30
    assert watcher.attempts == []
    assert (tmp_path / "episodes.jsonl").read_bytes() == before


def test_two_runners_in_one_folder(tmp_path):
    with RecordLog(tmp_path), pytest.raises(RecordError, match="another run is writing"):
        evaluate(settings(tmp_path))
    evaluate(settings(tmp_path))


def test_another_plan_in_the_folder_is_refused(tmp_path):
    evaluate(settings(tmp_path, episodes=1))
    with pytest.raises(RecordError, match=r"episodes_per_controller: 1 there, 2 asked for.*--out"):
        evaluate(settings(tmp_path, episodes=2))


def test_records_of_another_plan_are_refused(tmp_path):
    evaluate(settings(tmp_path, episodes=1))
    (tmp_path / "plan.json").unlink()
    with pytest.raises(RecordError, match="another plan"):
        evaluate(settings(tmp_path, episodes=1, seed=3))


def seeds():
    return [str(e.seed) for e in make_plan(configuration(episodes=2), 7).episodes[:2]]


def test_retries_are_bounded_and_the_row_stays_incomplete_and_unranked(tmp_path):
    out, pids = tmp_path / "out", tmp_path / "pids"
    pids.mkdir()
    faults = {seeds()[1]: ["error", 14]}
    rows = (row("direct"),)
    wanted = settings(out, options={"folder": str(pids), "faults": faults}, rows=rows, workers=1)
    table = evaluate(wanted)
    attempts = Counter(record.key for record in records_of(out) if not record.finished)
    assert sorted(attempts.values()) == [2, 3, 3, 3, 3]  # one start fails for all five controllers but the last time
    assert table.rows[0].episodes_finished == 6
    assert table.rows[0].rank is None
    assert not table.complete
    resumed = evaluate(wanted)
    assert resumed.complete
    assert resumed.rows[0].rank == 1
    assert max(record.attempt for record in records_of(out)) == 4


def test_a_simulator_that_never_works_ends_the_run(tmp_path):
    out, pids = tmp_path / "out", tmp_path / "pids"
    pids.mkdir()
    options = {"folder": str(pids), "faults": {seed: ["error", 1000] for seed in seeds()}}
    with pytest.raises(SimulatorError, match=r"9 infrastructure failures in a row.*went away"):
        evaluate(settings(out, options=options))
    assert len(records_of(out)) == 9
    assert (out / "table.json").exists()


def test_what_the_user_must_mend_ends_the_run_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match="weights do not fit"):
        evaluate(settings(tmp_path / "a", rows=(row("unbuildable"),)))
    with pytest.raises(ConfigurationError, match="no such town"):
        evaluate(settings(tmp_path / "b", options={"refuses": "no such town"}))
    assert records_of(tmp_path / "b") == []


def test_off_road_and_stuck_are_told_apart(tmp_path):
    rows = (row("leaves-road"), row("parked"))
    table = evaluate(settings(tmp_path, rows=rows, episodes=1, horizon=700))
    assert set(table.rows[1].outcomes) == {"stuck"}
    assert table.rows[1].distance_m.mean == 0.0
    assert Outcome.HORIZON not in table.rows[0].outcomes
    assert table.rows[0].off_road_share > 0
