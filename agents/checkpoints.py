"""Checkpoints: weights as safetensors (float16), and beside them a JSON card that says where they come from."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as serialise_tensors
from torch import Tensor

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.cards import (
    PPO_KIND,
    SHIPPED_FOLDER,
    WAYPOINTS_KIND,
    CheckpointCard,
    card_path,
    installed_versions,
    read_card,
    weights_path,
)
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.errors import CheckpointError, ConfigurationError, ForeignFileError
from sim2real_bench.untrusted import parse_text, read_bounded

__all__ = [
    "PPO_KIND",
    "SHIPPED_FOLDER",
    "SHIPPED_NAMES",
    "WAYPOINTS_KIND",
    "CheckpointCard",
    "card_path",
    "checkpoint_hash",
    "fill_module",
    "installed_versions",
    "load_checkpoint",
    "load_network",
    "load_tensors",
    "promised_sizes",
    "promised_width",
    "read_card",
    "save_checkpoint",
    "save_tensors",
    "shipped_checkpoint",
    "weights_path",
]

SHIPPED_NAMES = (
    "stk-ppo",
    "stk-direct",
    "stk-proxy-map",
    "stk-proxy-camera",
    "stk-carla-task-distillation-map",
    "stk-carla-task-distillation-camera",
)
"""The checkpoints that come with the package, in the order they are made from each other."""
MAX_WEIGHTS_BYTES = 512 << 20
"""Of a weights file; the largest network here, at width 1, has 30 MB."""
MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 10_000
MAX_CHANNELS = 64
MAX_SIDE_PX = 4096
MAX_WIDTH = 8.0
Network = TypeVar("Network", bound=torch.nn.Module)


def _stored(name: str, tensor: Tensor) -> Tensor:
    """A tensor as it is written: floats in half precision, contiguous."""
    if not tensor.is_floating_point():
        return tensor.detach().cpu().contiguous()
    half = tensor.detach().cpu().to(torch.float16).contiguous()
    if not torch.isfinite(half).all():
        raise CheckpointError(
            f"tensor {name!r} cannot be stored in float16 (largest magnitude {tensor.abs().max().item():.3g}): "
            "training diverged; train again with a smaller learning rate"
        )
    return half


def save_tensors(path: Path, tensors: dict[str, Tensor], card: CheckpointCard) -> CheckpointCard:
    """Write weights and card, each in one piece (a reader never sees half a file).

    Returns:
        The card with the hash of the weights.

    Raises:
        CheckpointError: a weight is not finite, or the folder cannot be written.
    """
    content = serialise_tensors({name: _stored(name, tensor) for name, tensor in tensors.items()})
    card = card.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
    try:
        weights_path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(weights_path(path), content)
        write_atomically(card_path(path), (card.model_dump_json(indent=2) + "\n").encode())
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {weights_path(path)}: {error}") from error
    return card


def _read_weights(path: Path) -> bytes:
    where = weights_path(path)
    try:
        return read_bounded(where, MAX_WEIGHTS_BYTES)
    except OSError as error:
        raise CheckpointError(
            f"cannot read {where}: {error.strerror or error}; a checkpoint is NAME.safetensors with NAME.json beside it"
        ) from error
    except ForeignFileError as error:
        raise CheckpointError(f"cannot read the weights: {error}") from error


def _parsed(where: Path, content: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors file, floats as float32; nothing in the format can name code to run."""
    header_bytes = int.from_bytes(content[:8], "little")
    if not 2 <= header_bytes <= min(MAX_HEADER_BYTES, len(content) - 8):
        raise CheckpointError(
            f"{where} is not a safetensors file: it states a header of {header_bytes:,} bytes; at most "
            f"{MAX_HEADER_BYTES:,} are read, and the file has {len(content):,}"
        )
    try:
        parse_text(content[8 : 8 + header_bytes], where.name)
        tensors = parse_tensors(content)
    except (SafetensorError, ForeignFileError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{where} is not a safetensors file: {error}") from error
    if len(tensors) > MAX_TENSORS:
        raise CheckpointError(f"{where} holds {len(tensors):,} tensors; at most {MAX_TENSORS:,} are read")
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    broken = next((n for n, t in floats.items() if t.is_floating_point() and not torch.isfinite(t).all()), None)
    if broken is not None:
        raise CheckpointError(
            f"{where}: tensor {broken!r} holds numbers that are not finite; make the checkpoint again"
        )
    return floats


def load_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], CheckpointCard]:
    """Weights (floats as float32) and card of a checkpoint of a given kind.

    Raises:
        CheckpointError: a file is missing or corrupt, the two do not belong together, or it is of another kind.
    """
    card = read_card(path)
    where = weights_path(path)
    content = _read_weights(path)
    found = hashlib.sha256(content).hexdigest()
    if found != card.weights_sha256:
        raise CheckpointError(
            f"{where} (sha256 {found[:12]}) is not the file that {card_path(path).name} describes "
            f"(sha256 {card.weights_sha256[:12]}): copy both files again, or make the checkpoint again"
        )
    if card.kind != kind:
        raise CheckpointError(f"{where} is a checkpoint of kind {card.kind!r}; expected {kind!r}")
    return _parsed(where, content), card


