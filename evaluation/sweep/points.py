"""What a sweep measured: one row for each finished point, as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sim2real_bench.agents.cards import read_card
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.evaluation.files import write_result_file
from sim2real_bench.evaluation.results import PLAN_FILE, read_results
from sim2real_bench.evaluation.statistics import Interval
from sim2real_bench.evaluation.sweep.steps import SweepPoint, SweepSettings, sweep_points
from sim2real_bench.evaluation.table import Table, build_table

DATA_FILES = ("sweep.json", "sweep.csv")


@dataclass(frozen=True)
class Measured:
    """One point of a curve.

    Attributes:
        method: registered name.
        proxy: "map", "camera" or None.
        images: target images learnt from, held-out ones included: whole episodes.
        images_asked: the number asked for.
        episodes: driven.
        distance_m: mean of the per-controller means, metres.
        ci95: 95 % interval, episodes resampled within each controller.
        ci95_by_start: 95 % interval, whole starts resampled (stricter: controllers share starts); None for one start.
        infractions_per_km: of the driven kilometres.
        off_road_share: share of the ticks off the road.
        checkpoint_sha256: the weights that drove.
        metrics: from the checkpoint's card: losses and errors on held-out episodes.
    """

    method: str
    proxy: str | None
    images: int
    images_asked: int
    episodes: int
    distance_m: float
    ci95: Interval | None
    ci95_by_start: Interval | None
    infractions_per_km: float | None
    off_road_share: float | None
    checkpoint_sha256: str
    metrics: dict[str, float]

    @property
    def label(self) -> str:
        """Name with the proxy in brackets."""
        return f"{self.method} ({self.proxy})" if self.proxy else self.method


@dataclass(frozen=True)
class SweepData:
    """All finished points, and what they have in common.

    Attributes:
        complete: no point is missing.
        benchmark: id.
        backend: of the simulator, with its version.
        town: driven in.
        reach_m: the horizon at target speed, metres: no distance is longer.
        target_data_sha256: hash of the whole data set.
        points: in the order of the sweep.
    """

    complete: bool
    benchmark: str
    backend: str
    town: str
    reach_m: float
    target_data_sha256: str
    points: tuple[Measured, ...]


def images_of(settings: SweepSettings) -> dict[int, int]:
    """How many images each size asked for really means.

    Raises:
        DataError: the data set cannot be read, or is smaller than a size.
    """
    data = RolloutDataset(settings.target_data)
    return {size: len(data.first(size)) for size in settings.images}


def measured_data(settings: SweepSettings) -> SweepData:
    """What the evaluations of a sweep found, as far as they are complete.

    Raises:
        DataError: the data set cannot be read.
        RecordError: a results folder cannot be read.
    """
    images = images_of(settings)
    planned = sweep_points(settings)
    tables = [(point, table, reach) for point in planned for table, reach in _table(point)]
    points = tuple(_measured(point, table, images[point.images]) for point, table, _ in tables)
    first = tables[0][1] if tables else None
    return SweepData(
        complete=len(points) == len(planned),
        benchmark=first.benchmark if first else "",
        backend=(first.backend_version or first.backend) if first else "",
        town=first.town if first else "",
        reach_m=tables[0][2] if tables else 0.0,
        target_data_sha256=RolloutDataset(settings.target_data).hash,
        points=points,
    )


def write_data(data: SweepData, folder: Path) -> None:
    """Write ``sweep.json`` and ``sweep.csv``.

    Raises:
        RecordError: the folder cannot be written.
    """
    write_result_file(folder / DATA_FILES[0], json.dumps(asdict(data), indent=2, allow_nan=False) + "\n")
    write_result_file(folder / DATA_FILES[1], _csv(data.points))


def _table(point: SweepPoint) -> Sequence[tuple[Table, float]]:
    """The table of a point with the reach of its horizon; nothing while episodes are missing."""
    if not (point.results / PLAN_FILE).is_file():
        return []
    results = read_results(point.results)
    table = build_table(results.plan, results.records)
    return [(table, results.plan.configuration.reach_m)] if table.complete else []


def _measured(point: SweepPoint, table: Table, images: int) -> Measured:
    row = table.rows[0]
    card = read_card(point.checkpoint)
    return Measured(
        method=point.method,
        proxy=point.proxy,
        images=images,
        images_asked=point.images,
        episodes=row.episodes_finished,
        distance_m=row.distance_m.mean or 0.0,
        ci95=row.distance_m.ci95,
        ci95_by_start=row.distance_m.ci95_by_start,
        infractions_per_km=row.infractions_per_km,
        off_road_share=row.off_road_share,
        checkpoint_sha256=card.weights_sha256,
        metrics=dict(card.metrics),
    )


def _csv(points: Sequence[Measured]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["method", "proxy", "images", "images_asked", "episodes", "distance_m", "ci95_low_m", "ci95_high_m",
         "ci95_by_start_low_m", "ci95_by_start_high_m", "infractions_per_km", "off_road_share", "checkpoint_sha256"]
    )  # fmt: skip
    for point in points:
        writer.writerow(
            [point.method, point.proxy, point.images, point.images_asked, point.episodes, point.distance_m,
             *(point.ci95 or ("", "")), *(point.ci95_by_start or ("", "")), point.infractions_per_km,
             point.off_road_share, point.checkpoint_sha256]
        )  # fmt: skip
    return text.getvalue()
