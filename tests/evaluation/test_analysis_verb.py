"""The verb ``analyse`` from data sets and checkpoints to its two files, with untrained networks."""

import json
import re

import pytest
import torch
import typer
from analysis_data import write_data, write_network
from fake_results import write_results
from typer.testing import CliRunner

from sim2real_bench.agents.checkpoints import CheckpointCard, checkpoint_hash, weights_path
from sim2real_bench.agents.modular import PROXY, RECOGNISER, save_modular
from sim2real_bench.agents.recognisers import RecogniserNetwork, save_recogniser
from sim2real_bench.cli import _guarded
from sim2real_bench.cli.analyse import command
from sim2real_bench.envs.observation import MAP_VIEW
from sim2real_bench.evaluation.plan import MethodRow

RUNNER = CliRunner()


def write_modular(folder, proxy):
    """A modular agent of an untrained recogniser and this proxy policy."""
    torch.manual_seed(3)
    recogniser = RecogniserNetwork(MAP_VIEW, 0.03, 160, 384)
    card = CheckpointCard(observation="rgb", command="", seed=0, metrics={"mean_iou": 0.5})
    save_recogniser(folder / "r", recogniser, card)
    save_modular(
        folder / "m", {RECOGNISER: folder / "r", PROXY: proxy}, CheckpointCard(observation="rgb", command="", seed=0)
    )
    return weights_path(folder / "m")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two data sets, three networks, and results in which task distillation drives farther than direct."""
    folder = tmp_path_factory.mktemp("analyse")
    source, target = write_data(folder / "stk", "stk"), write_data(folder / "carla", "carla")
    networks = folder / "networks"
    direct = write_network(networks, "s", "rgb", {})
    proxy = write_network(networks, "p", "map_view", {}, seed=1)
    student = write_network(networks, "t", "rgb", {"teacher": checkpoint_hash(proxy)}, seed=2)
    weights = {
        "direct": direct,
        "modular": write_modular(networks, proxy),
        "proxy": proxy,
        "task-distillation": student,
    }
    rows = [
        MethodRow(method=name, proxy=None if name == "direct" else "map", checkpoint_hash=checkpoint_hash(path))
        for name, path in weights.items()
    ]
    rows.append(MethodRow(method="reference"))
    write_results(
        folder / "results", lambda row, episode: 50.0 + episode.seed % 5 + 40.0 * (row.proxy is not None),
        rows=tuple(rows),
    )  # fmt: skip
    return {"--source-data": source.folder, "--target-data": target.folder, "results": folder / "results",
            "networks": networks}  # fmt: skip


def run(world, *arguments, **changed):
    given = {name: value for name, value in (world | changed).items() if name.startswith("--")}
    words = [str(word) for pair in given.items() for word in pair] + ["--samples", "50", "--threads", "1"]
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(_guarded(command))
    result = RUNNER.invoke(app, [*words, *map(str, arguments)])
    result.text = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    return result


def test_results_are_taken_apart_and_an_interrupted_run_goes_on(world, tmp_path):
    words = ("--results", world["results"], "--networks", world["networks"], "--out", tmp_path)
    first = run(world, *words)
    assert first.exit_code == 0, first.text
    found = json.loads((tmp_path / "analysis.json").read_text())
    rows = {row["label"]: row for row in found["rows"]}
    assert list(rows["direct"]["factors"]) == ["a^S", "G^I"]
    assert list(rows["proxy (map)"]["factors"]) == ["a^P", "G^L"]
    assert list(rows["modular (map)"]["factors"]) == ["a^P", "G^L", "a^l"]
    assert rows["modular (map)"]["recognition"] == {"mean_iou": 0.5}
    assert rows["modular (map)"]["factors"]["a^P"] == rows["proxy (map)"]["factors"]["a^P"]
    assert [claim["text"] for claim in found["claims"]] == ["a^d > a^l", "G^L > G^I", "a^P G^L a^d > a^S G^I"]
    assert list(rows["task-distillation (map)"]["factors"]) == ["a^P", "G^L", "a^d"]
    assert found["skipped"] == {"reference": "it has no network"}
    assert found["target"]["driver"]["value"] == 1.0, "the driver stays on its road"
    assert found["source"]["samples"] == 8
    assert rows["proxy (map)"]["distance_m"]["value"] - rows["direct"]["distance_m"]["value"] == pytest.approx(40.0)
    assert {(pair["better"], pair["worse"]) for pair in found["pairs"]} <= {(a, b) for a in rows for b in rows}
    assert len(found["pairs"]) == 6
    kept = {row["label"]: row["keeps"] for row in found["metres"]}
    as_far = {"value": 1.0, "ci95": [1.0, 1.0]}
    assert kept == {"modular (map)": as_far, "task-distillation (map)": as_far}, "as f^P on true labels"
    assert "## The inequalities" in (tmp_path / "analysis.md").read_text()
    assert (tmp_path / "analysis.png").read_bytes().startswith(b"\x89PNG")
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "paths").iterdir()}
    assert len(stored) == 6, "f^S and f^P twice each, f^T and modular once"
    again = run(world, *words)
    assert again.exit_code == 0
    assert "samples" not in again.stderr.replace("about", ""), "nothing is computed twice"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "paths").iterdir()} == stored
    assert json.loads((tmp_path / "analysis.json").read_text()) == found


def test_rows_can_be_named_with_their_weights(world, tmp_path):
    chosen = f"task-distillation:map={world['networks'] / 't.safetensors'}"
    result = run(
        world, "--methods", "task-distillation", "--proxy", "map", "--checkpoint", chosen, "--out", tmp_path
    )  # fmt: skip
    assert result.exit_code == 0, result.text
    found = json.loads((tmp_path / "analysis.json").read_text())
    assert [row["label"] for row in found["rows"]] == ["task-distillation (map)"]
    assert found["pairs"] == []
    assert found["rank_correlation"] is None
    assert not (tmp_path / "analysis.png").exists(), "nothing drove"


@pytest.mark.parametrize(
    ("words", "changed", "status", "said"),
    [
        (("--methods", "nonsense"), {}, 2, "nonsense"),
        (("--methods", "direct,proxy", "--results", "RESULTS", "--proxy", "camera"), {}, 2, "no row to analyse"),
        (("--methods", "expert", "--results", "RESULTS"), {}, 2, "holds no row of expert"),
        (("--results", "RESULTS"), {"--target-data": "/nowhere"}, 1, "not a data set"),
        (("--results", "/nowhere"), {}, 1, "no results folder"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_no_file(world, tmp_path, words, changed, status, said):
    words = [world["results"] if word == "RESULTS" else word for word in words]
    extra = () if "camera" in words else ("--networks", world["networks"])
    result = run(world, *words, *extra, "--out", tmp_path / "out", **changed)
    assert result.exit_code == status, result.text
    assert said in result.text
    assert not (tmp_path / "out").exists()


def test_a_damaged_store_names_the_file(world, tmp_path):
    words = ("--results", world["results"], "--networks", world["networks"], "--methods", "direct", "--out", tmp_path)
    assert run(world, *words).exit_code == 0
    stored = next((tmp_path / "paths").iterdir())
    stored.write_bytes(stored.read_bytes()[:-8])
    result = run(world, *words)
    assert result.exit_code == 1
    assert stored.name in result.text
    assert "delete it" in result.text
