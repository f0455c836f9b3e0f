"""The embedded CARLA server killed, stopped and meddled with in mid-episode: the same results as undisturbed."""

import json
import re
from dataclasses import replace

import psutil
import pytest
import sabotaged_carla

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
    "coarser": "SettingsChangedError: .* does not wait for this environment alone",  # applying settings ticks
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


@pytest.mark.usefixtures("carla_embedded")
def test_results_are_those_of_an_undisturbed_run(tmp_path):
    (tmp_path / "whole").mkdir()
    whole = settings(tmp_path / "whole")
    assert evaluate(whole).complete
    plan = read_plan(whole.out / "plan.json")
    assert plan == make_plan(whole.configuration, plan.spawn_count)
    seeds = {kind: episode.seed for kind, episode in zip(sabotaged_carla.KINDS, plan.episodes, strict=True)}

    (tmp_path / "broken").mkdir()
    broken = settings(tmp_path / "broken", {str(seed): kind for kind, seed in seeds.items()})
    table = evaluate(replace(broken, attempts=2))

    records = read_records(broken.out / "episodes.jsonl")
    assert table.complete
    assert comparable(records) == comparable(read_records(whole.out / "episodes.jsonl"))
    failures = {record.key.seed: record.error for record in records if not record.finished}
    assert set(failures) == set(seeds.values())
    for kind, text in SAID.items():
        assert re.search(text, failures[seeds[kind]]), (kind, failures[seeds[kind]])
    left = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    assert not any("sim2real_bench" in command for command in left), left
