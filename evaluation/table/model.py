"""The table as data: one row a method, and the differences to the baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sim2real_bench.evaluation.statistics import Interval
from sim2real_bench.evaluation.table.ratios import Ratio

BASELINE = "direct"
BOUNDS = ("reference", "expert", "proxy")  # privileged: they bound a table from above and compete with nobody


@dataclass(frozen=True)
class Distance:
    """Distances of one row, metres: the paper's columns, and the 95 % interval of the mean."""

    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    ci95: Interval | None
    ci95_by_start: Interval | None


@dataclass(frozen=True)
class TableRow:
    """One method.

    Attributes:
        method: registered name.
        proxy: ``map``, ``camera`` or None.
        rank: among the complete rows, best first; None for incomplete rows and privileged bounds.
        episodes_planned: in the plan.
        episodes_finished: with a result.
        distance_m: from positions at every tick.
        distance_2s_m: with the paper's odometer: the mean of the per-controller means.
        completion: threshold in metres to the share of episodes that came so far; None where the horizon ends an
            episode before.
        supervision: which data the method read.
        infractions_per_km: collisions, stuck, off the road for 30 s and agent errors per kilometre driven.
        off_road_share: share of the ticks with the vehicle off the road.
        outcomes: how many episodes ended in which way.
        infrastructure_failures: attempts that were repeated.
        realtime_factor: simulated seconds per second of wall time.
        iqm_m: interquartile mean of the distances, metres.
        iqm_ci95: episodes resampled within each controller.
        iqm_ci95_by_start: whole starts resampled (stricter: controllers share starts).
        completion_ci95: Wilson intervals beside ``completion``, as if episodes were independent.
        completion_ci95_by_start: with the effective number of episodes (stricter).
        source_distance_m: mean distance of the same agent in the source simulator, with the same horizon, metres.
        retained_fraction: mean distance over ``source_distance_m``.
    """

    method: str
    proxy: str | None
    rank: int | None
    episodes_planned: int
    episodes_finished: int
    distance_m: Distance
    distance_2s_m: float | None
    completion: Mapping[str, float | None]
    supervision: str
    infractions_per_km: float | None
    off_road_share: float | None
    outcomes: Mapping[str, int]
    infrastructure_failures: int
    realtime_factor: float | None
    iqm_m: float | None
    iqm_ci95: Interval | None
    iqm_ci95_by_start: Interval | None
    completion_ci95: Mapping[str, Interval | None]
    completion_ci95_by_start: Mapping[str, Interval | None]
    source_distance_m: float | None = None
    retained_fraction: float | None = None

    @property
    def label(self) -> str:
        """Name with the proxy in brackets."""
        return f"{self.method} ({self.proxy})" if self.proxy else self.method

    @property
    def complete(self) -> bool:
        """Every planned episode has its result."""
        return self.episodes_finished == self.episodes_planned


@dataclass(frozen=True)
class Difference:
    """Mean distance of a method minus that of the baseline over the episodes both finished, metres.

    Attributes:
        ci95: episodes resampled in pairs, within each controller.
        ci95_by_start: whole starts resampled (stricter: controllers share starts).
        probability_of_improvement: that an episode comes farther than one of the baseline under the same controller.
        probability_of_improvement_ci95: episodes resampled within each controller.
        probability_of_improvement_ci95_by_start: whole starts resampled.
        p_by_start: two-sided sign-flip test of the starts' mean differences.
        p_by_start_holm: the same, corrected for the number of methods compared with the baseline.
    """

    method: str
    proxy: str | None
    baseline: str
    pairs: int
    mean: float
    ci95: Interval | None
    ci95_by_start: Interval | None
    probability_of_improvement: float
    probability_of_improvement_ci95: Interval | None
    probability_of_improvement_ci95_by_start: Interval | None
    p_by_start: float
    p_by_start_holm: float


@dataclass(frozen=True)
class Table:
    """All rows of one evaluation, and what to know when reading them."""

    benchmark: str
    backend: str
    backend_version: str
    town: str
    preset: str
    horizon_s: float
    plan_sha256: str
    rows: tuple[TableRow, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    ratios: tuple[Ratio, ...] = ()

    @property
    def complete(self) -> bool:
        """Every row is complete."""
        return all(row.complete for row in self.rows)

    def to_json(self) -> str:
        """Text of ``table.json``."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"
