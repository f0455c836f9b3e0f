"""The reference planner as a row of the tables: privileged, untrained, an upper bound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.distill.method import Method, Supervision
from sim2real_bench.errors import ConfigurationError

if TYPE_CHECKING:
    from sim2real_bench.agents.agent import Agent
    from sim2real_bench.agents.controllers import Controller


def _agent(controller: Controller, checkpoint: Path | None) -> Agent:
    from sim2real_bench.agents.reference import ReferenceAgent

    if checkpoint is not None:
        raise ConfigurationError(f"method 'reference' has no weights; leave out the checkpoint {checkpoint}")
    return ReferenceAgent(controller)


REFERENCE = Method("reference", {"": Supervision(privileged=("lane graph",))}, {}, _agent)
