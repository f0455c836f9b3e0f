"""The verbs ``sweep`` and ``reproduce``: wrong usage, what --dry-run prints, and steps that are found."""

import json
import re
import shlex

import pytest
from typer.testing import CliRunner

from sim2real_bench.cli import build_app
from sim2real_bench.evaluation.recipe.chain import Reproduction, reproduction_steps

RUNNER = CliRunner()


def run(*arguments):
    return RUNNER.invoke(build_app(), list(arguments))


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["sweep", "--sizes", "500,many"], 2, "whole numbers of images"),
        (["sweep", "--sizes", ""], 2, "--sizes"),
        (["sweep", "--methods", "reference"], 2, "learns nothing"),
        (["sweep", "--methods", "moduler"], 2, "'modular'"),
        (["sweep", "--proxy", "smell"], 2, "smell"),
        (["sweep", "--preset", "quik"], 2, "choose one of quick"),
        (["sweep", "--proxy-checkpoint", "networks/map"], 2, "PROXY=PATH"),
        (["sweep", "--target-data", "nowhere"], 1, "nowhere is not a data set"),
        (["reproduce", "--preset", "papers"], 2, "choose one of quick"),
        (["reproduce", "--only", "evalute"], 2, "did you mean 'evaluate'"),
        (["reproduce", "--attempts", "0"], 2, "--attempts"),
    ],
)
def test_wrong_usage_says_what_is_right_and_leaves_nothing(tmp_path, monkeypatch, arguments, status, text):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == status
    assert text in re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_sweep_prints_commands_that_take_the_options(tmp_path):
    result = run(
        "sweep", "--methods", "task-distillation", "--sizes", "500,1000", "--steps", "7", "--episodes", "3",
        "--proxy-checkpoint", "map=my map.safetensors", "--workers", "1", "--out", str(tmp_path), "--dry-run",
    )  # fmt: skip
    assert result.exit_code == 0
    commands = [shlex.split(line) for line in result.output.splitlines() if not line.startswith("#")]
    assert [words[:2] for words in commands] == [["sim2real-bench", verb] for verb in ("transfer", "evaluate") * 2]
    assert "proxy=my map.safetensors" in commands[0]
    assert [commands[2][commands[2].index(option) + 1] for option in ("--target-images", "--steps")] == ["1000", "7"]
    assert [commands[3][commands[3].index(option) + 1] for option in ("--episodes", "--workers")] == ["3", "1"]


def test_a_dry_reproduction_is_a_shell_script(tmp_path):
    (tmp_path / "data" / "stk").mkdir(parents=True)
    (tmp_path / "data" / "stk" / "manifest.json").write_text(json.dumps({"complete": True}))
    result = run("reproduce", "--preset", "quick", "--out", str(tmp_path), "--dry-run")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert "# collect-stk: found" in lines
    assert [line for line in lines if not line.startswith("#")] == [
        step.command for step in reproduction_steps(Reproduction("quick", tmp_path, 0, ("--device", "auto")))
    ]


def test_steps_with_results_are_found_and_nothing_is_started(tmp_path):
    steps = reproduction_steps(Reproduction("quick", tmp_path))
    for step in steps:
        if step.name in ("collect-stk", "transfer-direct"):
            step.result.parent.mkdir(parents=True)
            step.result.write_text('{"complete": true}')
    result = run("reproduce", "--out", str(tmp_path), "--only", "transfer-direct,collect-stk")
    assert result.exit_code == 0
    assert "[1/2] collect-stk: found" in result.output
    assert "[2/2] transfer-direct: found" in result.output
    assert not (tmp_path / "logs").exists()
