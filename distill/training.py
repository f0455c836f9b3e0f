"""The one training loop: Adam on any loss, on any device, seeded, resumable; the best on held-out episodes is kept."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sim2real_bench.distill.examples import Examples, Indices
from sim2real_bench.distill.training_state import HistoryRow, TrainingState, read_state, write_history, write_state
from sim2real_bench.errors import ConfigurationError, DataError

_LOG = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""(steps done, steps in all, what to say beside them)."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""(the network's answers, targets) of a batch to one number: the mean over the batch."""

Batch = tuple[Tensor, Tensor]
DEVICES = ("auto", "cpu", "cuda")
_AHEAD = 4  # batches prepared while a GPU computes
_ORDER, _AUGMENT, _SPLIT = 0, 1, 2  # streams of random numbers below one seed


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes:
        steps: optimiser steps.
        batch_size: examples per step.
        learning_rate: Adam's step size.
        weight_decay: L2 pull on the weights, Adam's own (5e-6 in the released task-distillation code).
        schedule: "constant" (as in the paper) or "cosine" (down to zero at the last step).
        seed: of the order, the augmentation and the split.
        validation_share: share of the episodes held out to choose the best network.
        validate_every: steps between validations; the state is saved as often.
        validation_examples: at most this many held-out examples are looked at.
        data: hash of what is learnt from; a training is continued only on the same data.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 5e-6
    schedule: str = "constant"
    seed: int = 0
    validation_share: float = 0.1
    validate_every: int = 250
    validation_examples: int = 1000
    data: str = ""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or self.validate_every < 1 or self.learning_rate <= 0:
            raise ConfigurationError(
                f"steps={self.steps}, batch_size={self.batch_size}, validate_every={self.validate_every}, "
                f"learning_rate={self.learning_rate}: all must be positive"
            )
        if self.schedule not in ("constant", "cosine"):
            raise ConfigurationError(f"schedule={self.schedule!r}: choose constant or cosine")
        if not 0.0 <= self.validation_share < 1.0:
            raise ConfigurationError(f"validation_share={self.validation_share} must be in [0, 1)")


@dataclass(frozen=True)
class TrainingResult:
    """What came out; the network holds the best weights.

    Attributes:
        best_step: step of the best validation loss.
        best_loss: that loss.
        history: one row per validation.
        training_examples: examples learnt from.
        validation_examples: examples held out.
    """

    best_step: int
    best_loss: float
    history: tuple[HistoryRow, ...]
    training_examples: int
    validation_examples: int


def waypoint_loss(predicted: Tensor, targets: Tensor) -> Tensor:
    """Mean over the batch of the L1 distance, summed over the five waypoints and two coordinates.

    Source: task distillation, stages 1 and 2 (released code); both arguments (B, 5, 2) normalised.
    """
    return (predicted - targets).abs().sum(dim=(1, 2)).mean()


