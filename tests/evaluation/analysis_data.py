"""Small recorded data sets and untrained networks for the analysis: curved roads over flat ground, no simulator."""

from pathlib import Path

import cv2
import numpy as np
import torch

from sim2real_bench.agents.checkpoints import CheckpointCard, save_checkpoint, weights_path
from sim2real_bench.agents.inputs import DRIVING_CAMERA, NETWORK_INPUTS
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.distill.data.episode import EpisodeArrays, EpisodeNote, pack_map_view
from sim2real_bench.distill.data.rollouts import RolloutConfig, RolloutDataset, RolloutWriter
from sim2real_bench.envs.classes import CarlaClass, StkClass
from sim2real_bench.envs.map_view import draw_polygons
from sim2real_bench.envs.observation import WAYPOINT_DISTANCES_M

HALF_ROAD_M = 4.0


def arc(curvature, distances, offset=0.0):
    """(N, 2) points at arc lengths along an arc to the left, ``offset`` to its left."""
    bend = curvature if abs(curvature) > 1e-6 else 1e-6
    angle = bend * np.asarray(distances, np.float64)
    centre = np.stack([np.sin(angle) / bend, (1 - np.cos(angle)) / bend], axis=-1)
    return centre + offset * np.stack([-np.sin(angle), np.cos(angle)], axis=-1)


def road_map(curvature, half_width_m=HALF_ROAD_M):
    """(192, 192) uint8 0/255: the road of an arc in the map view."""
    channel = np.zeros((192, 192), np.uint8)
    along = np.linspace(-5.0, 60.0, 200)
    left, right = arc(curvature, along, half_width_m), arc(curvature, along, -half_width_m)
    draw_polygons(channel, [np.stack([left[i], left[i + 1], right[i + 1], right[i]]) for i in range(len(along) - 1)])
    return channel


def _sample(simulator, curvature):
    mask = np.zeros((DRIVING_CAMERA.height, DRIVING_CAMERA.width), np.uint8)
    along = np.linspace(2.5, 40.0, 40)
    left, right = arc(curvature, along, HALF_ROAD_M), arc(curvature, along, -HALF_ROAD_M)
    for i in range(len(along) - 1):
        pixels, depth = DRIVING_CAMERA.project(np.stack([left[i], left[i + 1], right[i + 1], right[i]]))
        if (depth > 0.1).all():
            cv2.fillPoly(mask, [np.round(pixels).astype(np.int32)], 1)
    road = StkClass.TRACK if simulator == "stk" else CarlaClass.ROADS
    channels = 3 if simulator == "stk" else 2
    view = np.zeros((channels, 192, 192), np.uint8)
    view[0] = road_map(curvature)
    waypoints = np.column_stack([arc(curvature, WAYPOINT_DISTANCES_M), np.zeros(5)])
    return {
        "rgb": np.where(mask[..., None] == 1, 80, 150).astype(np.uint8).repeat(3, axis=-1),
        "labels": (mask * road).astype(np.uint8),
        "map_view": pack_map_view(view),
        "waypoints": waypoints.astype(np.float32),
    }


def write_data(folder: Path, simulator: str, episodes: int = 4, samples: int = 2, seed: int = 0) -> RolloutDataset:
    """A finished data set of the benchmark's camera."""
    config = RolloutConfig(
        simulator=simulator, backend="synthetic", driver="arc", places=("arc",), weathers=(),
        observations=("rgb", "labels", "map_view"), image_size=(DRIVING_CAMERA.width, DRIVING_CAMERA.height),
        camera="mounted", seed=seed, episode_ticks=samples, keep_every=1, exploration="none", max_speed_mps=0.0,
    )  # fmt: skip
    writer = RolloutWriter(folder, config, f"sim2real-bench collect --simulator {simulator}")
    for index, row in enumerate(np.linspace(-0.02, 0.02, episodes * samples).reshape(episodes, samples)):
        made = [_sample(simulator, curvature) for curvature in row]
        arrays = EpisodeArrays(
            ego_pose=np.tile(np.eye(4), (samples, 1, 1)),
            speed=np.full(samples, 5.0, np.float32),
            camera_focal=np.full((samples, 2), DRIVING_CAMERA.focal_x),
            camera_rotation=np.tile(DRIVING_CAMERA.rotation, (samples, 1, 1)),
            camera_position=np.tile(DRIVING_CAMERA.position, (samples, 1)),
            **{name: np.stack([one[name] for one in made]) for name in made[0]},
        )
        writer.append(index, arrays, EpisodeNote(index, "arc", "", samples, "horizon"))
    writer.finish(episodes)
    return RolloutDataset(folder)


def write_network(folder: Path, name: str, observation: str, data: dict[str, str], seed: int = 0) -> Path:
    """An untrained waypoint network with a card that says what it learnt from."""
    shape = NETWORK_INPUTS[observation]
    torch.manual_seed(seed)
    network = WaypointNetwork(shape.channels, 0.03, shape.height_px, shape.width_px)
    save_checkpoint(folder / name, network, CheckpointCard(observation=observation, command="", seed=0, data=data))
    return weights_path(folder / name)
