"""Which training track an episode starts on: uniform, or one whose lap the driver did not finish when last judged."""

from collections.abc import Sequence

import numpy as np

from sim2real_bench.envs.supertuxkart.tracks import Track


class TrackDraw:
    """Draws tracks.

    In the spirit of prioritised level replay (Jiang et al., 2021): a track that is driven safely teaches little more.

    Args:
        tracks: to draw from.
        focus: share of the draws among ``unfinished``; the others are uniform over all.

    Attributes:
        tracks: to draw from.
        unfinished: tracks that need practice; none at first.
    """

    def __init__(self, tracks: Sequence[Track], focus: float = 0.0) -> None:
        self.tracks = tuple(tracks)
        self.unfinished: tuple[Track, ...] = ()
        self._focus = focus

    def draw(self, rng: np.random.Generator) -> Track:
        """A track for the next episode."""
        practised = self.unfinished and rng.uniform() < self._focus
        among = self.unfinished if practised else self.tracks
        return among[int(rng.integers(len(among)))]
