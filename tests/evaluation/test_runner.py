"""Whole evaluations with the fake environment: kill and resume, retries, agent failures, two runners."""

import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from fake_driving import comparable, configuration, row, settings

from sim2real_bench.errors import ConfigurationError, RecordError, SimulatorError
from sim2real_bench.evaluation.plan import make_plan, read_plan
from sim2real_bench.evaluation.records import Outcome, RecordLog, read_records
from sim2real_bench.evaluation.runner import evaluate

PROGRAM = Path(__file__).with_name("fake_run.py")


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


def alive_workers(pids):
    numbers = [int(path.name.removeprefix("pid-")) for path in pids.glob("pid-*")]
    return [n for n in numbers if psutil.pid_exists(n) and psutil.Process(n).status() != psutil.STATUS_ZOMBIE]


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


def run_until_killed(out, pids, lines):
    """Start a run and SIGKILL it when its log has so many lines; False if it ended before."""
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parent)}
    process = subprocess.Popen([sys.executable, PROGRAM, out, "2", pids], env=environment)
    log = out / "episodes.jsonl"
    try:
        while process.poll() is None:
            if log.exists() and log.read_bytes().count(b"\n") >= lines:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return True
            time.sleep(0.002)
        return False
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_killed_anywhere_and_resumed_equals_an_uninterrupted_run(tmp_path):
    pids = tmp_path / "pids"
    pids.mkdir()
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    for lines in (0, 3, 24, 47):  # of 60; 0 is before or while the plan is made
        assert run_until_killed(broken, pids, lines)
        assert max(finished_keys(broken).values(), default=1) == 1
    with (broken / "episodes.jsonl").open("ab") as file:
        file.write(b'{"version":1,"key":{"bench')  # and a line torn by the last kill
    table = evaluate(settings(broken, workers=2, episodes=4))
    expected = evaluate(settings(whole, workers=1, episodes=4))
    assert table.complete
    assert sorted(finished_keys(broken).values()) == [1] * 60
    assert comparable(records_of(broken)) == comparable(records_of(whole))
    assert [r.distance_m for r in table.rows] == [r.distance_m for r in expected.rows]
    end = time.monotonic() + 20
    while alive_workers(pids) and time.monotonic() < end:
        time.sleep(0.1)
    assert alive_workers(pids) == []


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


@pytest.mark.parametrize(
    ("kind", "times", "text"),
    [
        ("kill", 2, "killed by SIGKILL"),
        ("exit", 1, "ended with 3"),
        ("error", 2, "SimulatorError: the fake server went away"),
        ("bug", 1, "ZeroDivisionError: a defect in the adapter"),
        ("hang", 1, "no sign of life"),
    ],
)
def test_infrastructure_failures_are_repeated_and_stay_visible(tmp_path, kind, times, text, caplog):
    out, pids = tmp_path / "out", tmp_path / "pids"
    pids.mkdir()
    options = {"folder": str(pids), "faults": {seeds()[1]: [kind, times]}}
    with caplog.at_level(logging.ERROR):
        table = evaluate(settings(out, options=options, rows=(row("direct"),), deadline_s=4.0))
    failed = [record for record in records_of(out) if not record.finished]
    assert len(failed) == times
    assert all(text in record.error for record in failed)
    failures = Counter(record.key for record in failed)
    finished = [record for record in records_of(out) if record.finished]
    assert all(record.attempt == 1 + failures[record.key] for record in finished)
    assert table.complete
    assert table.rows[0].infrastructure_failures == times


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


@pytest.mark.parametrize("method", ["raises", "nan", "shape"])
def test_agent_errors_count_as_results(tmp_path, method):
    table = evaluate(settings(tmp_path, rows=(row(method),), episodes=1))
    assert table.complete
    assert table.rows[0].outcomes == {"agent_error": 5}
    assert table.rows[0].infractions_per_km > 0
    assert all(record.attempt == 1 for record in records_of(tmp_path))


def test_an_agent_that_never_answers_is_its_own_failure(tmp_path):
    wanted = settings(tmp_path, rows=(row("hangs"),), episodes=1, deadline_s=4.0)
    one_controller = wanted.configuration.model_copy(update={"controllers": (2,)})
    table = evaluate(dataclasses.replace(wanted, configuration=one_controller))
    assert table.rows[0].outcomes == {"agent_error": 1}
    (record,) = records_of(tmp_path)
    assert "did not answer within" in record.error
    assert record.ticks == 4
    assert record.distance_m > 0


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


def test_an_interrupted_run_leaves_no_process(tmp_path):
    out, pids = tmp_path / "out", tmp_path / "pids"
    pids.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parent)}
    process = subprocess.Popen(
        [sys.executable, PROGRAM, out, "2", pids], env=environment, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    try:
        log = out / "episodes.jsonl"
        while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") >= 5):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert b"KeyboardInterrupt" in errors
    assert alive_workers(pids) == []
    assert (out / "table.json").exists()  # what was finished is shown
    assert len(records_of(out)) < 60
