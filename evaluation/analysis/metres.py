"""The same factors in closed loop: instead of right paths, metres driven.

A network's source distance, what is left of it in the target, and what a row keeps of the distance that its f^P drives
on the target's true labels. A product of these is the row's distance by definition; each alone says where it is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim2real_bench.agents.checkpoints import checkpoint_hash
from sim2real_bench.agents.source_scores import source_score_of
from sim2real_bench.evaluation.analysis.chains import Chain, Kind
from sim2real_bench.evaluation.analysis.factors import KEEPS
from sim2real_bench.evaluation.analysis.shares import Estimate, Float
from sim2real_bench.evaluation.plan import Limits
from sim2real_bench.evaluation.results import Drives, Results, distances_of, starts_of
from sim2real_bench.evaluation.statistics import resampled_interval


@dataclass(frozen=True)
class MetreFactors:
    """One row's factors in metres; None where the drives they need are missing.

    Attributes:
        label: of the row.
        source_m: mean distance of its f^S or f^P in the source, metres.
        overlap: of that, the share that is left in the target: of f^S in the row's images, of f^P on true labels.
        keeps: the row's distance over that of its f^P on the target's true labels; whole starts resampled.
    """

    label: str
    source_m: float | None
    overlap: float | None
    keeps: Estimate | None


def metre_factors(chains: Sequence[Chain], results: Results) -> list[MetreFactors]:
    """Of all chains that finished episodes in these results and have one of the factors.

    Source distances are only set beside drives of the same horizon.
    """
    rows = {row.label: results.drives(row) for row in results.plan.configuration.rows}
    told = {checkpoint_hash(chain.start): rows.get(chain.label, {}) for chain in chains if chain.kind is Kind.PROXY}
    found = []
    for chain in chains:
        own, start = rows.get(chain.label, {}), checkpoint_hash(chain.start)
        reached = own if chain.kind in (Kind.DIRECT, Kind.TRANSLATED) else told.get(start, {})
        source_m = _source_m(start, results.plan.configuration.limits)
        overlap = float(np.mean(distances_of(reached))) / source_m if source_m and reached else None
        keeps = ratio(own, reached) if chain.kind in KEEPS else None
        if own and (source_m, overlap, keeps) != (None, None, None):
            found.append(MetreFactors(chain.label, source_m, overlap, keeps))
    return found


def _source_m(weights_sha256: str, limits: Limits) -> float | None:
    score = source_score_of(weights_sha256)
    same_horizon = score is not None and math.isclose(score.duration_s, limits.horizon_ticks * limits.tick_s)
    return score.distance_m() if score is not None and same_horizon else None


def ratio(ours: Drives, theirs: Drives) -> Estimate | None:
    """Mean distance of one row over that of another on the episodes both finished; None where there are none."""
    shared = [episode for episode in ours if episode in theirs]
    if not shared:
        return None
    own, other = ({episode: drives[episode] for episode in shared} for drives in (ours, theirs))
    above, below = np.array(distances_of(own)), np.array(distances_of(other))
    if not below.any():
        return None

    def statistic(weights: Float) -> Float:
        total = weights @ below
        return np.divide(weights @ above, total, out=np.full(len(total), np.nan), where=total > 0)

    ends = resampled_interval(statistic, np.zeros(len(shared), np.int64), starts_of(own))
    return Estimate(float(above.sum() / below.sum()), None if ends is None else (float(ends[0]), float(ends[1])))
