"""The recorded episodes that networks are judged on: none that any of them learnt from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.cards import CheckpointCard
from sim2real_bench.distill.data.episode import EpisodeArrays, unpack_map_view
from sim2real_bench.distill.data.rollouts import RolloutDataset, content_hash
from sim2real_bench.distill.training import TrainingConfig, split_by_episode
from sim2real_bench.envs.classes import road_map_channel
from sim2real_bench.envs.observation import LABELS, MAP_VIEW, RGB
from sim2real_bench.errors import DataError

CAMERA_ARRAYS = ("camera_focal", "camera_rotation", "camera_position")
_SPLIT_BY_TRAINING = ("source", "target")  # what a card calls the one data set whose episodes a training splits


@dataclass(frozen=True)
class Recordings:
    """Some episodes of a data set, read when asked for.

    Attributes:
        data: the data set; must hold rgb, labels and map view.
        episodes: numbers of the chosen episodes, ascending.
        learnt: whether networks that are judged here learnt from other episodes of the same data set.
    """

    data: RolloutDataset
    episodes: tuple[int, ...]
    learnt: bool = False

    def __len__(self) -> int:
        return sum(self.frames)

    @property
    def frames(self) -> list[int]:
        """Samples of each episode."""
        return [self.data.manifest.episodes[index].frames for index in self.episodes]

    @property
    def simulator(self) -> str:
        """Where they were recorded."""
        return self.data.config.simulator

    @property
    def groups(self) -> npt.NDArray[np.int64]:
        """(N,) the episode of every sample."""
        return np.repeat(np.array(self.episodes, np.int64), self.frames)

    def read(self, names: Sequence[str]) -> Iterator[EpisodeArrays]:
        """The episodes with the arrays ``names``, one in memory at a time."""
        for index in self.episodes:
            yield self.data.episode(index, names)

    @cached_property
    def waypoints(self) -> npt.NDArray[np.float64]:
        """(N, 5, 2) metres, ego frame: what the driver drove."""
        return np.concatenate([episode.waypoints[..., :2] for episode in self.read(())]).astype(np.float64)

    @cached_property
    def roads(self) -> npt.NDArray[np.uint8]:
        """(N, 192, 192) 0 or 1: the road in the true map view."""
        channel = road_map_channel(self.simulator)
        return np.concatenate([unpack_map_view(_held(e.map_view)[:, channel]) for e in self.read((MAP_VIEW,))])

    def first(self, samples: int) -> Recordings:
        """As many of the episodes as hold about ``samples`` samples; two at least, for an interval."""
        enough = int(np.searchsorted(np.cumsum(self.frames), samples)) + 1
        return replace(self, episodes=self.episodes[: max(enough, 2)])


def held_out(data: RolloutDataset, cards: Iterable[CheckpointCard]) -> Recordings:
    """The episodes of a data set that no network of these cards learnt from.

    Raises:
        DataError: fewer than two are left, or the data set lacks an observation.
    """
    data.require(data.config.simulator, (RGB, LABELS, MAP_VIEW))
    seen = set().union(*(learnt_episodes(data, card) for card in cards))
    left = tuple(index for index in data.filled if index not in seen)
    if len(left) < 2:
        raise DataError(
            f"{data.folder}: the networks learnt from all but {len(left)} of its {len(data.filled)} episodes; at least "
            "two are needed that none has seen: collect another data set with another --seed"
        )
    return Recordings(data, left, learnt=bool(seen))


def learnt_episodes(data: RolloutDataset, card: CheckpointCard) -> set[int]:
    """The episodes of a data set that a network learnt from; none where its card names other data.

    A network that learnt from the first episodes only is found, too. Where the card names the data set under another
    name than ``source`` or ``target`` (one of several, say) all of it counts as learnt.
    """
    entries = data.manifest.episodes
    counts = {content_hash(data.config, entries[:count]): count for count in range(1, len(entries) + 1)}
    learnt: set[int] = set()
    for name, digest in card.data.items():
        groups = data.episode_of_sample()
        groups = groups[groups < counts.get(digest, 0)]
        if len(groups):
            training = np.arange(len(groups))
            if name in _SPLIT_BY_TRAINING:
                training, _ = split_by_episode(groups, TrainingConfig.validation_share, card.seed)
            learnt.update(groups[training].tolist())
    return learnt


def _held(value: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
    if value is None:
        raise DataError("an episode holds no map view although its data set says so; collect it again")
    return value
