"""Recording a data set: a driver with steering pushes drives episodes, and every few ticks a sample is kept."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.agent import Agent
from sim2real_bench.distill.data.episode import EpisodeArrays, EpisodeNote, pack_map_view, write_episode
from sim2real_bench.distill.data.exploration import PushSettings, SteeringPushes
from sim2real_bench.distill.data.paths import future_waypoints
from sim2real_bench.distill.data.rollouts import Manifest, RolloutConfig, RolloutWriter, episode_path
from sim2real_bench.distill.data.worlds import World, open_world
from sim2real_bench.envs.observation import MAP_VIEW, SPEED, Observation
from sim2real_bench.errors import DataError, SimulatorError

Progress = Callable[[int, int, str], None]
"""(samples kept, samples wanted, what to say beside them)."""

_LOG = logging.getLogger(__name__)

_ATTEMPTS = 3  # at one episode; every reset after a failure starts a new simulator
_MIN_SPACING_M = 0.2  # a vehicle that stands still is recorded once
_FRUITLESS_EPISODES = 20  # in a row without a sample: the driver does not drive
_LOST_TICKS = 10  # a student this long off the road is where its teacher has never been


@dataclass(frozen=True)
class CollectSettings:
    """What to record; see ``RolloutConfig`` for the fields it shares.

    Attributes:
        world: simulator, places, driver.
        frames: samples wanted; collection ends with the episode that reaches them.
        episode_ticks: longest episode.
        keep_every: ticks between two samples.
        seed: of everything.
        pushes: steering disturbance.
        max_speed_mps: throttle is cut above it; 0 = never.
    """

    world: World
    frames: int
    episode_ticks: int
    keep_every: int
    seed: int
    pushes: PushSettings
    max_speed_mps: float


class _Recorder:
    """Gathers poses of every tick and samples of some.

    A sample is worth nothing without the path driven from it, unless a student drives: then a teacher says what would
    have been right, and the last metres before a crash are the ones to learn from.
    """

    def __init__(self, settings: CollectSettings) -> None:
        self._settings = settings
        self._poses: list[np.ndarray[Any, Any]] = []
        self._kept: list[int] = []
        self._samples: list[dict[str, Any]] = []
        self._off_road_ticks = 0

    def see(
        self, observation: Observation, info: dict[str, Any], action: npt.NDArray[np.float32], pushed: bool
    ) -> None:
        """Look at one tick; a sample is not kept while the steering is pushed away from what the driver means."""
        pose = np.asarray(info["ego_pose"], np.float64)
        tick = len(self._poses)
        self._poses.append(pose)
        self._off_road_ticks = self._off_road_ticks + 1 if info.get("off_road") else 0
        if tick % self._settings.keep_every or pushed or self._stands(pose):
            return
        sample: dict[str, Any] = {
            key: observation[key].copy() for key in self._settings.world.observations if key in observation
        }
        if MAP_VIEW in sample:
            sample[MAP_VIEW] = pack_map_view(sample[MAP_VIEW])
        if "camera" in info:
            camera = info["camera"]
            sample["camera_focal"] = np.array([camera.focal_x, camera.focal_y])
            sample["camera_rotation"], sample["camera_position"] = camera.rotation, camera.position
        sample["speed"] = np.float32(info["speed_mps"])
        sample["action"] = action.copy()
        self._kept.append(tick)
        self._samples.append(sample)

    def _stands(self, pose: np.ndarray[Any, Any]) -> bool:
        if not self._kept:
            return False
        return bool(np.linalg.norm(pose[:3, 3] - self._poses[self._kept[-1]][:3, 3]) < _MIN_SPACING_M)

    @property
    def ticks(self) -> int:
        """Ticks seen."""
        return len(self._poses)

    @property
    def lost(self) -> bool:
        """Whether a student left the road and did not find back."""
        return self._settings.world.on_policy and self._off_road_ticks >= _LOST_TICKS

    def arrays(self) -> EpisodeArrays:
        """All samples whose own future is long enough; all samples, where a student drives."""
        poses = np.stack(self._poses)
        on_policy = self._settings.world.on_policy
        waypoints, valid = future_waypoints(poses, to_the_end=on_policy)
        usable = [i for i, tick in enumerate(self._kept) if valid[tick] or on_policy]
        ticks = [self._kept[i] for i in usable]
        names = self._samples[0].keys() if self._samples else ()
        stacked = {name: np.stack([self._samples[i][name] for i in usable]) for name in names if usable}
        stacked.setdefault("speed", np.zeros(0, np.float32))
        return EpisodeArrays(ego_pose=poses[ticks], waypoints=waypoints[ticks], **stacked)


def episode_seed(seed: int, index: int) -> int:
    """The seed of one episode of a data set."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0]) & 0x7FFFFFFF


