"""Rollout data sets: a manifest and one file per episode; written piece by piece, resumed, read with checks."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import psutil
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.distill.data.episode import (
    ARRAY_NAMES,
    MAX_SIDE,
    EpisodeArrays,
    EpisodeNote,
    array_shape,
    array_type,
    file_hash,
    read_episode,
    write_episode,
)
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.errors import DataError, ForeignFileError
from sim2real_bench.untrusted import contained, parse_model, parse_text, read_bounded

FORMAT_VERSION = 1
EPISODES_FOLDER = "episodes"
MAX_MANIFEST_BYTES = 64 << 20
MAX_FRAMES = 1_000_000  # of one episode: a day
_FROZEN = ConfigDict(frozen=True, extra="forbid")


class RolloutConfig(BaseModel):
    """What a data set was recorded with; two data sets with equal configurations hold the same episodes.

    Attributes:
        simulator: registered name.
        backend: what answered behind it, with its version.
        driver: the agent's name, with a hash of its weights where it has any.
        places: tracks, or the town.
        weathers: drawn from, one per episode; empty where the simulator has none.
        observations: recorded keys.
        image_size: (width, height), pixels.
        camera: words for the camera ("behind the kart", "fov 90, x +2.0 m, z 1.4 m").
        seed: of the whole data set; episode ``i`` derives its own.
        episode_ticks: longest episode, ticks of 0.1 s.
        keep_every: ticks between two kept samples.
        exploration: words for the steering disturbance.
        max_speed_mps: throttle is cut above it; 0 = never.
    """

    model_config = _FROZEN
    simulator: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    backend: str
    driver: str
    places: tuple[str, ...]
    weathers: tuple[str, ...]
    observations: tuple[str, ...]
    image_size: tuple[Annotated[int, Field(gt=0, le=MAX_SIDE)], Annotated[int, Field(gt=0, le=MAX_SIDE)]]
    camera: str
    seed: int
    episode_ticks: int
    keep_every: int
    exploration: str
    max_speed_mps: float


class EpisodeEntry(BaseModel):
    """One finished episode in the manifest."""

    model_config = _FROZEN
    index: int = Field(ge=0)
    frames: int = Field(ge=0, le=MAX_FRAMES)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    seed: int
    place: str = Field(max_length=200)
    weather: str = Field(max_length=200)
    ended_by: str = Field(max_length=200)


class Manifest(BaseModel):
    """``manifest.json``. ``episodes`` is filled in, and ``complete`` set, when the collection is finished."""

    model_config = _FROZEN
    format_version: int
    config: RolloutConfig
    command: str
    complete: bool = False
    frames: int = Field(default=0, ge=0)
    content_hash: str = ""
    episodes: tuple[EpisodeEntry, ...] = ()

    @model_validator(mode="after")
    def _adds_up(self) -> Manifest:
        if [entry.index for entry in self.episodes] != list(range(len(self.episodes))):
            raise ValueError("episodes: their indices are not 0, 1, 2, ... in order")
        if self.frames != sum(entry.frames for entry in self.episodes):
            raise ValueError(f"frames: {self.frames} is not the sum of the episodes' frames")
        return self


def manifest_path(folder: Path) -> Path:
    """Where a data set's manifest lies."""
    return folder / "manifest.json"


def episode_path(folder: Path, index: int) -> Path:
    """Where a data set's episode lies."""
    return folder / EPISODES_FOLDER / f"{index:05d}.npz"


def _contained_episode(folder: Path, index: int) -> Path:
    """The same, refused where a link leads out of the data set."""
    try:
        return contained(folder, f"{EPISODES_FOLDER}/{index:05d}.npz")
    except ForeignFileError as error:
        raise DataError(str(error)) from error


