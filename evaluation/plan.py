"""The frozen plan: which episodes every method drives, and the configuration they mean, with its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim2real_bench.errors import ConfigurationError, ForeignFileError, RecordError
from sim2real_bench.evaluation.benchmarks import BENCHMARKS, Benchmark
from sim2real_bench.evaluation.files import write_result_file
from sim2real_bench.untrusted import parse_model, read_bounded

__all__ = [
    "BENCHMARKS",
    "Configuration",
    "Episode",
    "EvaluationPlan",
    "Frozen",
    "Limits",
    "MethodRow",
    "differing_fields",
    "make_plan",
    "problem_of",
    "read_plan",
    "require_same",
    "resolve_configuration",
    "write_plan",
]

PLAN_FORMAT = 1
STANDARD_CONTROLLERS = "pid-v1"
MAX_PLAN_BYTES = 16 << 20
_T = TypeVar("_T")


class Frozen(BaseModel):
    """Base of what is written to and read from a results folder: immutable, strictly typed, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class MethodRow(Frozen):
    """One row of the table: a method with its proxy and the exact network it drives.

    Attributes:
        method: registered name.
        proxy: ``map`` or ``camera`` for methods that have one.
        checkpoint_hash: SHA-256 of the weights, "" for methods without a network.
        supervision: which data the method read, in words.
        source_distance_m: how far the same agent drives in the source simulator, metres; None where nobody measured it.
    """

    method: str
    proxy: str | None = None
    checkpoint_hash: str = ""
    supervision: str = ""
    source_distance_m: float | None = Field(default=None, gt=0, le=1e6)

    @property
    def label(self) -> str:
        """Name with the proxy in brackets."""
        return f"{self.method} ({self.proxy})" if self.proxy else self.method


class Limits(Frozen):
    """When an episode ends; a tick is ``tick_s`` seconds.

    Attributes:
        horizon_ticks: longest duration.
        collision_impulse_ns: a normal impulse above this (newton-seconds) is a collision.
        stuck_ticks: this long within ``stuck_radius_m`` of one point is stuck.
        stuck_radius_m: metres.
        off_road_ticks: this long off the road without a break ends the episode.
        odometer_ticks: between two samples of the paper's odometer.
        warm_up_ticks: the vehicle stands braked this long after a reset; not counted.
        warm_up_resets: how often a reset is repeated, with a derived seed, when something hits the standing vehicle.
    """

    horizon_ticks: int = Field(gt=0)
    tick_s: float = Field(default=0.1, gt=0)
    collision_impulse_ns: float = 10.0
    stuck_ticks: int = Field(default=600, gt=0)
    stuck_radius_m: float = 0.5
    off_road_ticks: int = Field(default=300, gt=0)
    odometer_ticks: int = Field(default=20, gt=0)
    warm_up_ticks: int = Field(default=2, ge=0)
    warm_up_resets: int = Field(default=3, ge=0)


class Configuration(Frozen):
    """Everything a result depends on, fully resolved; two plans with equal configurations have equal episodes."""

    benchmark: str
    source: str
    target: str
    backend: str
    town: str
    preset: str
    episodes_per_controller: int = Field(gt=0)
    controllers: tuple[int, ...] = Field(min_length=1)
    controllers_hash: str = ""
    controller_set: str = STANDARD_CONTROLLERS
    weathers: tuple[str, ...] = Field(min_length=1)
    traffic: int = 0
    target_speed_kmh: float
    seed: int = Field(ge=0)
    limits: Limits
    completion_m: tuple[int, ...]
    environment: str
    agents: str
    rows: tuple[MethodRow, ...] = Field(min_length=1)

    @property
    def reach_m(self) -> float:
        """The distance that cannot be passed before the horizon at target speed, metres."""
        return self.limits.horizon_ticks * self.limits.tick_s * self.target_speed_kmh / 3.6


class Episode(Frozen):
    """One start of one controller; every method drives it."""

    index: int
    controller: int
    town: str
    spawn_index: int
    weather: str
    traffic: int
    seed: int


class EvaluationPlan(Frozen):
    """The frozen episodes, the same for every row, and what they were drawn from."""

    format: int = PLAN_FORMAT
    sha256: str
    configuration: Configuration
    spawn_count: int
    episodes: tuple[Episode, ...]

    @property
    def planned(self) -> int:
        """Episodes of all rows together."""
        return len(self.episodes) * len(self.configuration.rows)


def resolve_configuration(
    benchmark: Benchmark,
    *,
    backend: str,
    preset: str,
    episodes_per_controller: int,
    horizon_ticks: int,
    rows: Sequence[MethodRow],
    agents: str,
    controllers_hash: str = "",
    controller_set: str | None = None,
    controllers: tuple[int, ...] | None = None,
    town: str | None = None,
    seed: int = 0,
    environment: str | None = None,
) -> Configuration:
    """The configuration of a benchmark with a preset's numbers and the user's changes.

    Raises:
        ConfigurationError: a value that cannot be used.
    """
    fields = {
        "benchmark": benchmark.name, "source": benchmark.source, "target": benchmark.target, "backend": backend,
        "town": town or benchmark.town_for(backend), "preset": preset, "rows": tuple(rows),
        "episodes_per_controller": episodes_per_controller, "controllers": controllers or benchmark.controllers,
        "weathers": benchmark.weathers, "traffic": benchmark.traffic, "target_speed_kmh": benchmark.target_speed_kmh,
        "seed": seed, "completion_m": benchmark.completion_m, "environment": environment or benchmark.environment_path,
        "agents": agents, "controllers_hash": controllers_hash,
        "controller_set": controller_set or benchmark.controller_set,
    }  # fmt: skip
    try:
        limits = Limits(horizon_ticks=horizon_ticks, tick_s=benchmark.tick_s)
        return Configuration.model_validate({**fields, "limits": limits})
    except ValidationError as error:
        raise ConfigurationError(f"this evaluation cannot be planned: {problem_of(error)}") from error


