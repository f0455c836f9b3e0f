"""The embedded CARLA server killed, stopped and meddled with in mid-episode: the same results as undisturbed."""

import json
import re
import signal
import time
from dataclasses import replace

import psutil
import pytest
import sabotaged_carla
from runner_processes import RunnerProcess

from sim2real_bench.cli.configuration import requested_configuration
from sim2real_bench.evaluation.plan import make_plan, read_plan
from sim2real_bench.evaluation.records import read_records
from sim2real_bench.evaluation.runner import evaluate
from sim2real_bench.evaluation.settings import RunSettings
from sim2real_bench.evaluation.supervisor import Policy, SupervisorKeeper, embedded_carla

pytestmark = [pytest.mark.simulator, pytest.mark.slow]
TOWN = "MiniTown01"
SAID = {
    "killed": "ConnectionLostError: .*is gone",
    "stopped": "StepTimeoutError: a tick: the server at .* did not answer within 3 s",
    "asynchronous": "SettingsChangedError: .* does not wait for this environment alone",
    "ticked": "SettingsChangedError: .* does not wait for this environment alone",
    "reloaded": "SettingsChangedError: .* does not wait for this environment alone",
}


def settings(out, faults=None):
    configuration = requested_configuration(
        "stk-carla", "quick", ["reference"], "all", {}, "embedded", len(SAID), 25, TOWN, 0
    )
    configuration = configuration.model_copy(
        update={"controllers": (0,), "environment": "sabotaged_carla:SabotagedCarla"}
    )
    return RunSettings(
        configuration=configuration,
        out=out / "out",
        environment_options={
            "backend": "embedded", "town": TOWN, "timeout_s": 3.0, "faults": faults or {}, "folder": str(out),
            "tick": 15,
        },
        keeper=SupervisorKeeper(embedded_carla(TOWN, threads=1), Policy(call_timeout_s=30.0)),
    )  # fmt: skip


def comparable(records):
    """Finished records without times and numbers of attempts, in the order of their keys."""
    apart = {"wall_time_s", "attempt"}
    dumps = [record.model_dump(mode="json", exclude=apart) for record in records if record.finished]
    return sorted(dumps, key=lambda dump: json.dumps(dump["key"], sort_keys=True))


@pytest.fixture(scope="module")
def whole(carla_embedded, tmp_path_factory):
    """The settings and records of an undisturbed run."""
    made = settings(tmp_path_factory.mktemp("whole"))
    assert evaluate(made).complete
    return made, comparable(read_records(made.out / "episodes.jsonl"))


def our_processes():
    commands = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    return [command for command in commands if "sim2real_bench" in command]


def test_results_are_those_of_an_undisturbed_run(tmp_path, whole):
    undisturbed, expected = whole
    plan = read_plan(undisturbed.out / "plan.json")
    assert plan == make_plan(undisturbed.configuration, plan.spawn_count)
    seeds = {kind: episode.seed for kind, episode in zip(sabotaged_carla.KINDS, plan.episodes, strict=True)}
    broken = settings(tmp_path, {str(seed): kind for kind, seed in seeds.items()})
    table = evaluate(replace(broken, attempts=2))
    records = read_records(broken.out / "episodes.jsonl")
    assert table.complete
    assert comparable(records) == expected
    failures = {record.key.seed: record.error for record in records if not record.finished}
    assert set(failures) == set(seeds.values())
    for kind, text in SAID.items():
        assert re.search(text, failures[seeds[kind]]), (kind, failures[seeds[kind]])
    assert our_processes() == []


def test_a_killed_run_leaves_no_server_and_goes_on(tmp_path, whole):
    _, expected = whole
    made, log = replace(settings(tmp_path), workers=2), tmp_path / "log"
    for lines in (0, 2):
        kill_in_mid_run(made, log, lines)
    assert evaluate(made).complete
    assert comparable(read_records(made.out / "episodes.jsonl")) == expected
    assert our_processes() == []


def kill_in_mid_run(made, log, lines):
    """Kill a run once a server runs and so many lines are written; everything that came from it must end."""
    runner = RunnerProcess(made, log)
    wait_until(lambda: runner.ended() or (servers(runner) and lines_of(made.out) >= lines), log)
    family = psutil.Process(runner.pid).children(recursive=True)
    runner.send(signal.SIGKILL)
    assert runner.wait() == -signal.SIGKILL, log.read_text()
    wait_until(lambda: not any(map(alive, family)), log)
    assert lines_of(made.out) >= lines


def servers(runner):
    found = psutil.Process(runner.pid).children(recursive=True)
    return [process for process in found if "sim2real_bench.envs.carla.embedded" in command_of(process)]


def command_of(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def lines_of(folder):
    path = folder / "episodes.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_until(condition, log, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)
