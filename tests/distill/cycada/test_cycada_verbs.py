"""CyCADA from the command line, and how its methods are declared."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import typer
from typer.testing import CliRunner

from sim2real_bench.agents.cards import CheckpointCard, read_card
from sim2real_bench.agents.checkpoints import checkpoint_hash, save_checkpoint
from sim2real_bench.agents.composites import load_parts
from sim2real_bench.agents.controls import ControlsNetwork, save_controls
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.translators import TranslatorNetwork, load_translator, save_translator
from sim2real_bench.cli import _guarded, transfer
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.method import method_named, method_supervision

Run = Callable[..., Any]
CARD = CheckpointCard(observation="rgb", command="sim2real-bench transfer", seed=0)
TINY = (
    "--width", 0.05, "--steps", 2, "--batch-size", 2, "--validate-every", 1, "--device", "cpu",
    "--translator-width", 4, "--translator-blocks", 1, "--translator-steps", 3,
)  # fmt: skip


@pytest.fixture
def run() -> Run:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(_guarded(transfer.command))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_the_methods_are_declared() -> None:
    assert method_supervision("cycada") == "source: images | target: images"
    assert method_supervision("cycada-raw-control") == "source: images + actions | target: images"
    assert method_named("cycada").checkpoints == {"": "stk-carla-cycada"}
    assert method_named("cycada-raw-control").stages == ("source", "translator", "controls", "agent")


def test_networks_are_trained_one_after_the_other(
    run: Run, make_dataset: Callable[[str], RolloutDataset], tmp_path: Path
) -> None:
    source, target = make_dataset("stk"), make_dataset("carla")
    words = ("--source-data", source.folder, "--target-data", target.folder, "--out", tmp_path, *TINY)
    made = run("--method", "cycada", "--stage", "source,translator", *words, "--policy-weight", 0.5)
    assert made.exit_code == 0, made.output
    network, card = load_translator(tmp_path / "carla-stk-translator")
    assert (network.width, network.blocks, network.reduction) == (4, 1, 2)
    assert card.data == {
        "source": source.hash, "target": target.hash, "policy": checkpoint_hash(tmp_path / "stk-direct")
    }  # fmt: skip
    assert (card.metrics["steps"], card.metrics["target_images"]) == (3, 12)
    assert card.metrics["driven_path_median_error_m"] >= 0.0
    assert "'policy_weight': 0.5" in card.notes
    for word in ("--policy-weight 0.5", "--translator-reduction 2", "--translator-steps 3", "--part source="):
        assert word in card.command
    assert read_card(tmp_path / "stk-carla-translator").kind == "translator"
    rows = (tmp_path / "carla-stk-translator.training.csv").read_text().splitlines()
    assert rows[0] == "step,adversarial,cycle,identity,policy,discriminators"
    assert len(rows) == 4
    grid = cv2.imread(str(tmp_path / "carla-stk-translator.pictures.png"))
    assert grid.shape == (4 * 32 + 3 * 4, 6 * 48 + 5 * 4, 3)

    fewer = run("--method", "cycada", "--stage", "translator", *words, "--target-images", 8, "--out", tmp_path / "few",
                "--part", f"source={tmp_path / 'stk-direct.safetensors'}")  # fmt: skip
    assert fewer.exit_code == 0, fewer.output
    assert read_card(tmp_path / "few" / "carla-stk-translator").metrics["target_images"] == 8


def test_agents_are_put_together(run: Run, tmp_path: Path) -> None:
    measured = CARD.model_copy(update={"metrics": {"driven_path_median_error_m": 2.5, "cycle_loss": 1.0}})
    save_translator(tmp_path / "carla-stk-translator", TranslatorNetwork(4, 1, 4), measured)
    save_checkpoint(tmp_path / "stk-direct", WaypointNetwork(3, 0.05, 160, 384), CARD)
    save_controls(tmp_path / "stk-controls", ControlsNetwork(0.05, 160, 384), CARD)
    for method, role in (("cycada", "policy"), ("cycada-raw-control", "controls")):
        made = run("--method", method, "--stage", "agent", "--out", tmp_path)
        assert made.exit_code == 0, made.output
        parts, card = load_parts(tmp_path / f"stk-carla-{method}", method)
        assert set(parts) == {"translator", role}
        assert card.metrics == ({"driven_path_median_error_m": 2.5} if method == "cycada" else {})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--stage", "controls"), "stage 'controls' of method 'cycada' is unknown"),
        (("--stage", "translator"), "--source-data is missing"),
        (("--proxy", "map"), "has no proxy"),
    ],
)
def test_wrong_usage_is_explained(run: Run, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    refused = run("--method", "cycada", *words, "--out", tmp_path / "new")
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert not (tmp_path / "new").exists()
