"""Many SuperTuxKart engines stepping together, as Stable-Baselines3 wants to see them."""

import logging
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from sim2real_bench.agents.kart_drives import WRONG_WAY_LIMIT_M
from sim2real_bench.agents.ppo.policy import (
    MAP_KEY,
    MAP_PIXELS,
    STATE_KEY,
    STATE_SIZE,
    capped_action,
    small_map,
    state_vector,
)
from sim2real_bench.agents.ppo.reward import RewardWeights, Transition, reward_terms
from sim2real_bench.agents.ppo.track_draw import TrackDraw
from sim2real_bench.envs.observation import MAP_VIEW, SPEED, Observation, driving_action_space
from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv
from sim2real_bench.errors import SimulatorError

_LOG = logging.getLogger(__name__)
_FAILURES_ALLOWED = 20
Encoded = dict[str, npt.NDArray[Any]]


def driver_observation_space() -> spaces.Dict:
    """``map`` (1, 64, 64) uint8 and ``state`` (2,) float32."""
    return spaces.Dict(
        {
            MAP_KEY: spaces.Box(0, 255, (1, MAP_PIXELS, MAP_PIXELS), np.uint8),
            STATE_KEY: spaces.Box(-np.inf, np.inf, (STATE_SIZE,), np.float32),
        }
    )


class Lane:
    """One kart: the environment, what the driver sees of it, and the sums over its episode.

    Args:
        env: observes ``map_view`` and ``speed``.
        draw: chooses the track at each reset.
        rng: source of tracks and episode seeds.
        speed_cap_mps: no throttle above this speed.
        weights: of the reward.
    """

    def __init__(
        self,
        env: SuperTuxKartEnv,
        draw: TrackDraw,
        rng: np.random.Generator,
        speed_cap_mps: float,
        weights: RewardWeights,
    ) -> None:
        self.env, self._draw, self._rng = env, draw, rng
        self._cap, self._weights = speed_cap_mps, weights
        self._observation: Observation = {}
        self._steer = self._steer_change = 0.0
        self._progress = self._furthest = 0.0
        self._sums: dict[str, float] = {}

    def reset(self) -> Encoded:
        """Start an episode on a random training track."""
        track = self._draw.draw(self._rng)
        self._observation, _ = self.env.reset(
            seed=int(self._rng.integers(2**31)), options={"track": track.name, "reverse": track.reverse}
        )
        self._steer = self._steer_change = 0.0
        self._progress = self._furthest = 0.0
        self._sums = {"r": 0.0, "l": 0.0, "distance_m": 0.0, "off_centre_m": 0.0, "steer_change": 0.0, "off_road": 0.0}
        return self.encoded()

    def encoded(self) -> Encoded:
        """What the driver's network sees now."""
        speed = float(self._observation[SPEED])
        return {MAP_KEY: small_map(self._observation[MAP_VIEW]), STATE_KEY: state_vector(speed, self._steer)}

    def begin(self, action: npt.NDArray[np.float32]) -> None:
        """Send the action to the engine."""
        capped = capped_action(action, float(self._observation[SPEED]), self._cap)
        self._steer_change = float(capped[0]) - self._steer
        self._steer = float(capped[0])
        self.env.begin_step(capped)

    def finish(self) -> tuple[float, bool, bool, dict[str, Any]]:
        """Reward, terminated, truncated and info; ``info["episode"]`` at an episode's end."""
        self._observation, _, terminated, truncated, info = self.env.finish_step()
        self._progress += info["progress_m"]
        self._furthest = max(self._furthest, self._progress)
        terminated = terminated or self._furthest - self._progress > WRONG_WAY_LIMIT_M
        transition = Transition(info["progress_m"], info["lateral_m"], info["off_road"], self._steer_change, terminated)
        terms = reward_terms(transition, self._cap, self._weights)
        reward = sum(terms.values())
        self._add(reward, transition)
        result = {"reward_terms": terms, "TimeLimit.truncated": truncated and not terminated}
        if terminated or truncated:
            result["episode"] = self._summary(info["distance_m"], terminated)
        return reward, terminated, truncated, result

    def _add(self, reward: float, transition: Transition) -> None:
        sums = self._sums
        sums["r"] += reward
        sums["l"] += 1.0
        sums["off_centre_m"] += abs(transition.lateral_m)
        sums["steer_change"] += abs(transition.steer_change)
        sums["off_road"] += transition.off_road

    def _summary(self, distance_m: float, failed: bool) -> dict[str, float]:
        steps = max(self._sums["l"], 1.0)
        means = {name: self._sums[name] / steps for name in ("off_centre_m", "steer_change", "off_road")}
        return {"r": self._sums["r"], "l": steps, "distance_m": distance_m, "failed": float(failed), **means}