def make_plan(configuration: Configuration, spawn_count: int) -> EvaluationPlan:
    """Draw the episodes.

    The same ``episodes_per_controller`` starts (spawn point, weather, seed) are drawn once and driven by every
    controller, as in the paper, so rows are paired by episode and controllers by start. Spawn points and weathers are
    dealt from shuffled packs, so that none repeats before all were used. A larger plan of the same seed begins with
    the starts of the smaller one.

    Args:
        configuration: resolved.
        spawn_count: spawn points of the town.
    """
    if spawn_count < 1:
        raise ConfigurationError(f"town {configuration.town!r} has no spawn points; choose another with --town")
    spawn_source, weather_source, seed_source = np.random.default_rng(configuration.seed).spawn(3)
    count = configuration.episodes_per_controller
    starts = list(
        zip(
            _dealt(spawn_source, range(spawn_count), count),
            _dealt(weather_source, configuration.weathers, count),
            [int(seed) for seed in seed_source.integers(0, 2**31 - 1, count)],
            strict=True,
        )
    )
    drawn = [(controller, *start) for controller in configuration.controllers for start in starts]
    episodes = tuple(
        Episode(
            index=index, controller=controller, town=configuration.town, spawn_index=spawn, weather=weather,
            traffic=configuration.traffic, seed=seed,
        )
        for index, (controller, spawn, weather, seed) in enumerate(drawn)
    )  # fmt: skip
    return EvaluationPlan(
        sha256=_hash(configuration, spawn_count, episodes),
        configuration=configuration,
        spawn_count=spawn_count,
        episodes=episodes,
    )


def write_plan(path: Path, plan: EvaluationPlan) -> None:
    """Write ``plan.json`` in one step."""
    write_result_file(path, plan.model_dump_json(indent=2) + "\n")


def read_plan(path: Path) -> EvaluationPlan:
    """Read ``plan.json``.

    Raises:
        RecordError: the file cannot be read, is not a plan, or was changed after it was written.
    """
    try:
        plan = parse_model(EvaluationPlan, read_bounded(path, MAX_PLAN_BYTES), path.name)
    except OSError as error:
        raise RecordError(f"cannot read the plan {path}: {error}") from error
    except ForeignFileError as error:
        raise RecordError(f"{path} is not a plan: {error}; choose another folder with --out") from error
    if plan.format != PLAN_FORMAT:
        raise RecordError(f"{path} has format {plan.format}, this version reads {PLAN_FORMAT}; choose another --out")
    if plan.sha256 != _hash(plan.configuration, plan.spawn_count, plan.episodes):
        raise RecordError(f"{path} was changed after it was written (its hash differs); choose another --out")
    return plan


def differing_fields(stored: Configuration, wanted: Configuration) -> dict[str, tuple[object, object]]:
    """Fields in which two configurations differ, dotted, with both values."""
    return _differences("", _comparable(stored), _comparable(wanted))


def require_same(path: Path, stored: Configuration, wanted: Configuration) -> None:
    """Refuse to mix two evaluations in one folder.

    Raises:
        RecordError: naming the differing fields and the remedy.
    """
    differences = differing_fields(stored, wanted)
    if differences:
        listed = "; ".join(
            f"{name}: {_shown(old)} there, {_shown(new)} asked for" for name, (old, new) in differences.items()
        )
        raise RecordError(f"{path.parent} holds another plan ({listed}). Choose another folder with --out")


def _dealt(source: np.random.Generator, choices: Sequence[_T], count: int) -> list[_T]:
    dealt: list[_T] = []
    while len(dealt) < count:
        dealt += [choices[int(place)] for place in source.permutation(len(choices))]
    return dealt[:count]


def _hash(configuration: Configuration, spawn_count: int, episodes: Sequence[Episode]) -> str:
    # A field younger than the first plans is left out where it says nothing new: those plans keep their hashes.
    young = {"controller_set"} if configuration.controller_set == STANDARD_CONTROLLERS else set()
    described = configuration.model_dump(mode="json", exclude=young)
    for row in described["rows"]:
        if row["source_distance_m"] is None:
            del row["source_distance_m"]
    content = {
        "configuration": described,
        "spawn_count": spawn_count,
        "episodes": [episode.model_dump(mode="json") for episode in episodes],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _comparable(configuration: Configuration) -> dict[str, object]:
    rows = {row.label: row.checkpoint_hash[:12] or "present" for row in configuration.rows}
    return {**configuration.model_dump(mode="json"), "rows": rows}


def _differences(prefix: str, old: object, new: object) -> dict[str, tuple[object, object]]:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return {} if old == new else {prefix: (old, new)}
    found: dict[str, tuple[object, object]] = {}
    for name in sorted(old.keys() | new.keys()):
        found |= _differences(f"{prefix}.{name}" if prefix else str(name), old.get(name), new.get(name))
    return found


def _shown(value: object) -> str:
    return "absent" if value is None else repr(value)


def problem_of(error: ValidationError) -> str:
    """The first problems of a validation error on one line."""
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'the text'}: {item['msg']}" for item in error.errors()[:3])
