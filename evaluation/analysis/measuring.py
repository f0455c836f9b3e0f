"""Every path the analysis needs, computed once: networks of all chains on recorded samples, kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.checkpoints import checkpoint_hash, load_checkpoint
from sim2real_bench.agents.waypoint_agent import WaypointPolicy, load_policy
from sim2real_bench.distill.method import build_agent
from sim2real_bench.envs.observation import LABELS, RGB, WAYPOINT_COUNT
from sim2real_bench.errors import ConfigurationError, RecordError
from sim2real_bench.evaluation.analysis.answers import (
    Answers,
    ImageAnswers,
    Paths,
    PolicyAnswers,
    SeenLabelAnswers,
)
from sim2real_bench.evaluation.analysis.chains import Chain, Kind
from sim2real_bench.evaluation.analysis.recordings import Recordings
from sim2real_bench.evaluation.analysis.samples import Samples
from sim2real_bench.untrusted import read_bounded

_PATHS = "paths"
_MAX_BYTES = 256 << 20
Progress = Callable[[str, int], Callable[[int], None]]
"""(what is computed, samples in all) -> a callback that is told how many more are done."""


@dataclass(frozen=True)
class ChainPaths:
    """What the networks of one chain answer.

    Attributes:
        source: of f^S or f^P, on the source's images or true labels.
        target: of the row itself, on what it drives with.
        proxy_target: of f^P on the target's true labels; None for chains without f^P.
    """

    source: Paths
    target: Paths
    proxy_target: Paths | None


@dataclass(frozen=True)
class PathStore:
    """Paths on disk.

    Attributes:
        folder: of the analysis.
        progress: told what is computed.
    """

    folder: Path
    progress: Progress

    def paths(self, name: str, weights: Path, recordings: Recordings, make: Callable[[], Answers]) -> Paths:
        """What a network answers to all samples: read where an earlier run left it, else computed now and left there.

        Args:
            name: of whatever answers with these weights.
            weights: its checkpoint.
            recordings: the samples.
            make: builds what answers.

        Raises:
            RecordError: the folder cannot be written, or the file is damaged.
        """
        identity = (name, checkpoint_hash(weights), recordings.data.hash, recordings.episodes)
        digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
        place = self.folder / _PATHS / f"{digest}.safetensors"
        if place.is_file():
            return _read(place, len(recordings))
        advanced = self.progress(f"{weights.stem} in {recordings.simulator}", len(recordings))
        paths = make()(recordings, advanced)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, save({_PATHS: np.ascontiguousarray(paths, np.float64)}))
        except OSError as error:
            raise RecordError(f"cannot write {place}: {error.strerror or error}; choose another --out") from error
        return paths


def chain_paths(chain: Chain, samples: Samples, store: PathStore) -> ChainPaths:
    """The paths of a chain.

    Raises:
        ConfigurationError: the row's agent does not answer with waypoints.
        RecordError: the store cannot be written, or a file in it is damaged.
    """
    source, target = samples.source, samples.target
    start = partial(store.paths, "start", chain.start)
    own = partial(store.paths, chain.method, chain.weights, target, lambda: PolicyAnswers(policy_of(chain)))
    on_source = start(source, lambda: _source_answers(chain, source))
    if chain.kind in (Kind.DIRECT, Kind.TRANSLATED):
        return ChainPaths(on_source, own(), None)
    told = start(target, lambda: PolicyAnswers(load_policy(chain.start, target.simulator)))
    return ChainPaths(on_source, told if chain.kind is Kind.PROXY else own(), told)


def policy_of(chain: Chain) -> WaypointPolicy:
    """The policy inside a row's agent.

    Raises:
        ConfigurationError: the agent has none that answers with waypoints.
    """
    agent = build_agent(chain.method, chain.proxy, 0, chain.weights)
    policy: WaypointPolicy | None = getattr(agent, "policy", None)
    if policy is None or not callable(getattr(policy, "waypoints", None)):
        raise ConfigurationError("its agent does not answer with waypoints, so there is no path to judge")
    return policy


def _source_answers(chain: Chain, source: Recordings) -> Answers:
    network, card = load_checkpoint(chain.start)
    if card.observation == RGB:
        return ImageAnswers(network)
    if card.observation == LABELS:
        return SeenLabelAnswers(network)
    return PolicyAnswers(load_policy(chain.start, source.simulator))


def _read(place: Path, count: int) -> Paths:
    try:
        paths = load(read_bounded(place, _MAX_BYTES))[_PATHS]
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise RecordError(f"{place} is damaged ({error}); delete it and run the same command again") from error
    if paths.shape != (count, WAYPOINT_COUNT, 2) or not np.isfinite(paths).all():
        raise RecordError(f"{place} holds {paths.shape}, not {count} paths; delete it and run the same command again")
    return np.asarray(paths, np.float64)
