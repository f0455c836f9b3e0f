"""Several data sets of the target read as one: what the reference drove, and what students drove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.waypoints import CameraGeometry, ImageGeometry
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import Images, Indices, rgb_images
from sim2real_bench.distill.task_distillation import mirrored_targets, observation_of, teacher_targets
from sim2real_bench.distill.transfer import opened
from sim2real_bench.envs.observation import RGB
from sim2real_bench.errors import ConfigurationError, DataError


class ChainedImages:
    """Images of several sources in a row, each left where it lies in memory.

    Args:
        parts: at least one.
    """

    def __init__(self, parts: Sequence[Images]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def batch(self, indices: Indices) -> Tensor:
        """(B, C, H, W) float32 in [0, 1], in the order of ``indices``."""
        owner = np.searchsorted(self._starts, indices, side="right") - 1
        positions = [np.flatnonzero(owner == part) for part in range(len(self._parts))]
        batches = [
            images.batch(indices[where] - start)
            for images, where, start in zip(self._parts, positions, self._starts, strict=False)
            if len(where)
        ]
        order = np.argsort(np.concatenate(positions), kind="stable")
        return torch.cat(batches)[torch.from_numpy(order)]


@dataclass(frozen=True)
class Aggregate:
    """Data sets of one target simulator in a row (the aggregate of DAgger).

    Attributes:
        parts: the data sets; episodes and samples are counted through all of them.

    Raises:
        DataError: they come from different simulators, or two are the same.
    """

    parts: tuple[RolloutDataset, ...]

    def __post_init__(self) -> None:
        simulators = {part.config.simulator for part in self.parts}
        if len(simulators) != 1:
            raise DataError(f"data sets of {', '.join(sorted(simulators)) or 'no simulator'} are not one target")
        if len({part.hash for part in self.parts}) < len(self.parts):
            folders = ", ".join(str(part.folder) for part in self.parts)
            raise DataError(f"two of the data sets {folders} are the same; give each once")

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def simulator(self) -> str:
        """Where all of them come from."""
        return self.parts[0].config.simulator

    @property
    def hashes(self) -> dict[str, str]:
        """Of the parts, for a card: ``target``, ``target-2``, ``target-3``, in order."""
        return {f"target-{number}" if number > 1 else "target": p.hash for number, p in enumerate(self.parts, 1)}

    def require(self, proxy: str) -> None:
        """Check that images and the labels of ``proxy`` were recorded.

        Raises:
            DataError: saying what is held and what to collect instead.
        """
        for part in self.parts:
            part.require(self.simulator, (RGB, observation_of(proxy)))

    def images(self) -> ChainedImages:
        """All colour images (1.8 GB for 10,000 of 160x384)."""
        return ChainedImages([rgb_images(part) for part in self.parts])

    def groups(self) -> Indices:
        """(N,) the episode of every sample, counted through all data sets."""
        firsts = np.cumsum([0, *(len(part.manifest.episodes) for part in self.parts)])
        return np.concatenate(
            [part.episode_of_sample() + first for part, first in zip(self.parts, firsts, strict=False)]
        )

    def geometries(self) -> list[ImageGeometry]:
        """How each image sees the ground."""
        return [CameraGeometry(camera) for part in self.parts for camera in part.cameras()]

    def teacher_targets(
        self, teacher: WaypointNetwork, proxy: str
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """(N, 5, 2) normalised and in metres: what f^P says on the true labels (see ``task_distillation``)."""
        answers = [teacher_targets(teacher, part, proxy) for part in self.parts]
        return np.concatenate([targets for targets, _ in answers]), np.concatenate([metres for _, metres in answers])

    def mirrored_targets(self, teacher: WaypointNetwork, proxy: str) -> npt.NDArray[np.float32]:
        """(N, 5, 2) normalised: what f^P says on the true labels seen in a mirror."""
        return np.concatenate([mirrored_targets(teacher, part, proxy) for part in self.parts])


def open_aggregate(folders: Sequence[Path], most_images: int | None = None) -> Aggregate:
    """Data sets by folder: the first, what the reference drove; then those that students drove.

    Args:
        folders: at least one.
        most_images: in all; the students' data sets are taken whole, the first gives its first whole episodes.

    Raises:
        DataError: a data set cannot be read, or the first holds too few images.
        ConfigurationError: the students' data sets alone hold as many.
    """
    first, *driven = folders
    on_policy = [opened(folder) for folder in driven]
    if most_images is None:
        return Aggregate((opened(first), *on_policy))
    rest = most_images - sum(map(len, on_policy))
    if rest < 1:
        raise ConfigurationError(
            f"--target-images {most_images}: the data sets after the first hold {most_images - rest} images already; "
            "ask for more, or leave one out"
        )
    return Aggregate((opened(first, rest), *on_policy))
