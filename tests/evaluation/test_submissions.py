"""Submitting a result: every problem is named with file, line and field, and a result is added whole or not at all."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim2real_bench.agents.cards import SHIPPED_FOLDER
from sim2real_bench.errors import ConfigurationError, ForeignFileError, RecordError
from sim2real_bench.evaluation.execution.work import LastSign
from sim2real_bench.evaluation.execution.worker import agent_failure
from sim2real_bench.evaluation.leaderboard import accepted_result
from sim2real_bench.evaluation.leaderboard import submit as submitting
from sim2real_bench.evaluation.leaderboard.checks import check_results, check_submission
from sim2real_bench.evaluation.leaderboard.submissions import MAX_SUBMITTED_BYTES
from sim2real_bench.evaluation.leaderboard.submit import SubmissionRequest, submit
from sim2real_bench.evaluation.plan import make_plan, read_plan

ACCEPTED = accepted_result()


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A results folder as ``evaluate`` leaves it."""
    folder = tmp_path / "result"
    folder.mkdir()
    for name in ("plan.json", "episodes.jsonl"):
        shutil.copy(ACCEPTED / name, folder / name)
    (folder / "table.json").write_text("{}")
    return folder


def request(folder: Path, **changes) -> SubmissionRequest:
    values = dict(folder=folder, name="mine", authors=("A. Author",), contact="https://example.org", date="2026-11-21")
    return SubmissionRequest(**{**values, **changes})


def change_record(folder: Path, line: int, **changes) -> None:
    path = folder / "episodes.jsonl"
    lines = path.read_text().splitlines()
    document = json.loads(lines[line - 1])
    for name, value in changes.items():
        place = document
        *above, last = name.split("__")
        for part in above:
            place = place[part]
        place[last] = value
    lines[line - 1] = json.dumps(document)
    path.write_text("\n".join(lines) + "\n")


def change_plan(folder: Path, **changes) -> None:
    """A plan that is in itself what the program draws, with another configuration."""
    plan = read_plan(folder / "plan.json")
    again = make_plan(plan.configuration.model_copy(update=changes), plan.spawn_count)
    (folder / "plan.json").write_text(again.model_dump_json(indent=2))


def test_a_result_is_accepted_with_the_hash_of_every_file(result: Path, tmp_path: Path):
    target = submit(request(result), tmp_path / "accepted")
    assert sorted(path.name for path in target.iterdir()) == ["episodes.jsonl", "plan.json", "submission.json"]
    assert (target / "episodes.jsonl").read_bytes() == (result / "episodes.jsonl").read_bytes()
    checked, submission = check_submission(target)
    assert checked.problems == [] and submission is not None
    assert set(submission.files) == {"episodes.jsonl", "plan.json"}
    assert [path.name for path in (tmp_path / "accepted").iterdir()] == ["mine"]


