"""Modular transfer and the score of its recogniser from the command line."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import typer
from typer.testing import CliRunner

from sim2real_bench.agents.cards import read_card
from sim2real_bench.agents.composites import load_parts
from sim2real_bench.cli import _guarded, recognition_score, transfer
from sim2real_bench.distill.method import build_agent

Run = Callable[..., Any]
TINY = ("--width", 0.05, "--steps", 2, "--batch-size", 2, "--validate-every", 1, "--device", "cpu")


@pytest.fixture
def run() -> Run:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("transfer")(_guarded(transfer.command))
    app.command("recognition-score")(_guarded(recognition_score.command))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_the_whole_chain_and_a_piece_of_it(run: Run, make_dataset, tmp_path: Path) -> None:
    source, target = make_dataset("stk").folder, make_dataset("carla").folder
    whole = ("--source-data", source, "--target-data", target, "--out", tmp_path, *TINY)
    made = run("transfer", "--method", "modular-predicted", "--proxy", "map", *whole)
    assert made.exit_code == 0, made.output
    parts, card = load_parts(tmp_path / "stk-carla-modular-predicted-map", "modular")
    assert {role: path.stem for role, path in parts.items()} == {
        "recogniser": "carla-recogniser-map",
        "proxy": "stk-predicted-proxy-map",
    }
    recogniser = read_card(parts["recogniser"])
    assert card.metrics["recogniser_mean_iou"] == recogniser.metrics["mean_iou"]
    source_recogniser = read_card(tmp_path / "stk-recogniser-map")
    assert read_card(parts["proxy"]).data["source_recogniser"] == source_recogniser.weights_sha256

    other = run(
        "transfer", "--method", "modular", "--proxy", "map", "--target-data", target, "--target-images", 8,
        "--part", f"proxy={parts['proxy']}", "--out", tmp_path / "other", *TINY,
    )  # fmt: skip
    assert other.exit_code == 0, other.output
    assert sorted(path.stem for path in (tmp_path / "other").glob("*.json")) == [
        "carla-recogniser-map", "stk-carla-modular-map", "stk-predicted-proxy-map"
    ]  # fmt: skip
    fewer = read_card(tmp_path / "other" / "carla-recogniser-map")
    assert fewer.metrics["training_examples"] + fewer.metrics["validation_examples"] == 8
    assert "--target-images 8" in fewer.command

    again = shlex.split(read_card(tmp_path / "stk-carla-modular-predicted-map").command)
    assert run(*again[1:]).exit_code == 0
    assert read_card(tmp_path / "stk-carla-modular-predicted-map").weights_sha256 == card.weights_sha256
    agent = build_agent("modular-predicted", "map", 0, tmp_path / "stk-carla-modular-predicted-map.safetensors")
    assert set(agent.observations) == {"rgb", "speed"}

    score = ("recognition-score", tmp_path / "stk-carla-modular-predicted-map", "--data", target, "--json")
    judged = run(*score)
    assert judged.exit_code == 0, judged.output
    values = json.loads(judged.stdout)
    assert (values["images"], values["recognises"]) == (12, "map_view")
    assert values["mean_iou"] == pytest.approx((values["road_iou"] + values["rest_iou"]) / 2)
    drawn = run(*score, "--images", 5, "--picture", tmp_path / "seen.png")
    assert json.loads(drawn.stdout)["images"] == 5
    assert cv2.imread(str(tmp_path / "seen.png")).shape == (6 * (64 + 4), 2 * (96 + 64 + 2 * 4), 3)
    refused = run(*score, "--picture", target / "manifest.json" / "seen.png")
    assert refused.exit_code == 2
    assert "cannot write --picture" in refused.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "modular"), "needs --proxy map or camera"),
        (("--method", "modular", "--proxy", "map", "--stage", "target"), "choose proxy, recogniser, agent, all"),
        (("--method", "modular", "--proxy", "map", "--stage", "recogniser"), "--target-data is missing"),
        (("--method", "modular", "--proxy", "map", "--part", "proxy"), "write STAGE=CHECKPOINT"),
        (
            ("--method", "modular", "--proxy", "map", "--part", "proxy=a", "--proxy-checkpoint", "b"),
            "--part names a stage twice: proxy=b, proxy=a",
        ),
        (
            ("--method", "proxy", "--proxy", "map", "--source-data", "x", "--device", "gpu"),
            "choose auto, cpu, cuda",
        ),
    ],
)
def test_wrong_orders_are_explained(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run("transfer", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_what_is_no_recogniser_is_refused(run: Run, make_dataset, tmp_path: Path) -> None:
    result = run("recognition-score", tmp_path / "none", "--data", make_dataset("carla").folder)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: cannot read")
