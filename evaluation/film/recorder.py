"""Films of episodes, written while they are driven; a film that fails costs itself and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.agent import Action, Agent
from sim2real_bench.envs.observation import LABELS, MAP_VIEW, RGB, SPEED, WAYPOINTS, Observation
from sim2real_bench.evaluation.film.frames import Caption, film_frame, with_ending
from sim2real_bench.evaluation.film.stream import Image, VideoStream
from sim2real_bench.evaluation.plan import Episode, Limits
from sim2real_bench.evaluation.records import EpisodeResult, Outcome

FILM_OBSERVATIONS = (RGB, LABELS, MAP_VIEW, WAYPOINTS, SPEED)
"""What a film shows; an environment that is filmed renders these besides what the agent asks for."""
_LOG = logging.getLogger(__name__)
_ENDING_S = 1.5  # the last frame stands this long, with how the episode ended


class Film:
    """Films one episode; ``show`` is what ``drive_episode`` calls once per tick.

    Use as a context manager: leaving it gives the file its name, leaving it by an exception removes it. Whatever goes
    wrong with the film (no room, no ffmpeg, a picture that cannot be drawn) is a warning; the episode goes on.

    Args:
        path: of the film; its suffix may be replaced by the encoder's.
        row: label of the row that drives.
        episode: what is driven.
        limits: for the time between two ticks.
        agent: asked for its ``waypoints`` if it has them.
    """

    def __init__(self, path: Path, row: str, episode: Episode, limits: Limits, agent: Agent) -> None:
        self._path = path
        self._row = row
        self._circumstances = f"controller {episode.controller} | {episode.weather} | start {episode.spawn_index}"
        self._tick_s = limits.tick_s
        self._agent = agent
        self._stream: VideoStream | None = None
        self._ticks = 0
        self._last: Image | None = None

    def __enter__(self) -> Self:
        try:
            self._stream = VideoStream(self._path, 1.0 / self._tick_s)
        except Exception as error:  # a film never stands in the way of an episode
            self._drop(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is None:
            return
        if kind is not None:
            self._stream.discard()
            return
        try:
            self._stream.finish()
        except Exception as failure:  # a film never costs a result
            self._drop(failure)

    def show(self, observation: Observation, info: Mapping[str, Any], action: Action) -> None:
        """Film one tick."""
        if self._stream is None:
            return
        try:
            self._last = film_frame(observation, info, self._waypoints(), self._caption(info, action))
            self._stream.write(self._last)
        except Exception as error:  # a film never ends an episode
            self._drop(error)
        self._ticks += 1

    def end(self, result: EpisodeResult) -> None:
        """Let the last frame stand a while with how the episode ended."""
        if self._stream is None or self._last is None:
            return
        try:
            frame = with_ending(self._last, ending_of(result))
            for _ in range(round(_ENDING_S / self._tick_s)):
                self._stream.write(frame)
        except Exception as error:  # a film never costs a result
            self._drop(error)

    def _waypoints(self) -> npt.NDArray[np.float64] | None:
        """What the agent followed last, where it tells."""
        found = getattr(self._agent, "waypoints", None)
        return None if found is None or callable(found) else np.asarray(found, np.float64)

    def _caption(self, info: Mapping[str, Any], action: Action) -> Caption:
        return Caption(
            row=self._row,
            circumstances=self._circumstances,
            time_s=self._ticks * self._tick_s,
            speed_kmh=float(info["speed_mps"]) * 3.6,
            distance_m=float(info["distance_m"]),
            steer=float(action[0]),
            throttle=float(action[1]),
        )

    def _drop(self, error: Exception) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.discard()
        _LOG.warning("the film %s is dropped: %s: %s", self._path, type(error).__name__, error)


def ending_of(result: EpisodeResult) -> str:
    """How an episode ended, in a few words."""
    words = {
        Outcome.COLLISION: f"collision with {result.collided_with or 'something'}",
        Outcome.HORIZON: "drove to the end of the time",
        Outcome.STUCK: "stuck",
        Outcome.OFF_ROAD: "off the road",
        Outcome.AGENT_ERROR: "the agent failed",
        Outcome.INFRASTRUCTURE_FAILURE: "the simulator failed",
    }
    return f"{words[result.outcome]} after {result.distance_m:.0f} m"