def device_named(name: str) -> torch.device:
    """The device of a name: "cpu", "cuda" (an NVIDIA GPU), or "auto" (the GPU where there is one).

    Raises:
        ConfigurationError: an unknown name, or a GPU that PyTorch cannot use.
    """
    if name not in DEVICES:
        raise ConfigurationError(f"device={name!r}: choose {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(
            f"device='cuda': PyTorch {torch.__version__} finds no usable NVIDIA GPU; install a CUDA build of it, or "
            "use --device cpu"
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def split_by_episode(groups: Indices, share: float, seed: int) -> tuple[Indices, Indices]:
    """Indices of training and validation examples; an episode is in one of them as a whole.

    Raises:
        DataError: there is no example, or only one episode although some are to be held out.
    """
    episodes = np.unique(groups)
    if share == 0.0:
        held_out = episodes[:0]
    else:
        if len(episodes) < 2:
            raise DataError(f"{len(episodes)} episode(s) with samples cannot be split for validation; collect more")
        count = min(max(1, round(share * len(episodes))), len(episodes) - 1)
        held_out = np.random.default_rng([seed, _SPLIT]).permutation(episodes)[:count]
    validation = np.isin(groups, held_out)
    return np.flatnonzero(~validation), np.flatnonzero(validation)


def batch_indices(examples: Indices, step: int, config: TrainingConfig) -> Indices:
    """The examples of one step: shuffled epoch by epoch; a function of the seed and the step, so resuming is exact."""
    size = min(config.batch_size, len(examples))
    epoch, slot = divmod(step, len(examples) // size)
    order = np.random.default_rng([config.seed, _ORDER, epoch]).permutation(len(examples))
    return examples[order[slot * size : (slot + 1) * size]]


def learning_rate(step: int, config: TrainingConfig) -> float:
    """The step size of a step."""
    if config.schedule == "constant":
        return config.learning_rate
    return 0.5 * config.learning_rate * (1.0 + math.cos(math.pi * step / config.steps))


def _augmentation(step: int, config: TrainingConfig) -> torch.Generator:
    seed = int(np.random.SeedSequence([config.seed, _AUGMENT, step]).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(seed & (2**63 - 1))


def batches(
    examples: Examples, indices: Indices, first: int, config: TrainingConfig, ahead: int = 0
) -> Iterator[Batch]:
    """The augmented batches of the steps ``first`` to ``config.steps``.

    Args:
        examples: what they are made from.
        indices: of the examples to learn from.
        first: number of the first step, counted from 0.
        config: batch size and seed.
        ahead: batches prepared in a thread beside the caller's work; they are the same whatever it is.
    """

    def prepared(step: int) -> Batch:
        return examples.batch(batch_indices(indices, step, config), _augmentation(step, config))

    if ahead == 0:
        yield from map(prepared, range(first, config.steps))
        return
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1, "batches") as pool:
        try:
            for step in range(first, config.steps):
                waiting.append(pool.submit(prepared, step))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # an interrupted training does not wait for batches that nobody wants
            pool.shutdown(wait=False, cancel_futures=True)


def _device_of(network: nn.Module) -> torch.device:
    return next(network.parameters(), torch.empty(0)).device


@torch.no_grad()
def mean_loss(
    network: nn.Module, examples: Examples, indices: Indices, batch_size: int, loss: Loss = waypoint_loss
) -> float:
    """The loss in evaluation mode over ``indices``, without augmentation, on the network's device."""
    network.eval()
    device, total = _device_of(network), 0.0
    for start in range(0, len(indices), batch_size):
        chunk = indices[start : start + batch_size]
        images, targets = examples.batch(chunk, None)
        total += float(loss(network(images.to(device)), targets.to(device))) * len(chunk)
    return total / len(indices)


@torch.no_grad()
def predict(network: nn.Module, images: Callable[[Indices], Tensor], count: int, batch_size: int = 64) -> Tensor:
    """(count, ...) the network's answers in evaluation mode to all images, computed on its device, in host memory."""
    network.eval()
    device = _device_of(network)
    chunks = (np.arange(s, min(s + batch_size, count), dtype=np.int64) for s in range(0, count, batch_size))
    return torch.cat([network(images(chunk).to(device)).cpu() for chunk in chunks])


def _spread(indices: Indices, most: int) -> Indices:
    """At most ``most`` of the indices, evenly spread."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).astype(np.int64)]


def train(
    network: nn.Module,
    examples: Examples,
    config: TrainingConfig,
    state_path: Path,
    *,
    loss: Loss = waypoint_loss,
    device: str = "cpu",
    resume: bool = False,
    progress: Progress = lambda done, total, text: None,
) -> TrainingResult:
    """Train a network in place; at the end it holds the weights that were best on the held-out episodes.

    Args:
        network: images (B, C, H, W) in [0, 1] to whatever ``loss`` compares with the targets; it ends on the CPU.
        examples: what to learn from.
        config: how.
        state_path: where the state is kept (``.safetensors``); the history goes beside it as ``.csv``.
        loss: what is made small; the mean over a batch.
        device: "cpu", "cuda" or "auto". A state may be continued on another one; the rounding then differs.
        resume: continue from ``state_path`` if it exists; the result is that of an uninterrupted run.
        progress: called after every step.

    Raises:
        CheckpointError: the state belongs to another training, or cannot be read.
        ConfigurationError: there is no such device.
        DataError: the loss is not finite, or the data cannot be split.
    """
    where = device_named(device)
    training, validation = split_by_episode(examples.groups, config.validation_share, config.seed)
    network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    state = read_state(state_path, network, optimiser, config) if resume and state_path.exists() else TrainingState()
    judged = _spread(validation if len(validation) else training, config.validation_examples)
    running = state.running_loss
    steps = batches(examples, training, state.step, config, ahead=0 if where.type == "cpu" else _AHEAD)
    for step, (images, targets) in enumerate(steps, state.step):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, config)
        network.train()
        difference = loss(network(images.to(where)), targets.to(where))
        optimiser.zero_grad(set_to_none=True)
        difference.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        value = float(difference.detach())
        if not math.isfinite(value):
            raise DataError(f"the loss became {value} at step {step + 1}; train again with a smaller --lr")
        running = value if running is None else 0.98 * running + 0.02 * value
        best = f", best held out {state.best_loss:.3f}" if state.best else ""
        progress(step + 1, config.steps, f"loss {running:.3f}{best}")
        if (step + 1) % config.validate_every == 0 or step + 1 == config.steps:
            held_out = mean_loss(network, examples, judged, config.batch_size, loss)
            state = state.after(step + 1, running, held_out, network)
            write_state(state_path, state, network, optimiser, config)
            write_history(state_path.with_suffix(".csv"), state.history)
            _LOG.info("step %d: loss %.4f, held-out loss %.4f", step + 1, running, held_out)
    network.load_state_dict(state.best)
    network.cpu().eval()
    return TrainingResult(state.best_step, state.best_loss, state.history, len(training), len(validation))
