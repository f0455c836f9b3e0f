"""Checkpoints of several networks: a card that names its parts, and a weights file that holds their hashes.

A method of two networks is one checkpoint NAME.safetensors + NAME.json beside those of its networks. Its own weights
file holds nothing but the hash of each part's weights, and so its hash covers them all.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.cards import CheckpointCard, card_path, weights_path, with_parts
from sim2real_bench.agents.checkpoints import checkpoint_hash, load_tensors, save_tensors
from sim2real_bench.errors import CheckpointError


def save_composite(path: Path, kind: str, parts: Mapping[str, Path], card: CheckpointCard) -> CheckpointCard:
    """Put a checkpoint together of others; parts that lie elsewhere are copied beside it.

    Args:
        path: ``FOLDER/NAME``, with or without ``.safetensors``.
        kind: of the composite, for its card.
        parts: role to checkpoint; a part may be a composite itself.
        card: kind, parts and their hashes (in ``data``, by role) are filled in.

    Returns:
        The card as written.

    Raises:
        CheckpointError: a part cannot be read, another file of its name lies there already, or nothing can be written.
    """
    digests = {role: checkpoint_hash(part) for role, part in parts.items()}
    names = {role: weights_path(part).stem for role, part in parts.items()}
    filled = {"kind": kind, "parts": names, "data": card.data | digests}
    try:
        card = CheckpointCard.model_validate(card.model_dump() | filled)
    except ValidationError as error:
        raise CheckpointError(f"{path} cannot be put together of {names}: {error}") from error
    for part in parts.values():
        copy_checkpoint(part, path.parent)
    return save_tensors(path, {role: _digest_tensor(digest) for role, digest in digests.items()}, card)


def load_parts(path: Path, kind: str) -> tuple[dict[str, Path], CheckpointCard]:
    """The weights files of a composite's parts by role, and its card; each part is the one it was made of.

    Raises:
        CheckpointError: a file is missing, the composite is of another kind, or a part was exchanged.
    """
    tensors, card = load_tensors(path, kind)
    if set(tensors) != set(card.parts):
        raise CheckpointError(
            f"{card_path(path)} names the parts {', '.join(sorted(card.parts)) or 'none'}; "
            f"{weights_path(path).name} holds the hashes of {', '.join(sorted(tensors)) or 'none'}: copy both again"
        )
    return {role: _verified(path, role, stem, tensors[role]) for role, stem in card.parts.items()}, card


def copy_checkpoint(path: Path, folder: Path, replace: bool = False) -> Path:
    """Copy a checkpoint with its card and all its parts into a folder, where it does not lie there already.

    Args:
        path: of the checkpoint.
        folder: where to.
        replace: overwrite other checkpoints of these names.

    Returns:
        The weights file there.

    Raises:
        CheckpointError: a file cannot be read or written, or another checkpoint of that name lies there.
    """
    for member in with_parts(path):
        for source in (weights_path(member), card_path(member)):
            _copy(source, folder / source.name, replace)
    return folder / weights_path(path).name


def _copy(source: Path, destination: Path, replace: bool) -> None:
    try:
        if destination.exists():
            if destination.samefile(source) or destination.read_bytes() == source.read_bytes():
                return
            if not replace:
                raise CheckpointError(
                    f"{destination} is there already and is not {source}; choose another folder, or rename one of them"
                )
        destination.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(destination, source.read_bytes())
        shutil.copymode(source, destination)
    except OSError as error:
        raise CheckpointError(f"cannot copy {source} to {destination}: {error}") from error


def _digest_tensor(digest: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(bytes.fromhex(digest), np.uint8).copy())


def _verified(path: Path, role: str, stem: str, stored: Tensor) -> Path:
    """The part of a role, after its weights were compared with the stored hash."""
    part = weights_path(path).with_name(f"{stem}.safetensors")
    found = checkpoint_hash(part)
    wanted = bytes(stored.flatten().tolist()).hex() if _is_digest(stored) else "no SHA-256"
    if found != wanted:
        raise CheckpointError(
            f"{part} (sha256 {found[:12]}) is not the part {role!r} that {weights_path(path).name} was made of "
            f"({wanted[:12]}): copy it again, or make the composite again"
        )
    return part


def _is_digest(stored: Tensor) -> bool:
    return stored.dtype == torch.uint8 and stored.numel() == hashlib.sha256().digest_size
