"""How far the road lies above the drawn drive line, measured once per track and shipped."""

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

HEIGHTS_FILE = "heights.json"


@cache
def _measured() -> dict[str, list[float]]:
    source = files("sim2real_bench.envs.supertuxkart").joinpath(HEIGHTS_FILE)
    return {key: entry["heights_m"] for key, entry in json.loads(source.read_text()).items()}


def quads_hash(path: Path) -> str:
    """The key of a track's heights: the first 16 hexadecimal digits of the SHA-256 of its ``quads.xml``."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def road_heights(path: Path, count: int) -> npt.NDArray[np.float64]:
    """(count,) metres from the drive line up to the road, per quadrilateral; zeros for a track that was not measured.

    An unmeasured track drives the same; its track labels may be too small (see ``calibrate``).
    """
    heights = _measured().get(quads_hash(path))
    if heights is None or len(heights) != count:
        return np.zeros(count)
    return np.array(heights, np.float64)
