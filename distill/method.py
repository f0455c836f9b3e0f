"""The interface of a transfer method: its name, the data it reads, its checkpoint, and the agent it ends in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.errors import ConfigurationError
from sim2real_bench.registry import Registry, Spec

if TYPE_CHECKING:
    from sim2real_bench.agents.agent import Agent

PROXIES = ("map", "camera")


@dataclass(frozen=True)
class Supervision:
    """Which data a method reads, in words that fit a table cell; empty = none of that kind.

    Attributes:
        source: what it reads from the source simulator besides the driven paths.
        target: what it reads from the target simulator.
        privileged: what it is told while it is being tested.
    """

    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    privileged: tuple[str, ...] = ()

    def summary(self) -> str:
        """One line, for example ``source: images | target: images + map labels``."""
        parts = [
            f"{name}: {' + '.join(kinds)}"
            for name, kinds in (("source", self.source), ("target", self.target), ("at test", self.privileged))
            if kinds
        ]
        return " | ".join(parts) or "none"


AgentBuilder = Callable[[int, Path | None], "Agent"]
"""(controller id, checkpoint or None) to an agent."""


@dataclass(frozen=True)
class Method:
    """A transfer method.

    Attributes:
        name: what a user types.
        supervision: by proxy; the key "" for a method without a proxy.
        checkpoints: name of the shipped checkpoint by proxy; empty for a method without weights.
        builder: makes its agent; imports torch only when called.
    """

    name: str
    supervision: Mapping[str, Supervision]
    checkpoints: Mapping[str, str]
    builder: AgentBuilder

    @property
    def proxies(self) -> tuple[str, ...]:
        """The proxies it can be run with; empty for a method without one."""
        return tuple(proxy for proxy in self.supervision if proxy)

    def key(self, proxy: str | None) -> str:
        """The key of its tables for a proxy the user gave.

        Raises:
            ConfigurationError: the method needs a proxy, has none, or does not know this one.
        """
        if self.proxies and proxy not in self.proxies:
            given = "none was given" if not proxy else f"{proxy!r} was given"
            raise ConfigurationError(f"method {self.name!r} needs --proxy {' or '.join(self.proxies)}; {given}")
        if not self.proxies and proxy:
            raise ConfigurationError(f"method {self.name!r} has no proxy; leave out --proxy {proxy}")
        return proxy or ""


def _reference_agent(controller: int, checkpoint: Path | None) -> Agent:
    from sim2real_bench.agents.reference import ReferenceAgent

    if checkpoint is not None:
        raise ConfigurationError(f"method 'reference' has no weights; leave out the checkpoint {checkpoint}")
    return ReferenceAgent(controller)


def _camera_agent(controller: int, checkpoint: Path | None) -> Agent:
    """The agent of every method that ends in one network from camera image to camera waypoints."""
    from sim2real_bench.agents.waypoint_agent import WaypointAgent, load_policy

    if checkpoint is None:
        raise ConfigurationError("this method needs a checkpoint; make one with: sim2real-bench transfer")
    return WaypointAgent(load_policy(checkpoint), controller)


REFERENCE = Method(
    "reference",
    {"": Supervision(privileged=("lane graph",))},
    {},
    _reference_agent,
)
DIRECT = Method(
    "direct",
    {"": Supervision(source=("images",))},
    {"": "stk-direct"},
    _camera_agent,
)
TASK_DISTILLATION = Method(
    "task-distillation",
    {
        "map": Supervision(source=("map labels",), target=("images", "map labels")),
        "camera": Supervision(source=("camera labels",), target=("images", "camera labels")),
    },
    {"map": "stk-carla-task-distillation-map", "camera": "stk-carla-task-distillation-camera"},
    _camera_agent,
)

METHODS = Registry("method")
for _spec in (
    Spec("reference", f"{__name__}:REFERENCE", "privileged planner on the lane graph: bounds every table from above"),
    Spec(
        "direct",
        f"{__name__}:DIRECT",
        "source policy on target images, unchanged: bounds the tables from below",
        "train",
    ),
    Spec(
        "task-distillation",
        f"{__name__}:TASK_DISTILLATION",
        "source labels -> waypoints teaches target images -> waypoints (proxy map or camera)",
        "train",
    ),
):
    METHODS.register(_spec)


def method_named(name: str) -> Method:
    """The method of a name.

    Raises:
        UnknownNameError: with the nearest known names.
    """
    method = METHODS.load(name)
    if not isinstance(method, Method):
        raise ConfigurationError(f"method {name!r} is registered as {type(method).__name__}, not as a Method")
    return method


def method_supervision(method: str, proxy: str | None = None) -> str:
    """What data a method read, one line for the table."""
    entry = method_named(method)
    return entry.supervision[entry.key(proxy)].summary()


def checkpoint_for(method: str, proxy: str | None = None) -> Path | None:
    """The shipped checkpoint of a method; None for a method without weights.

    Raises:
        CheckpointError: the checkpoint is not in this installation.
    """
    entry = method_named(method)
    key = entry.key(proxy)
    if key not in entry.checkpoints:
        return None
    from sim2real_bench.agents.checkpoints import shipped_checkpoint

    return shipped_checkpoint(entry.checkpoints[key])


def build_agent(method: str, proxy: str | None, controller: int, checkpoint: Path | None = None) -> Agent:
    """An agent that drives the target simulator by ``method``.

    Args:
        method: a registered name.
        proxy: "map" or "camera" where the method has proxies, else None.
        controller: PID controller id, 0 to 4.
        checkpoint: weights to use instead of the shipped ones.

    Raises:
        ConfigurationError: the proxy does not fit the method, or the method has no weights.
        CheckpointError: the checkpoint cannot be read.
    """
    entry = method_named(method)
    entry.key(proxy)
    return entry.builder(controller, checkpoint if checkpoint is not None else checkpoint_for(method, proxy))
