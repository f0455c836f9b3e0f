"""The state of a training on disk: policy, optimiser and learning curve in one safetensors file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise_tensors
from stable_baselines3 import PPO
from torch import Tensor

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.ppo.learning_curve import CurveRow
from sim2real_bench.errors import CheckpointError

_POLICY, _OPTIMISER = "policy/", "optimiser/"


@dataclass(frozen=True)
class TrainingState:
    """Everything an interrupted training needs to go on.

    Attributes:
        steps: environment steps so far.
        wall_time_s: spent so far.
        rows: the learning curve so far.
        settings: what the training was started with.
        tensors: policy weights and Adam's moments.
    """

    steps: int
    wall_time_s: float
    rows: tuple[CurveRow, ...]
    settings: dict[str, Any]
    tensors: dict[str, Tensor]

    @classmethod
    def of(cls, model: PPO, wall_time_s: float, rows: tuple[CurveRow, ...], settings: dict[str, Any]) -> Self:
        """The state of a model."""
        tensors = {_POLICY + name: value for name, value in model.policy.state_dict().items()}
        for index, moments in model.policy.optimizer.state_dict()["state"].items():
            tensors |= {f"{_OPTIMISER}{index}/{name}": value for name, value in moments.items()}
        copies = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
        return cls(int(model.num_timesteps), wall_time_s, rows, settings, copies)

    def restore(self, model: PPO) -> None:
        """Put the state into a freshly built model.

        Raises:
            CheckpointError: the tensors do not fit the model.
        """
        policy = {n.removeprefix(_POLICY): t for n, t in self.tensors.items() if n.startswith(_POLICY)}
        optimiser = model.policy.optimizer.state_dict()
        optimiser["state"] = {}
        for name, tensor in self.tensors.items():
            if name.startswith(_OPTIMISER):
                index, key = name.removeprefix(_OPTIMISER).split("/")
                optimiser["state"].setdefault(int(index), {})[key] = tensor
        try:
            model.policy.load_state_dict(policy)
            model.policy.optimizer.load_state_dict(optimiser)
        except (RuntimeError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"the training state does not fit the network: {error}; start without --resume"
            ) from error
        model.num_timesteps = self.steps


def write_state(path: Path, state: TrainingState) -> None:
    """Write a state in one piece.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    facts = {
        "steps": state.steps,
        "wall_time_s": state.wall_time_s,
        "rows": [asdict(row) for row in state.rows],
        "settings": state.settings,
    }
    try:
        write_atomically(path, serialise_tensors(state.tensors, metadata={"state": json.dumps(facts)}))
    except OSError as error:
        raise CheckpointError(f"cannot write the training state {path}: {error}") from error


def read_state(path: Path, settings: dict[str, Any]) -> TrainingState:
    """Read a state that belongs to ``settings``.

    Raises:
        CheckpointError: it cannot be read, or was written by a training with other settings.
    """
    try:
        with safe_open(path, "pt") as stream:
            facts = json.loads((stream.metadata() or {})["state"])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 no iterator protocol
        state = TrainingState(
            int(facts["steps"]),
            float(facts["wall_time_s"]),
            tuple(CurveRow(**row) for row in facts["rows"]),
            facts["settings"],
            tensors,
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"cannot read the training state {path}: {error!r}; start without --resume") from error
    differing = sorted(name for name in settings if state.settings.get(name) != settings[name])
    if differing:
        pairs = ", ".join(f"{name} {state.settings.get(name)!r} -> {settings[name]!r}" for name in differing)
        raise CheckpointError(
            f"the training in {path.parent} was started with other settings ({pairs}): use the same, or another --out"
        )
    return state
