"""Training examples of every stage: compact images in memory, and batches of tensors made from them when needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sim2real_bench.agents.waypoints import CameraGeometry
from sim2real_bench.distill.augment import chosen, holes, mirror, photometric, ragged_edges
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.ground_warp import (
    STILL,
    GroundMotion,
    camera_view,
    homography,
    map_view_matrix,
    project,
    resample_path,
    warp_images,
    warp_points,
)
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import road_map_channel, road_mask
from sim2real_bench.envs.observation import LABELS, MAP_VIEW
from sim2real_bench.errors import DataError

Indices = npt.NDArray[np.int64]


class Examples(Protocol):
    """What the training loop learns from."""

    @property
    def groups(self) -> Indices:
        """(N,) the episode of every example: validation holds out whole episodes."""

    def batch(self, indices: Indices, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) float images in [0, 1] and (B, 5, 2) normalised targets; augmented if there is a generator."""


class Images(Protocol):
    """Images in memory, in whatever compact form."""

    def __len__(self) -> int:
        """Their number."""

    def batch(self, indices: Indices) -> Tensor:
        """(B, C, H, W) float32 in [0, 1]."""


class RgbImages:
    """Colour images.

    Args:
        images: (N, H, W, 3) uint8.
    """

    def __init__(self, images: npt.NDArray[np.uint8]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, indices: Indices) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1], channels last in memory."""
        return torch.from_numpy(self._images[indices]).permute(0, 3, 1, 2).float().div_(255.0)


class PackedMasks:
    """Binary images at one bit a pixel.

    Args:
        packed: (N, H, W / 8) uint8, from ``numpy.packbits`` over the last axis.
    """

    def __init__(self, packed: npt.NDArray[np.uint8]) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed)

    def batch(self, indices: Indices) -> Tensor:
        """(B, 1, H, W) float32, 0 or 1."""
        return torch.from_numpy(np.unpackbits(self._packed[indices], axis=-1)).float()[:, None]


def rgb_images(data: RolloutDataset) -> RgbImages:
    """The colour images of a data set (1.8 GB for 10,000 of 160x384)."""
    return RgbImages(data.stack("rgb"))


def map_masks(data: RolloutDataset) -> PackedMasks:
    """The road channel of a data set's map views."""
    channel = road_map_channel(data.config.simulator)
    return PackedMasks(_concatenate(data, MAP_VIEW, lambda packed: packed[:, channel]))


def label_masks(data: RolloutDataset) -> PackedMasks:
    """The road masks of a data set's camera labels."""
    simulator = data.config.simulator
    return PackedMasks(_concatenate(data, LABELS, lambda ids: np.packbits(road_mask(ids, simulator), axis=-1)))


def _concatenate(data: RolloutDataset, name: str, reduce: _Reduce) -> npt.NDArray[np.uint8]:
    parts = []
    for index, episode in zip(data.filled, data.episodes((name,)), strict=True):
        value = getattr(episode, name)
        if value is None:
            raise DataError(f"episode {index} of {data.folder} holds no {name}")
        if len(value):
            parts.append(reduce(value))
    if not parts:
        raise DataError(f"{data.folder} holds no samples")
    return np.concatenate(parts)


class _Reduce(Protocol):
    def __call__(self, values: npt.NDArray[np.uint8], /) -> npt.NDArray[np.uint8]: ...


