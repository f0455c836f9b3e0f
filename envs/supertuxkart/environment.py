"""SuperTuxKart as a Gymnasium environment: drive a kart along a race track, 0.1 s per step."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import STK_MAP_CHANNELS, StkClass
from sim2real_bench.envs.observation import (
    CAMERA_KEYS,
    RGB,
    SPEED,
    WAYPOINTS,
    Observation,
    driving_action_space,
    observation_space,
)
from sim2real_bench.envs.supertuxkart.assets import find_assets
from sim2real_bench.envs.supertuxkart.camera import CAMERAS, ONBOARD
from sim2real_bench.envs.supertuxkart.launcher import WorkerProcess
from sim2real_bench.envs.supertuxkart.protocol import ResetRequest, WorkerSettings, pack_action
from sim2real_bench.envs.supertuxkart.reward import RewardWeights, reward_terms
from sim2real_bench.envs.supertuxkart.tracks import Track
from sim2real_bench.errors import ConfigurationError, SimulatorError

StepResult = tuple[Observation, float, bool, bool, dict[str, Any]]

MAX_OPPONENTS = 7
OFF_TRACK_LIMIT_S = 5.0
STUCK_LIMIT_S = 10.0
RESET_TIMEOUT_S = 120.0  # loading a track takes seconds on a busy machine
_STUCK_MPS = 0.5
_STEP_S = 0.1
_START_LATERAL = 0.4  # of half the road's width, to either side
_START_YAW_RAD = 0.15


class SuperTuxKartEnv(gymnasium.Env[Any, Any]):
    """A kart on a race track; the engine runs in a worker process of its own.

    An episode truncates after ``max_steps``, and terminates when the kart was off the track for 5 s or stuck for 10 s.
    Without opponents the same seed gives the same states in every process. With opponents that holds for the first
    episode of an environment only, because the engine's drivers remember earlier races.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 Gymnasium's own declaration

    def __init__(
        self,
        track: str = "lighthouse",
        *,
        reverse: bool = False,
        observations: Sequence[str] = (RGB,),
        width: int = 384,
        height: int = 160,
        opponents: int = 0,
        action_repeat: int = 1,
        max_steps: int = 1000,
        random_start: bool = True,
        ego_in_labels: bool = True,
        camera: str = ONBOARD,
        camera_every: int = 1,
        step_timeout_s: float = 60.0,
        reward_weights: RewardWeights | None = None,
    ) -> None:
        """Check the arguments; the worker starts at the first ``reset``.

        Args:
            track: name of the track, see ``tracks``.
            reverse: drive it against the usual direction.
            observations: keys to compute; nothing else is rendered.
            width, height: camera image size, pixels.
            opponents: karts driven by the game, 0 to 7.
            action_repeat: engine steps of 0.1 s per ``step``.
            max_steps: steps until an episode is truncated.
            random_start: start anywhere on the track, drawn from the seed; otherwise on the starting grid.
            ego_in_labels: label the own kart, which only the chase camera sees, as a kart; otherwise as the ground
                behind it.
            camera: "onboard" (fixed to the kart, 0.99 m high, level, 90 degrees wide) or "chase" (the game's own).
            camera_every: render in every n-th step after a reset only; between, camera keys repeat the last picture
                and ``info["camera_fresh"]`` is false.
            step_timeout_s: a step that takes longer ends the worker and raises ``StepTimeoutError``.
            reward_weights: see ``reward``; None for the defaults.

        Raises:
            ConfigurationError: an argument cannot be used.
        """
        self._track = Track(track, reverse)
        _require(0 <= opponents <= MAX_OPPONENTS, f"opponents={opponents}: choose 0 to {MAX_OPPONENTS}")
        _require(width >= 16 and height >= 16, f"width={width}, height={height}: at least 16 pixels each")
        _require(action_repeat >= 1, f"action_repeat={action_repeat}: at least 1")
        _require(max_steps >= 1, f"max_steps={max_steps}: at least 1")
        _require(camera in CAMERAS, f"camera={camera!r}: choose one of {', '.join(CAMERAS)}")
        _require(camera_every >= 1, f"camera_every={camera_every}: at least 1")
        _require(step_timeout_s > 0, f"step_timeout_s={step_timeout_s}: must be positive")
        self.observation_space = observation_space(
            observations, width=width, height=height, classes=len(StkClass), map_channels=STK_MAP_CHANNELS
        )
        self.action_space = driving_action_space()
        self._keys = tuple(observations)
        self._size = (width, height)
        self._opponents, self._action_repeat, self._max_steps = opponents, action_repeat, max_steps
        self._random_start, self._ego_in_labels = random_start, ego_in_labels
        self._camera, self._camera_every = camera, camera_every
        self._step_timeout_s, self._weights = step_timeout_s, reward_weights or RewardWeights()
        self._worker: WorkerProcess | None = None
        self._ready = False

    @property
    def track(self) -> Track:
        """The track of the current episode."""
        return self._track

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new race.

        Args:
            seed: all randomness of the episode; without one it continues from the last seed.
            options: ``track`` (str) and ``reverse`` (bool) change the track from now on.

        Raises:
            ConfigurationError: an unknown option or track.
            SimulatorError: the engine failed; the next ``reset`` starts a new one.
        """
        super().reset(seed=seed)
        self._track = self._chosen_track(options or {})
        self._steps, self._off_track_s, self._stuck_s, self._last_steer = 0, 0.0, 0.0, 0.0
        draw = self.np_random.uniform(size=3)
        request = ResetRequest(
            track=self._track.name,
            reverse=self._track.reverse,
            seed=int(self.np_random.integers(2**31)),
            start=float(draw[0]) if self._random_start else None,
            lateral=float(2 * draw[1] - 1) * _START_LATERAL,
            yaw_rad=float(2 * draw[2] - 1) * _START_YAW_RAD,
        )
        self._ready = False
        self._exchange(request.pack())
        self._ready = True
        info = self._info()
        info["reward_terms"] = {}
        return self._observation(), info

    def step(self, action: npt.ArrayLike) -> StepResult:
        """Drive 0.1 s times ``action_repeat``.

        Args:
            action: (2,) steer (positive right) and throttle (positive) or brake (negative), clipped to [-1, 1].

        Raises:
            SimulatorError: the engine failed; the next ``reset`` starts a new one.
        """
        self.begin_step(action)
        return self.finish_step()

    def begin_step(self, action: npt.ArrayLike) -> None:
        """The first half of ``step``: send the action and return at once, so that many environments step together."""
        if not self._ready or self._worker is None:
            raise ConfigurationError("step() before reset(), or after a failure: call reset() first")
        steer, throttle = (float(part) for part in np.clip(np.asarray(action, np.float64), -1.0, 1.0))
        if not np.isfinite(steer + throttle):
            raise ConfigurationError(f"action={action!r} is not finite")
        self._steer_change, self._last_steer = steer - self._last_steer, steer
        self._guarded(lambda worker: worker.send(pack_action(steer, throttle)))

    def finish_step(self) -> StepResult:
        """The second half of ``step``: wait for the worker and return what ``step`` returns."""
        self._guarded(lambda worker: worker.receive())
        info = self._info()
        terms = reward_terms(
            self._weights,
            progress_m=info["progress_m"],
            off_road=info["off_road"],
            steer_change=self._steer_change,
            rescued=info["rescued"],
        )
        info["reward_terms"] = terms
        info["termination"] = self._termination(info)
        self._steps += 1
        truncated = self._steps >= self._max_steps
        return self._observation(), float(sum(terms.values())), bool(info["termination"]), truncated, info

    def close(self) -> None:
        """End the worker; safe to call again, and ``reset`` starts a new one."""
        self._ready = False
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _chosen_track(self, options: dict[str, Any]) -> Track:
        unknown = set(options) - {"track", "reverse"}
        _require(not unknown, f"reset options {sorted(unknown)} are unknown; known: track, reverse")
        return Track(options.get("track", self._track.name), bool(options.get("reverse", self._track.reverse)))

    def _start_worker(self) -> WorkerProcess:
        assets = find_assets()
        settings = WorkerSettings(
            observations=self._keys,
            width=self._size[0],
            height=self._size[1],
            opponents=self._opponents,
            action_repeat=self._action_repeat,
            ego_in_labels=self._ego_in_labels,
            camera=self._camera,
            camera_every=self._camera_every,
            data_path=str(assets.path),
            hang_limit_s=int(2 * max(self._step_timeout_s, RESET_TIMEOUT_S)),
        )
        return WorkerProcess(settings, assets, self._step_timeout_s)

    def _exchange(self, packet: bytes) -> None:
        if self._worker is None:
            self._worker = self._start_worker()
        limit = max(self._step_timeout_s, RESET_TIMEOUT_S)
        self._guarded(lambda worker: worker.send(packet))
        self._guarded(lambda worker: worker.receive(limit))

    def _guarded(self, talk: Callable[[WorkerProcess], None]) -> None:
        if self._worker is None:
            raise ConfigurationError("the environment is closed: call reset() first")
        try:
            talk(self._worker)
        except SimulatorError:
            self.close()
            raise

    def _observation(self) -> Observation:
        assert self._worker is not None
        block = self._worker.block
        observation: Observation = {key: array.copy() for key, array in block.arrays.items()}
        if SPEED in self._keys:
            observation[SPEED] = np.asarray(block.telemetry["speed_mps"][0], np.float32)
        if WAYPOINTS in self._keys:
            observation[WAYPOINTS] = block.telemetry["waypoints"][0].astype(np.float32)
        return {key: observation[key] for key in self._keys}

    def _info(self) -> dict[str, Any]:
        assert self._worker is not None
        telemetry = self._worker.block.telemetry
        info: dict[str, Any] = {
            "ego_pose": telemetry["world_from_ego"][0].copy(),
            "speed_mps": float(telemetry["speed_mps"][0]),
            "off_road": bool(telemetry["off_road"][0]),
            "distance_m": float(telemetry["distance_m"][0]),
            "distance_down_track_m": float(telemetry["distance_down_track_m"][0]),
            "progress_m": float(telemetry["progress_m"][0]),
            "track_length_m": float(telemetry["track_length_m"][0]),
            "lateral_m": float(telemetry["lateral_m"][0]),
            "laps": int(telemetry["laps"][0]),
            "rescued": bool(telemetry["rescued"][0]),
            "termination": "",
        }
        if any(key in CAMERA_KEYS for key in self._keys):
            info["camera_fresh"] = bool(telemetry["camera_fresh"][0])
            focal_x, focal_y = telemetry["camera_focal"][0]
            info["camera"] = PinholeCamera(
                *self._size,
                float(focal_x),
                float(focal_y),
                telemetry["camera_rotation"][0].copy(),
                telemetry["camera_position"][0].copy(),
            )
        return info

    def _termination(self, info: dict[str, Any]) -> str:
        step_s = _STEP_S * self._action_repeat
        self._off_track_s = self._off_track_s + step_s if info["off_road"] else 0.0
        self._stuck_s = self._stuck_s + step_s if info["speed_mps"] < _STUCK_MPS else 0.0
        if self._off_track_s >= OFF_TRACK_LIMIT_S:
            return "off_track"
        return "stuck" if self._stuck_s >= STUCK_LIMIT_S else ""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigurationError(message)