def test_an_agent_that_took_its_worker_along_can_be_submitted(result: Path):
    limits = read_plan(result / "plan.json").configuration.limits
    lost = agent_failure(LastSign(1, (20, 4.0, 3.0, 0), 240.0), limits, "the agent did not answer within 240 s")
    change_record(result, 7, **lost.model_dump(mode="json"))
    assert check_results(result).problems == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"distance_m": "far"}, "episodes.jsonl:7:distance_m: Input should be a valid number"),
        ({"surprise": 1}, "episodes.jsonl:7:surprise: Extra inputs"),
        ({"version": 99}, "episodes.jsonl:7:version: 99 is unknown"),
        ({"key__spawn_index": 5000}, "episodes.jsonl:7:key: is not an episode of plan.json"),
        ({"key__checkpoint_hash": "0" * 64}, "episodes.jsonl:7:key: is not an episode of plan.json"),
        ({"backend": "server"}, "episodes.jsonl:7:backend: is 'server', the plan's is 'embedded'"),
        ({"versions": {"sim2real-bench": "0.1.0"}}, "episodes.jsonl:7:versions: holds no version of simulator"),
        ({"versions__simulator": "other"}, "episodes.jsonl:7:versions.simulator: not 'embedded"),
        ({"attempt": 2}, "episodes.jsonl:7:attempt: 2 follows 0 attempts"),
        ({"ticks": 601}, "episodes.jsonl:7:ticks: 601 is not between 0 and the horizon, 600"),
        ({"sim_time_s": 61.0}, "episodes.jsonl:7:sim_time_s: 61 s are not"),
        ({"wall_time_s": -1.0}, "episodes.jsonl:7:wall_time_s"),
        ({"distance_m": -1.0}, "episodes.jsonl:7:distance_m: -1 m"),
        ({"distance_driven_m": 1e6, "distance_m": 1e6}, "episodes.jsonl:7:distance_driven_m: 1e+06 m in"),
        ({"distance_driven_m": 1.0}, "episodes.jsonl:7:distance_m:"),
        ({"outcome": "stuck", "ticks": 300, "sim_time_s": 30.0}, "episodes.jsonl:7:outcome: stuck takes 600 ticks"),
        ({"outcome": "agent_error"}, "episodes.jsonl:7:error: an agent's error says what it raised"),
        ({"outcome": "infrastructure_failure"}, "episodes.jsonl:7:error: an infrastructure failure says"),
        ({"trajectory": []}, "episodes.jsonl:7:trajectory: empty"),
        ({"trajectory": [[0.0, 0.0]] * 5}, "episodes.jsonl:7:trajectory: 5 points"),
        (
            {"trajectory": [[0.0, 99.0 * i] for i in range(61)]},
            "episodes.jsonl:7:trajectory: is 5940 m",
        ),
    ],
)
def test_what_is_wrong_in_a_record_is_named(result: Path, change: dict, problem: str):
    change_record(result, 7, **change)
    assert any(line.startswith(problem) for line in check_results(result).problems), check_results(result).problems


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"weathers": ("noon",)}, "plan.json:configuration.weathers: is ['noon']; stk-carla-v1 fixes"),
        ({"target_speed_kmh": 10.0}, "plan.json:configuration.target_speed_kmh: is 10.0"),
        ({"environment": "os:system"}, "plan.json:configuration.environment: is 'os:system'"),
        ({"traffic": 3}, "plan.json:configuration.traffic: is 3"),
        ({"benchmark": "stk-carla"}, "plan.json:configuration: a result names its version, for example stk-carla-v1"),
        ({"benchmark": "mine-v1"}, "plan.json:configuration: unknown benchmark 'mine-v1'"),
        ({"backend": "dream"}, "plan.json:configuration: unknown backend 'dream'"),
    ],
)
def test_what_a_benchmark_fixes_cannot_be_changed(result: Path, change: dict, problem: str):
    change_plan(result, **change)
    assert any(line.startswith(problem) for line in check_results(result).problems), check_results(result).problems


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"method": "../up"}, "configuration.rows.1.method: '../up' is no name"),
        ({"checkpoint_hash": "abc"}, "configuration.rows.1.checkpoint_hash: is not a SHA-256"),
        ({"checkpoint_hash": ""}, "configuration.rows.1.checkpoint_hash: is empty, but direct drives a network"),
        ({"supervision": "nothing"}, "configuration.rows.1.supervision: is 'nothing'; direct reads 'source: images'"),
        ({"method": "unheard-of", "supervision": ""}, "configuration.rows.1.supervision: is empty"),
        (
            {"method": "reference", "supervision": "at test: lane graph"},
            "configuration.rows: 'reference' stands there 2",
        ),
    ],
)
def test_what_is_wrong_in_a_row_is_named(result: Path, row: dict, problem: str):
    rows = list(read_plan(result / "plan.json").configuration.rows)
    rows[1] = rows[1].model_copy(update=row)
    change_plan(result, rows=tuple(rows))
    assert any(line.startswith(f"plan.json:{problem}") for line in check_results(result).problems)


def test_hand_picked_episodes_are_found(result: Path):
    document = json.loads((result / "plan.json").read_text())
    document["episodes"][3]["seed"] += 1
    (result / "plan.json").write_text(json.dumps(document, indent=2))
    assert "plan.json:episodes: not what seed 0 draws; the plan was edited" in check_results(result).problems


@pytest.mark.parametrize(("name", "value"), [("spawn_count", 10**12), ("spawn_count", 0)])
def test_a_plan_cannot_ask_for_memory(result: Path, name: str, value: int):
    document = json.loads((result / "plan.json").read_text())
    document[name] = value
    (result / "plan.json").write_text(json.dumps(document))
    assert any(line.startswith("plan.json:spawn_count") for line in check_results(result).problems)


def test_a_plan_with_more_episodes_than_it_lists_is_refused(result: Path):
    document = json.loads((result / "plan.json").read_text())
    document["configuration"]["episodes_per_controller"] = 10**15
    (result / "plan.json").write_text(json.dumps(document))
    assert any("25 episodes; the configuration has 5000000000000000" in line for line in check_results(result).problems)


def test_missing_repeated_and_torn_lines_are_named(result: Path):
    path = result / "episodes.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[2:], lines[0], '{"outcome":']))
    problems = check_results(result).problems
    assert "episodes.jsonl:101: the last line is torn; run the evaluation again to complete it" in problems
    assert "episodes.jsonl:100:key: this episode has a result already; an episode has one" in problems
    assert any("1 of 25 episodes have no result (first: controller" in line for line in problems)


def test_every_problem_is_listed_and_nothing_is_written(result: Path, tmp_path: Path):
    for line in (3, 40, 77):
        change_record(result, line, ticks=-5)
    with pytest.raises(ForeignFileError) as caught:
        submit(request(result), tmp_path / "accepted")
    assert {3, 40, 77} <= {int(line.split(":")[1]) for line in caught.value.problems}
    assert not (tmp_path / "accepted").exists()