def fill_module(module: torch.nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy weights into a module that has exactly these names and shapes.

    Raises:
        CheckpointError: they do not fit; the message names the first difference.
    """
    _require_fit(module, tensors, path)
    module.load_state_dict(tensors)


def _require_fit(module: torch.nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if expected != found:
        name = min(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        raise CheckpointError(
            f"{weights_path(path)} does not fit the architecture in its card: tensor {name!r} is "
            f"{found.get(name, 'missing')} in the file and {expected.get(name, 'unknown')} in the network"
        )


def save_checkpoint(path: Path, network: WaypointNetwork, card: CheckpointCard) -> CheckpointCard:
    """Save a waypoint network; ``card.architecture`` and the hash are filled in from the network.

    Args:
        path: ``FOLDER/NAME``, with or without ``.safetensors``.
        network: batch-norm statistics are saved with the weights.
        card: its kind must be ``waypoints``.

    Returns:
        The card as written.

    Raises:
        CheckpointError: the weights are not finite or the folder cannot be written.
    """
    card = card.model_copy(update={"architecture": network.architecture, "kind": WAYPOINTS_KIND})
    return save_tensors(path, network.state_dict(), card)


def load_checkpoint(path: Path) -> tuple[WaypointNetwork, CheckpointCard]:
    """A waypoint network in evaluation mode, and its card.

    Raises:
        CheckpointError: a file is missing, corrupt, or does not fit the architecture in the card.
    """
    return load_network(path, WAYPOINTS_KIND, _waypoint_network)


def _waypoint_network(card: CheckpointCard) -> WaypointNetwork:
    limits = {"channels": MAX_CHANNELS, "height_px": MAX_SIDE_PX, "width_px": MAX_SIDE_PX}
    peak_share = float(card.architecture.get("peak_share", 0.0))
    return WaypointNetwork(width=promised_width(card), peak_share=peak_share, **promised_sizes(card, limits))


def load_network(path: Path, kind: str, build: Callable[[CheckpointCard], Network]) -> tuple[Network, CheckpointCard]:
    """A network of a kind in evaluation mode, and its card.

    Memory is only taken where the file holds the weights that the card promises.

    Args:
        path: of the checkpoint.
        kind: that its card must have.
        build: makes the network of a card's architecture, with ``promised_width`` and ``promised_sizes``.

    Raises:
        CheckpointError: a file is missing, corrupt, or does not fit the architecture in the card.
    """
    tensors, card = load_tensors(path, kind)
    try:
        with torch.device("meta"):
            outline = build(card)
        _require_fit(outline, tensors, path)
        network = build(card)
    except (KeyError, ValueError, OverflowError, RuntimeError, ConfigurationError) as error:
        article = "no waypoint network" if kind == WAYPOINTS_KIND else f"no network of kind {kind!r}"
        raise CheckpointError(
            f"{card_path(path)} holds the architecture {card.architecture}, which is {article}: {error}"
        ) from error
    fill_module(network, tensors, path)
    return network.eval(), card


def promised_sizes(card: CheckpointCard, limits: Mapping[str, int]) -> dict[str, int]:
    """Whole numbers of a card's architecture, none above its limit.

    Raises:
        ConfigurationError: one is.
        KeyError: one is missing.
    """
    sizes = {name: int(card.architecture[name]) for name in limits}
    too_large = [name for name, limit in limits.items() if sizes[name] > limit]
    if too_large:
        raise ConfigurationError(f"{', '.join(too_large)} is beyond what a card may ask for")
    return sizes


def promised_width(card: CheckpointCard) -> float:
    """The channel multiplier of a card's architecture.

    Raises:
        ConfigurationError: it is too large.
        KeyError: it is missing.
    """
    width = float(card.architecture["width"])
    if not width <= MAX_WIDTH:
        raise ConfigurationError("width is beyond what a card may ask for")
    return width


def checkpoint_hash(path: Path) -> str:
    """SHA-256 of a checkpoint's weights file, 64 hexadecimal digits.

    Raises:
        CheckpointError: the file cannot be read.
    """
    return hashlib.sha256(_read_weights(path)).hexdigest()


def shipped_checkpoint(name: str) -> Path:
    """Where a checkpoint that comes with the package lies (the weights file).

    Raises:
        CheckpointError: there is none of that name.
    """
    path = weights_path(SHIPPED_FOLDER / name)
    if not path.is_file():
        known = sorted(entry.stem for entry in SHIPPED_FOLDER.glob("*.safetensors"))
        raise CheckpointError(
            f"no shipped checkpoint {name!r}; there are: {', '.join(known) or 'none'} in {SHIPPED_FOLDER}"
        )
    return path
