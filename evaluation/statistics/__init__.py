"""The numbers of tables and comparisons: pure functions of arrays, no state, explicit seeds."""

from sim2real_bench.evaluation.statistics.curves import Curve, performance_profile, survival
from sim2real_bench.evaluation.statistics.intervals import (
    clustered_wilson_interval,
    difference_interval,
    improvement_interval,
    iqm_interval,
    weighted_controller_mean,
    weighted_iqm,
    wilson_interval,
)
from sim2real_bench.evaluation.statistics.resampling import (
    REPLICATES,
    Interval,
    bootstrap_interval,
    clustered_interval,
    resampled_interval,
)
from sim2real_bench.evaluation.statistics.significance import (
    Alternative,
    holm,
    shuffle_p,
    sign_flip_p,
    step_down_p,
    wilcoxon_p,
)
from sim2real_bench.evaluation.statistics.summaries import (
    DistanceSummary,
    Float,
    completion_rate,
    controller_means,
    distance_summary,
    group_means,
    interquartile_mean,
    per_kilometre,
    probability_of_improvement,
    ranks,
)

__all__ = [
    "REPLICATES",
    "Alternative",
    "Curve",
    "DistanceSummary",
    "Float",
    "Interval",
    "bootstrap_interval",
    "clustered_interval",
    "clustered_wilson_interval",
    "completion_rate",
    "controller_means",
    "difference_interval",
    "distance_summary",
    "group_means",
    "holm",
    "improvement_interval",
    "interquartile_mean",
    "iqm_interval",
    "per_kilometre",
    "performance_profile",
    "probability_of_improvement",
    "ranks",
    "resampled_interval",
    "shuffle_p",
    "sign_flip_p",
    "step_down_p",
    "survival",
    "weighted_controller_mean",
    "weighted_iqm",
    "wilcoxon_p",
    "wilson_interval",
]
