"""A picture of the scores: how much of each track's lap every agent came, and its time where it finished."""

import io
from collections.abc import Sequence

from sim2real_bench.agents.ppo.scores import TrackScore, by_track

_COLOURS = ("#1f6fb4", "#8c8c8c", "#d9a441", "#3f8f5f")
_BAR = 0.8


def score_chart(scores: Sequence[TrackScore]) -> bytes:
    """A PNG: one group of bars per track, one bar per agent."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    table = by_track(scores)
    agents = list(dict.fromkeys(score.agent for score in scores))
    figure = Figure(figsize=(9, 1.0 + 0.36 * len(table)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    height = _BAR / len(agents)
    for place, agent in enumerate(agents):
        drives = [drives[agent] for drives in table.values()]
        rows = [row - _BAR / 2 + height * (place + 0.5) for row in range(len(drives))]
        shares = [1.0 if drive.finished else min(drive.track_share, 1.0) for drive in drives]
        axes.barh(rows, shares, height, label=agent, color=_COLOURS[place % len(_COLOURS)])
        for row, share, drive in zip(rows, shares, drives, strict=True):
            text = f"{drive.driven_s:.0f} s" if drive.finished else drive.ended.replace("_", " ")
            axes.text(share + 0.01, row, text, va="center", fontsize=6)
    axes.set_yticks(range(len(table)), [f"{track}{'  *' if split != 'train' else ''}" for split, track in table])
    axes.tick_params(labelsize=7)
    axes.set_ylim(len(table) - 0.4, -0.6)  # the first track on top
    axes.set_xlim(0, 1.14)
    axes.set_xlabel("share of the lap; its time where finished, else what ended the drive (* held-out)", fontsize=8)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(agents), fontsize=8, frameon=False)
    axes.grid(axis="x", alpha=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    return picture.getvalue()
