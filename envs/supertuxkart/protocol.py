"""What the environment and its worker say to each other.

Requests and answers are packets on one socket pair; observations and telemetry lie in memory both processes map, so a
step costs one round trip of a few bytes whatever is observed.

Requests: ``S`` + two float32 (steer, throttle) = step; ``R`` + JSON of ``ResetRequest`` = new race; ``Q`` = quit.
Answers: ``k`` + text = done; ``e`` + text = failed.
"""

import json
import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.classes import STK_MAP_CHANNELS
from sim2real_bench.envs.observation import CAMERA_KEYS, DEPTH, LABELS, MAP_SIZE, MAP_VIEW, RGB, WAYPOINT_COUNT

STEP, RESET, QUIT = b"S", b"R", b"Q"
OK, FAILED = b"k", b"e"
MAX_PACKET = 1 << 16
_ACTION = struct.Struct("<2f")
_ALIGNMENT = 64

TELEMETRY = np.dtype(
    [
        ("world_from_ego", "f8", (4, 4)),
        ("speed_mps", "f8"),
        ("lateral_m", "f8"),
        ("off_road", "f8"),
        ("distance_m", "f8"),
        ("distance_down_track_m", "f8"),
        ("track_length_m", "f8"),
        ("progress_m", "f8"),
        ("laps", "f8"),
        ("rescued", "f8"),
        ("waypoints", "f8", (WAYPOINT_COUNT, 2)),
        ("camera_fresh", "f8"),
        ("camera_focal", "f8", (2,)),
        ("camera_rotation", "f8", (3, 3)),
        ("camera_position", "f8", (3,)),
    ]
)
"""State after a step or reset. ``laps`` and the flags are floats so that all fields share one type."""


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is started with.

    Attributes:
        observations: keys to compute.
        width, height: camera image size, pixels.
        opponents: karts driven by the game.
        action_repeat: engine steps of 0.1 s per request.
        ego_in_labels: whether the own kart is labelled as a kart; otherwise the ground behind it shows through.
        camera: "onboard" or "chase".
        camera_every: requests per picture.
        data_path: folder of the game data.
        hang_limit_s: the worker ends itself when one request takes longer.
    """

    observations: tuple[str, ...]
    width: int
    height: int
    opponents: int
    action_repeat: int
    ego_in_labels: bool
    camera: str
    camera_every: int
    data_path: str
    hang_limit_s: int

    @property
    def renders(self) -> bool:
        """Whether any camera image is asked for."""
        return any(key in CAMERA_KEYS for key in self.observations)

    def to_json(self) -> str:
        """Text for the command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "WorkerSettings":
        """Inverse of ``to_json``."""
        values = json.loads(text)
        return cls(**{**values, "observations": tuple(values["observations"])})


@dataclass(frozen=True)
class ResetRequest:
    """A new race.

    Attributes:
        track: name.
        reverse: direction.
        seed: of the engine.
        start: fraction of the drive line to start at, or None for the starting grid.
        lateral: start offset as a fraction of half the road's width, positive left.
        yaw_rad: start heading relative to the road, positive left.
    """

    track: str
    reverse: bool
    seed: int
    start: float | None
    lateral: float = 0.0
    yaw_rad: float = 0.0

    def pack(self) -> bytes:
        """The request packet."""
        return RESET + json.dumps(asdict(self)).encode()

    @classmethod
    def unpack(cls, packet: bytes) -> "ResetRequest":
        """Inverse of ``pack``."""
        return cls(**json.loads(packet[1:]))


def pack_action(steer: float, throttle: float) -> bytes:
    """The step request packet."""
    return STEP + _ACTION.pack(steer, throttle)


def unpack_action(packet: bytes) -> tuple[float, float]:
    """Inverse of ``pack_action``."""
    steer, throttle = _ACTION.unpack_from(packet, 1)
    return steer, throttle


class SharedBlock:
    """Arrays in anonymous memory that two processes map: telemetry and the array observations.

    Attributes:
        descriptor: the file descriptor to hand to the other process.
        telemetry: name to array view with a leading axis of length 1, see ``TELEMETRY``.
        arrays: observation key to array view (rgb, labels, depth, map_view; those asked for).
    """

    def __init__(self, keys: Sequence[str], width: int, height: int, descriptor: int | None = None) -> None:
        shapes = _array_shapes(width, height)
        chosen = {key: shapes[key] for key in keys if key in shapes}
        sizes = {key: int(np.prod(shape)) * np.dtype(kind).itemsize for key, (shape, kind) in chosen.items()}
        total = _aligned(TELEMETRY.itemsize) + sum(_aligned(size) for size in sizes.values())
        if descriptor is None:
            descriptor = os.memfd_create("stk-observations", os.MFD_CLOEXEC)
            os.ftruncate(descriptor, total)
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, total)
        record = np.frombuffer(self._memory, TELEMETRY, count=1)
        names = TELEMETRY.names or ()
        self.telemetry: dict[str, npt.NDArray[np.float64]] = {name: record[name] for name in names}
        self.arrays: dict[str, npt.NDArray[Any]] = {}
        offset = _aligned(TELEMETRY.itemsize)
        for key, (shape, kind) in chosen.items():
            flat = np.frombuffer(self._memory, kind, count=int(np.prod(shape)), offset=offset)
            self.arrays[key] = flat.reshape(shape)
            offset += _aligned(sizes[key])

    def close(self) -> None:
        """Close the descriptor; the mapping goes when the last array view does."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _array_shapes(width: int, height: int) -> dict[str, tuple[tuple[int, ...], str]]:
    return {
        RGB: ((height, width, 3), "u1"),
        LABELS: ((height, width), "u1"),
        DEPTH: ((height, width), "f4"),
        MAP_VIEW: ((len(STK_MAP_CHANNELS), MAP_SIZE, MAP_SIZE), "u1"),
    }


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
