"""The learning curve: one row per rollout, as CSV and as a picture."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.errors import DataError


@dataclass(frozen=True)
class CurveRow:
    """Means over the episodes that ended lately.

    Attributes:
        steps: environment steps so far, all karts together.
        wall_time_s: spent training so far.
        reward: sum per episode.
        distance_m: driven per episode.
        episode_steps: length of an episode.
        failed: share of episodes that ended off the track, stuck, or the wrong way.
        off_road: share of steps outside the road.
        off_centre_m: mean distance from the drive line.
        steer_change: mean change of the steering command per step.
        action_std: standard deviation of the exploration noise.
    """

    steps: int
    wall_time_s: float
    reward: float
    distance_m: float
    episode_steps: float
    failed: float
    off_road: float
    off_centre_m: float
    steer_change: float
    action_std: float


def write_curve(path: Path, rows: Sequence[CurveRow]) -> None:
    """Write ``path`` (CSV) and a PNG of the same name beside it.

    Raises:
        DataError: the folder cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(CurveRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: round(value, 4) for name, value in asdict(row).items()} for row in rows)
    try:
        write_atomically(path, text.getvalue().encode())
        write_atomically(path.with_suffix(".png"), _picture(rows))
    except OSError as error:
        raise DataError(f"cannot write the learning curve {path}: {error}; choose another --out") from error


def _picture(rows: Sequence[CurveRow]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = (
        ("reward", "reward per episode"),
        ("distance_m", "distance per episode, m"),
        ("failed", "share of episodes failed"),
        ("off_centre_m", "distance from the drive line, m"),
        ("steer_change", "steering change per step"),
        ("action_std", "exploration noise"),
    )
    steps = [row.steps / 1000 for row in rows]
    for axes, (name, title) in zip(figure.subplots(2, 3).flat, panels, strict=True):
        axes.plot(steps, [getattr(row, name) for row in rows])
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("1000 steps", fontsize=8)
        axes.grid(alpha=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=90)
    return picture.getvalue()
