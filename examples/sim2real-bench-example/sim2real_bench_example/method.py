"""A transfer method: learn the road's colours from labelled target images, then find waypoints by colour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.distill.method import Method, Supervision
from sim2real_bench.distill.transfer import Training, TransferRequest
from sim2real_bench.envs.classes import road_mask
from sim2real_bench.envs.observation import RGB, WAYPOINT_DISTANCES_M, Observation

if TYPE_CHECKING:  # modules that import torch are imported in functions, so that "sim2real-bench list" stays quick
    from sim2real_bench.agents.agent import Agent
    from sim2real_bench.agents.controllers import Controller
    from sim2real_bench.distill.fitting import FitSettings

KIND = "road-colour"
COLOURS = np.array([[128.0, 128.0, 128.0], [64.0, 128.0, 64.0]])  # of road and of not road, before any training


class RoadColourPolicy:
    """Waypoints from the pixels whose hue is nearer to the road's than to that of the rest.

    Args:
        colours: (2, 3) mean RGB of road and of not road.
    """

    observations: tuple[str, ...] = (RGB,)

    def __init__(self, colours: np.ndarray) -> None:
        self._hues = _hue(colours)
        pixels, _ = DRIVING_CAMERA.project([[distance, 0.0] for distance in WAYPOINT_DISTANCES_M])
        self._rows = pixels[:, 1].astype(int)  # the image rows that see the ground at the waypoints' distances

    def waypoints(self, observation: Observation) -> np.ndarray:
        """(5, 2) metres, ego frame: the middle of the road at each distance."""
        hues = _hue(observation[RGB][self._rows].astype(np.float64))  # (5, 384, 3)
        distances = np.linalg.norm(hues[:, :, None] - self._hues, axis=-1)
        road = distances[..., 0] < distances[..., 1]
        columns = np.arange(road.shape[1]) + 0.5
        seen = road.sum(axis=1)
        middle = np.where(seen > 0, (road * columns).sum(axis=1) / np.maximum(seen, 1), road.shape[1] / 2)
        return DRIVING_CAMERA.ground(np.stack([middle, self._rows + 0.5], axis=-1))


def _hue(colours: np.ndarray) -> np.ndarray:
    """(..., 3) RGB without its brightness."""
    return np.asarray(colours / np.maximum(colours.sum(axis=-1, keepdims=True), 1.0))


def build(controller: Controller, checkpoint: Path | None) -> Agent:
    """The agent that drives; without a checkpoint, with the colours above."""
    from sim2real_bench.agents.checkpoints import load_tensors
    from sim2real_bench.agents.waypoint_agent import WaypointAgent

    colours = COLOURS if checkpoint is None else load_tensors(checkpoint, KIND)[0]["colours"].numpy()
    return WaypointAgent(RoadColourPolicy(colours), controller)


def trainings(request: TransferRequest) -> list[Training]:
    """What ``sim2real-bench transfer --method road-colour --target-data FOLDER`` trains."""
    folder = request.target()

    def fit(settings: FitSettings) -> Path:
        import torch

        from sim2real_bench.agents.checkpoints import CheckpointCard, save_tensors, weights_path
        from sim2real_bench.distill.data.rollouts import RolloutDataset

        data = RolloutDataset(folder)
        images, road = data.stack("rgb"), road_mask(data.stack("labels"), data.config.simulator) > 0
        images, road = images[:, 80:], road[:, 80:]  # below the horizon
        colours = np.stack([images[road].mean(axis=0), images[~road].mean(axis=0)])
        card = CheckpointCard(
            kind=KIND,
            observation=RGB,
            command=settings.command,
            seed=settings.training.seed,
            data={"target": data.hash},
        )
        save_tensors(settings.out / KIND, {"colours": torch.from_numpy(colours)}, card)
        return weights_path(settings.out / KIND)

    return [Training(("--method", KIND, "--target-data", str(folder)), fit)]


ROAD_COLOUR = Method(
    name="road-colour",
    supervision={"": Supervision(target=("images", "camera labels"))},
    checkpoints={},
    builder=build,
    trainings=trainings,
    summary="waypoints in the middle of what has the road's colour",
)
