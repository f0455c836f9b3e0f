"""Checkpoints: weights as safetensors (float16), and beside them a JSON card that says where they come from."""

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as serialise_tensors
from torch import Tensor

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.errors import CheckpointError, ConfigurationError

SHIPPED_FOLDER = Path(__file__).with_name("shipped")
SHIPPED_NAMES = (
    "stk-ppo",
    "stk-direct",
    "stk-proxy-map",
    "stk-proxy-camera",
    "stk-carla-task-distillation-map",
    "stk-carla-task-distillation-camera",
)
"""The checkpoints that come with the package, in the order they are made from each other."""
FORMAT = 1
WAYPOINTS_KIND = "waypoints"
PPO_KIND = "ppo"
_PACKAGES = ("sim2real-bench", "torch", "numpy", "PySuperTuxKart2", "carla", "stable-baselines3")


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that shape results."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


class CheckpointCard(BaseModel):
    """What is known about a checkpoint.

    Attributes:
        kind: ``waypoints`` (a waypoint network) or ``ppo``.
        observation: the observation key the network reads.
        command: the command that made it.
        seed: the seed of all randomness in its training.
        data: hashes of the data sets and checkpoints it was made from, by name.
        metrics: what was measured at its end, by name with units in the name.
        architecture: the arguments that rebuild the network.
        versions: of Python and the packages that shaped it.
        notes: anything else a reader must know.
        weights_sha256: hash of the weights file; filled in when the checkpoint is saved.
        format: version of this card.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = WAYPOINTS_KIND
    observation: str
    command: str
    seed: int
    data: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    architecture: dict[str, int | float | str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=installed_versions)
    notes: str = ""
    weights_sha256: str = ""
    format: int = FORMAT


def weights_path(path: Path) -> Path:
    """The weights file of a checkpoint named with or without a suffix."""
    return path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")


def card_path(path: Path) -> Path:
    """The card of a checkpoint named with or without a suffix."""
    return weights_path(path).with_suffix(".json")


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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror or error}; a checkpoint is NAME.safetensors with NAME.json beside it"
        ) from error


def read_card(path: Path) -> CheckpointCard:
    """The card of a checkpoint.

    Raises:
        CheckpointError: it is missing, no valid card, or of another format version.
    """
    where = card_path(path)
    try:
        document: Any = json.loads(_read(where))
        found = document.get("format") if isinstance(document, dict) else None
        if found != FORMAT:
            raise CheckpointError(f"{where} has card format {found!r}; this version reads format {FORMAT}")
        return CheckpointCard.model_validate(document)
    except (ValueError, ValidationError) as error:
        raise CheckpointError(f"{where} is not a checkpoint card: {error}") from error


def load_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], CheckpointCard]:
    """Weights (floats as float32) and card of a checkpoint of a given kind.

    Raises:
        CheckpointError: a file is missing or corrupt, the two do not belong together, or it is of another kind.
    """
    card = read_card(path)
    where = weights_path(path)
    content = _read(where)
    found = hashlib.sha256(content).hexdigest()
    if found != card.weights_sha256:
        raise CheckpointError(
            f"{where} (sha256 {found[:12]}) is not the file that {card_path(path).name} describes "
            f"(sha256 {card.weights_sha256[:12]}): copy both files again, or make the checkpoint again"
        )
    if card.kind != kind:
        raise CheckpointError(f"{where} is a checkpoint of kind {card.kind!r}; expected {kind!r}")
    try:
        tensors = parse_tensors(content)
    except SafetensorError as error:
        raise CheckpointError(f"{where} is not a safetensors file: {error}") from error
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}, card


def fill_module(module: torch.nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy weights into a module that has exactly these names and shapes.

    Raises:
        CheckpointError: they do not fit; the message names the first difference.
    """
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if expected != found:
        name = min(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        raise CheckpointError(
            f"{weights_path(path)} does not fit the architecture in its card: tensor {name!r} is "
            f"{found.get(name, 'missing')} in the file and {expected.get(name, 'unknown')} in the network"
        )
    module.load_state_dict(tensors)


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
    tensors, card = load_tensors(path, WAYPOINTS_KIND)
    try:
        sizes = {name: int(card.architecture[name]) for name in ("channels", "height_px", "width_px")}
        network = WaypointNetwork(width=float(card.architecture["width"]), **sizes)
    except (KeyError, ValueError, ConfigurationError) as error:
        raise CheckpointError(
            f"{card_path(path)} holds the architecture {card.architecture}, which is no waypoint network: {error}"
        ) from error
    fill_module(network, tensors, path)
    return network.eval(), card


def checkpoint_hash(path: Path) -> str:
    """SHA-256 of a checkpoint's weights file, 64 hexadecimal digits.

    Raises:
        CheckpointError: the file cannot be read.
    """
    return hashlib.sha256(_read(weights_path(path))).hexdigest()


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