def _episode_index(path: Path) -> int | None:
    """The number of an episode file; None for whatever else lies in the folder."""
    named = path.stem.isascii() and path.stem.isdigit() and path.suffix == ".npz"
    return int(path.stem) if named and len(path.stem) <= 9 else None


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``manifest.json``.

    Raises:
        DataError: no data set there, or its manifest is damaged or of another version.
    """
    path = manifest_path(folder)
    try:
        content = read_bounded(path, MAX_MANIFEST_BYTES)
        raw: Any = json.loads(parse_text(content, path.name))
        version = raw.get("format_version") if isinstance(raw, dict) else None
        if version != FORMAT_VERSION:
            raise DataError(
                f"{path} has format version {version!r}; this program reads {FORMAT_VERSION}: collect it anew"
            )
        return parse_model(Manifest, content, path.name)
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} is not a data set: it has no manifest.json (make one with: sim2real-bench collect)"
        ) from error
    except (OSError, ForeignFileError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


class RolloutWriter:
    """Writes a data set episode by episode; opening the same folder with the same configuration continues it.

    Raises:
        DataError: the folder holds a data set of another configuration; the message names the first difference.
    """

    def __init__(self, folder: Path, config: RolloutConfig, command: str) -> None:
        self.folder, self.config, self.command = folder, config, command
        _contained_episode(folder, 0)
        (folder / EPISODES_FOLDER).mkdir(parents=True, exist_ok=True)
        if manifest_path(folder).exists():
            self._refuse_other(read_manifest(folder).config)
        self._save(Manifest(format_version=FORMAT_VERSION, config=config, command=command))

    def _refuse_other(self, existing: RolloutConfig) -> None:
        for name in RolloutConfig.model_fields:
            have, want = getattr(existing, name), getattr(self.config, name)
            if have != want:
                raise DataError(
                    f"{self.folder} holds a data set of another configuration ({name}: {have!r} there, {want!r} asked "
                    "for); choose another --out, or delete that folder"
                )

    def _save(self, manifest: Manifest) -> None:
        write_atomically(manifest_path(self.folder), (manifest.model_dump_json(indent=1) + "\n").encode())

    def finished(self) -> dict[int, int]:
        """Sample counts of the episodes on disk by index; a file that cannot be read is deleted and not counted."""
        counts: dict[int, int] = {}
        for path in sorted((self.folder / EPISODES_FOLDER).glob("*.npz")):
            index = _episode_index(path)
            if index is None:
                continue
            try:
                counts[index] = len(read_episode(path, ())[0])
            except DataError:
                path.unlink()
        return counts

    def append(self, index: int, arrays: EpisodeArrays, note: EpisodeNote) -> None:
        """Write one episode; it counts as finished from then on."""
        write_episode(episode_path(self.folder, index), arrays, note)

    def finish(self, count: int) -> Manifest:
        """Close the data set at its first ``count`` episodes (later ones are deleted) and write the final manifest.

        Raises:
            DataError: one of these episodes is missing or damaged.
        """
        for path in (self.folder / EPISODES_FOLDER).glob("*"):
            index = _episode_index(path)
            if path.suffix == ".tmp" or (index is not None and index >= count):
                path.unlink()
        entries = []
        for index in range(count):
            path = episode_path(self.folder, index)
            arrays, note = read_episode(path, ())
            entries.append(
                EpisodeEntry(
                    index=index, frames=len(arrays), sha256=file_hash(path), seed=note.seed, place=note.place,
                    weather=note.weather, ended_by=note.ended_by,
                )
            )  # fmt: skip
        manifest = Manifest(
            format_version=FORMAT_VERSION, config=self.config, command=self.command, complete=True,
            frames=sum(entry.frames for entry in entries), content_hash=content_hash(self.config, entries),
            episodes=tuple(entries),
        )  # fmt: skip
        self._save(manifest)
        return manifest


def content_hash(config: RolloutConfig, entries: Sequence[EpisodeEntry]) -> str:
    """SHA-256 over the configuration and every episode file's hash, in order."""
    digest = hashlib.sha256(config.model_dump_json().encode())
    for entry in entries:
        digest.update(f"{entry.index}:{entry.sha256};".encode())
    return digest.hexdigest()


