"""From the options that say what is driven to a resolved configuration; several verbs take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim2real_bench.evaluation.plan import Configuration


def names_in(text: str) -> list[str]:
    """The names of a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def methods_in(text: str | None, preset: str) -> list[str]:
    """The methods that were named, or those of the preset.

    Raises:
        UnknownNameError: an unknown preset.
    """
    from sim2real_bench.evaluation.benchmarks import choose
    from sim2real_bench.evaluation.rows import ALL_METHODS, installed_methods
    from sim2real_bench.presets import PRESETS

    wanted = PRESETS[choose("preset", preset, PRESETS)].evaluate.methods if text is None else text
    return installed_methods() if wanted.strip() == ALL_METHODS else names_in(wanted)


def requested_configuration(
    benchmark_name: str,
    preset: str,
    methods: list[str],
    proxy: str,
    checkpoints: dict[str, Path],
    backend: str | None,
    episodes: int | None,
    horizon: int | None,
    town: str | None,
    seed: int,
    controllers: str | None = None,
    source_scores: Path | None = None,
) -> Configuration:
    """The configuration of what was typed.

    Args:
        benchmark_name: id, or SOURCE-TARGET for its newest version.
        preset: whose numbers hold where none is given.
        methods: registered names.
        proxy: ``map``, ``camera`` or ``all``.
        checkpoints: row label to weights.
        backend: of the target simulator; None: the benchmark's first.
        episodes: per controller, instead of the preset's.
        horizon: ticks, instead of the preset's.
        town: instead of the benchmark's.
        seed: draws the episodes.
        controllers: a set of controllers instead of the benchmark's own.
        source_scores: folder with how far the policies drive in the source simulator.

    Raises:
        ConfigurationError: something that cannot be used.
    """
    from sim2real_bench.evaluation.benchmarks import benchmark_named, choose
    from sim2real_bench.evaluation.execution.worker import AGENTS
    from sim2real_bench.evaluation.plan import resolve_configuration
    from sim2real_bench.evaluation.rows import controller_ids, controllers_hash, resolve_rows
    from sim2real_bench.presets import PRESETS

    benchmark = benchmark_named(benchmark_name)
    values = PRESETS[choose("preset", preset, PRESETS)].evaluate
    chosen = backend or next(iter(benchmark.towns))
    benchmark.town_for(chosen)
    _check_town(town, benchmark.target, chosen)
    controller_set = controllers or benchmark.controller_set
    return resolve_configuration(
        benchmark,
        backend=chosen,
        preset=preset,
        episodes_per_controller=episodes or values.episodes_per_controller,
        horizon_ticks=horizon or values.horizon_ticks,
        rows=resolve_rows(methods, proxy, checkpoints, source_scores),
        agents=AGENTS,
        controllers_hash=controllers_hash(controller_set),
        town=town,
        seed=seed,
        controller_set=controller_set,
        controllers=controller_ids(benchmark, controller_set),
    )


def _check_town(town: str | None, target: str, backend: str) -> None:
    """Towns of the embedded CARLA server are known beforehand; another simulator is asked when it is connected."""
    if town is not None and (target, backend) == ("carla", "embedded"):
        from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES
        from sim2real_bench.evaluation.benchmarks import choose

        choose("town", town, TOWN_NAMES)
