"""Driving one SuperTuxKart track to its end: a lap, a failure, or the time limit."""

from dataclasses import dataclass

import numpy as np

from sim2real_bench.agents.agent import Agent
from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv
from sim2real_bench.envs.supertuxkart.tracks import Track

STEP_S = 0.1
WRONG_WAY_LIMIT_M = 10.0  # the map view does not show which way a track goes: who turned round cannot know
_LEAST_LAP_SHARE = 0.8  # branches make laps differ in length
LAP, TIME, WRONG_WAY = "lap", "time", "wrong_way"


@dataclass(frozen=True)
class KartDrive:
    """One drive.

    Attributes:
        track: the engine's name.
        reverse: driven against the usual direction.
        ended: ``lap``, ``time`` (over), ``off_track`` (for 5 s), ``stuck`` (for 10 s) or ``wrong_way`` (for 10 m).
        progress_m: the furthest point reached along the drive line, metres from the start.
        track_share: of the track's length; more than 1 after more than a lap.
        driven_s: simulated time.
        off_road: share of the steps outside the road.
        off_centre_m: mean distance from the drive line.
        steer_change: mean change of the steering command per step.
        rescues: how often the engine put the kart back on the track.
    """

    track: str
    reverse: bool
    ended: str
    progress_m: float
    track_share: float
    driven_s: float
    off_road: float
    off_centre_m: float
    steer_change: float
    rescues: int

    @property
    def finished(self) -> bool:
        """A whole lap was driven without failing."""
        return self.ended == LAP

    @property
    def failed(self) -> bool:
        """The drive ended by the agent's fault."""
        return self.ended not in (LAP, TIME)

    @property
    def lap_time_s(self) -> float | None:
        """Simulated time of the lap from the starting grid; None without a lap."""
        return self.driven_s if self.finished else None


def drive_kart(
    env: SuperTuxKartEnv, agent: Agent, track: Track, *, duration_s: float, seed: int, one_lap: bool
) -> KartDrive:
    """Drive one track once.

    Args:
        env: observes what the agent reads; for a lap it must start on the grid (``random_start=False``).
        agent: drives.
        track: where.
        duration_s: simulated time at most.
        seed: of the agent and the race.
        one_lap: end when a lap is finished; else only a failure or the time ends the drive.

    Raises:
        SimulatorError: the engine failed.
        AgentError: the agent failed.
    """
    observation, info = env.reset(seed=seed, options={"track": track.name, "reverse": track.reverse})
    agent.reset(seed)
    tally = _Tally(float(info["track_length_m"]))
    ended = ""
    while not ended:
        action = agent.act(observation)
        observation, _, _, _, info = env.step(action)
        tally.add(info, float(action[0]))
        ended = str(info["termination"]) or tally.ended(int(info["laps"]), duration_s, one_lap)
    return tally.drive(track, ended)


class _Tally:
    """What a drive adds up to."""

    def __init__(self, length_m: float) -> None:
        self._length_m = length_m
        self._steps = self._off_road = self._rescues = 0
        self._progress = self._furthest = self._off_centre = 0.0
        self._steering = [0.0]

    def add(self, info: dict[str, float], steer: float) -> None:
        self._steps += 1
        self._progress += info["progress_m"]
        self._furthest = max(self._furthest, self._progress)
        self._off_road += bool(info["off_road"])
        self._off_centre += abs(info["lateral_m"])
        self._rescues += bool(info["rescued"])
        self._steering.append(steer)

    def ended(self, laps: int, duration_s: float, one_lap: bool) -> str:
        """Why the drive is over, "" while it is not."""
        # The grid lies behind the start line, whose first crossing begins lap 0. The engine's count alone will not do:
        # a kart that turned round and came back to the start has finished a lap for it.
        if one_lap and laps >= 1 and self._furthest >= _LEAST_LAP_SHARE * self._length_m:
            return LAP
        if self._furthest - self._progress > WRONG_WAY_LIMIT_M:
            return WRONG_WAY
        return TIME if self._steps >= round(duration_s / STEP_S) else ""

    def drive(self, track: Track, ended: str) -> KartDrive:
        return KartDrive(
            track=track.name,
            reverse=track.reverse,
            ended=ended,
            progress_m=self._furthest,
            track_share=self._furthest / self._length_m,
            driven_s=self._steps * STEP_S,
            off_road=self._off_road / self._steps,
            off_centre_m=self._off_centre / self._steps,
            steer_change=float(np.abs(np.diff(self._steering)).mean()),
            rescues=self._rescues,
        )
