"""Driving waypoint policies where their knowledge comes from: closed loop in SuperTuxKart.

The retained fraction of a transfer is the distance in the target over the distance of the same policy here, so the
drives resemble the benchmark's: random starts, its controllers, 20 km/h, 240 s at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sim2real_bench.agents.agent import Agent
from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.checkpoints import checkpoint_hash, load_checkpoint
from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.agents.kart_drives import drive_kart
from sim2real_bench.agents.path_following import TARGET_SPEED_MPS
from sim2real_bench.agents.pid import CONTROLLERS
from sim2real_bench.agents.reference import ReferenceAgent
from sim2real_bench.agents.source_scores import SourceDrive, SourceScore, read_source_score
from sim2real_bench.agents.waypoint_agent import NetworkPolicy, WaypointAgent, WaypointPolicy
from sim2real_bench.distill.ground_warp import STILL, camera_view, homography, warp_images
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import road_mask
from sim2real_bench.envs.observation import CAMERA_KEYS, LABELS, MAP_VIEW, SPEED, WAYPOINTS, Observation
from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv
from sim2real_bench.envs.supertuxkart.tracks import HELD_OUT_TRACKS, TRAIN_TRACKS, Track
from sim2real_bench.errors import AgentError, CheckpointError, DataError, UnknownNameError

SIMULATOR = "stk"
FOLLOWER = "track-follower"
SPLITS = {"held-out": HELD_OUT_TRACKS, "train": TRAIN_TRACKS}
Report = Callable[[SourceDrive], None]


@dataclass(frozen=True)
class SourceScoreSettings:
    """Which drives make a score.

    Attributes:
        starts: drives per split; tracks and controllers take turns.
        splits: of ``held-out`` and ``train``.
        duration_s: longest drive, simulated seconds.
        seed: of the starts.
    """

    starts: int = 25
    splits: tuple[str, ...] = field(default=("held-out", "train"))
    duration_s: float = 240.0
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [split for split in self.splits if split not in SPLITS]
        if unknown or not self.splits:
            raise UnknownNameError(f"unknown splits {unknown}; choose from {', '.join(SPLITS)}")


@dataclass(frozen=True)
class Start:
    """One planned drive."""

    split: str
    index: int
    controller: int
    track: Track
    seed: int


def planned_starts(settings: SourceScoreSettings) -> list[Start]:
    """The drives of a score: the same for every policy."""
    return [
        Start(
            split,
            index,
            index % len(CONTROLLERS),
            SPLITS[split][index % len(SPLITS[split])],
            int(np.random.SeedSequence([settings.seed, list(SPLITS).index(split), index]).generate_state(1)[0]) >> 1,
        )
        for split in settings.splits
        for index in range(settings.starts)
    ]


class AlignedLabelsPolicy:
    """f^P of the camera proxy on a kart: it sees the labels as the target vehicle's camera would over flat ground.

    That is how it was trained; its waypoints are read with that camera, too.

    Args:
        policy: reads ``labels``, made for ``DRIVING_CAMERA``.
        camera: what records the labels.
    """

    observations: tuple[str, ...] = (LABELS,)

    def __init__(self, policy: NetworkPolicy, camera: PinholeCamera) -> None:
        self._policy = policy
        seen, wanted = (
            torch.from_numpy(camera_view(one)).float()[None] for one in (camera, DRIVING_CAMERA)
        )  # fmt: skip
        motion, _ = STILL.draw(1, torch.Generator())
        self._matrix = homography(seen, motion, wanted)

    def waypoints(self, observation: Observation) -> npt.NDArray[np.float64]:
        """(5, 2) metres, ego frame.

        Raises:
            AgentError: the labels are missing, or the network's answer is not finite.
        """
        if LABELS not in observation:
            raise AgentError(f"the policy reads {LABELS!r}, but the observation holds {sorted(observation)}")
        mask = road_mask(observation[LABELS], SIMULATOR).astype(np.float32)
        warped = warp_images(torch.from_numpy(mask)[None, None], self._matrix)[0]
        return self._policy.waypoints_in(warped)


def source_policy(path: Path, camera: PinholeCamera | None) -> WaypointPolicy:
    """The policy in a checkpoint as it drives a kart.

    Args:
        path: a waypoint network that reads what the source simulator shows.
        camera: of the kart; None where nothing is rendered.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    network, card = load_checkpoint(path)
    if card.observation == MAP_VIEW or camera is None:
        return NetworkPolicy(network, card.observation, SIMULATOR)
    if card.observation == LABELS:
        return AlignedLabelsPolicy(NetworkPolicy(network, LABELS, SIMULATOR), camera)
    return NetworkPolicy(network, card.observation, SIMULATOR, camera)


