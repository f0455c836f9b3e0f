"""The interface of a transfer method: its name, the data it reads, its checkpoint, and the agent it ends in.

An agent that another package registers alone is a row of a table, too: a method without proxies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench import registry
from sim2real_bench.agents import AGENTS
from sim2real_bench.agents.alone import agent_maker, checked_agent, make_agent
from sim2real_bench.distill.methods import SPECS
from sim2real_bench.distill.transfer import ALL_STAGES, Training, Trainings, TransferRequest
from sim2real_bench.errors import CheckpointError, ConfigurationError, PlugInError, Sim2RealError
from sim2real_bench.registry import Registry, Spec, blaming_plug_in

if TYPE_CHECKING:
    from sim2real_bench.agents.agent import Agent
    from sim2real_bench.agents.controllers import Controller

PROXIES = ("map", "camera")


@dataclass(frozen=True)
class Supervision:
    """Which data a method reads, in words that fit a table cell; empty = none of that kind.

    Attributes:
        source: what it reads from the source simulator besides the driven paths.
        target: what it reads from the target simulator.
        privileged: what it is told while it is being tested.
        declared: False = its author does not say.
    """

    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    privileged: tuple[str, ...] = ()
    declared: bool = True

    def summary(self) -> str:
        """One line, for example ``source: images | target: images + map labels``."""
        if not self.declared:
            return "not declared"
        parts = [
            f"{name}: {' + '.join(kinds)}"
            for name, kinds in (("source", self.source), ("target", self.target), ("at test", self.privileged))
            if kinds
        ]
        return " | ".join(parts) or "none"


UNDECLARED = Supervision(declared=False)
AgentBuilder = Callable[["Controller", Path | None], "Agent"]
"""(controller, checkpoint or None) to an agent; ``agents.controllers.follower`` takes any controller."""


@dataclass(frozen=True)
class Method:
    """A transfer method.

    Attributes:
        name: what a user types.
        supervision: by proxy; the key "" for a method without a proxy.
        checkpoints: by proxy: the name of a checkpoint shipped with this package, or the path of the method's own file;
            empty for a method without weights.
        builder: makes its agent; imports torch only when called.
        trainings: what ``sim2real-bench transfer`` trains for it; None for a method that needs no training.
        stages: what its training consists of, in order, for ``transfer --stage``; empty = one piece.
        summary: one line for ``sim2real-bench list``.
        kind: "method", or "agent" for an agent registered alone.
    """

    name: str
    supervision: Mapping[str, Supervision]
    checkpoints: Mapping[str, str | Path]
    builder: AgentBuilder
    trainings: Trainings | None = None
    summary: str = ""
    kind: str = "method"
    stages: tuple[str, ...] = ()

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


def network_agent(controller: Controller, checkpoint: Path | None) -> Agent:
    """The agent of every method that ends in one waypoint network, which reads what its card says."""
    from sim2real_bench.agents.waypoint_agent import WaypointAgent, load_policy

    return WaypointAgent(load_policy(given_weights(checkpoint)), controller)


def given_weights(checkpoint: Path | None) -> Path:
    """The checkpoint, for a method that cannot do without.

    Raises:
        ConfigurationError: there is none.
    """
    if checkpoint is None:
        raise ConfigurationError("this method needs a checkpoint; make one with: sim2real-bench transfer")
    return checkpoint


METHODS = Registry("method", registry.METHODS)
for _spec in SPECS:
    METHODS.register(_spec)


def method_named(name: str) -> Method:
    """The method of a name, or the agent of a name as a method without proxies.

    Raises:
        UnknownNameError: with the nearest known names.
        PlugInError: the package that brings the name is broken, or the name is both a method's and an agent's.
    """
    if name in AGENTS:
        if name in METHODS:
            raise PlugInError(f"{name!r} is the name of a method and of an agent; uninstall or rename one of them")
        return _agent_alone(name)
    method = METHODS.get(name, also=AGENTS.names()).load()
    if not isinstance(method, Method):
        raise ConfigurationError(f"method {name!r} is registered as {type(method).__name__}, not as a Method")
    if method.name != name:
        raise ConfigurationError(f"method {name!r} calls itself {method.name!r}; its entry point must have that name")
    return method


def row_spec(name: str) -> Spec:
    """Where a method or agent of a name comes from."""
    return AGENTS.get(name) if name in AGENTS else METHODS.get(name)


def method_supervision(method: str, proxy: str | None = None) -> str:
    """What data a method read, one line for the table."""
    entry = method_named(method)
    summary = entry.supervision[entry.key(proxy)].summary()
    return summary if entry.kind == "method" else f"{summary} ({entry.kind})"


def checkpoint_for(method: str, proxy: str | None = None) -> Path | None:
    """The weights that come with a method; None for a method without weights.

    Raises:
        CheckpointError: the checkpoint is not in this installation.
    """
    entry = method_named(method)
    key = entry.key(proxy)
    if key not in entry.checkpoints:
        return None
    checkpoint = entry.checkpoints[key]
    if isinstance(checkpoint, Path):
        if not checkpoint.is_file():
            raise CheckpointError(f"the weights of method {method!r}, {checkpoint}, are not there; install it again")
        return checkpoint
    from sim2real_bench.agents.checkpoints import shipped_checkpoint

    try:
        return shipped_checkpoint(checkpoint)
    except CheckpointError as error:
        option = f" --proxy {proxy}" if proxy else ""
        row = f"{method}:{proxy}" if proxy else method
        raise CheckpointError(
            f"no weights of method {method!r}{option} come with this installation: train them (sim2real-bench transfer "
            f"--method {method}{option}; sim2real-bench reproduce --dry-run shows the whole command) and give them as "
            f"--checkpoint {row}=FILE"
        ) from error


def trainings_of(method: str, request: TransferRequest) -> Sequence[Training]:
    """The networks that ``transfer`` trains for a method, in order.

    Raises:
        ConfigurationError: the method needs no training, or an option is missing or does not fit.
    """
    entry = method_named(method)
    entry.key(request.proxy)
    if entry.trainings is None:
        trainable = ", ".join(spec.name for spec in METHODS if _is_trainable(spec))
        raise ConfigurationError(f"{entry.kind} {method!r} needs no training; transfer trains {trainable}")
    known = (*entry.stages, ALL_STAGES)
    unknown = [stage for stage in request.stages if stage not in known]
    if unknown:
        raise ConfigurationError(f"stage {unknown[0]!r} of method {method!r} is unknown; choose {', '.join(known)}")
    made = entry.trainings(request)
    if not made and request.parts:
        given = ", ".join(request.parts)
        raise ConfigurationError(f"method {method!r} has nothing left to train: --part gave {given} already")
    return made


def build_agent(method: str, proxy: str | None, controller: Controller, checkpoint: Path | None = None) -> Agent:
    """An agent that drives the target simulator by ``method``; everything is found by its name, in any process.

    Args:
        method: a registered name of a method or agent.
        proxy: "map" or "camera" where the method has proxies, else None.
        controller: the benchmark's controller of an id, or one of another kind.
        checkpoint: weights to use instead of those that come with the method.

    Raises:
        ConfigurationError: the proxy does not fit the method, or the method has no weights.
        CheckpointError: the checkpoint cannot be read.
        PlugInError: the code of another package failed.
    """
    entry = method_named(method)
    entry.key(proxy)
    weights = checkpoint if checkpoint is not None else checkpoint_for(method, proxy)
    with blaming_plug_in(row_spec(method).target, f"making the agent of {method!r}"):
        agent = entry.builder(controller, weights)
    return checked_agent(agent, method)


def _agent_alone(name: str) -> Method:
    declared = getattr(agent_maker(name), "supervision", UNDECLARED)
    if not isinstance(declared, Supervision):
        raise ConfigurationError(f"agent {name!r} declares supervision={declared!r}; write a Supervision(...)")
    return Method(name, {"": declared}, {}, partial(make_agent, name), kind="agent")


def _is_trainable(spec: Spec) -> bool:
    try:
        return isinstance(method := spec.load(), Method) and method.trainings is not None
    except Sim2RealError:
        return False
