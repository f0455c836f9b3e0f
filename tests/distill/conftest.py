"""A small synthetic world: flat ground, a curved road, seen in map view, camera labels and colour."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sim2real_bench.distill.data.episode import EpisodeArrays, EpisodeNote, pack_map_view
from sim2real_bench.distill.data.rollouts import RolloutConfig, RolloutDataset, RolloutWriter
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import CarlaClass, StkClass
from sim2real_bench.envs.map_view import draw_polygons
from sim2real_bench.envs.observation import WAYPOINT_DISTANCES_M

WIDTH, HEIGHT = 96, 64
CAMERA = PinholeCamera.mounted(WIDTH, HEIGHT, fov_deg=90.0, x_m=2.0, z_m=1.4)
_GROUND = {"stk": (60, 130, 50), "carla": (150, 140, 120)}
_ROAD = {"stk": (200, 120, 40), "carla": (70, 70, 75)}


def arc(curvature: float, distances: np.ndarray, offset: float = 0.0) -> np.ndarray:
    """(N, 2) ego frame points at arc lengths along an arc (positive curvature: to the left), ``offset`` to its left."""
    angle = curvature * distances
    flat = np.where(np.abs(curvature) < 1e-6, 1e-6, curvature)
    centre = np.stack([np.sin(angle) / flat, (1 - np.cos(angle)) / flat], axis=-1)
    return centre + offset * np.stack([-np.sin(angle), np.cos(angle)], axis=-1)


def sample(simulator: str, curvature: float) -> dict[str, np.ndarray]:
    """One sample on a road of 8 m."""
    along = np.linspace(2.2, 40.0, 80)
    left, right = arc(curvature, along, 4.0), arc(curvature, along, -4.0)
    quads = [np.stack([left[i], left[i + 1], right[i + 1], right[i]]) for i in range(len(along) - 1)]
    map_view = np.zeros((1, 192, 192), np.uint8)
    draw_polygons(map_view[0], quads)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for quad in quads:
        pixels, depth = CAMERA.project(quad)
        if (depth > 0.1).all():
            cv2.fillPoly(mask, [np.round(pixels).astype(np.int32)], 1)
    road = StkClass.TRACK if simulator == "stk" else CarlaClass.ROADS
    rgb = np.where(mask[..., None] == 1, _ROAD[simulator], _GROUND[simulator]).astype(np.uint8)
    waypoints = arc(curvature, np.array(WAYPOINT_DISTANCES_M))
    return {
        "rgb": rgb,
        "labels": (mask * road).astype(np.uint8),
        "map_view": pack_map_view(map_view),
        "waypoints": np.column_stack([waypoints, np.zeros(5)]).astype(np.float32),
    }


@pytest.fixture(scope="session")
def make_dataset(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RolloutDataset]:
    """A function: simulator name to a small finished data set (made once)."""
    made: dict[str, RolloutDataset] = {}

    def make(simulator: str) -> RolloutDataset:
        if simulator not in made:
            folder = tmp_path_factory.mktemp(f"data-{simulator}")
            _write(folder, simulator)
            made[simulator] = RolloutDataset(folder)
        return made[simulator]

    return make


def _write(folder: Path, simulator: str) -> None:
    config = RolloutConfig(
        simulator=simulator, backend="synthetic", driver="arc", places=("arc",), weathers=(),
        observations=("rgb", "labels", "map_view"), image_size=(WIDTH, HEIGHT), camera="mounted", seed=0,
        episode_ticks=4, keep_every=1, exploration="none", max_speed_mps=0.0,
    )  # fmt: skip
    writer = RolloutWriter(folder, config, f"sim2real-bench collect --simulator {simulator}")
    curvatures = np.linspace(-0.06, 0.06, 12).reshape(3, 4)
    for index, row in enumerate(curvatures):
        samples = [sample(simulator, curvature) for curvature in row]
        stacked = {name: np.stack([s[name] for s in samples]) for name in samples[0]}
        arrays = EpisodeArrays(
            ego_pose=np.tile(np.eye(4), (4, 1, 1)),
            speed=np.full(4, 5.0, np.float32),
            camera_focal=np.full((4, 2), CAMERA.focal_x),
            camera_rotation=np.tile(CAMERA.rotation, (4, 1, 1)),
            camera_position=np.tile(CAMERA.position, (4, 1)),
            **stacked,
        )
        writer.append(index, arrays, EpisodeNote(index, "arc", "", 4, "horizon"))
    writer.finish(len(curvatures))
