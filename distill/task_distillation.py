"""Task distillation: a proxy policy learnt on source labels teaches an image policy for the target.

Source: "Domain Adaptation Through Task Distillation" (Zhou et al., ECCV 2020), section 3 and released code. Stage 1
fits f^P from source labels to the source agent's own future positions; stage 2 fits f^T from target images to what
f^P answers to the target's ground-truth labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.checkpoints import checkpoint_hash, load_checkpoint
from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.waypoints import CameraGeometry, ImageGeometry, MapGeometry
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import (
    ImageExamples,
    MaskChanges,
    MaskExamples,
    camera_examples,
    camera_targets,
    label_masks,
    map_examples,
    map_masks,
    rgb_images,
)
from sim2real_bench.distill.fitting import FitSettings, Yardstick, fit_checkpoint
from sim2real_bench.distill.ground_warp import GroundMotion
from sim2real_bench.distill.training import predict
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.observation import LABELS, MAP_VIEW, RGB
from sim2real_bench.errors import CheckpointError, UnknownNameError

PROXY_OBSERVATION = {"map": MAP_VIEW, "camera": LABELS}

# A kart track is wider and straighter than a street, and a racing kart never stands askew in its lane.
_MOTION = GroundMotion(rotation_rad=math.radians(8.0), shift_m=0.8, scale=(0.6, 1.2))
MASK_CHANGES = {
    "map": MaskChanges(_MOTION, edge_px=3),
    "camera": MaskChanges(_MOTION, edge_px=2, hole_share=0.2),  # in a camera image, cars and poles hide the road
}


@dataclass(frozen=True)
class ProxySettings:
    """How the source's labels are prepared for f^P.

    Attributes:
        proxy: "map" or "camera".
        changes: augmentation of the masks.
        target_camera: camera masks are shown as this camera would see them over flat ground; None = as recorded.
    """

    proxy: str
    changes: MaskChanges
    target_camera: PinholeCamera | None = DRIVING_CAMERA

    def __post_init__(self) -> None:
        observation_of(self.proxy)


def observation_of(proxy: str) -> str:
    """The observation key of a proxy.

    Raises:
        UnknownNameError: no such proxy.
    """
    if proxy not in PROXY_OBSERVATION:
        raise UnknownNameError(f"unknown proxy {proxy!r}; choose one of {', '.join(PROXY_OBSERVATION)}")
    return PROXY_OBSERVATION[proxy]


def proxy_examples(source: RolloutDataset, settings: ProxySettings) -> MaskExamples:
    """Source labels as road masks, with the paths the source agent drove."""
    if settings.proxy == "map":
        return map_examples(source, settings.changes)
    return camera_examples(source, settings.changes, settings.target_camera)


def fit_proxy(source: RolloutDataset, proxy: ProxySettings, settings: FitSettings) -> Path:
    """Train f^P: source labels to the source agent's own future positions.

    Returns:
        The weights file of ``<source>-proxy-<proxy>``.
    """
    examples = proxy_examples(source, proxy)
    aligned = proxy.proxy == "camera" and proxy.target_camera is not None
    return fit_checkpoint(
        f"{source.config.simulator}-proxy-{proxy.proxy}",
        observation_of(proxy.proxy),
        examples,
        settings,
        data={"source": source.hash},
        yardsticks=[Yardstick("driven_path", _proxy_geometries(source, proxy), examples.waypoints)],
        notes=f"f^P: {source.config.simulator} {proxy.proxy} labels to waypoints of its driver "
        f"{source.config.driver}; augmentation {proxy.changes}; "
        f"{'labels seen through the driving camera' if aligned else 'labels as recorded'}",
    )


def _proxy_geometries(source: RolloutDataset, proxy: ProxySettings) -> list[ImageGeometry]:
    if proxy.proxy == "map":
        return [MapGeometry()]
    if proxy.target_camera is not None:
        return [CameraGeometry(proxy.target_camera)]
    return [CameraGeometry(camera) for camera in source.cameras()]


def teacher_targets(
    teacher: WaypointNetwork, target: RolloutDataset, proxy: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """What f^P says on the ground-truth labels of the target.

    With the map proxy its answer goes from the map to the ground and from there into each image; with the camera
    proxy teacher and student look at the same frame, and nothing is converted.

    Returns:
        (N, 5, 2) float32 normalised camera coordinates, and the same as metres on the ground.
    """
    cameras = target.cameras()
    masks = map_masks(target) if proxy == "map" else label_masks(target)
    answers = predict(teacher, masks.batch, len(masks)).numpy()
    if proxy == "map":
        metres = MapGeometry().to_ego(answers)
        return camera_targets(metres, cameras), metres
    metres = np.stack([CameraGeometry(camera).to_ego(a) for a, camera in zip(answers, cameras, strict=True)])
    return answers.astype(np.float32), metres


def mirrored_targets(teacher: WaypointNetwork, target: RolloutDataset, proxy: str) -> npt.NDArray[np.float32]:
    """What f^P says on the target's labels seen in a mirror: (N, 5, 2) float32 coordinates in the mirrored images."""
    masks = map_masks(target) if proxy == "map" else label_masks(target)
    answers = predict(teacher, lambda rows: masks.batch(rows).flip(-1), len(masks)).numpy()
    if proxy == "camera":
        return answers.astype(np.float32)
    return camera_targets(MapGeometry().to_ego(answers), [camera.mirrored() for camera in target.cameras()])


