"""Recogniser networks: shapes, the change of view, files; and the modular policy around them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sim2real_bench.agents.cards import CheckpointCard, card_path, weights_path
from sim2real_bench.agents.checkpoints import save_checkpoint
from sim2real_bench.agents.composites import save_composite
from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.agents.modular import MODULAR_KIND, ModularPolicy, load_modular_policy, save_modular
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.recognisers import RecogniserNetwork, load_recogniser, save_recogniser
from sim2real_bench.agents.waypoint_agent import NetworkPolicy
from sim2real_bench.agents.waypoints import MapGeometry
from sim2real_bench.envs.map_view import draw_discs
from sim2real_bench.envs.observation import LABELS, MAP_VIEW
from sim2real_bench.errors import AgentError, CheckpointError, ConfigurationError

CARD = CheckpointCard(observation="rgb", command="sim2real-bench transfer", seed=0)


def recogniser(output: str, height: int = 32, width: int = 64) -> RecogniserNetwork:
    """A tiny one with random weights."""
    return RecogniserNetwork(output, 0.05, height, width).eval()


@pytest.mark.parametrize(("output", "size"), [(LABELS, (32, 64)), (MAP_VIEW, (192, 192))])
def test_one_logit_for_each_pixel_of_the_labels(output: str, size: tuple[int, int]) -> None:
    network = recogniser(output)
    image = torch.rand(2, 3, 32, 64)
    logits = network(image)
    assert logits.shape == (2, 1, *size)
    assert torch.equal(network.masks(image), (logits > 0).float())


def test_wrong_sizes_and_outputs_are_named() -> None:
    with pytest.raises(ConfigurationError, match="'depth'"):
        RecogniserNetwork("depth", 0.05, 32, 64)
    with pytest.raises(ConfigurationError, match=r"64x33.*multiples of 32"):
        RecogniserNetwork(LABELS, 0.05, 33, 64)
    with pytest.raises(ConfigurationError, match=r"reads \(batch, 3, 32, 64\)"):
        recogniser(LABELS)(torch.rand(1, 3, 64, 64))


@pytest.mark.parametrize("spot", [(8.0, 0.0), (12.0, 5.0), (20.0, -9.0), (30.0, 15.0)])
def test_what_the_camera_sees_is_laid_where_it_stands_on_the_map(spot: tuple[float, float]) -> None:
    """A network that passes on where a disc on the ground shines in the image: the map shows the disc, drawn alike."""
    network = recogniser(MAP_VIEW, DRIVING_CAMERA.height, DRIVING_CAMERA.width)
    rows, columns = np.mgrid[: DRIVING_CAMERA.height, : DRIVING_CAMERA.width] + 0.5
    ground = DRIVING_CAMERA.ground(np.stack([columns, rows], axis=-1))
    shines = np.linalg.norm(ground - spot, axis=-1) < 2.0
    network.input_norm, network.trunk, network.decoder, network.head = (nn.Identity() for _ in range(4))
    image = torch.from_numpy(shines).float().expand(1, 3, -1, -1)
    seen = network(image)[0, 0].numpy() > 0.5
    drawn = np.zeros((192, 192), np.uint8)
    draw_discs(drawn, [spot], 2.0)
    assert seen.any()
    middle = np.argwhere(seen).mean(axis=0)[::-1] * 2.0 / 192 - 1.0
    np.testing.assert_allclose(MapGeometry().to_ego(middle), spot, atol=0.5)
    assert (seen & (drawn > 0)).sum() / (seen | (drawn > 0)).sum() > 0.6


def test_what_lies_beside_the_view_is_black() -> None:
    """Corners of the map that no pixel shows are black, whatever the image."""
    network = recogniser(MAP_VIEW)
    network.input_norm, network.trunk, network.decoder, network.head = (nn.Identity() for _ in range(4))
    ground = network(torch.ones(1, 3, 32, 64))
    assert ground[0, :, -4:, :4].abs().max() == 0.0
    assert ground[0, :, :96, 96].min() > 0.9


def test_a_saved_recogniser_is_loaded_again(tmp_path: Path) -> None:
    network = recogniser(MAP_VIEW)
    save_recogniser(tmp_path / "eye", network, CARD)
    loaded, card = load_recogniser(tmp_path / "eye")
    assert card.kind == "recogniser"
    image = torch.rand(1, 3, 32, 64)
    torch.testing.assert_close(loaded(image), network(image), atol=1e-2, rtol=1e-2)
    where = card_path(tmp_path / "eye")
    document = json.loads(where.read_text())
    for change, words in (({"output": "depth"}, "depth"), ({"height_px": 1 << 20}, "height_px is beyond")):
        where.write_text(json.dumps(document | {"architecture": document["architecture"] | change}))
        with pytest.raises(CheckpointError, match=rf"no network of kind 'recogniser': .*{words}"):
            load_recogniser(tmp_path / "eye")


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, Path]:
    save_recogniser(tmp_path / "eye", RecogniserNetwork(LABELS, 0.05, 160, 384), CARD)
    save_checkpoint(
        tmp_path / "mind", WaypointNetwork(1, 0.05, 160, 384), CARD.model_copy(update={"observation": LABELS})
    )
    return {"recogniser": weights_path(tmp_path / "eye"), "proxy": weights_path(tmp_path / "mind")}


def test_the_modular_policy_drives_by_what_it_recognises(parts: dict[str, Path], tmp_path: Path) -> None:
    save_modular(tmp_path / "agent", parts, CARD)
    policy = load_modular_policy(tmp_path / "agent")
    assert policy.observations == ("rgb",)
    seen = {"rgb": np.random.default_rng(0).integers(0, 255, (160, 384, 3), np.uint8)}
    mask = policy.labels(seen)
    assert set(np.unique(mask)) <= {0.0, 1.0}
    network, _ = load_recogniser(parts["recogniser"])
    image = torch.from_numpy(seen["rgb"]).permute(2, 0, 1)[None].float() / 255.0
    np.testing.assert_array_equal(mask, network.masks(image)[0, 0].numpy())
    from sim2real_bench.agents.waypoint_agent import load_policy

    true_labels = {"labels": mask.astype(np.uint8)}  # class 1 of CARLA is road
    np.testing.assert_allclose(policy.waypoints(seen), load_policy(parts["proxy"]).waypoints(true_labels), rtol=1e-4)
    with pytest.raises(AgentError, match="reads 'rgb'"):
        policy.waypoints({})


def test_parts_that_do_not_fit_are_refused(parts: dict[str, Path], tmp_path: Path) -> None:
    save_checkpoint(
        tmp_path / "mind", WaypointNetwork(1, 0.05, 192, 192), CARD.model_copy(update={"observation": MAP_VIEW})
    )
    with pytest.raises(CheckpointError, match="predicts 'labels', but the proxy policy reads map_view"):
        save_modular(tmp_path / "agent", parts, CARD)
    assert not (tmp_path / "agent.safetensors").exists()
    save_composite(tmp_path / "agent", MODULAR_KIND, {"recogniser": parts["recogniser"]}, CARD)
    with pytest.raises(CheckpointError, match="a modular agent has recogniser and proxy"):
        load_modular_policy(tmp_path / "agent")
    with pytest.raises(ConfigurationError):
        ModularPolicy(recogniser(MAP_VIEW), NetworkPolicy(WaypointNetwork(1, 0.05, 160, 384), LABELS))
