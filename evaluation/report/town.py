"""The town from above with every trajectory, and a mark of its own kind where each of them ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from sim2real_bench.evaluation.records import EpisodeRecord, Outcome
from sim2real_bench.evaluation.report.content import ReportRow, describe
from sim2real_bench.evaluation.report.roads import RoadOutlines
from sim2real_bench.evaluation.report.svg import drawing, element, line, path_data, text

Float = npt.NDArray[np.float64]

_WIDTH = 1000.0
_MARGIN_M = 8.0
_ROAD_TOLERANCE_M = 0.06
_FARTHEST_M = 1e6
_PATH_TOLERANCE_M = 0.15
_ORDER = ("pavement", "median", "margin", "carriageway")


class TownFrame:
    """The part of the world plane that is drawn, and its place in the drawing (y upwards there, downwards here)."""

    def __init__(self, points: Float) -> None:
        """Take (N, 2) points that must be seen, metres."""
        low, high = points.min(axis=0) - _MARGIN_M, points.max(axis=0) + _MARGIN_M
        self._left, self._upper = float(low[0]), float(high[1])
        self.scale = _WIDTH / float(high[0] - low[0])
        self.height = float(high[1] - low[1]) * self.scale

    def __call__(self, points: npt.ArrayLike) -> Float:
        """(N, 2) metres to (N, 2) pixels."""
        return (np.asarray(points, np.float64) - (self._left, self._upper)) * (self.scale, -self.scale)


def town_map(rows: Sequence[ReportRow], roads: RoadOutlines | None, films: dict[str, str]) -> Markup | None:
    """The map; None where no record holds a trajectory.

    Args:
        rows: with their records.
        roads: of the town; without them the trajectories are drawn alone.
        films: what an episode's film is called in the page, by ``episode_id``.
    """
    paths = [np.asarray(record.trajectory) for row in rows for record in row.records if _drawable(record)]
    if not paths:
        return None
    seen = paths if roads is None else [*paths, *(outline for _, outline in roads.surfaces)]
    frame = TownFrame(np.concatenate(seen))
    episodes = [
        _episode(row, index, record, frame, films)
        for row in rows
        for index, record in enumerate(row.records)
        if _drawable(record)
    ]
    label = f"Map of the town with the trajectories of {len(paths)} episodes; the arrow keys go from one to the next."
    return drawing(
        _WIDTH, frame.height, label, _roads(roads, frame) if roads else "", element("g", episodes, class_="episodes"),
        _scale_bar(frame), class_="town", role="group",
    )  # fmt: skip


def _drawable(record: EpisodeRecord) -> bool:
    """There is a trajectory, and it stays on Earth."""
    return bool(record.trajectory) and float(np.abs(np.asarray(record.trajectory)).max()) < _FARTHEST_M


def episode_id(row: ReportRow, index: int) -> str:
    """What an episode is called in the page."""
    return f"e{row.number}-{index}"


def _roads(roads: RoadOutlines, frame: TownFrame) -> Markup:
    """Kerbs first, as a broad line around everything, then the surfaces from the outside in."""
    by_kind = {kind: _joined(frame, (o for k, o in roads.surfaces if k == kind), closed=True) for kind in _ORDER}
    paved = by_kind["margin"] + by_kind["carriageway"]
    kerb = element("path", d=by_kind["pavement"] + paved, class_="kerb", stroke_width=2.4 * frame.scale)
    surfaces = [element("path", d=by_kind[kind], class_=kind) for kind in _ORDER if by_kind[kind]]
    centres = element("path", d=_joined(frame, roads.centre_lines, closed=False), class_="centre-line")
    return element("g", kerb, surfaces, centres, class_="roads", aria_hidden="true")


def _joined(frame: TownFrame, lines: Iterable[Float], closed: bool) -> str:
    return "".join(path_data(frame(_simplified(one, _ROAD_TOLERANCE_M, closed)), 1, closed) for one in lines)


def _simplified(points: Float, tolerance_m: float, closed: bool = False) -> Float:
    """The points that matter (Douglas and Peucker)."""
    # OpenCV reckons in single precision: near the origin that is enough for millimetres.
    origin = points.mean(axis=0)
    kept = cv2.approxPolyDP((points - origin).astype(np.float32)[:, None], tolerance_m, closed)
    return np.asarray(kept[:, 0], np.float64) + origin


def _episode(row: ReportRow, index: int, record: EpisodeRecord, frame: TownFrame, films: dict[str, str]) -> Markup:
    path = np.asarray(record.trajectory, np.float64)
    points = frame(_simplified(path, _PATH_TOLERANCE_M) if len(path) > 2 else path)
    data = path_data(points)
    words = f"{row.label}: {describe(record)}"
    name = episode_id(row, index)
    start = element("circle", cx=float(points[0, 0]), cy=float(points[0, 1]), r=2.6, class_="start")
    way = element("g", element("path", d=data, id=f"{name}-way"), class_="way")
    reach = element("use", href=f"#{name}-way", class_="reach")  # the same line, broad and unseen, for the pointer
    return element(
        "g", reach, way, start, end_mark(record.outcome, float(points[-1, 0]), float(points[-1, 1]), 7.0),
        class_=f"episode {row.style}", id=name, tabindex=-1, role="img", aria_label=words, data_tip=words,
        data_row=row.number, data_outcome=str(record.outcome), data_film=films.get(name),
    )  # fmt: skip


def end_mark(outcome: Outcome, x: float, y: float, size: float) -> Markup:
    """The mark of an outcome: told apart by its shape, not by colour."""
    s = size
    if outcome is Outcome.COLLISION:
        arms = f"M{x - s:g},{y - s:g} {x + s:g},{y + s:g}M{x - s:g},{y + s:g} {x + s:g},{y - s:g}"
        return element("path", d=arms, class_="end cross")
    shapes = {
        Outcome.HORIZON: [(x + s * np.cos(a), y + s * np.sin(a)) for a in np.arange(12) * np.pi / 6],
        Outcome.OFF_ROAD: [(x, y - s), (x + s, y + 0.8 * s), (x - s, y + 0.8 * s)],
        Outcome.STUCK: [(x - s, y - s), (x + s, y - s), (x + s, y + s), (x - s, y + s)],
        Outcome.AGENT_ERROR: [(x, y - 1.2 * s), (x + 1.2 * s, y), (x, y + 1.2 * s), (x - 1.2 * s, y)],
    }
    return element("path", d=path_data(shapes[outcome], closed=True), class_="end")


def _scale_bar(frame: TownFrame) -> Markup:
    metres = 50 if _WIDTH / frame.scale > 120 else 10
    length, row = metres * frame.scale, frame.height - 14
    drawn = [line(16, row, 16 + length, row, "scale"), text(16, row - 7, f"{metres} m", "scale-text")]
    return element("g", drawn, aria_hidden="true")