def load_teacher(path: Path, proxy: str) -> WaypointNetwork:
    """The network f^P of a checkpoint.

    Raises:
        CheckpointError: it cannot be read, or reads another observation than the proxy's.
    """
    network, card = load_checkpoint(path)
    if card.observation != observation_of(proxy):
        raise CheckpointError(
            f"{path} reads {card.observation!r}; the teacher of proxy {proxy!r} must read {observation_of(proxy)!r}"
        )
    return network


def fit_target(
    target: RolloutDataset,
    proxy: str,
    teacher_path: Path,
    source: str,
    settings: FitSettings,
    *,
    method: str = "task-distillation",
    keeps_rule: bool = False,
) -> Path:
    """Train f^T: target image to what f^P answers to the target's labels.

    Args:
        target: rgb with the proxy's labels.
        proxy: "map" or "camera".
        teacher_path: checkpoint of f^P.
        source: name of the source simulator, for the name of the checkpoint.
        settings: how.
        method: begins the name of the checkpoint.
        keeps_rule: f^P prefers one side at junctions, so it is asked about mirrored labels for mirrored images.

    Returns:
        The weights file of ``<source>-<target>-<method>-<proxy>``.
    """
    observation = observation_of(proxy)
    target.require(target.config.simulator, (RGB, observation))
    teacher = load_teacher(teacher_path, proxy)
    targets, metres = teacher_targets(teacher, target, proxy)
    in_mirror = mirrored_targets(teacher, target, proxy) if keeps_rule else None
    geometries: list[ImageGeometry] = [CameraGeometry(camera) for camera in target.cameras()]
    return fit_checkpoint(
        f"{source}-{target.config.simulator}-{method}-{proxy}",
        RGB,
        ImageExamples(rgb_images(target), targets, target.episode_of_sample(), mirrored_targets=in_mirror),
        settings,
        data={"target": target.hash, "teacher": checkpoint_hash(teacher_path)},
        yardsticks=[
            Yardstick("teacher", geometries, metres),
            Yardstick("driven_path", geometries, target.stack("waypoints")),
        ],
        notes=f"f^T: {target.config.simulator} image to what f^P ({proxy}, {teacher_path.name}) answers to its labels"
        + ("; mirrored images have its answers to mirrored labels" if keeps_rule else ""),
    )
