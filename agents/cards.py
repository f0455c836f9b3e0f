"""The card beside a checkpoint: where its weights come from. Read without torch, from anybody's file."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sim2real_bench.errors import CheckpointError, ForeignFileError
from sim2real_bench.untrusted import Problem, parse_model, parse_text, problems_error, read_bounded

SHIPPED_FOLDER = Path(__file__).with_name("shipped")
FORMAT = 1
MAX_CARD_BYTES = 1 << 20
WAYPOINTS_KIND = "waypoints"
PPO_KIND = "ppo"
MAX_PARTS = 16
FileStem = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
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
        kind: ``waypoints`` (a waypoint network), ``ppo``, that of another network, or that of a composite.
        observation: the observation key the network reads.
        command: the command that made it.
        seed: the seed of all randomness in its training.
        data: hashes of the data sets and checkpoints it was made from, by name.
        metrics: what was measured at its end, by name with units in the name.
        architecture: the arguments that rebuild the network.
        versions: of Python and the packages that shaped it.
        parts: of a composite: role to the name of the checkpoint beside it.
        notes: anything else a reader must know.
        weights_sha256: hash of the weights file; filled in when the checkpoint is saved.
        format: version of this card.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: str = WAYPOINTS_KIND
    observation: str
    command: str
    seed: int
    data: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    architecture: dict[str, int | float | str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=installed_versions)
    parts: dict[str, FileStem] = Field(default_factory=dict, max_length=MAX_PARTS)
    notes: str = ""
    weights_sha256: str = ""
    format: int = FORMAT

    @property
    def part_hashes(self) -> tuple[str, ...]:
        """Hashes of the parts' weights, as far as the card knows them."""
        return tuple(self.data[role] for role in self.parts if role in self.data)


def weights_path(path: Path) -> Path:
    """The weights file of a checkpoint named with or without a suffix."""
    return path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")


def card_path(path: Path) -> Path:
    """The card of a checkpoint named with or without a suffix."""
    return weights_path(path).with_suffix(".json")


def parse_card(content: bytes, file: str) -> CheckpointCard:
    """A card from its text.

    Raises:
        ForeignFileError: naming line and field, or the card's format version.
    """
    document: Any = json.loads(parse_text(content, file))
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        problem = Problem(file, 0, "format", f"has card format {found!r}; this version reads format {FORMAT}")
        raise problems_error([problem])
    return parse_model(CheckpointCard, content, file)


def read_card(path: Path) -> CheckpointCard:
    """The card of a checkpoint.

    Raises:
        CheckpointError: it is missing, no valid card, or of another format version.
    """
    where = card_path(path)
    try:
        return parse_card(read_bounded(where, MAX_CARD_BYTES), where.name)
    except OSError as error:
        raise CheckpointError(
            f"cannot read {where}: {error.strerror or error}; a checkpoint is NAME.safetensors with NAME.json beside it"
        ) from error
    except ForeignFileError as error:
        raise CheckpointError(f"{where} is not a checkpoint card: {error}") from error


def with_parts(path: Path) -> list[Path]:
    """The weights files of a checkpoint and of all its parts, itself first; they lie in one folder.

    Raises:
        CheckpointError: a card cannot be read.
    """
    found, waiting = [], [weights_path(path)]
    while waiting:
        member = waiting.pop(0)
        if member not in found:
            found.append(member)
            waiting += [member.with_name(f"{stem}.safetensors") for stem in read_card(member).parts.values()]
    return found
