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
from sim2real_bench.agents.cards import card_path, weights_path
from sim2real_bench.errors import CheckpointError
from sim2real_bench.evaluation.execution.work import Heartbeat
from sim2real_bench.evaluation.execution.worker import DrivingContext, DrivingSetup

_NAME = "weights"


@dataclass(frozen=True)
class CarriedCheckpoint:
    """The two files of a checkpoint.

    Attributes:
        weights: content of the weights file.
        card: content of the card.
    """

    weights: bytes
    card: bytes

    @classmethod
    def read(cls, path: Path) -> CarriedCheckpoint:
        """Read both files.

        Raises:
            CheckpointError: one of them cannot be read.
        """
        try:
            return cls(weights_path(path).read_bytes(), card_path(path).read_bytes())
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
        digest = hashlib.sha256(self.card + hashlib.sha256(self.weights).digest()).hexdigest()
        weights = weights_path(cache / digest / _NAME)
        try:
            weights.parent.mkdir(parents=True, exist_ok=True)
            for path, content in ((weights, self.weights), (card_path(weights), self.card)):
                if not (path.is_file() and path.read_bytes() == content):
                    write_atomically(path, content)
        except OSError as error:
            raise CheckpointError(f"cannot keep a checkpoint in {weights.parent}: {error}") from error
        return weights


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
