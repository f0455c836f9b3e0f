"""Which training track an episode starts on: uniform, or more often where the driver failed lately."""

from collections.abc import Sequence

import numpy as np

from sim2real_bench.envs.supertuxkart.tracks import Track

_MEMORY = 0.2  # weight of the newest episode in a track's failure rate
_LEAST = 0.01  # so that a track without failures is drawn now and then


class TrackDraw:
    """Draws tracks; told how their episodes ended.

    In the spirit of prioritised level replay (Jiang et al., 2021), with failures in place of learning errors: a track
    that is driven safely teaches little more.

    Args:
        tracks: to draw from.
        focus: share of the draws in proportion to the tracks' recent failure rates; the others are uniform.
    """

    def __init__(self, tracks: Sequence[Track], focus: float = 0.0) -> None:
        self._tracks = tuple(tracks)
        self._focus = focus
        self.failure_rates = dict.fromkeys(self._tracks, 0.0)

    def draw(self, rng: np.random.Generator) -> Track:
        """A track for the next episode."""
        # Nothing more is drawn without a focus: the episodes of a seed stay what they were before there was one.
        if self._focus > 0.0 and rng.uniform() < self._focus:
            weights = np.array([self.failure_rates[track] + _LEAST for track in self._tracks])
            return self._tracks[int(rng.choice(len(self._tracks), p=weights / weights.sum()))]
        return self._tracks[int(rng.integers(len(self._tracks)))]

    def ended(self, track: Track, failed: bool) -> None:
        """Note how an episode on a track ended."""
        self.failure_rates[track] += _MEMORY * (failed - self.failure_rates[track])