class RolloutDataset:
    """Reads a finished data set; episodes are loaded when asked for, only with the arrays asked for.

    Raises:
        DataError: no finished data set there, episode files are missing, or the manifest was edited.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        if not self.manifest.complete:
            raise DataError(
                f"the collection of {folder} was not finished; run its command again to continue it: "
                f"{self.manifest.command}"
            )
        missing = [e.index for e in self.manifest.episodes if not _contained_episode(folder, e.index).exists()]
        if missing:
            raise DataError(f"{folder} misses episode files {missing[:5]}; run its command again to record them anew")
        if content_hash(self.config, self.manifest.episodes) != self.manifest.content_hash:
            raise DataError(f"{manifest_path(folder)} was changed after collection: its content hash does not match")

    @property
    def config(self) -> RolloutConfig:
        """What it was recorded with."""
        return self.manifest.config

    @property
    def hash(self) -> str:
        """The content hash; equal hashes mean equal data."""
        return self.manifest.content_hash

    def __len__(self) -> int:
        return self.manifest.frames

    def first(self, samples: int) -> RolloutDataset:
        """The first whole episodes, as many as hold about ``samples`` samples (the nearest number): a smaller data set.

        Its hash is that of a data set of just these episodes. Smaller ones are contained in larger ones.

        Raises:
            DataError: there are fewer samples, or none is asked for.
        """
        if not 1 <= samples <= len(self):
            raise DataError(f"{self.folder} holds {len(self)} samples, not the {samples} asked for; collect more")
        totals = np.cumsum([entry.frames for entry in self.manifest.episodes])
        entries = self.manifest.episodes[: int(np.abs(totals - samples).argmin()) + 1]
        part = copy.copy(self)
        part.manifest = self.manifest.model_copy(
            update={
                "episodes": entries,
                "frames": sum(entry.frames for entry in entries),
                "content_hash": content_hash(self.config, entries),
            }
        )
        return part

    def verify(self) -> None:
        """Compare every file with its recorded hash.

        Raises:
            DataError: naming the first file that differs.
        """
        for entry in self.manifest.episodes:
            path = episode_path(self.folder, entry.index)
            if file_hash(path) != entry.sha256:
                raise DataError(f"{path} was changed after collection; delete it and run the command of {self.folder}")

    def require(self, simulator: str, observations: Sequence[str]) -> None:
        """Check that the data come from ``simulator`` and hold ``observations``.

        Raises:
            DataError: saying what is held and what to collect instead.
        """
        config = self.config
        missing = [key for key in observations if key not in config.observations]
        if config.simulator != simulator or missing:
            raise DataError(
                f"{self.folder} holds {', '.join(config.observations)} from {config.simulator!r}; needed: "
                f"{', '.join(observations)} from {simulator!r} (sim2real-bench collect --simulator {simulator} "
                f"--observations {','.join(observations)})"
            )

    def episode(self, index: int, names: Sequence[str] = ARRAY_NAMES) -> EpisodeArrays:
        """One episode with the arrays ``names``.

        Raises:
            DataError: the file is damaged, or holds another number of samples than the manifest says.
        """
        path = episode_path(self.folder, index)
        arrays, _ = read_episode(path, names)
        if len(arrays) != self.manifest.episodes[index].frames:
            raise DataError(
                f"{path} holds {len(arrays)} samples, the manifest says {self.manifest.episodes[index].frames}"
            )
        return arrays

    def episodes(self, names: Sequence[str] = ARRAY_NAMES) -> Iterator[EpisodeArrays]:
        """All episodes with samples, in order, one in memory at a time."""
        for index in self.filled:
            yield self.episode(index, names)

    @property
    def filled(self) -> list[int]:
        """Indices of the episodes with samples; one that ended too soon to have a future has none."""
        return [entry.index for entry in self.manifest.episodes if entry.frames]

    def stack(self, name: str) -> npt.NDArray[Any]:
        """One array of all samples, in memory (10,000 rgb images of 160x384: 1.8 GB).

        Raises:
            DataError: an episode lacks the array, or its shape differs from the others'.
        """
        shape, dtype = self._stacked_shape(name)
        result = np.empty(shape, dtype)
        start = 0
        for index, episode in zip(self.filled, self.episodes((name,)), strict=True):
            value = getattr(episode, name)
            if value.shape[1:] != shape[1:]:
                raise DataError(f"{episode_path(self.folder, index)} was changed while it was read")
            result[start : start + len(value)] = value
            start += len(value)
        return result

    def _stacked_shape(self, name: str) -> tuple[tuple[int, ...], Any]:
        """Shape and type of all samples of an array, from the files' headers: no memory is taken on a promise."""
        sample: tuple[int, ...] | None = None
        for index in self.filled:
            path = episode_path(self.folder, index)
            shape = array_shape(path, name)
            if shape is None:
                raise DataError(f"{path} holds no {name}")
            if not shape or shape[0] != self.manifest.episodes[index].frames:
                raise DataError(f"{path}: {name} has the shape {shape}, not the samples that the manifest says")
            if sample is not None and shape[1:] != sample:
                raise DataError(f"{path}: {name} has shape {shape[1:]}, the others have {sample}")
            sample = shape[1:]
        if sample is None:
            raise DataError(f"{self.folder} holds no samples")
        dtype = array_type(name)
        needed, free = len(self) * math.prod(sample) * dtype.itemsize, psutil.virtual_memory().available
        if needed > free:
            raise DataError(
                f"{self.folder}: all {name} of {len(self)} samples need {needed / 2**30:.1f} GiB of memory, "
                f"{free / 2**30:.1f} GiB are free; use a smaller data set"
            )
        return (len(self), *sample), dtype

    def cameras(self) -> list[PinholeCamera]:
        """The camera of every sample, in order.

        Raises:
            DataError: the data set was recorded without a camera.
        """
        width, height = self.config.image_size
        names = ("camera_focal", "camera_rotation", "camera_position")
        return [camera for episode in self.episodes(names) for camera in episode.cameras(width, height)]

    def episode_of_sample(self) -> npt.NDArray[np.int64]:
        """(N,) the episode index of every sample."""
        return np.repeat(
            np.arange(len(self.manifest.episodes)), [entry.frames for entry in self.manifest.episodes]
        ).astype(np.int64)
