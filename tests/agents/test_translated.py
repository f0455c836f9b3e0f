"""CyCADA's agents: what goes through which network, and how they are put together."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sim2real_bench.agents.agent import Agent
from sim2real_bench.agents.cards import CheckpointCard
from sim2real_bench.agents.checkpoints import save_checkpoint
from sim2real_bench.agents.contract import AgentContract, made_up_observations
from sim2real_bench.agents.controls import ControlsNetwork, save_controls
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.translated import (
    CYCADA_KIND,
    RAW_CONTROL_KIND,
    RawControlAgent,
    TranslatedPolicy,
    load_raw_control_agent,
    load_translated_policy,
    save_translated,
)
from sim2real_bench.agents.translators import TranslatorNetwork, save_translator
from sim2real_bench.agents.waypoint_agent import NetworkPolicy
from sim2real_bench.distill.method import build_agent
from sim2real_bench.errors import AgentError, CheckpointError, ConfigurationError

HEIGHT, WIDTH = 160, 384
CARD = CheckpointCard(observation="rgb", command="sim2real-bench transfer", seed=0)
IMAGE = made_up_observations(("rgb",), seed=0, count=1)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks with random weights, put together to both kinds of agents."""
    place = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    save_translator(place / "translator", TranslatorNetwork(4, 1, 4), CARD)
    save_checkpoint(place / "policy", WaypointNetwork(3, 0.05, HEIGHT, WIDTH), CARD)
    save_checkpoint(
        place / "proxy", WaypointNetwork(1, 0.05, 192, 192), CARD.model_copy(update={"observation": "map_view"})
    )
    save_controls(place / "controls", ControlsNetwork(0.05, HEIGHT, WIDTH), CARD)
    for kind, role in ((CYCADA_KIND, "policy"), (RAW_CONTROL_KIND, "controls")):
        save_translated(place / kind, kind, {"translator": place / "translator", role: place / role}, CARD)
    return place


class TestBothRows(AgentContract):
    """What every agent must do."""

    @pytest.fixture(autouse=True)
    def _networks(self, folder: Path) -> None:
        self.folder = folder

    def agents(self) -> dict[str, Callable[[], Agent]]:
        """The agents of both methods."""
        return {
            name: lambda name=name: build_agent(name, None, 1, self.folder / name)  # type: ignore[misc]
            for name in (CYCADA_KIND, RAW_CONTROL_KIND)
        }


class Seen(nn.Module):
    """A network that remembers what it was shown."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer
        self.channels, self.height_px, self.width_px = 3, HEIGHT, WIDTH

    def forward(self, images: Tensor) -> Tensor:
        self.images = images.clone()
        return self.answer.expand(len(images), *self.answer.shape)


def test_the_policy_sees_the_translated_image() -> None:
    torch.manual_seed(1)
    translator = TranslatorNetwork(4, 1, 4)
    network = Seen(torch.full((5, 2), 0.5))
    TranslatedPolicy(translator, NetworkPolicy(network, "rgb")).waypoints(IMAGE)  # type: ignore[arg-type]
    original = torch.from_numpy(IMAGE["rgb"]).permute(2, 0, 1)[None] / 255.0
    with torch.no_grad():
        wanted = translator.translate(original)
    torch.testing.assert_close(network.images, wanted, atol=1e-4, rtol=0)
    assert (network.images - original).abs().max() > 0.1


def test_raw_controls_are_applied_as_they_are(folder: Path) -> None:
    agent = RawControlAgent(TranslatorNetwork(4, 1, 4), Seen(torch.tensor([0.25, -0.5])))  # type: ignore[arg-type]
    np.testing.assert_array_equal(agent.act(IMAGE), np.array([0.25, -0.5], np.float32))
    assert agent.observations == ("rgb",)  # no speed: there is no controller


def test_answers_that_are_no_numbers_and_missing_images_are_refused(folder: Path) -> None:
    broken = RawControlAgent(TranslatorNetwork(4, 1, 4), Seen(torch.tensor([0.0, torch.nan])))  # type: ignore[arg-type]
    with pytest.raises(AgentError, match="not finite"):
        broken.act(IMAGE)
    with pytest.raises(AgentError, match="reads 'rgb'"):
        load_raw_control_agent(folder / RAW_CONTROL_KIND).act({"speed": np.float32(1.0)})
    with pytest.raises(AgentError, match="reads 'rgb'"):
        load_translated_policy(folder / CYCADA_KIND).waypoints({})


def test_parts_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="do not fit together"):
        save_translated(
            tmp_path / "a", CYCADA_KIND, {"translator": folder / "translator", "policy": folder / "proxy"}, CARD
        )
    with pytest.raises(CheckpointError, match="kind 'controls'"):
        save_translated(
            tmp_path / "a", CYCADA_KIND, {"translator": folder / "translator", "policy": folder / "controls"}, CARD
        )
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CheckpointError, match="expected 'cycada-raw-control'"):
        load_raw_control_agent(folder / CYCADA_KIND)
    with pytest.raises(ConfigurationError, match="not 'rgb'"):
        TranslatedPolicy(TranslatorNetwork(4, 1), NetworkPolicy(WaypointNetwork(1, 0.05, 192, 192), "map_view"))
