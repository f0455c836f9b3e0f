"""Everything that shapes the training of the PPO source agent (no torch in here)."""

from dataclasses import dataclass, field

from sim2real_bench.agents.ppo.reward import RewardWeights

AGENT_NAME = "stk-ppo"
DEFAULT_SPEED_CAP_MPS = 12.0


@dataclass(frozen=True)
class PpoSettings:
    """Everything that shapes a training.

    Attributes:
        total_steps: environment steps, all karts together.
        workers: engines.
        seed: of all randomness.
        speed_cap_mps: no throttle above this speed.
        episode_steps: steps of 0.1 s until an episode is cut off.
        rollout_steps: steps of all karts together between two updates.
        batch_size: samples per optimiser step.
        epochs: passes over a rollout.
        learning_rate: of Adam at the start; falls linearly to a tenth.
        discount: gamma, per step of 0.1 s.
        gae_lambda: of generalised advantage estimation.
        clip: PPO's ratio clip.
        log_std: logarithm of the exploration noise at the start.
        focus: share of the episodes on training tracks whose lap was not finished when the driver was last judged.
        save_every_steps: between two saved states; each time the driver is judged by laps, and the best one is kept.
        reward: weights of the reward's terms.
    """

    total_steps: int = 1_000_000
    workers: int = 2
    seed: int = 0
    speed_cap_mps: float = DEFAULT_SPEED_CAP_MPS
    episode_steps: int = 400
    rollout_steps: int = 4096
    batch_size: int = 256
    epochs: int = 5
    learning_rate: float = 5e-4
    discount: float = 0.97
    gae_lambda: float = 0.95
    clip: float = 0.2
    log_std: float = -0.7
    focus: float = 0.25
    save_every_steps: int = 50_000
    reward: RewardWeights = field(default_factory=RewardWeights)