def record_episode(
    environment: Any, driver: Agent, settings: CollectSettings, index: int
) -> tuple[EpisodeArrays, EpisodeNote]:
    """Drive one episode and return its samples.

    Raises:
        SimulatorError: the simulator failed.
    """
    seed = episode_seed(settings.seed, index)
    random = np.random.default_rng(seed)
    options, place, weather = settings.world.episode(index, random)
    observation, info = environment.reset(seed=seed, options=options)
    driver.reset(seed)
    pushes = SteeringPushes(settings.pushes, random)
    recorder = _Recorder(settings)
    push, ended_by = 0.0, "horizon"
    for _ in range(settings.episode_ticks):
        action = np.array(driver.act(observation), np.float32)
        recorder.see(observation, info, action, push != 0.0)
        push = pushes.step()
        action[0] = np.clip(action[0] + push, -1.0, 1.0)
        if settings.max_speed_mps and info["speed_mps"] > settings.max_speed_mps:
            action[1] = min(action[1], 0.0)
        observation, _, terminated, truncated, info = environment.step(action)
        if terminated or truncated:
            ended_by = str(info.get("termination") or ("collision" if info.get("collided_with") else "end"))
            break
        if recorder.lost:
            ended_by = "off_road"
            break
    return recorder.arrays(), EpisodeNote(seed, place, weather, recorder.ticks, ended_by)


class _Hand:
    """One environment with its driver, kept open between episodes."""

    def __init__(self, settings: CollectSettings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._driver = settings.world.driver()
        keys = dict.fromkeys((*settings.world.observations, *self._driver.observations, SPEED))
        self._environment = open_world(settings.world, tuple(keys), settings.keep_every)

    def record(self, index: int) -> tuple[int, int]:
        """Record one episode into the folder, again if the simulator fails; (index, samples)."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                arrays, note = record_episode(self._environment, self._driver, self._settings, index)
                break
            except SimulatorError as error:
                _LOG.warning("episode %d, attempt %d of %d: %s", index, attempt, _ATTEMPTS, error)
                if attempt == _ATTEMPTS:
                    raise
        write_episode(episode_path(self._folder, index), arrays, note)
        return index, len(arrays)

    def close(self) -> None:
        """End the simulator."""
        self._environment.close()


_HANDS: list[_Hand] = []


def _start_hand(settings: CollectSettings, folder: Path) -> None:
    """Worker process: open the environment once; multiprocessing runs no atexit handlers, but it runs finalizers."""
    hand = _Hand(settings, folder)
    _HANDS.append(hand)
    Finalize(hand, hand.close, exitpriority=10)


def _record(index: int) -> tuple[int, int]:
    return _HANDS[0].record(index)


@contextmanager
def _recording(settings: CollectSettings, folder: Path, workers: int) -> Iterator[Callable[[int], Future[Any]]]:
    """A function that starts recording an episode: in this process, or in ``workers`` processes."""
    if workers > 1:
        with ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _start_hand, (settings, folder)
        ) as pool:
            yield lambda index: pool.submit(_record, index)
            pool.shutdown(cancel_futures=True)
        return
    hand = _Hand(settings, folder)

    def record_now(index: int) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(hand.record(index))
        return future

    try:
        yield record_now
    finally:
        hand.close()


def _episodes_needed(counts: dict[int, int], frames: int) -> int | None:
    """How many episodes from the first on hold enough samples; None while an episode in between is missing.

    Raises:
        DataError: many episodes in a row without a sample.
    """
    total, fruitless, index = 0, 0, 0
    while total < frames:
        if index not in counts:
            return None
        total += counts[index]
        fruitless = 0 if counts[index] else fruitless + 1
        if fruitless >= _FRUITLESS_EPISODES:
            raise DataError(
                f"{fruitless} episodes in a row gave no sample: the driver does not get 18 m far; choose another "
                "--driver, or longer --episode-ticks"
            )
        index += 1
    return index


def collect(
    settings: CollectSettings,
    folder: Path,
    command: str,
    *,
    backend: str,
    workers: int = 1,
    progress: Progress = lambda done, total, text: None,
) -> Manifest:
    """Record a data set, or continue an unfinished one; the result does not depend on the number of workers.

    Args:
        settings: what to record.
        folder: of the data set.
        command: for the manifest.
        backend: name and version of what answers, for the manifest.
        workers: simulators at a time.
        progress: called after every episode.

    Raises:
        DataError: the folder holds another data set, or the driver gets nowhere.
        SimulatorError: the simulator failed repeatedly; what is recorded stays, and the same command continues.
    """
    writer = RolloutWriter(folder, rollout_config(settings, backend), command)
    counts = writer.finished()
    needed = _episodes_needed(counts, settings.frames)
    if needed is None:
        with _recording(settings, folder, workers) as start:
            running: set[Future[Any]] = set()
            queued = -1
            while (needed := _episodes_needed(counts, settings.frames)) is None:
                while len(running) < workers:
                    queued += 1
                    if queued not in counts:
                        running.add(start(queued))
                done, running = wait(running, return_when=FIRST_COMPLETED)
                counts |= dict(future.result() for future in done)
                progress(min(sum(counts.values()), settings.frames), settings.frames, f"{len(counts)} episodes")
            wait(running)
    return writer.finish(needed)


def rollout_config(settings: CollectSettings, backend: str) -> RolloutConfig:
    """What goes into the manifest."""
    world = settings.world
    return RolloutConfig(
        simulator=world.simulator, backend=backend, driver=world.driver_words(), places=world.places,
        weathers=world.weathers, observations=world.observations, image_size=world.image_size,
        camera=world.camera_words(), seed=settings.seed, episode_ticks=settings.episode_ticks,
        keep_every=settings.keep_every, exploration=settings.pushes.words(), max_speed_mps=settings.max_speed_mps,
    )  # fmt: skip
