"""The source agent's reward: named terms, about 1 per step for driving fast, centred and smoothly."""

from dataclasses import dataclass

STEP_S = 0.1


@dataclass(frozen=True)
class RewardWeights:
    """Weights of the terms.

    Attributes:
        progress: for moving along the drive line at the speed cap.
        off_centre: at ``off_centre_scale_m`` or more from the drive line (quadratic below).
        off_centre_scale_m: metres.
        steer_change: for a change of the steering command by 1 within one step.
        off_road: for a step outside the road.
        failed: once, when the episode ends off the track, stuck, or the wrong way.
    """

    progress: float = 1.0
    off_centre: float = 0.5
    off_centre_scale_m: float = 4.0
    steer_change: float = 0.15
    off_road: float = 0.5
    failed: float = 5.0


@dataclass(frozen=True)
class Transition:
    """What one step did.

    Attributes:
        progress_m: along the drive line; 0 when the engine put the kart back on the track.
        lateral_m: distance from the drive line after the step.
        off_road: whether the kart is outside the road.
        steer_change: difference to the steering command before, up to 2.
        failed: whether the episode ended off the track, stuck, or the wrong way.
    """

    progress_m: float
    lateral_m: float
    off_road: bool
    steer_change: float
    failed: bool


def reward_terms(transition: Transition, speed_cap_mps: float, weights: RewardWeights) -> dict[str, float]:
    """The weighted terms; their sum is the reward."""
    share = transition.progress_m / (speed_cap_mps * STEP_S)
    off_centre = min(abs(transition.lateral_m) / weights.off_centre_scale_m, 1.0) ** 2
    return {
        "progress": weights.progress * min(max(share, -1.0), 1.0),
        "off_centre": -weights.off_centre * off_centre,
        "steer_change": -weights.steer_change * abs(transition.steer_change),
        "off_road": -weights.off_road * transition.off_road,
        "failed": -weights.failed * transition.failed,
    }
