"""The judged samples of both domains, and shares of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.evaluation.analysis.paths import TOLERANCE_M
from sim2real_bench.evaluation.analysis.recordings import Recordings
from sim2real_bench.evaluation.analysis.shares import Pool, Share, share_of


@dataclass(frozen=True)
class Samples:
    """The judged samples of both domains.

    Attributes:
        source: held-out episodes of the source.
        target: held-out episodes of the target.
        tolerance_m: paths agree within it.
    """

    source: Recordings
    target: Recordings
    tolerance_m: float = TOLERANCE_M

    def pool(self) -> Pool:
        """All episodes, the source's first."""
        return Pool(np.repeat([0, 1], [len(self.source.episodes), len(self.target.episodes)]))

    def on_source(self, right: npt.ArrayLike) -> Share:
        """The share of the source's samples that are right."""
        every = len(self.source.episodes) + len(self.target.episodes)
        return share_of(right, self.source.groups, self.source.episodes, of=every)

    def on_target(self, right: npt.ArrayLike) -> Share:
        """The share of the target's samples that are right."""
        return share_of(right, self.target.groups, self.target.episodes, at=len(self.source.episodes))
