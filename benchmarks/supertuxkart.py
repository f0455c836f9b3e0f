"""SuperTuxKart's steps per second through the environment, as ratios of the bare engine driving the same way."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from sim2real_bench.envs.supertuxkart.assets import engine_environment, find_assets
from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv

TRACK = "hacienda"
WIDTH, HEIGHT = 384, 160
ROUNDS = 3
STEPS = {"rgb": 300, "map_view": 2000}
AIMS = {"rgb": "at least 0.9 of the engine", "map_view": "at least 1000 a second"}

Actions = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Rate:
    """Steps per second of the clock, and per second of processor time in all processes (steadier on a busy machine)."""

    wall: float
    processor: float

    @classmethod
    def best(cls, rates: "Sequence[Rate]") -> "Rate":
        """The best of each."""
        return cls(max(rate.wall for rate in rates), max(rate.processor for rate in rates))


@dataclass(frozen=True)
class Speed:
    """The environment's and the bare engine's rate with one observation."""

    observation: str
    environment: Rate
    engine: Rate


def run() -> list[Speed]:
    """Measure and print."""
    speeds = []
    for observation, steps in STEPS.items():
        actions = record_actions(steps)
        # In turns, so that what else the machine does hits both.
        rounds = [(environment_rate(observation, actions), engine_rate(observation, actions)) for _ in range(ROUNDS)]
        ours, raw = Rate.best([pair[0] for pair in rounds]), Rate.best([pair[1] for pair in rounds])
        print(f"{observation} (aim: {AIMS[observation]})")
        for clock, mine, bare in (("second", ours.wall, raw.wall), ("processor second", ours.processor, raw.processor)):
            print(f"  steps per {clock}: environment {mine:.0f}, engine alone {bare:.0f}, ratio {mine / bare:.2f}")
        speeds.append(Speed(observation, ours, raw))
    return speeds


def record_actions(steps: int) -> Actions:
    """What a driver who follows the drive line does; the engine repeats it exactly."""
    actions = []
    with SuperTuxKartEnv(TRACK, observations=("waypoints", "speed"), random_start=False, max_steps=steps + 1) as env:
        observation, _ = env.reset(seed=0)
        for _ in range(steps):
            forward, left = observation["waypoints"][1]
            steer = float(np.clip(2.2 * np.arctan2(-left, forward), -1, 1))
            actions.append((steer, 1.0 if observation["speed"] < 12 else 0.0))
            observation, *_ = env.step(actions[-1])
    return actions


def environment_rate(observation: str, actions: Actions) -> Rate:
    """Through the environment and its worker."""
    with SuperTuxKartEnv(
        TRACK, observations=(observation,), width=WIDTH, height=HEIGHT, random_start=False, max_steps=len(actions) + 1
    ) as env:
        env.reset(seed=0)
        used, start = processor_seconds(), time.perf_counter()
        for action in actions:
            env.step(action)
        wall, used = time.perf_counter() - start, processor_seconds() - used
        return Rate(len(actions) / wall, len(actions) / used)


def processor_seconds() -> float:
    """Used so far by this process and its running children."""
    here = psutil.Process()
    times = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def engine_rate(observation: str, actions: Actions) -> Rate:
    """Of the engine in a program of its own: step, update, and copy the picture if there is one."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.supertuxkart", observation],
            input=json.dumps(actions),
            env=os.environ | engine_environment(find_assets(), Path(home)),
            capture_output=True,
            text=True,
            check=True,
        )
    wall, processor = done.stdout.split()[-2:]
    return Rate(float(wall), float(processor))


def drive_bare_engine(observation: str, actions: Actions) -> Rate:
    """The other program of ``engine_rate``; the engine is imported here only."""
    import pystk2

    from sim2real_bench.envs.supertuxkart.camera import mount_onboard

    renders = observation == "rgb"
    graphics = pystk2.GraphicsConfig.ld() if renders else pystk2.GraphicsConfig.none()
    graphics.screen_width, graphics.screen_height, graphics.display, graphics.particles_effects = (
        WIDTH,
        HEIGHT,
        False,
        0,
    )
    pystk2.init(graphics)
    if renders:
        mount_onboard(pystk2.__file__, WIDTH, HEIGHT)
    config = pystk2.RaceConfig()
    config.track, config.step_size, config.overlay, config.laps, config.num_kart = TRACK, 6.0, False, 1000, 1
    race, world = pystk2.Race(config), pystk2.WorldState()
    race.start()
    race.step(pystk2.Action())
    race.config.step_size = 0.1
    if renders:
        np.array(race.render_data[0].image)
    used, start = processor_seconds(), time.perf_counter()
    for steer, throttle in actions:
        race.step(pystk2.Action(steer=steer, acceleration=throttle))
        world.update()
        if renders:
            np.array(race.render_data[0].image)
    wall, used = time.perf_counter() - start, processor_seconds() - used
    return Rate(len(actions) / wall, len(actions) / used)


if __name__ == "__main__":
    rate = drive_bare_engine(sys.argv[1], json.loads(sys.stdin.read()))
    print(rate.wall, rate.processor)
    sys.stdout.flush()
    os._exit(0)
