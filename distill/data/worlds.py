"""Where data are recorded: a simulator, the places in it, and the driver; made anew in every worker process."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim2real_bench.envs.observation import LABELS, MAP_VIEW, RGB
from sim2real_bench.errors import ConfigurationError

if TYPE_CHECKING:
    from sim2real_bench.agents.agent import Agent

RECORDED = (RGB, LABELS, MAP_VIEW)
PPO, REFERENCE, STUDENT = "ppo", "reference", "student"
FOV_DEG, CAMERA_X_M, CAMERA_Z_M = 90.0, 2.0, 1.4


@dataclass(frozen=True)
class World:
    """A simulator with a driver in it.

    Attributes:
        simulator: "stk", "carla", or the registered name of another package's simulator.
        driver_name: "ppo" (SuperTuxKart only), "reference", "student" (CARLA only), or for other packages' simulators a
            registered agent.
        places: tracks ("name" or "name/reverse"), used in turn, or one town.
        weathers: names, one drawn per episode; empty for SuperTuxKart, and where a simulator has none.
        observations: recorded keys.
        image_size: (width, height), pixels.
        target_speed_mps: of the reference driver and the student.
        checkpoint: of the PPO driver, None = the shipped one; or the student, a waypoint network.
        backend: of CARLA, "embedded" or "server".
        host: of a CARLA server.
        port: of a CARLA server; None = 2000.
        reference_share: share of the student's episodes that the reference drives.

    Raises:
        ConfigurationError: values that do not go together.
    """

    simulator: str
    driver_name: str
    places: tuple[str, ...]
    weathers: tuple[str, ...] = ()
    observations: tuple[str, ...] = RECORDED
    image_size: tuple[int, int] = (384, 160)
    target_speed_mps: float = 20.0 / 3.6
    checkpoint: Path | None = None
    backend: str = "embedded"
    host: str = "127.0.0.1"
    port: int | None = None
    reference_share: float = 0.0

    def __post_init__(self) -> None:
        from sim2real_bench.agents import AGENTS

        own = {"stk": (PPO, REFERENCE), "carla": (REFERENCE, STUDENT)}
        drivers = own.get(self.simulator, (REFERENCE, *AGENTS.names()))
        if self.driver_name not in drivers:
            raise ConfigurationError(
                f"driver {self.driver_name!r} does not drive {self.simulator!r}; choose {' or '.join(drivers)}"
            )
        unknown = [key for key in self.observations if key not in RECORDED]
        if unknown or not self.observations:
            raise ConfigurationError(
                f"observations {self.observations!r} cannot be recorded; choose from {', '.join(RECORDED)}"
            )
        if not self.places:
            raise ConfigurationError("no track or town to record in was given")
        if self.on_policy and self.checkpoint is None:
            raise ConfigurationError("driver 'student' needs --checkpoint: a waypoint network made by transfer")
        if self.checkpoint is not None and self.driver_name not in (PPO, STUDENT):
            raise ConfigurationError(f"driver {self.driver_name!r} has no weights; leave out {self.checkpoint}")
        if not 0.0 <= self.reference_share <= 1.0:
            raise ConfigurationError(f"reference share {self.reference_share}: must be between 0 and 1")

    @property
    def on_policy(self) -> bool:
        """Whether a student drives, whose mistakes are what is to be recorded."""
        return self.driver_name == STUDENT

    def driver(self) -> Agent:
        """The driver, made anew."""
        if self.driver_name == PPO:
            from sim2real_bench.agents.ppo import load_ppo_agent

            return load_ppo_agent(self._ppo_checkpoint())
        if self.checkpoint is not None and self.on_policy:
            from sim2real_bench.agents.waypoint_agent import load_policy
            from sim2real_bench.distill.on_policy.driver import StudentDriver

            return StudentDriver(load_policy(self.checkpoint), self.reference_share, self.target_speed_mps)
        if self.driver_name != REFERENCE:
            from sim2real_bench.agents.alone import make_agent

            return make_agent(self.driver_name)
        from sim2real_bench.agents.reference import ReferenceAgent

        return ReferenceAgent(target_speed_mps=self.target_speed_mps)

    def _ppo_checkpoint(self) -> Path:
        from sim2real_bench.agents.checkpoints import shipped_checkpoint

        return self.checkpoint if self.checkpoint is not None else shipped_checkpoint("stk-ppo")

    def driver_words(self) -> str:
        """The driver with what identifies it, for the manifest."""
        if self.driver_name == PPO:
            from sim2real_bench.agents.checkpoints import checkpoint_hash

            return f"ppo {checkpoint_hash(self._ppo_checkpoint())[:16]}"
        if self.checkpoint is not None and self.on_policy:
            from sim2real_bench.agents.checkpoints import checkpoint_hash

            student = checkpoint_hash(self.checkpoint)[:16]
            share = f"reference in {self.reference_share:g} of the episodes"
            return f"student {student} at {self.target_speed_mps:.2f} m/s, {share}"
        if self.driver_name != REFERENCE:
            from sim2real_bench.agents import AGENTS

            spec = AGENTS.get(self.driver_name)
            return f"{spec.name} of {spec.distribution} {spec.version}"
        return f"reference at {self.target_speed_mps:.2f} m/s"

    def camera_words(self) -> str:
        """The camera, for the manifest."""
        if self.simulator == "stk":
            return "on board, fixed to the kart; recorded with every sample"
        if self.simulator != "carla":
            return "the simulator's own; recorded with every sample"
        return f"fov {FOV_DEG:g}, x +{CAMERA_X_M:g} m, z {CAMERA_Z_M:g} m"

    def episode(self, index: int, random: np.random.Generator) -> tuple[dict[str, Any], str, str]:
        """Reset options of an episode, its place and its weather."""
        place = self.places[index % len(self.places)]
        if self.simulator == "stk":
            name, _, direction = place.partition("/")
            return {"track": name, "reverse": direction == "reverse"}, place, ""
        if not self.weathers:
            return {"town": place}, place, ""
        weather = str(random.choice(self.weathers))
        return {"town": place, "weather": weather}, place, weather


def open_world(world: World, observations: tuple[str, ...], camera_every: int = 1) -> Any:
    """The environment of a world with the given observation keys; SuperTuxKart renders every ``camera_every`` ticks.

    Raises:
        SimulatorError: it does not start.
        MissingDependencyError: it is not installed.
    """
    from sim2real_bench.envs import make

    width, height = world.image_size
    if world.simulator == "stk":
        return make(
            "stk", observations=observations, width=width, height=height, camera_every=camera_every,
            max_steps=1_000_000,
        )  # fmt: skip
    if world.simulator != "carla":
        return _fitting(make(world.simulator, observations=observations, town=world.places[0]), world)
    return make(
        "carla", backend=world.backend, host=world.host, port=world.port, town=world.places[0],
        observations=observations, width=width, height=height, fov_deg=FOV_DEG, camera_x_m=CAMERA_X_M,
        camera_z_m=CAMERA_Z_M,
    )  # fmt: skip


def _fitting(environment: Any, world: World) -> Any:
    """Another package's environment, if its pictures have the size that networks read."""
    for key in set(world.observations) & {RGB, LABELS} & set(environment.observation_space.spaces):
        height, width = environment.observation_space[key].shape[:2]
        if (width, height) != world.image_size:
            environment.close()
            raise ConfigurationError(
                f"{world.simulator!r} draws {key} of {width} x {height} pixels; networks read "
                f"{world.image_size[0]} x {world.image_size[1]}"
            )
    return environment


