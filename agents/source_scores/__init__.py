"""How far policies drive in the source simulator: the shipped scores, one JSON file a checkpoint (no torch in here)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field

from sim2real_bench.errors import DataError, ForeignFileError
from sim2real_bench.untrusted import parse_model, read_bounded

__all__ = ["HELD_OUT", "SourceDrive", "SourceScore", "read_source_score", "source_distance_m", "source_score_of"]

FOLDER = Path(__file__).parent
MAX_SCORE_BYTES = 4 << 20
HELD_OUT = "held-out"


class SourceDrive(BaseModel):
    """One drive on one track.

    Attributes:
        split: ``train`` or ``held-out``.
        index: of the start within the split; the same start for every policy.
        controller: which of the benchmark's controllers followed the waypoints.
        track: the engine's name.
        reverse: driven against the usual direction.
        ended: ``time``, ``off_track``, ``stuck`` or ``wrong_way``.
        progress_m: the furthest point reached along the track, metres from the start.
        track_share: of the track's length; more than 1 after more than a lap.
        driven_s: simulated time.
        off_road: share of the time outside the road.
        off_centre_m: mean distance from the drive line.
        steer_change: mean change of the steering command per tick.
        rescues: how often the engine put the kart back on the track.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    split: str
    index: int = Field(ge=0)
    controller: int = Field(ge=0)
    track: str
    reverse: bool
    ended: str
    progress_m: float = Field(ge=0.0)
    track_share: float = Field(ge=0.0)
    driven_s: float = Field(gt=0.0)
    off_road: float = Field(ge=0.0, le=1.0)
    off_centre_m: float = Field(ge=0.0)
    steer_change: float = Field(ge=0.0)
    rescues: int = Field(ge=0)


class SourceScore(BaseModel):
    """All drives of one checkpoint in the source simulator.

    Attributes:
        name: of the checkpoint.
        weights_sha256: of its weights file; "" for the hand-written track follower.
        observation: what it looks at.
        simulator: the source.
        seed: of the starts.
        duration_s: longest drive, simulated seconds.
        target_speed_kmh: the speed the controllers hold.
        starts: planned per split.
        splits: planned.
        drives: finished so far.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    weights_sha256: str
    observation: str
    simulator: str = "stk"
    seed: int
    duration_s: float
    target_speed_kmh: float
    starts: int
    splits: tuple[str, ...]
    drives: tuple[SourceDrive, ...] = ()

    def of(self, split: str) -> tuple[SourceDrive, ...]:
        """The drives on the tracks of a split."""
        return tuple(drive for drive in self.drives if drive.split == split)

    def distance_m(self, split: str = HELD_OUT) -> float | None:
        """Mean metres along the track; None where nothing was driven or drives are missing."""
        drives = self.of(split)
        return fmean(drive.progress_m for drive in drives) if drives and len(drives) == self.starts else None


def read_source_score(path: Path) -> SourceScore:
    """A score from its file.

    Raises:
        DataError: it cannot be read or is none.
    """
    try:
        return parse_model(SourceScore, read_bounded(path, MAX_SCORE_BYTES), path.name)
    except OSError as error:
        raise DataError(f"cannot read the source score {path}: {error.strerror or error}") from error
    except ForeignFileError as error:
        raise DataError(f"{path} is not a source score: {error}; remove it or choose another --out") from error


@cache
def _shipped() -> dict[str, SourceScore]:
    scores = (read_source_score(path) for path in sorted(FOLDER.glob("*.source.json")))
    return {score.weights_sha256: score for score in scores if score.weights_sha256}


def source_score_of(weights_sha256: str) -> SourceScore | None:
    """The shipped score of a checkpoint; None where it was not measured."""
    return _shipped().get(weights_sha256)


def source_distance_m(weights_sha256: str) -> float | None:
    """Mean metres a checkpoint drives on the held-out tracks of its source simulator; None where not measured.

    From random places of the track, under the benchmark's five controllers at 20 km/h, until it fails or 240 s are
    over: the benchmark's own horizon, so that it can be set beside a distance in the target.
    """
    score = source_score_of(weights_sha256)
    return None if score is None else score.distance_m()