class SourceScorer:
    """Drives a checkpoint's planned starts one after the other; goes on where an earlier run stopped.

    Args:
        checkpoint: weights file of a waypoint network; None for the hand-written track follower.
        settings: which drives.
        out: folder of the score's file.

    Raises:
        CheckpointError: the checkpoint cannot be read or is for the target.
        DataError: the file there cannot be read.
    """

    def __init__(self, checkpoint: Path | None, settings: SourceScoreSettings, out: Path) -> None:
        self._checkpoint, self._settings = checkpoint, settings
        name, digest, observation = FOLLOWER, "", WAYPOINTS
        if checkpoint is not None:
            _, card = load_checkpoint(checkpoint)
            name, digest, observation = checkpoint.stem, checkpoint_hash(checkpoint), card.observation
            _require_source(checkpoint, card.data)
        self.path = out / f"{name}.source.json"
        planned = SourceScore(
            name=name,
            weights_sha256=digest,
            observation=observation,
            seed=settings.seed,
            duration_s=settings.duration_s,
            target_speed_kmh=round(TARGET_SPEED_MPS * 3.6, 6),
            starts=settings.starts,
            splits=settings.splits,
        )
        self.score = _resumed(planned, self.path)

    @property
    def remaining(self) -> list[Start]:
        """Planned and not yet driven."""
        done = {(drive.split, drive.index) for drive in self.score.drives}
        return [start for start in planned_starts(self._settings) if (start.split, start.index) not in done]

    def run(self, report: Report) -> SourceScore:
        """Drive what remains; the file is written after every drive.

        Raises:
            SimulatorError: the engine failed.
            AgentError: the policy failed.
            DataError: the file cannot be written.
        """
        keys = tuple(dict.fromkeys((self.score.observation, SPEED)))
        with SuperTuxKartEnv(observations=keys) as env:
            policy = self._policy(env) if self.remaining else None
            for start in self.remaining:
                agent: Agent = (
                    ReferenceAgent(start.controller) if policy is None else WaypointAgent(policy, start.controller)
                )
                self._add(self._drive(env, agent, start))
                report(self.score.drives[-1])
        return self.score

    def _policy(self, env: SuperTuxKartEnv) -> WaypointPolicy | None:
        if self._checkpoint is None:
            return None
        # The camera is fixed to the kart: any picture tells where it sits.
        rendered = self.score.observation in CAMERA_KEYS
        return source_policy(self._checkpoint, env.reset(seed=0)[1]["camera"] if rendered else None)

    def _drive(self, env: SuperTuxKartEnv, agent: Agent, start: Start) -> SourceDrive:
        drive = drive_kart(
            env, agent, start.track, duration_s=self._settings.duration_s, seed=start.seed, one_lap=False
        )  # fmt: skip
        facts = {"split": start.split, "index": start.index, "controller": start.controller} | asdict(drive)
        return SourceDrive.model_validate(
            {name: round(value, 4) if isinstance(value, float) else value for name, value in facts.items()}
        )

    def _add(self, drive: SourceDrive) -> None:
        self.score = self.score.model_copy(update={"drives": (*self.score.drives, drive)})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path, (self.score.model_dump_json(indent=1) + "\n").encode())
        except OSError as error:
            raise DataError(f"cannot write the score {self.path}: {error}; choose another --out") from error


def _require_source(checkpoint: Path, data: dict[str, str]) -> None:
    if any(name.startswith("target") for name in data):
        raise CheckpointError(
            f"{checkpoint} was trained for the target; a source score is for f^S or f^P, such as stk-direct or "
            "stk-proxy-map"
        )


def _resumed(planned: SourceScore, path: Path) -> SourceScore:
    if not path.exists():
        return planned
    found = read_source_score(path)
    differing = [
        name for name in SourceScore.model_fields if name != "drives" and getattr(found, name) != getattr(planned, name)
    ]
    if differing:
        raise DataError(f"{path} belongs to another {', '.join(differing)}; remove it or choose another --out")
    return found
