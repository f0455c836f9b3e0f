"""What a policy answers to recorded samples, as paths on the ground."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.waypoint_agent import WaypointPolicy
from sim2real_bench.agents.waypoints import CameraGeometry
from sim2real_bench.distill.data.episode import EpisodeArrays, unpack_map_view
from sim2real_bench.distill.examples import MaskExamples, PackedMasks, RgbImages
from sim2real_bench.distill.ground_warp import camera_view
from sim2real_bench.distill.training import predict
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import road_mask
from sim2real_bench.envs.observation import LABELS, MAP_VIEW, RGB, SPEED, Observation
from sim2real_bench.errors import DataError
from sim2real_bench.evaluation.analysis.recordings import CAMERA_ARRAYS, Recordings

Paths = npt.NDArray[np.float64]
"""(N, 5, 2) metres, ego frame."""


class Answers(Protocol):
    """Paths for the samples of recorded episodes."""

    def __call__(self, recordings: Recordings, advanced: Callable[[int], None]) -> Paths:
        """Paths of all samples, in order; ``advanced`` is told how many more are done."""


class PolicyAnswers:
    """A policy that looks at what the benchmark's vehicle sees; images must come from the benchmark's camera."""

    def __init__(self, policy: WaypointPolicy) -> None:
        self._policy = policy

    def __call__(self, recordings: Recordings, advanced: Callable[[int], None]) -> Paths:
        """Paths of all samples.

        Raises:
            DataError: the images were taken with another camera.
        """
        paths = []
        for episode in recordings.read((*self._policy.observations, *CAMERA_ARRAYS)):
            if self._policy.observations != (MAP_VIEW,):
                _require_driving_camera(recordings, _cameras(episode, recordings))
            paths += [self._policy.waypoints(_observation(episode, sample)) for sample in range(len(episode))]
            advanced(len(episode))
        return np.stack(paths)


class ImageAnswers:
    """f^S on the source: each image lifted to the ground by its own camera."""

    def __init__(self, network: WaypointNetwork) -> None:
        self._network = network

    def __call__(self, recordings: Recordings, advanced: Callable[[int], None]) -> Paths:
        """Paths of all samples."""
        paths = []
        for episode in recordings.read((RGB, *CAMERA_ARRAYS)):
            images = RgbImages(_present(episode.rgb, RGB))
            answers = predict(self._network, images.batch, len(episode)).numpy()
            cameras = _cameras(episode, recordings)
            paths += [CameraGeometry(camera).to_ego(one) for camera, one in zip(cameras, answers, strict=True)]
            advanced(len(episode))
        return np.stack(paths)


class SeenLabelAnswers:
    """f^P of the camera proxy on source labels, shown as the driving camera would see them, as in its training."""

    def __init__(self, network: WaypointNetwork) -> None:
        self._network = network

    def __call__(self, recordings: Recordings, advanced: Callable[[int], None]) -> Paths:
        """Paths of all samples."""
        paths = []
        for episode in recordings.read((LABELS, *CAMERA_ARRAYS)):
            masks = np.packbits(road_mask(_present(episode.labels, LABELS), recordings.simulator), axis=-1)
            views = np.stack([camera_view(camera) for camera in _cameras(episode, recordings)]).astype(np.float32)
            target = camera_view(DRIVING_CAMERA).astype(np.float32)
            groups = np.zeros(len(episode), np.int64)
            examples = MaskExamples(PackedMasks(masks), episode.waypoints, groups, views, target)
            answers = predict(self._network, lambda rows, seen=examples: seen.batch(rows, None)[0], len(episode))  # type: ignore[misc]
            paths.append(CameraGeometry(DRIVING_CAMERA).to_ego(answers.numpy()))
            advanced(len(episode))
        return np.concatenate(paths)


def _observation(episode: EpisodeArrays, sample: int) -> Observation:
    """What the vehicle saw, as far as it was read."""
    seen: Observation = {SPEED: episode.speed[sample]}
    if episode.rgb is not None:
        seen[RGB] = episode.rgb[sample]
    if episode.labels is not None:
        seen[LABELS] = episode.labels[sample]
    if episode.map_view is not None:
        seen[MAP_VIEW] = unpack_map_view(episode.map_view[sample]) * np.uint8(255)
    return seen


def _cameras(episode: EpisodeArrays, recordings: Recordings) -> list[PinholeCamera]:
    return episode.cameras(*recordings.data.config.image_size)


def _require_driving_camera(recordings: Recordings, cameras: list[PinholeCamera]) -> None:
    wanted = camera_view(DRIVING_CAMERA)
    if not all(np.allclose(camera_view(camera), wanted, atol=1e-3) for camera in cameras):
        raise DataError(
            f"{recordings.data.folder} was recorded with another camera ({recordings.data.config.camera}) than the "
            "agents drive with; collect it with the benchmark's camera (no camera options)"
        )


def _present(value: npt.NDArray[np.uint8] | None, name: str) -> npt.NDArray[np.uint8]:
    if value is None:
        raise DataError(f"an episode holds no {name} although its data set says so; collect it again")
    return value
