"""Task distillation that drives to the peaks of its heatmaps, not to their means; the networks are the same.

Where a road forks, the soft-argmax of a network that was taught both ways answers with the middle between them. The
mean around the highest peak alone is one of the ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim2real_bench.distill.method import Method, given_weights
from sim2real_bench.distill.methods.task_distillation import TASK_DISTILLATION

if TYPE_CHECKING:
    from pathlib import Path

    from sim2real_bench.agents.agent import Agent
    from sim2real_bench.agents.controllers import Controller

PEAK_SHARE = 0.125  # of the heatmap's sides, to every side of the peak: 4.8 m of a map


def _agent(controller: Controller, checkpoint: Path | None) -> Agent:
    from sim2real_bench.agents.checkpoints import load_checkpoint
    from sim2real_bench.agents.waypoint_agent import NetworkPolicy, WaypointAgent

    network, card = load_checkpoint(given_weights(checkpoint))
    network.peak_share = PEAK_SHARE
    return WaypointAgent(NetworkPolicy(network, card.observation), controller)


TASK_DISTILLATION_PEAKS = Method(
    "task-distillation-peaks", TASK_DISTILLATION.supervision, TASK_DISTILLATION.checkpoints, _agent
)
