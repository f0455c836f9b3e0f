"""A driving environment and agents without a simulator, importable by spawned workers; they fail where told to."""

import json
import math
import os
import time
from pathlib import Path

import numpy as np

from sim2real_bench.errors import ConfigurationError, SimulatorError
from sim2real_bench.evaluation.benchmarks import STK_CARLA_V1
from sim2real_bench.evaluation.plan import Configuration, Episode, Limits, MethodRow, resolve_configuration
from sim2real_bench.evaluation.runner import RunSettings

ENVIRONMENT = "fake_driving:FakeDrivingEnv"
AGENTS = "fake_driving:build_agent"


class FakeDrivingEnv:
    """A point that drives along a straight road; the wall it hits stands where the episode's draws put it.

    Args:
        observations: keys.
        folder: where pids and fault counts are kept, or None.
        faults: episode seed (text) to ["error", times].
        refuses: text of a ``ConfigurationError`` raised at construction.
        tick_sleep_s: wall time of a tick.
    """

    backend_version = "fake 1.0"

    def __init__(self, *, observations, folder=None, faults=None, refuses="", tick_sleep_s=0.0):
        if refuses:
            raise ConfigurationError(refuses)
        self.observations = observations
        self._folder = Path(folder) if folder else None
        self._faults = faults or {}
        self._sleep_s = tick_sleep_s
        if self._folder:
            (self._folder / f"pid-{os.getpid()}").write_text(json.dumps(observations))

    def spawn_count(self, town):
        return 7

    def reset(self, *, seed, options):
        assert set(options) == {"spawn_index", "weather", "town"}
        weather = STK_CARLA_V1.weathers.index(options["weather"])
        draw = np.random.default_rng([seed, options["spawn_index"], weather])
        self._seed, self._tick = seed, 0
        self._x = self._y = 0.0
        self._wall_m = float(draw.uniform(5.0, 60.0))
        self.hit_standing = 0
        return self._observed(), self._info(0.0)

    def step(self, action):
        self._tick += 1
        if self._sleep_s:
            time.sleep(self._sleep_s)
        if self._tick == 5 and str(self._seed) in self._faults:
            self._fail(*self._faults[str(self._seed)])
        steer, throttle = map(float, action)
        self._x += 0.5 * max(throttle, 0.0)
        self._y += 0.5 * steer * max(throttle, 0.0)
        hit = self._x >= self._wall_m
        return self._observed(), 0.0, hit, False, self._info(50.0 if hit else 0.0)

    def close(self):
        if self._folder:
            (self._folder / f"closed-{os.getpid()}").touch()

    def _fail(self, kind, times):
        counter = self._folder / f"fault-{self._seed}"
        seen = len(counter.read_text()) if counter.exists() else 0
        if seen >= times:
            return
        with counter.open("a") as file:
            file.write("x")
        assert kind == "error"
        raise SimulatorError("the fake server went away")

    def _observed(self):
        return {key: np.zeros((), np.float32) for key in self.observations}

    def _info(self, impulse):
        pose = np.eye(4)
        pose[0, 3], pose[1, 3] = self._x, self._y
        return {
            "ego_pose": pose,
            "speed_mps": 0.0,
            "off_road": abs(self._y) > 2.0,
            "distance_m": math.hypot(self._x, self._y),
            "collision_impulse_ns": impulse,
            "collided_with": "static.wall" if impulse else "",
        }


class FakeAgent:
    """Drives straight at a speed of its method, or fails in its method's way."""

    def __init__(self, method, controller):
        self.observations = ("waypoints",) if method == "reference" else ("rgb",)
        self._method = method
        self._throttle = {"reference": 1.0, "direct": 0.6}.get(method, 0.9) - 0.02 * controller
        self._steps = 0

    def reset(self, seed):
        self._steps = 0

    def act(self, observation):
        assert tuple(observation) == self.observations
        self._steps += 1
        late = self._steps > 4
        if self._method == "raises" and late:
            raise ValueError("the network is confused")
        if self._method == "hangs" and late:
            time.sleep(3600)
        if self._method == "nan" and late:
            return np.array([np.nan, 0.0], np.float32)
        if self._method == "shape" and late:
            return np.zeros(3, np.float32)
        if self._method == "leaves-road":
            return np.array([0.5, 1.0], np.float32)
        if self._method == "parked":
            return np.array([0.0, 0.0], np.float32)
        return np.array([0.0, self._throttle], np.float32)


def build_agent(method, proxy, controller, checkpoint):
    if method == "unbuildable":
        raise ConfigurationError("these weights do not fit")
    return FakeAgent(method, controller)


def limits(**changes) -> Limits:
    return Limits(**{"horizon_ticks": 100, **changes})


def row(method, proxy=None) -> MethodRow:
    return MethodRow(method=method, proxy=proxy, supervision="none")


ROWS = (row("reference"), row("direct"), row("task-distillation", "map"))


def configuration(episodes=2, horizon=100, rows=ROWS, seed=0, **changes) -> Configuration:
    return resolve_configuration(
        STK_CARLA_V1,
        backend="embedded",
        preset="quick",
        episodes_per_controller=episodes,
        horizon_ticks=horizon,
        rows=rows,
        agents=AGENTS,
        environment=ENVIRONMENT,
        seed=seed,
        **changes,
    )


def settings(out, *, workers=1, options=None, deadline_s=60.0, **plan) -> RunSettings:
    return RunSettings(
        configuration=configuration(**plan),
        out=Path(out),
        workers=workers,
        environment_options=options or {},
        deadline_s=deadline_s,
    )


def episode(seed=5, **changes) -> Episode:
    fields = {"index": 0, "controller": 0, "town": "T", "spawn_index": 3, "weather": "noon", "traffic": 0, "seed": seed}
    return Episode(**{**fields, **changes})


def comparable(records):
    """Records without what may differ between two runs of the same plan, in the order of their keys."""
    dumps = [record.model_dump(mode="json", exclude={"wall_time_s"}) for record in records]
    return sorted(dumps, key=lambda dump: json.dumps(dump["key"], sort_keys=True))
