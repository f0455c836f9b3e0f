"""The state of an unfinished CyCADA training on disk: networks, optimisers and memories, without pickling."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.distill.cycada.adversaries import TERMS, Opponents
from sim2real_bench.errors import CheckpointError

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
History = tuple[dict[str, float], ...]
"""Per saved state: the step, and the running mean of each loss."""


@dataclass(frozen=True)
class Standing:
    """How far a training is.

    Attributes:
        step: finished steps.
        running: exponential mean of each weighted loss.
        history: one row per saved state.
    """

    step: int = 0
    running: tuple[tuple[str, float], ...] = ()
    history: History = ()

    def after(self, values: dict[str, float]) -> Standing:
        """One step later."""
        before = dict(self.running)
        mixed = {
            name: value if name not in before else 0.98 * before[name] + 0.02 * value for name, value in values.items()
        }
        return Standing(self.step + 1, tuple(mixed.items()), self.history)

    def noted(self) -> Standing:
        """The same with one more row in its history."""
        row = {"step": float(self.step), **dict(self.running)}
        return Standing(self.step, self.running, (*self.history, row))


def write_training(path: Path, standing: Standing, opponents: Opponents, identity: str) -> None:
    """Write the state in one piece, and its history as CSV beside it.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    tensors = {f"networks.{name}": tensor for name, tensor in opponents.networks.state_dict().items()}
    for name, optimiser in _optimisers(opponents).items():
        for index, moments in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{moment}": moments[moment] for moment in _MOMENTS}
    for name, memory in _memories(opponents).items():
        if memory.images:
            tensors[name] = torch.stack(memory.images)
    about = {
        "identity": identity, "step": standing.step, "running": dict(standing.running), "history": standing.history,
    }  # fmt: skip
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, save(held, {"about": json.dumps(about)}))
        write_atomically(path.with_suffix(".csv"), _table(standing.history).encode())
    except OSError as error:
        raise CheckpointError(f"cannot write the training state {path}: {error}") from error


def read_training(path: Path, opponents: Opponents, identity: str) -> Standing:
    """Read a state and put it into networks, optimisers and memories.

    Raises:
        CheckpointError: the file is damaged, or belongs to another training.
    """
    try:
        with safe_open(path, "pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _refuse_other(path, about["identity"], identity)
        opponents.networks.load_state_dict(_below("networks.", tensors))
        for name, optimiser in _optimisers(opponents).items():
            _fill(optimiser, _below(f"{name}.", tensors))
        device = next(opponents.networks.parameters()).device
        for name, memory in _memories(opponents).items():
            memory.images = [image.to(device) for image in tensors.get(name, ())]
        return Standing(about["step"], tuple(about["running"].items()), tuple(about["history"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"the training state {path} cannot be continued ({error}); train again without --resume"
        ) from error


def _optimisers(opponents: Opponents) -> dict[str, torch.optim.Adam]:
    return {"translators": opponents.translators, "discriminators": opponents.discriminators}


def _memories(opponents: Opponents) -> dict[str, Any]:
    return {"source_memory": opponents.source_memory, "target_memory": opponents.target_memory}


def _fill(optimiser: torch.optim.Adam, moments: dict[str, Tensor]) -> None:
    groups = optimiser.state_dict()["param_groups"]
    count = len(groups[0]["params"])
    state = {index: {name: moments[f"{index}.{name}"] for name in _MOMENTS} for index in range(count)}
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _refuse_other(path: Path, there: str, wanted: str) -> None:
    if there != wanted:
        raise CheckpointError(
            f"{path} belongs to a training of {there}, not of {wanted}; give these values, or train again without "
            "--resume"
        )


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _table(history: Sequence[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["step", *TERMS], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
