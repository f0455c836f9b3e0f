"""The reward of driving: named terms whose sum is the reward."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RewardWeights:
    """What each term counts.

    Attributes:
        progress: per metre along the drive line.
        off_track: per step outside the road (negative: a penalty).
        steer_change: per unit of change of the steering command, which spans 2 (negative: a penalty).
        rescue: per rescue by the engine (negative: a penalty).
    """

    progress: float = 0.1
    off_track: float = -0.2
    steer_change: float = -0.02
    rescue: float = -2.0


def reward_terms(
    weights: RewardWeights, *, progress_m: float, off_road: bool, steer_change: float, rescued: bool
) -> dict[str, float]:
    """The weighted terms of one step; their sum is the reward."""
    return {
        "progress": weights.progress * progress_m,
        "off_track": weights.off_track * off_road,
        "steer_change": weights.steer_change * abs(steer_change),
        "rescue": weights.rescue * rescued,
    }