class KartVectorEnv(VecEnv):
    """Several karts, one engine process each; all engines compute while the others are waited for.

    An engine that fails is replaced and its episode counts as cut off; more than 20 failures raise.

    Args:
        lanes: the karts.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = list(lanes)  # the base class asks the lanes for their render mode
        super().__init__(len(lanes), driver_observation_space(), driving_action_space())
        self._started: list[bool] = []
        self._failures = 0

    def reset(self) -> Encoded:
        """(N, ...) observations of new episodes."""
        return _stack([lane.reset() for lane in self._lanes])

    def step_async(self, actions: npt.NDArray[np.float32]) -> None:
        """Send every engine its action."""
        self._started = [self._begin(lane, action) for lane, action in zip(self._lanes, actions, strict=True)]

    def step_wait(self) -> tuple[Encoded, npt.NDArray[np.float32], npt.NDArray[np.bool_], list[dict[str, Any]]]:
        """Wait for every engine; finished episodes start anew."""
        outcomes = [self._finish(lane, started) for lane, started in zip(self._lanes, self._started, strict=True)]
        rewards = np.array([reward for _, reward, _, _ in outcomes], np.float32)
        dones = np.array([done for _, _, done, _ in outcomes])
        return _stack([seen for seen, _, _, _ in outcomes]), rewards, dones, [info for _, _, _, info in outcomes]

    def close(self) -> None:
        """End all engines."""
        for lane in self._lanes:
            lane.env.close()

    def _begin(self, lane: Lane, action: npt.NDArray[np.float32]) -> bool:
        try:
            lane.begin(action)
        except SimulatorError as error:
            self._note_failure(error)
            return False
        return True

    def _finish(self, lane: Lane, started: bool) -> tuple[Encoded, float, bool, dict[str, Any]]:
        reward, done = 0.0, True
        info: dict[str, Any] = {"TimeLimit.truncated": True}
        if started:
            try:
                reward, terminated, truncated, info = lane.finish()
                done = terminated or truncated
            except SimulatorError as error:
                self._note_failure(error)
        seen = lane.encoded()
        if done:
            info["terminal_observation"] = seen
            seen = lane.reset()
        return seen, reward, done, info

    def _note_failure(self, error: SimulatorError) -> None:
        self._failures += 1
        _LOG.warning("SuperTuxKart failed during training (%d of %d): %s", self._failures, _FAILURES_ALLOWED, error)
        if self._failures > _FAILURES_ALLOWED:
            raise error

    # Stable-Baselines3's remaining interface. PPO calls none of it with effect: seeds come with the lanes.
    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of each kart's environment."""
        return [getattr(self._lanes[index].env, attr_name) for index in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of each kart's environment."""
        for index in self._get_indices(indices):
            setattr(self._lanes[index].env, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of each kart's environment."""
        return [getattr(self._lanes[i].env, method_name)(*args, **kwargs) for i in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Any = None
    ) -> list[bool]:
        """No kart is wrapped."""
        return [False for _ in self._get_indices(indices)]


def _stack(encoded: Sequence[Encoded]) -> Encoded:
    return {key: np.stack([one[key] for one in encoded]) for key in (MAP_KEY, STATE_KEY)}


def make_vector_env(
    workers: int,
    draw: TrackDraw,
    seed: int,
    *,
    episode_steps: int,
    speed_cap_mps: float,
    weights: RewardWeights,
) -> KartVectorEnv:
    """Karts on random tracks with random starts.

    Args:
        workers: engines.
        draw: chooses their tracks.
        seed: of all randomness.
        episode_steps: steps of 0.1 s until an episode is cut off.
        speed_cap_mps: no throttle above this speed.
        weights: of the reward.
    """
    lanes = [
        Lane(
            SuperTuxKartEnv(observations=(MAP_VIEW, SPEED), max_steps=episode_steps),
            draw,
            np.random.default_rng(sequence),
            speed_cap_mps,
            weights,
        )
        for sequence in np.random.SeedSequence(seed).spawn(workers)
    ]
    return KartVectorEnv(lanes)
