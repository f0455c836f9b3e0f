"""SIGKILL at random points of runs, workers and simulators: nothing lost, nothing repeated, nothing left."""

import json
import random
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from runner_processes import RunnerProcess

from sim2real_bench.evaluation.faults.settings import fake_settings
from sim2real_bench.evaluation.records import read_records
from sim2real_bench.evaluation.runner import evaluate

KILLS = 54
RESULT_FILES = {"plan.json", "episodes.jsonl", "table.json", "table.csv", "table.md"}
SETTINGS = {"episodes": 10, "horizon_ticks": 60, "tick_sleep_s": 0.0005}


def finished(folder):
    path = folder / "episodes.jsonl"
    return [record for record in read_records(path) if record.finished] if path.exists() else []


def comparable(records):
    dumps = [record.model_dump(mode="json", exclude={"wall_time_s", "attempt"}) for record in records]
    return sorted(dumps, key=lambda dump: json.dumps(dump["key"], sort_keys=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The records of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    evaluate(fake_settings(folder, **{**SETTINGS, "tick_sleep_s": 0.0}))
    return finished(folder)


def shared_memory():
    """Shared memory that is taken. Python unlinks its own as soon as it is made, before it has a size: a process killed
    between the two leaves an empty name, and no memory.
    """
    return {path.name for path in Path("/dev/shm").glob("pym-*") if path.stat().st_size}


def grown(log, lines, seconds):
    """Wait until the log has more lines; however long that takes, at most these seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if log.exists() and log.read_bytes().count(b"\n") > lines:
            return
        time.sleep(0.0005)


def test_a_run_killed_at_many_random_points_equals_an_uninterrupted_one(tmp_path, whole):
    out, log, draw = tmp_path / "out", tmp_path / "log", random.Random(4)
    settings = fake_settings(out, **SETTINGS)
    before, states = shared_memory(), Counter()
    for number in range(KILLS):
        lines = len(finished(out))
        runner = RunnerProcess(settings, log)
        if number % 3:  # while it starts, resumes or plans
            time.sleep(draw.uniform(0.0, 0.25))
        else:  # while it drives or writes a record
            grown(out / "episodes.jsonl", lines + draw.randrange(3), 10.0)
            time.sleep(draw.uniform(0.0, 0.01))
        runner.send(signal.SIGKILL)
        status = runner.wait()
        assert status in (-signal.SIGKILL, 0), log.read_text()
        records = finished(out)
        assert max(Counter(record.key for record in records).values(), default=1) == 1
        assert len(records) >= lines  # what was finished stays
        states["killed" if status else "had ended"] += 1
        states["with results"] += len(records) > lines
        assert runner.leaves_nothing()
    assert states["killed"] >= 50, states
    assert states["with results"] >= 10, states
    with (out / "episodes.jsonl").open("ab") as file:
        file.write(b'{"version":2,"key":{"bench')  # the line that a power cut tore
    table = evaluate(replace(settings, workers=2))
    assert table.complete
    assert comparable(finished(out)) == comparable(whole)
    assert {path.name for path in out.iterdir()} == RESULT_FILES
    assert shared_memory() <= before


def test_workers_and_simulators_killed_at_random_cost_attempts_and_no_results(tmp_path, whole):
    draw, killed = random.Random(5), Counter()
    settings = replace(fake_settings(tmp_path / "out", **SETTINGS, workers=2), attempts=40, failures_in_a_row=1000)
    runner = RunnerProcess(settings, tmp_path / "log")
    while not runner.ended() and sum(killed.values()) < 12:
        grown(tmp_path / "out" / "episodes.jsonl", len(finished(tmp_path / "out")) + draw.randrange(3), 5.0)
        kind = ("worker", "simulator")[sum(killed.values()) % 2]
        victims = [process for process in runner.descendants() if kind_of(process) == kind]
        if victims:
            draw.choice(victims).kill()
            killed[kind] += 1
    assert runner.wait() == 0, (tmp_path / "log").read_text()
    assert killed["worker"] > 2, killed
    assert killed["simulator"] > 2, killed
    assert comparable(finished(tmp_path / "out")) == comparable(whole)
    failures = [r.error for r in read_records(tmp_path / "out" / "episodes.jsonl") if not r.finished]
    assert 0 < len(failures) <= sum(killed.values())
    known = ("was killed by SIGKILL", "simulator is gone", "simulator did not start")
    assert [error for error in failures if not any(text in error for text in known)] == []
    assert runner.leaves_nothing()


def kind_of(process):
    try:
        command = " ".join(process.cmdline())
    except psutil.Error:
        return ""
    if "faults.server" in command:
        return "simulator"
    return "worker" if "spawn_main" in command else ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_run_told_to_end_ends_in_order(tmp_path, number):
    out = tmp_path / "out"
    runner = RunnerProcess(fake_settings(out, **SETTINGS, workers=2), tmp_path / "log")
    grown(out / "episodes.jsonl", 3, 30.0)
    runner.send(number)
    runner.send(number)  # as impatient users and service managers do
    assert runner.wait() == 128 + number, (tmp_path / "log").read_text()
    assert runner.leaves_nothing(5.0)  # Python's own resource tracker ends a moment after its process
    table = json.loads((out / "table.json").read_text())
    assert sum(row["episodes_finished"] for row in table["rows"]) == len(finished(out)) < 100
    assert {path.name for path in out.iterdir()} == RESULT_FILES
