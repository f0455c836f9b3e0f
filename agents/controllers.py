"""Controller sets by name: the benchmark's five PID controllers, and those that other packages bring."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents import CONTROLLER_SETS
from sim2real_bench.agents.agent import Action
from sim2real_bench.agents.path_following import TARGET_SPEED_MPS, TICK_S, PathFollower
from sim2real_bench.agents.pid import CONTROLLERS_FILE, ControllerSettings, controller_settings, read_controllers
from sim2real_bench.errors import ConfigurationError
from sim2real_bench.registry import blaming_plug_in

STANDARD_SET = "pid-v1"


@runtime_checkable
class WaypointController(Protocol):
    """Turns waypoints into driving actions, once per tick."""

    @property
    def waypoints(self) -> npt.NDArray[np.float64] | None:
        """(N, 2) metres, ego frame: what it followed last, for pictures; None before the first action."""

    def reset(self) -> None:
        """Forget the last episode."""

    def action(self, waypoints: npt.ArrayLike, speed_mps: float) -> Action:
        """The action towards (N, 2) waypoints (ego frame, metres, in driving order) at a speed in m/s.

        Raises:
            AgentError: a waypoint or the speed is not finite.
        """


Controller = int | ControllerSettings | WaypointController
"""What agents accept: the id of one of the benchmark's controllers, PID settings, or a controller of another kind."""

ControllerMaker = Callable[[int, float, float], WaypointController]
"""(id, target speed in m/s, tick in s) to a new controller."""


def follower(controller: Controller, target_speed_mps: float = TARGET_SPEED_MPS) -> WaypointController:
    """What follows waypoints for an agent; ``target_speed_mps`` counts for PID settings and ids only.

    Raises:
        ConfigurationError: no such id.
    """
    if isinstance(controller, int):
        return PathFollower(controller_settings(controller), target_speed_mps)
    if isinstance(controller, ControllerSettings):
        return PathFollower(controller, target_speed_mps)
    return controller


@dataclass(frozen=True)
class Controllers:
    """A set of controllers; every episode is driven by each of them.

    Attributes:
        count: their number; ids are 0 to ``count`` - 1.
        make: makes the controller of an id.
        settings: all that tells these controllers from others (gains, look-aheads) as text; results carry its hash.
        summary: one line for ``sim2real-bench list``.
    """

    count: int
    make: ControllerMaker
    settings: str
    summary: str = ""

    @classmethod
    def from_file(cls, path: Path, summary: str = "") -> Controllers:
        """PID controllers with the gains in a file of the form of ``controllers_v1.json``.

        Raises:
            ConfigurationError: the file cannot be read or is not of that form.
        """
        gains = read_controllers(path).controllers

        def make(controller: int, target_speed_mps: float, tick_s: float) -> WaypointController:
            return PathFollower(gains[controller], target_speed_mps, tick_s)

        return cls(len(gains), make, path.read_bytes().decode(), summary)


PID_V1 = Controllers.from_file(CONTROLLERS_FILE)


def controllers_named(name: str) -> Controllers:
    """The controller set of a name.

    Raises:
        UnknownNameError: with the nearest known names.
        PlugInError: the package that brings it is broken.
    """
    loaded = CONTROLLER_SETS.load(name)
    if not isinstance(loaded, Controllers) or loaded.count < 1:
        raise ConfigurationError(f"{CONTROLLER_SETS.get(name).target} is not a set of at least one controller")
    return loaded


def controllers_hash(name: str = STANDARD_SET) -> str:
    """SHA-256 of what a set consists of: results with other controllers are other results."""
    spec, settings = CONTROLLER_SETS.get(name), controllers_named(name).settings
    text = "\n".join((spec.name, spec.distribution, spec.version, settings)) if spec.is_plug_in else settings
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class ControllerChoice:
    """Which controllers drive; plain data, so that any process can make them.

    Attributes:
        name: of the set.
        target_speed_mps: the speed they hold.
        tick_s: time between two actions, seconds.
    """

    name: str = STANDARD_SET
    target_speed_mps: float = TARGET_SPEED_MPS
    tick_s: float = TICK_S

    def controller(self, number: int) -> Controller:
        """What an agent is made with: the id where it is the benchmark's own, else a new controller.

        Raises:
            ConfigurationError: no such id.
            PlugInError: the controller cannot be made.
        """
        controllers = controllers_named(self.name)
        if not 0 <= number < controllers.count:
            raise ConfigurationError(
                f"controller {number} of {self.name!r}: choose one of 0 to {controllers.count - 1}"
            )
        if self == STANDARD_CHOICE:
            return number
        with blaming_plug_in(CONTROLLER_SETS.get(self.name).target, f"making controller {number} of {self.name!r}"):
            return controllers.make(number, self.target_speed_mps, self.tick_s)


STANDARD_CHOICE = ControllerChoice()
