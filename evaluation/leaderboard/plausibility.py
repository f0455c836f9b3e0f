"""Bounds that every honest record keeps: what a car at the benchmark's speed, clock and rules can give."""

from __future__ import annotations

import itertools
import math

from sim2real_bench.evaluation.plan import Configuration
from sim2real_bench.evaluation.records import EpisodeRecord, Outcome

SPEED_FACTOR = 2.0
"""No agent is twice as fast as the speed that all controllers hold, on average over an episode."""
_ODOMETER_SLACK_M = 1.0
_START_SLACK_M = 5.0  # rolling before the first tick, and rounding
_TRAJECTORY_PERIOD_S = 1.0

Finding = tuple[str, str]
"""(field, what is wrong with it)."""


def implausible(record: EpisodeRecord, configuration: Configuration) -> list[Finding]:
    """What in a record cannot be, or contradicts the rest of it.

    Bounds, not proof: a careful forger keeps them. They find records of another clock, unit or program.

    Args:
        record: one finished or failed attempt.
        configuration: of its plan.
    """
    if not record.finished:
        return [] if record.error else [("error", "an infrastructure failure says what failed")]
    return [*_clock(record, configuration), *_distances(record, configuration), *_outcome(record, configuration),
            *_trajectory(record, configuration)]  # fmt: skip


def _clock(record: EpisodeRecord, configuration: Configuration) -> list[Finding]:
    limits = configuration.limits
    found: list[Finding] = []
    if not 0 <= record.ticks <= limits.horizon_ticks:
        found.append(("ticks", f"{record.ticks} is not between 0 and the horizon, {limits.horizon_ticks}"))
    expected_s = record.ticks * limits.tick_s
    if abs(record.sim_time_s - expected_s) > limits.tick_s:
        found.append(("sim_time_s", f"{record.sim_time_s:g} s are not {record.ticks} ticks of {limits.tick_s:g} s"))
    if record.wall_time_s < 0.0:
        found.append(("wall_time_s", f"{record.wall_time_s:g} s is less than nothing"))
    if not 0 <= record.warm_up_resets <= limits.warm_up_resets:
        found.append(("warm_up_resets", f"{record.warm_up_resets} is not between 0 and {limits.warm_up_resets}"))
    return found


def _distances(record: EpisodeRecord, configuration: Configuration) -> list[Finding]:
    reach_m = _reach(record, configuration)
    found: list[Finding] = []
    for name in ("distance_m", "distance_2s_m", "distance_driven_m"):
        metres = float(getattr(record, name))
        if not 0.0 <= metres <= reach_m:
            found.append((name, f"{metres:.6g} m in {record.ticks} ticks; plausible is 0 to {reach_m:.6g} m"))
    for name in ("distance_m", "distance_2s_m"):
        metres = float(getattr(record, name))
        if metres > record.distance_driven_m + _ODOMETER_SLACK_M:
            found.append((name, f"{metres:.6g} m is more than distance_driven_m, {record.distance_driven_m:.6g} m"))
    return found


def _outcome(record: EpisodeRecord, configuration: Configuration) -> list[Finding]:
    limits = configuration.limits
    shortest = {
        Outcome.HORIZON: limits.horizon_ticks,
        Outcome.STUCK: limits.stuck_ticks,
        Outcome.OFF_ROAD: limits.off_road_ticks,
    }.get(record.outcome, 0)
    found: list[Finding] = []
    if record.ticks < shortest:
        found.append(("outcome", f"{record.outcome} takes {shortest} ticks, the episode had {record.ticks}"))
    if record.outcome is Outcome.OFF_ROAD and record.off_road_share <= 0.0:
        found.append(("off_road_share", "0 in an episode that ended off the road"))
    if record.outcome is Outcome.AGENT_ERROR and not record.error:
        found.append(("error", "an agent's error says what it raised"))
    return found


def _trajectory(record: EpisodeRecord, configuration: Configuration) -> list[Finding]:
    points = record.trajectory
    if not points:
        lost = record.outcome is Outcome.AGENT_ERROR  # with a worker that its agent took along
        return (
            [] if record.version < 2 or lost else [("trajectory", "empty; records of version 2 hold the driven path")]
        )
    seconds = record.ticks * configuration.limits.tick_s
    if not seconds - 1.0 <= (len(points) - 1) * _TRAJECTORY_PERIOD_S <= seconds + 2.0:
        return [("trajectory", f"{len(points)} points, one a second, for {seconds:g} s")]
    length_m = sum(math.dist(a, b) for a, b in itertools.pairwise(points))
    if length_m > record.distance_driven_m + _ODOMETER_SLACK_M:
        return [("trajectory", f"is {length_m:.6g} m long, distance_driven_m says {record.distance_driven_m:.6g} m")]
    return []


def _reach(record: EpisodeRecord, configuration: Configuration) -> float:
    seconds = max(record.ticks, 0) * configuration.limits.tick_s
    return SPEED_FACTOR * configuration.target_speed_kmh / 3.6 * seconds + _START_SLACK_M