@dataclass(frozen=True)
class ImageExamples:
    """Colour images with waypoints: what f^S and f^T learn from.

    Attributes:
        images: the images.
        targets: (N, 5, 2) float32 normalised camera coordinates.
        groups: (N,) episode of every example.
        changes: of colour and sharpness, see ``image_changes``.
        mirrored_targets: (N, 5, 2) float32: the targets of the mirrored images, where these are not the mirrored
            targets: a teacher that keeps a rule of the road keeps it in the mirror, too.
    """

    images: Images
    targets: npt.NDArray[np.float32]
    groups: Indices
    changes: Callable[[Tensor, torch.Generator], Tensor] = photometric
    mirrored_targets: npt.NDArray[np.float32] | None = None

    def batch(self, indices: Indices, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """A batch; with a generator half of it is mirrored and some of it changed in colour and sharpness."""
        images, targets = self.images.batch(indices), torch.from_numpy(self.targets[indices])
        if generator is None:
            return images, targets
        which = chosen(generator, len(images), 0.5)
        images, targets = mirror(images, targets, which)
        if self.mirrored_targets is not None:
            targets[which] = torch.from_numpy(self.mirrored_targets[indices[which.numpy()]])
        return self.changes(images, generator), targets


@dataclass(frozen=True)
class MaskChanges:
    """Augmentation of road masks; the mirror is always on.

    Attributes:
        motion: of the ground under the vehicle.
        edge_px: largest radius by which the road grows or shrinks.
        hole_share: share of the masks with blanked rectangles.
    """

    motion: GroundMotion = STILL
    edge_px: int = 0
    hole_share: float = 0.0


MIRROR_ONLY = MaskChanges()


@dataclass(frozen=True)
class MaskExamples:
    """Road masks with driven paths: what f^P learns from.

    Attributes:
        masks: map or camera masks of the source.
        waypoints: (N, 5, 3) float32 metres, ego frame.
        groups: (N,) episode of every example.
        views: (N, 3, 4) float32 or (1, 3, 4): how each mask sees the ego frame.
        target_view: (3, 4) float32: how the network's images see it; None = as the masks do.
        changes: augmentation of training batches.
    """

    masks: Images
    waypoints: npt.NDArray[np.float32]
    groups: Indices
    views: npt.NDArray[np.float32]
    target_view: npt.NDArray[np.float32] | None = None
    changes: MaskChanges = MIRROR_ONLY

    def batch(self, indices: Indices, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """A batch; with a generator its ground is moved and its edges, holes and side are changed at random."""
        masks, waypoints = self.masks.batch(indices), torch.from_numpy(self.waypoints[indices])
        count = len(masks)
        views = torch.from_numpy(self.views[indices] if len(self.views) > 1 else self.views).expand(count, 3, 4)
        target = views if self.target_view is None else torch.from_numpy(self.target_view).expand(count, 3, 4)
        motion, scale = (self.changes.motion if generator else STILL).draw(count, generator or _FIXED)
        matrix = homography(views, motion, target)
        targets = warp_points(project(views, resample_path(waypoints, scale)), matrix)
        if self.target_view is not None or (generator and self.changes.motion != STILL):
            masks = warp_images(masks, matrix)
        if generator is None:
            return masks, targets
        masks = holes(ragged_edges(masks, generator, self.changes.edge_px), generator, self.changes.hole_share)
        return mirror(masks, targets, chosen(generator, count, 0.5))


_FIXED = torch.Generator()  # a motion without ranges is the same whatever is drawn


def map_examples(data: RolloutDataset, changes: MaskChanges) -> MaskExamples:
    """Map views of a data set and the paths driven on them."""
    data.require(data.config.simulator, (MAP_VIEW,))
    view = map_view_matrix().astype(np.float32)[None]
    return MaskExamples(
        map_masks(data), data.stack("waypoints"), data.episode_of_sample(), view, changes=changes
    )  # fmt: skip


def camera_examples(data: RolloutDataset, changes: MaskChanges, target_camera: PinholeCamera | None) -> MaskExamples:
    """Camera road masks of a data set, seen through ``target_camera`` (None = as recorded), and the driven paths."""
    data.require(data.config.simulator, (LABELS,))
    views = np.stack([camera_view(camera) for camera in data.cameras()]).astype(np.float32)
    target = None if target_camera is None else camera_view(target_camera).astype(np.float32)
    return MaskExamples(
        label_masks(data), data.stack("waypoints"), data.episode_of_sample(), views, target, changes
    )  # fmt: skip


def camera_targets(waypoints: npt.NDArray[np.float64], cameras: list[PinholeCamera]) -> npt.NDArray[np.float32]:
    """(N, 5, 2) float32 normalised coordinates of (N, 5, 2 or 3) ego metres, each seen by its own camera, clamped."""
    return np.stack(
        [CameraGeometry(camera).to_normalised(points) for points, camera in zip(waypoints, cameras, strict=True)]
    ).astype(np.float32)
