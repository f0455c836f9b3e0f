"""The user's own checkpoints on every machine: carried with the setup, kept there by the hash of their weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.cards import card_path, weights_path, with_parts
from sim2real_bench.errors import CheckpointError
from sim2real_bench.evaluation.execution.work import Heartbeat
from sim2real_bench.evaluation.execution.worker import DrivingContext, DrivingSetup


@dataclass(frozen=True)
class CarriedCheckpoint:
    """The two files of a checkpoint, and those of the checkpoints it is made of.

    Attributes:
        weights: content of the weights file.
        card: content of the card.
        name: of the files, without suffix.
        parts: what must lie beside it.
    """

    weights: bytes
    card: bytes
    name: str = "weights"
    parts: tuple[CarriedCheckpoint, ...] = ()

    @classmethod
    def read(cls, path: Path) -> CarriedCheckpoint:
        """Read all files.

        Raises:
            CheckpointError: one of them cannot be read.
        """
        own = cls._read_alone(path)
        return replace(own, parts=tuple(cls._read_alone(part) for part in with_parts(path)[1:]))

    @classmethod
    def _read_alone(cls, path: Path) -> CarriedCheckpoint:
        where = weights_path(path)
        try:
            return cls(where.read_bytes(), card_path(where).read_bytes(), where.stem)
        except OSError as error:
            raise CheckpointError(
                f"cannot read {error.filename}: {error.strerror or error}; a checkpoint is NAME.safetensors with "
                "NAME.json beside it"
            ) from error

    def stored(self, cache: Path) -> Path:
        """The path of the checkpoint on this machine; written where it is not there yet or was changed.

        Raises:
            CheckpointError: it cannot be written.
        """
        digest = hashlib.sha256()
        for member in (self, *self.parts):
            digest.update(member.card + hashlib.sha256(member.weights).digest())
        folder = cache / digest.hexdigest()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for member in (self, *self.parts):
                member._keep(folder)
        except OSError as error:
            raise CheckpointError(f"cannot keep a checkpoint in {folder}: {error}") from error
        return folder / f"{self.name}.safetensors"

    def _keep(self, folder: Path) -> None:
        for suffix, content in ((".safetensors", self.weights), (".json", self.card)):
            path = folder / f"{self.name}{suffix}"
            if not (path.is_file() and path.read_bytes() == content):
                write_atomically(path, content)


@dataclass(frozen=True)
class CarriedSetup:
    """A driving setup that brings its checkpoints along; it opens on any machine.

    Attributes:
        setup: without checkpoints.
        checkpoints: by row label.
        cache: folder for them there; None: the user's cache folder.
    """

    setup: DrivingSetup
    checkpoints: Mapping[str, CarriedCheckpoint]
    cache: Path | None = None

    def open(self, heartbeat: Heartbeat) -> AbstractContextManager[DrivingContext]:
        """See ``Setup``."""
        cache = self.cache or user_cache_path("sim2real-bench") / "checkpoints"
        paths = {label: checkpoint.stored(cache) for label, checkpoint in self.checkpoints.items()}
        return replace(self.setup, checkpoints=paths).open(heartbeat)


def carried(setup: Any) -> Any:
    """The setup as it can be sent to another machine.

    Raises:
        CheckpointError: a checkpoint cannot be read.
    """
    if not (isinstance(setup, DrivingSetup) and setup.checkpoints):
        return setup
    checkpoints = {label: CarriedCheckpoint.read(path) for label, path in setup.checkpoints.items()}
    return CarriedSetup(replace(setup, checkpoints={}), checkpoints)
