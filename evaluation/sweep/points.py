"""What a sweep measured: one row for each finished point, as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sim2real_bench.agents.cards import read_card
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.evaluation.files import write_result_file
from sim2real_bench.evaluation.results import (
    PLAN_FILE,
    Drives,
    Results,
    controllers_of,
    distances_of,
    read_results,
    starts_of,
)
from sim2real_bench.evaluation.statistics import Interval, clustered_interval, distance_summary
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
class Comparison:
    """A point minus another method's point with the most images: does it beat that with fewer?

    Attributes:
        row: label of the point.
        images: that it learnt from.
        over: label of the other method.
        over_images: that the other one learnt from.
        pairs: episodes both drove.
        difference_m: of the mean distances, metres.
        ci95_by_start: whole starts resampled; None for one start.
    """

    row: str
    images: int
    over: str
    over_images: int
    pairs: int
    difference_m: float
    ci95_by_start: Interval | None


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
        comparisons: of every point with the other methods' points of most images, for the same proxy.
    """

    complete: bool
    benchmark: str
    backend: str
    town: str
    reach_m: float
    target_data_sha256: str
    points: tuple[Measured, ...]
    comparisons: tuple[Comparison, ...]


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
    finished = [(point, results) for point in planned if (results := _finished(point)) is not None]
    tables = [build_table(results.plan, results.records) for _, results in finished]
    points = tuple(
        _measured(point, table, images[point.images]) for (point, _), table in zip(finished, tables, strict=True)
    )
    drives = [results.drives(results.plan.configuration.rows[0]) for _, results in finished]
    return SweepData(
        complete=len(points) == len(planned),
        benchmark=tables[0].benchmark if tables else "",
        backend=(tables[0].backend_version or tables[0].backend) if tables else "",
        town=tables[0].town if tables else "",
        reach_m=finished[0][1].plan.configuration.reach_m if finished else 0.0,
        target_data_sha256=RolloutDataset(settings.target_data).hash,
        points=points,
        comparisons=tuple(_comparisons(list(zip(points, drives, strict=True)))),
    )


def write_data(data: SweepData, folder: Path) -> None:
    """Write ``sweep.json`` and ``sweep.csv``.

    Raises:
        RecordError: the folder cannot be written.
    """
    write_result_file(folder / DATA_FILES[0], json.dumps(asdict(data), indent=2, allow_nan=False) + "\n")
    write_result_file(folder / DATA_FILES[1], _csv(data.points))


def _finished(point: SweepPoint) -> Results | None:
    """The results of a point; None while episodes are missing."""
    if not (point.results / PLAN_FILE).is_file():
        return None
    results = read_results(point.results)
    return results if build_table(results.plan, results.records).complete else None


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


def _comparisons(points: Sequence[tuple[Measured, Drives]]) -> Iterator[Comparison]:
    most: dict[str, tuple[Measured, Drives]] = {}
    for point, drives in points:
        if point.label not in most or point.images > most[point.label][0].images:
            most[point.label] = (point, drives)
    for point, drives in points:
        for other, others in most.values():
            if other.method != point.method and other.proxy == point.proxy:
                yield _comparison((point, drives), (other, others))


def _comparison(own: tuple[Measured, Drives], other: tuple[Measured, Drives]) -> Comparison:
    shared = {episode: record for episode, record in own[1].items() if episode in other[1]}
    theirs = distances_of({episode: other[1][episode] for episode in shared})
    gains = [mine - its for mine, its in zip(distances_of(shared), theirs, strict=True)]
    return Comparison(
        row=own[0].label,
        images=own[0].images,
        over=other[0].label,
        over_images=other[0].images,
        pairs=len(gains),
        difference_m=distance_summary(gains, controllers_of(shared)).mean,
        ci95_by_start=clustered_interval(gains, starts_of(shared)),
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
