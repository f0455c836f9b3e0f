import hashlib
import json
import pickle

import pytest
import torch

from sim2real_bench.agents.checkpoints import (
    PPO_KIND,
    SHIPPED_FOLDER,
    SHIPPED_NAMES,
    WAYPOINTS_KIND,
    CheckpointCard,
    card_path,
    checkpoint_hash,
    load_checkpoint,
    load_tensors,
    read_card,
    save_checkpoint,
    save_tensors,
    shipped_checkpoint,
    weights_path,
)
from sim2real_bench.agents.controls import CONTROLS_KIND, load_controls
from sim2real_bench.agents.modular import MODULAR_KIND, load_modular_policy
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.ppo import load_ppo_agent
from sim2real_bench.agents.recognisers import RECOGNISER_KIND, load_recogniser
from sim2real_bench.agents.translated import (
    CYCADA_KIND,
    RAW_CONTROL_KIND,
    load_raw_control_agent,
    load_translated_policy,
)
from sim2real_bench.agents.translators import TRANSLATOR_KIND, load_translator
from sim2real_bench.errors import CheckpointError


def card(**changes):
    return CheckpointCard(observation="map_view", command="sim2real-bench transfer", seed=3, **changes)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    network = WaypointNetwork(1, 0.125, 64, 64)
    network(torch.rand(4, 1, 64, 64))  # moves the batch-norm statistics away from their start
    path = tmp_path / "folder" / "stk-direct.v2"  # a dot in the name must survive
    save_checkpoint(path, network, card(data={"rollouts": "ab12"}, metrics={"l1": 0.05}))
    return path, network.eval()


def test_round_trip(saved):
    path, network = saved
    loaded, found = load_checkpoint(path)
    image = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.allclose(loaded(image), network(image), atol=5e-3)
    assert not loaded.training
    assert torch.allclose(loaded.input_norm.running_mean, network.input_norm.running_mean, atol=1e-3)
    assert (found.kind, found.observation, found.seed) == ("waypoints", "map_view", 3)
    assert found.architecture == {"channels": 1, "width": 0.125, "height_px": 64, "width_px": 64}
    assert found.data == {"rollouts": "ab12"}
    assert found.metrics == {"l1": 0.05}
    assert found.versions["torch"] == torch.__version__


def test_files(saved):
    path, _ = saved
    weights = weights_path(path)
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "stk-direct.v2.json",
        "stk-direct.v2.safetensors",
    ]
    assert checkpoint_hash(path) == checkpoint_hash(weights) == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert checkpoint_hash(path) == read_card(path).weights_sha256
    count = sum(p.numel() for p in load_checkpoint(path)[0].parameters())
    assert weights.stat().st_size < 2.2 * count + 20_000  # two bytes a weight: float16


def test_saving_twice_gives_the_same_bytes(saved, tmp_path):
    path, network = saved
    save_checkpoint(tmp_path / "again", network, card())
    assert checkpoint_hash(tmp_path / "again") == checkpoint_hash(path)


def test_missing_files_are_named(saved, tmp_path):
    path, _ = saved
    with pytest.raises(CheckpointError, match=r"nothing\.json"):
        load_checkpoint(tmp_path / "nothing")
    weights_path(path).unlink()
    with pytest.raises(CheckpointError, match=r"v2\.safetensors"):
        load_checkpoint(path)


def test_a_changed_weights_file_is_refused(saved):
    path, _ = saved
    content = bytearray(weights_path(path).read_bytes())
    content[-1] ^= 1
    weights_path(path).write_bytes(content)
    with pytest.raises(CheckpointError, match="sha256"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, pickle.dumps({"a": 1})])
def test_a_file_that_is_no_safetensors_is_refused_even_with_a_fitting_hash(saved, content):
    path, _ = saved
    weights_path(path).write_bytes(content)
    document = json.loads(card_path(path).read_text())
    document["weights_sha256"] = hashlib.sha256(content).hexdigest()
    card_path(path).write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"seed": "many"}, "not a checkpoint card"),
        ({"surprise": 1}, "not a checkpoint card"),
        ({"kind": "ppo"}, "kind 'ppo'"),
        ({"architecture": {}}, "no waypoint network"),
        ({"architecture": {"channels": 1, "width": 0.125, "height_px": 65, "width_px": 64}}, "no waypoint network"),
        ({"architecture": {"channels": 3, "width": 0.125, "height_px": 64, "width_px": 64}}, "input_norm"),
        ({"architecture": {"channels": 1, "width": 0.5, "height_px": 64, "width_px": 64}}, "does not fit"),
    ],
)
def test_cards_that_do_not_fit_are_refused(saved, change, message):
    path, _ = saved
    document = json.loads(card_path(path).read_text()) | change
    card_path(path).write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_a_card_that_is_no_json_is_refused(saved):
    path, _ = saved
    card_path(path).write_text("{")
    with pytest.raises(CheckpointError, match="not a checkpoint card"):
        load_checkpoint(path)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    network = WaypointNetwork(1, 0.125, 64, 64)
    with torch.no_grad():
        network.input_norm.weight.fill_(1e6)
    with pytest.raises(CheckpointError, match=r"input_norm\.weight"):
        save_checkpoint(tmp_path / "a", network, card())
    assert list(tmp_path.iterdir()) == []


def test_tensors_of_another_kind(tmp_path):
    save_tensors(tmp_path / "a", {"w": torch.arange(3), "x": torch.ones(2)}, card(kind="ppo"))
    tensors, _ = load_tensors(tmp_path / "a", "ppo")
    assert tensors["w"].dtype == torch.int64
    assert tensors["x"].dtype == torch.float32


def test_unknown_shipped_checkpoint():
    with pytest.raises(CheckpointError, match="no shipped checkpoint 'nonsense'"):
        shipped_checkpoint("nonsense")


LOADERS = {
    WAYPOINTS_KIND: load_checkpoint,
    PPO_KIND: load_ppo_agent,
    RECOGNISER_KIND: load_recogniser,
    MODULAR_KIND: load_modular_policy,
    TRANSLATOR_KIND: load_translator,
    CONTROLS_KIND: load_controls,
    CYCADA_KIND: load_translated_policy,
    RAW_CONTROL_KIND: load_raw_control_agent,
}


def test_shipped_checkpoints_load_and_are_small():
    weights = sorted(SHIPPED_FOLDER.glob("*.safetensors"))
    for path in weights:
        assert path.stem in SHIPPED_NAMES
        found = read_card(path)
        assert found.command.startswith("sim2real-bench ")
        LOADERS[found.kind](path)
    assert sum(path.stat().st_size for path in weights) <= 22_000_000
