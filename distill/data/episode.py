"""One recorded episode: its arrays, and the compressed file they live in."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from sim2real_bench.distill.data.array_files import array_shapes, read_arrays
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.observation import MAP_SIZE, WAYPOINT_COUNT
from sim2real_bench.errors import DataError, ForeignFileError
from sim2real_bench.untrusted import parse_model

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class EpisodeArrays:
    """T recorded samples of one episode; an array that was not recorded is None.

    Attributes:
        ego_pose: (T, 4, 4) float64 world_from_ego, metres.
        speed: (T,) float32 m/s.
        waypoints: (T, 5, 3) float32 own future positions, ego frame, metres.
        action: (T, 2) float32 what the driver answered: steer, throttle or brake, before any push of the steering.
        rgb: (T, H, W, 3) uint8.
        labels: (T, H, W) uint8 class ids of the simulator.
        map_view: (T, C, 192, 24) uint8, the map view packed to one bit a pixel (see ``pack_map_view``).
        camera_focal: (T, 2) float64, pixels.
        camera_rotation: (T, 3, 3) float64 ego to camera axes.
        camera_position: (T, 3) float64 in the ego frame, metres.
    """

    ego_pose: npt.NDArray[np.float64]
    speed: npt.NDArray[np.float32]
    waypoints: npt.NDArray[np.float32]
    action: npt.NDArray[np.float32] | None = None
    rgb: UInt8 | None = None
    labels: UInt8 | None = None
    map_view: UInt8 | None = None
    camera_focal: npt.NDArray[np.float64] | None = None
    camera_rotation: npt.NDArray[np.float64] | None = None
    camera_position: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.ego_pose)

    def cameras(self, width: int, height: int) -> list[PinholeCamera]:
        """The camera of every sample.

        Raises:
            DataError: the episode holds no camera.
        """
        if self.camera_focal is None or self.camera_rotation is None or self.camera_position is None:
            raise DataError("this episode holds no camera; collect it with --observations rgb or labels")
        return [
            PinholeCamera(width, height, float(focal[0]), float(focal[1]), rotation, position)
            for focal, rotation, position in zip(
                self.camera_focal, self.camera_rotation, self.camera_position, strict=True
            )
        ]


_SHAPES: dict[str, tuple[int | None, ...]] = {
    "ego_pose": (4, 4),
    "speed": (),
    "waypoints": (WAYPOINT_COUNT, 3),
    "action": (2,),
    "rgb": (None, None, 3),
    "labels": (None, None),
    "map_view": (None, MAP_SIZE, MAP_SIZE // 8),
    "camera_focal": (2,),
    "camera_rotation": (3, 3),
    "camera_position": (3,),
}
_TYPES: dict[str, Any] = {
    "ego_pose": np.float64, "speed": np.float32, "waypoints": np.float32, "action": np.float32, "rgb": np.uint8,
    "labels": np.uint8, "map_view": np.uint8, "camera_focal": np.float64, "camera_rotation": np.float64,
    "camera_position": np.float64,
}  # fmt: skip
MAX_SIDE = 4096  # of an image, pixels
ARRAY_NAMES = tuple(field.name for field in fields(EpisodeArrays))
REQUIRED = ("ego_pose", "speed", "waypoints")


UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, struct.error, zipfile.BadZipFile,
    zlib.error, ForeignFileError,
)  # fmt: skip
"""What reading a damaged or forged episode file may raise."""
_MAX_NOTE_BYTES = 64 << 10


@dataclass(frozen=True)
class EpisodeNote:
    """What an episode was: its seed, where it drove (track or town with spawn), in which weather, how it ended."""

    seed: int
    place: str
    weather: str
    ticks: int
    ended_by: str


class _StoredNote(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    seed: int
    place: str = Field(max_length=200)
    weather: str = Field(max_length=200)
    ticks: int = Field(ge=0)
    ended_by: str = Field(max_length=200)


def _parsed_note(text: UInt8) -> EpisodeNote:
    if text.ndim != 1 or len(text) > _MAX_NOTE_BYTES:
        raise ValueError(f"its note has the shape {text.shape}; at most {_MAX_NOTE_BYTES:,} bytes are read")
    return EpisodeNote(**parse_model(_StoredNote, text.tobytes(), "note").model_dump())


def pack_map_view(map_view: UInt8) -> UInt8:
    """(..., 192, 192) 0/255 to (..., 192, 24): one bit a pixel, row by row."""
    return np.packbits(map_view > 127, axis=-1)


def unpack_map_view(packed: UInt8) -> UInt8:
    """(..., 192, 24) to (..., 192, 192) 0/1; inverse of ``pack_map_view`` up to the scale."""
    return np.unpackbits(packed, axis=-1)


def write_episode(path: Path, arrays: EpisodeArrays, note: EpisodeNote) -> None:
    """Write one compressed episode file; it appears whole or not at all."""
    present = {name: value for name in ARRAY_NAMES if (value := getattr(arrays, name)) is not None}
    text = np.frombuffer(json.dumps(note.__dict__, sort_keys=True).encode(), np.uint8)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, note=text, **present)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _checked(path: Path, name: str, value: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    wanted = _SHAPES[name]
    fits = value.ndim == len(wanted) + 1 and all(
        want is None or have == want for have, want in zip(value.shape[1:], wanted, strict=True)
    )
    if not fits or value.dtype != _TYPES[name] or len(value) != count:
        shape = ", ".join(["N" if want is None else str(want) for want in wanted])
        raise DataError(
            f"{path}: {name} is {value.dtype} {value.shape}, not {np.dtype(_TYPES[name])} ({count}, {shape}). "
            "The file was damaged or written by something else; delete it and run the same collect command again"
        )
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise DataError(f"{path}: {name} holds numbers that are not finite; delete it and collect it again")
    if max(value.shape[1:], default=0) > MAX_SIDE:
        raise DataError(f"{path}: {name} has the shape {value.shape}; no side of an image is longer than {MAX_SIDE}")
    return value


def array_shape(path: Path, name: str) -> tuple[int, ...] | None:
    """The shape of one array of an episode file, from its header alone; None where it was not recorded.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        return array_shapes(path, {name: _TYPES[name]}).get(name)
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read ({error}); delete it and collect it again") from error


def read_episode(path: Path, names: Sequence[str] = ARRAY_NAMES) -> tuple[EpisodeArrays, EpisodeNote]:
    """Read the arrays ``names`` (and always the required ones) of one episode file.

    Raises:
        DataError: the file is missing, damaged, or holds arrays of other shapes or types.
    """
    try:
        raw = read_arrays(path, {**_TYPES, "note": np.uint8}, {*names, *REQUIRED, "note"})
        note = _parsed_note(raw.pop("note"))
        missing = [name for name in REQUIRED if name not in raw]
        if missing:
            raise ValueError(f"no array {', '.join(missing)}")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; run the same collect command again to record it") from error
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read ({error}); delete it and run the same collect command again to record it anew"
        ) from error
    count = len(raw["ego_pose"]) if raw["ego_pose"].ndim else 0
    return EpisodeArrays(**{name: _checked(path, name, value, count) for name, value in raw.items()}), note


def array_type(name: str) -> np.dtype[Any]:
    """The type of an array of an episode."""
    return np.dtype(_TYPES[name])


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