def backend_words(world: World) -> str:
    """What answers behind the world, with its version; starts or connects CARLA to ask it."""
    if world.simulator == "stk":
        try:
            return f"pystk2 {version('PySuperTuxKart2')}"
        except PackageNotFoundError:
            return "pystk2 (not installed)"
    environment = open_world(world, (MAP_VIEW,))
    try:
        return str(environment.backend_version)
    finally:
        environment.close()


def track_places(split: str) -> tuple[str, ...]:
    """The places of a SuperTuxKart split ("train" or "held-out"), each direction of a track on its own.

    Raises:
        ConfigurationError: no such split.
    """
    from sim2real_bench.envs.supertuxkart.tracks import HELD_OUT_TRACKS, TRAIN_TRACKS

    splits = {"train": TRAIN_TRACKS, "held-out": HELD_OUT_TRACKS}
    if split not in splits:
        raise ConfigurationError(f"split {split!r} is unknown; choose {' or '.join(splits)}")
    return tuple(f"{track.name}/reverse" if track.reverse else track.name for track in splits[split])


def weather_names(text: str) -> tuple[str, ...]:
    """Weathers of a comma-separated list; an empty text means all of the benchmark.

    Raises:
        ConfigurationError: an unknown name.
    """
    from sim2real_bench.envs.carla.weather import WEATHERS, weather_named

    names = tuple(name.strip() for name in text.split(",") if name.strip()) or tuple(WEATHERS)
    for name in names:
        weather_named(name)
    return names
