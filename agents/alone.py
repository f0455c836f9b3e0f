"""Agents that another package registers alone: made from their name, with what their constructor asks for."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim2real_bench.agents import AGENTS
from sim2real_bench.errors import ConfigurationError

if TYPE_CHECKING:
    from sim2real_bench.agents.agent import Agent
    from sim2real_bench.agents.controllers import Controller


def agent_maker(name: str) -> Any:
    """The class or function behind a registered agent.

    Raises:
        UnknownNameError: an unknown name.
        PlugInError: the package that brings it is broken.
    """
    make = AGENTS.load(name)
    if not callable(make):
        raise ConfigurationError(f"agent {name!r} is registered as {type(make).__name__}, not as a class or function")
    return make


def make_agent(name: str, controller: Controller = 0, checkpoint: Path | None = None) -> Agent:
    """A new agent; ``controller`` and ``checkpoint`` are passed to those that name such a parameter.

    Raises:
        ConfigurationError: a checkpoint was given to an agent that takes none, or what was made is no agent.
    """
    make = agent_maker(name)
    asked = inspect.signature(make).parameters
    given: dict[str, Any] = {"controller": controller} if "controller" in asked else {}
    if checkpoint is not None:
        if "checkpoint" not in asked:
            raise ConfigurationError(f"agent {name!r} takes no checkpoint; leave out {checkpoint}")
        given["checkpoint"] = checkpoint
    return checked_agent(make(**given), name)


def checked_agent(made: Any, name: str) -> Agent:
    """What was made, if it is an agent.

    Raises:
        ConfigurationError: it lacks a part of one.
    """
    from sim2real_bench.agents.agent import Agent

    if not isinstance(made, Agent):
        lacking = [part for part in ("observations", "reset", "act") if not hasattr(made, part)]
        raise ConfigurationError(f"{name!r} made a {type(made).__name__}, which lacks {', '.join(lacking)}")
    return made
