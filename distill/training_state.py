"""The state of an unfinished training on disk: weights, best weights, optimiser and history, without pickling."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.errors import CheckpointError

if TYPE_CHECKING:
    from sim2real_bench.distill.training import TrainingConfig

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class HistoryRow:
    """One validation: the step, the running training loss and the held-out loss."""

    step: int
    training_loss: float
    validation_loss: float


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands.

    Attributes:
        step: finished steps.
        running_loss: exponential mean of the training loss; None before the first step.
        best_step: step of the lowest held-out loss.
        best_loss: that loss.
        best: the weights then, in host memory.
        history: one row per validation.
    """

    step: int = 0
    running_loss: float | None = None
    best_step: int = 0
    best_loss: float = math.inf
    best: dict[str, Tensor] = field(default_factory=dict)
    history: tuple[HistoryRow, ...] = ()

    def after(self, step: int, running_loss: float, validation_loss: float, network: nn.Module) -> TrainingState:
        """The state after a validation; the network's weights are copied if they are the best so far."""
        history = (*self.history, HistoryRow(step, running_loss, validation_loss))
        if validation_loss < self.best_loss or not self.best:
            best = {name: tensor.detach().to("cpu", copy=True) for name, tensor in network.state_dict().items()}
            return TrainingState(step, running_loss, step, validation_loss, best, history)
        return TrainingState(step, running_loss, self.best_step, self.best_loss, self.best, history)


def write_state(
    path: Path, state: TrainingState, network: nn.Module, optimiser: torch.optim.Adam, config: TrainingConfig
) -> None:
    """Write the state in one piece.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in state.best.items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": moments[name] for name in _MOMENTS}
    about = {
        "config": asdict(config), "step": state.step, "running_loss": state.running_loss,
        "best_step": state.best_step, "best_loss": state.best_loss, "history": [asdict(row) for row in state.history],
    }  # fmt: skip
    content = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, {"about": json.dumps(about)}
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise CheckpointError(f"cannot write the training state {path}: {error}") from error


def read_state(path: Path, network: nn.Module, optimiser: torch.optim.Adam, config: TrainingConfig) -> TrainingState:
    """Read a state and put it into the network and the optimiser.

    Raises:
        CheckpointError: the file is damaged, or belongs to a training with other settings or another network.
    """
    try:
        with safe_open(path, "pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _refuse_other(path, about["config"], asdict(config))
        network.load_state_dict(_below("network.", tensors))
        best = _below("best.", tensors)
        count = sum(1 for _ in network.parameters())
        moments = {i: {name: tensors[f"optimiser.{i}.{name}"] for name in _MOMENTS} for i in range(count)}
        optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
        history = tuple(HistoryRow(**row) for row in about["history"])
        return TrainingState(
            about["step"], about["running_loss"], about["best_step"], about["best_loss"], best, history
        )  # fmt: skip
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"the training state {path} cannot be continued ({error}); train again without --resume"
        ) from error


def _refuse_other(path: Path, there: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        if there.get(name) != value:
            raise CheckpointError(
                f"{path} belongs to a training with {name}={there.get(name)!r}, not {value!r}; give that value, "
                "or train again without --resume"
            )


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def write_history(path: Path, history: tuple[HistoryRow, ...]) -> None:
    """Write the history as CSV: step, training_loss, validation_loss.

    Raises:
        CheckpointError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, ["step", "training_loss", "validation_loss"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in history)
    try:
        write_atomically(path, text.getvalue().encode())
    except OSError as error:
        raise CheckpointError(f"cannot write the training history {path}: {error}") from error
