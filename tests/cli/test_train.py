import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from sim2real_bench.cli import train
from sim2real_bench.errors import CheckpointError, ConfigurationError, UnknownNameError
from sim2real_bench.presets import preset_named


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(train.command)

    def call(*arguments):
        return CliRunner().invoke(app, [str(one) for one in arguments])

    return call


def test_show_config_resolves_preset_and_flags(run, tmp_path):
    result = run("--preset", "standard", "--workers", 3, "--seed", 9, "--out", tmp_path, "--show-config")
    assert result.exit_code == 0, result.output
    settings = json.loads(result.output)
    assert settings["total_steps"] == preset_named("standard").train.total_steps
    assert (settings["workers"], settings["seed"], settings["out"]) == (3, 9, str(tmp_path))
    assert settings["reward"]["progress"] == 1.0
    assert list(tmp_path.iterdir()) == []


def test_help_and_show_config_import_no_torch():
    code = (
        "import sys\nfrom sim2real_bench.cli import train\n"
        "train.command(show_config=True, preset='quick', source='stk', steps=None, workers=None, out=None,"
        " speed_cap=12.0, seed=0)\nassert 'torch' not in sys.modules, 'torch'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(["--source", "carla"], ConfigurationError), (["--preset", "huge"], UnknownNameError)],
)
def test_wrong_names(run, arguments, error):
    assert isinstance(run(*arguments).exception, error)


def test_evaluate_only_without_any_checkpoint(run, tmp_path, monkeypatch):
    monkeypatch.setattr("sim2real_bench.agents.checkpoints.SHIPPED_FOLDER", tmp_path)
    result = run("--evaluate-only", "--out", tmp_path / "none")
    assert isinstance(result.exception, CheckpointError)
    assert "stk-ppo" in str(result.exception)


@pytest.mark.simulator
def test_train_then_score(run, stk, tmp_path, monkeypatch):
    from sim2real_bench.agents.ppo import scores
    from sim2real_bench.envs.supertuxkart.tracks import TRAIN_TRACKS

    monkeypatch.setattr(scores, "SPLITS", (("train", TRAIN_TRACKS[2:3]), ("held-out", TRAIN_TRACKS[3:4])))
    monkeypatch.setattr(
        scores.score_tracks, "__kwdefaults__", {**scores.score_tracks.__kwdefaults__, "splits": scores.SPLITS}
    )
    result = run("--steps", 64, "--workers", 1, "--seed", 2, "--out", tmp_path, "--score-seconds", 3)
    assert result.exception is None, result.output
    assert "held-out: laps finished" in result.output
    assert "track-follower" in result.output
    card = json.loads((tmp_path / "stk-ppo.json").read_text())
    assert card["command"] == "sim2real-bench train --source stk --steps 64 --workers 1 --speed-cap 12 --seed 2"
    assert card["metrics"]["steps"] >= 64
    assert len((tmp_path / "track_scores.csv").read_text().splitlines()) == 1 + 2 * 3
    again = run("--evaluate-only", "--out", tmp_path, "--score-seconds", 3)
    assert again.exception is None, again.output
