"""Agents without a network: they drive straight, and fail where their name says so (``raises@5``)."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from sim2real_bench.agents.agent import Action
from sim2real_bench.envs.observation import RGB, SPEED, Observation
from sim2real_bench.evaluation.faults.kinds import Fault

_FULL_THROTTLE = {"fast": 1.0, "slow": 0.5}


class StraightAgent:
    """Drives straight at a throttle of its own.

    Args:
        throttle: in [0, 1].
        fault: what it does wrong, at the tick of the episode when it is asked for the action, or None.
    """

    observations: tuple[str, ...] = (RGB, SPEED)

    def __init__(self, throttle: float, fault: Fault | None = None) -> None:
        self._throttle, self._fault = throttle, fault
        self._tick = 0

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self._tick = 0
        if self._fault is not None and self._fault.kind == "reset-raises":
            raise ValueError("no memory of the last episode")

    def act(self, observation: Observation) -> Action:
        """Straight ahead."""
        self._tick += 1
        if self._fault is not None and self._tick >= self._fault.tick:
            return _failing(self._fault.kind)
        return np.array([0.0, self._throttle], np.float32)


def build_agent(method: str, proxy: str | None, controller: Any, checkpoint: Path | None) -> StraightAgent:
    """The agent of a row: ``fast``, ``slow``, or a fault of an agent such as ``raises@5``; controllers differ a little.

    Raises:
        ConfigurationError: another name.
    """
    slower = 0.02 * (controller if isinstance(controller, int) else 0)
    if method in _FULL_THROTTLE:
        return StraightAgent(_FULL_THROTTLE[method] - slower)
    return StraightAgent(1.0 - slower, Fault.parse(method))


def _failing(kind: str) -> Any:
    if kind == "raises":
        raise ValueError("the network is confused")
    if kind == "never":
        time.sleep(3600)
    if kind == "sys-exit":
        sys.exit("enough")
    if kind == "os-exit":
        os._exit(7)
    if kind == "agent-crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    wrong = {"nan": [np.nan, 0.0], "wrong-shape": [0.0, 0.0, 0.0], "text": "left"}
    return wrong[kind]
