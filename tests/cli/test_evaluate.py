"""The verb ``evaluate``: wrong usage, the shown configuration, and a tiny real run."""

import json
import re
import signal
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from sim2real_bench.cli import _guarded
from sim2real_bench.cli.evaluate import command
from sim2real_bench.evaluation.execution.interruption import Interruption

RUNNER = CliRunner()


def run(*arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(_guarded(command))
    return RUNNER.invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--source", "skt"], "did you mean 'stk-carla-v1'"),
        (["--target", "gta"], "unknown benchmark 'stk-gta'"),
        (["--preset", "quik"], "did you mean 'quick'"),
        (["--methods", "referense"], "did you mean 'reference'"),
        (["--methods", "reference,reference"], "each once"),
        (["--methods", ""], "one or more"),
        (["--methods", "reference", "--proxy", "mab"], "did you mean 'map'"),
        (["--methods", "reference", "--backend", "embeded"], "did you mean 'embedded'"),
        (["--methods", "reference", "--town", "MiniTwon02"], "did you mean 'MiniTown02'"),
        (["--methods", "reference", "--checkpoint", "direct"], "METHOD=PATH"),
        (["--methods", "reference", "--checkpoint", "direct=x"], "not evaluated"),
        (["--methods", "reference", "--port", "2000"], "--backend server"),
        (["--methods", "reference", "--backend", "server", "--workers", "2"], "one CARLA server"),
        (["--methods", "reference", "--launch", "./CarlaUE4.sh"], "--launch ./CarlaUE4.sh is for --backend server"),
        (["--methods", "reference", "--backend", "server", "--launch", "./CarlaUE4.sh"], "{port}"),
        (["--methods", "reference", "--backend", "server", "--launch", "a {port}", "--port", "2000"], "give one way"),
        (["--methods", "reference", "--backend", "server", "--recycle-after", "3"], "add --launch"),
        (["--methods", "reference", "--controllers", "pid-v9"], "pid-v1"),
        (["--methods", "reference", "--executor", "threads"], "choose 'processes' or 'ray'"),
        (["--methods", "reference", "--executor", "ray", "--film"], "report DIR --film"),
        (["--episodes", "0"], "--episodes"),
        (["--horizon", "many"], "--horizon"),
        (["--port", "70000"], "--port"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_is_exit_status_2_and_says_what_is_right(tmp_path, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in re.sub(r"\x1b\[[0-9;]*m", "", result.output)


def test_the_resolved_configuration_can_be_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("--methods", "reference", "--episodes", "3", "--show-config")
    assert result.exit_code == 0
    shown = json.loads(result.output)
    assert shown["benchmark"] == "stk-carla-v1"
    assert (shown["town"], shown["backend"], shown["preset"]) == ("MiniTown02", "embedded", "quick")
    assert shown["episodes_per_controller"] == 3
    assert shown["limits"]["horizon_ticks"] == 600
    assert shown["target_speed_kmh"] == 20.0
    assert [one["method"] for one in shown["rows"]] == ["reference"]
    assert len(shown["controllers_hash"]) == 64
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_command_says_how_to_go_on(number):
    def interrupted():
        raise KeyboardInterrupt if number == signal.SIGINT else Interruption(number)

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(_guarded(interrupted))
    result = RUNNER.invoke(app, [])
    assert result.exit_code == 128 + number
    assert "run the same command again" in result.output


def test_a_missing_checkpoint_is_named(tmp_path):
    result = run("--methods", "direct", "--checkpoint", f"direct={tmp_path / 'none.safetensors'}")
    assert result.exit_code == 1
    assert "none.safetensors" in result.output


@pytest.mark.simulator
@pytest.mark.slow
@pytest.mark.usefixtures("carla_embedded")
def test_the_reference_planner_drives_the_embedded_town(tmp_path):
    arguments = ["--methods", "reference", "--episodes", "1", "--horizon", "60", "--workers", "2", "--out"]
    done = subprocess.run(
        [sys.executable, "-m", "sim2real_bench", "evaluate", *arguments, tmp_path],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "reference" in done.stdout
    assert "evaluate: 5/5 episodes" in done.stderr
    (row,) = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert row["episodes_finished"] == row["episodes_planned"] == 5
    assert row["distance_m"]["min"] > 10.0  # 6 s from rest at up to 20 km/h
    assert row["outcomes"] == {"horizon": 5}
    assert row["infractions_per_km"] == 0.0
    again = subprocess.run(
        [sys.executable, "-m", "sim2real_bench", "evaluate", *arguments, tmp_path],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "episodes.jsonl").read_text().count("\n") == 5