@pytest.mark.parametrize("name", ["plan.json", "episodes.jsonl"])
def test_missing_linked_and_huge_files_are_refused(result: Path, tmp_path: Path, name: str):
    path = result / name
    content = path.read_bytes()
    path.unlink()
    assert f"{name}: cannot be read: No such file or directory" in check_results(result).problems
    (tmp_path / "elsewhere").write_bytes(content)
    path.symlink_to(tmp_path / "elsewhere")
    assert any("is a symbolic link" in line for line in check_results(result).problems)
    path.unlink()
    os.mkfifo(path)
    assert any("not a regular file" in line for line in check_results(result).problems)
    path.unlink()
    with path.open("wb") as stream:
        stream.truncate(MAX_SUBMITTED_BYTES + 1)  # sparse: takes no room
    assert any("at most" in line for line in check_results(result).problems)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../up"}, {"name": ""}, {"name": "A Name"}, {"authors": ()}, {"contact": ""}, {"date": "today"},
        {"note": "x" * 3000},
    ],
)  # fmt: skip
def test_what_a_submitter_says_is_checked(result: Path, tmp_path: Path, change: dict):
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        submit(request(result, **change), tmp_path / "accepted")
    assert not (tmp_path / "accepted").exists()


def test_a_taken_name_needs_replace(result: Path, tmp_path: Path):
    first = submit(request(result), tmp_path / "accepted")
    with pytest.raises(ConfigurationError, match="--replace"):
        submit(request(result, note="again"), tmp_path / "accepted")
    submit(request(result, note="again"), tmp_path / "accepted", replace=True)
    assert json.loads((first / "submission.json").read_text())["note"] == "again"
    assert [path.name for path in (tmp_path / "accepted").iterdir()] == ["mine"]


def test_a_failed_write_leaves_everything_as_it_was(result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = submit(request(result), tmp_path / "accepted")
    before = (first / "submission.json").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(submitting.os, "fsync", full)
    with pytest.raises(RecordError, match="No space left on device; nothing was submitted"):
        submit(request(result, note="again"), tmp_path / "accepted", replace=True)
    assert (first / "submission.json").read_bytes() == before
    assert [path.name for path in (tmp_path / "accepted").iterdir()] == ["mine"]


def test_cards_must_belong_to_a_row(result: Path, tmp_path: Path):
    direct, other = SHIPPED_FOLDER / "stk-direct.safetensors", SHIPPED_FOLDER / "stk-ppo.json"
    target = submit(request(result, checkpoints=(direct,)), tmp_path / "accepted")
    (card,) = (target / "cards").iterdir()
    assert card.read_bytes() == direct.with_suffix(".json").read_bytes()
    assert check_submission(target)[0].problems == []
    with pytest.raises(ConfigurationError, match="are of no row of this result"):
        submit(request(result, name="other", checkpoints=(other,)), tmp_path / "accepted")
    shutil.copy(other, target / "cards" / "x.json")
    problems = check_submission(target)[0].problems
    assert any(line.startswith("cards/x.json:weights_sha256:") for line in problems)
    assert any("files.cards/x.json: is in the folder but not listed" in line for line in problems)


def test_a_submission_somebody_sent_is_checked_against_its_manifest(result: Path, tmp_path: Path):
    target = submit(request(result), tmp_path / "accepted")
    again = submit(request(target, name="again"), tmp_path / "accepted")
    assert check_submission(again)[0].problems == []
    change_record(target, 5, wall_time_s=1.0)
    problems = submitting.check_folder(target).problems
    assert problems == ["episodes.jsonl: was changed after it was submitted: its hash differs from submission.json"]
    document = json.loads((target / "submission.json").read_text())
    document["files"]["../../etc/passwd"] = document["files"]["plan.json"]
    (target / "submission.json").write_text(json.dumps(document))
    assert any("is listed but is no file of a submission" in line for line in submitting.check_folder(target).problems)


def test_another_installation_needs_a_destination(monkeypatch: pytest.MonkeyPatch):
    assert submitting.default_destination().name == "results"
    monkeypatch.setattr(submitting, "__file__", "/usr/lib/python3/sim2real_bench/evaluation/leaderboard/submit.py")
    with pytest.raises(ConfigurationError, match="--to FOLDER"):
        submitting.default_destination()


_PLAN, _RECORDS = (ACCEPTED / "plan.json").read_bytes(), (ACCEPTED / "episodes.jsonl").read_bytes()[:8000]
_TOKENS = st.sampled_from(
    [b"null", b"-1", b"1e308", b"NaN", b"[]", b"{}", b'""', b"9" * 40, b"\xff", b"\n", b"true", b'"x"']
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_results_are_listed_never_raised(tmp_path: Path, data: st.DataObject):
    folder = tmp_path / "mutated"
    folder.mkdir(exist_ok=True)
    for name, content in (("plan.json", _PLAN), ("episodes.jsonl", _RECORDS)):
        changed = bytearray(content)
        for _ in range(data.draw(st.integers(0, 3))):
            start = data.draw(st.integers(0, len(changed) - 1))
            stop = min(len(changed), start + data.draw(st.integers(0, 12)))
            changed[start:stop] = data.draw(_TOKENS | st.binary(max_size=6))
        (folder / name).write_bytes(changed)
    problems = check_results(folder).problems
    assert problems  # the records were cut short
    assert all("\n" not in line and "\x1b" not in line for line in problems)
