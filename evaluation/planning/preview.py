"""What an evaluation would drive, how long that takes and what it can tell, without driving."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.plan import Configuration, Episode, EvaluationPlan, make_plan
from sim2real_bench.evaluation.planning.forecast import RowForecast, forecast, total_wall_s
from sim2real_bench.evaluation.planning.power import PowerQuestion, PowerTable, power_table
from sim2real_bench.evaluation.results import Results


@dataclass(frozen=True)
class Preview:
    """What ``plan`` answers with.

    Attributes:
        configuration: what would be driven.
        plan: the frozen episodes; None where only the simulator knows how many spawn points the town has.
        workers: simulators at once.
        forecast: what each row will take; empty without a result to measure by.
        power: how many episodes it takes to tell methods apart, where that was asked.
        notes: what to know when reading it.
    """

    configuration: Configuration
    plan: EvaluationPlan | None
    workers: int
    forecast: tuple[RowForecast, ...]
    power: PowerTable | None
    notes: tuple[str, ...]

    @property
    def episodes_per_row(self) -> int:
        """Starts times controllers."""
        return self.configuration.episodes_per_controller * len(self.configuration.controllers)

    @property
    def horizon_s(self) -> float:
        """Longest duration of an episode, simulated seconds."""
        return self.configuration.limits.horizon_ticks * self.configuration.limits.tick_s

    @property
    def starts(self) -> list[Episode]:
        """One episode of each start; every controller and every row drives it."""
        first = self.configuration.controllers[0]
        return [episode for episode in self.plan.episodes if episode.controller == first] if self.plan else []

    def to_json(self) -> str:
        """Everything, as JSON text."""
        episodes = self.episodes_per_row * len(self.configuration.rows)
        shown = {
            "configuration": self.configuration.model_dump(mode="json"),
            "plan_sha256": self.plan.sha256 if self.plan else None,
            "spawn_count": self.plan.spawn_count if self.plan else None,
            "starts": [start.model_dump(include={"spawn_index", "weather", "seed"}) for start in self.starts],
            "episodes_per_row": self.episodes_per_row,
            "episodes": episodes,
            "longest_simulated_s": episodes * self.horizon_s,
            "workers": self.workers,
            "forecast": [asdict(row) for row in self.forecast],
            "wall_s": total_wall_s(self.forecast, self.workers) if self.forecast else None,
            "power": asdict(self.power) if self.power else None,
            "notes": self.notes,
        }
        return json.dumps(shown, indent=2, allow_nan=False) + "\n"


def preview(
    configuration: Configuration,
    *,
    workers: int = 1,
    measured: Results | None = None,
    spreads: Results | None = None,
    question: PowerQuestion | None = None,
) -> Preview:
    """Look at an evaluation before it is driven.

    Args:
        configuration: what would be driven.
        workers: simulators at once.
        measured: a result from the same machine, to estimate the time by; None: no estimate.
        spreads: a result to take the spread between starts from.
        question: what the power table answers, together with ``spreads``; None: no table.

    Raises:
        ConfigurationError: a result of another benchmark, or without enough episodes.
    """
    spawn_count = _spawn_count(configuration, measured)
    plan = None if spawn_count is None else make_plan(configuration, spawn_count)
    notes = (
        [] if plan else ["Which starts they are is drawn when the simulator says how many spawn points the town has."]
    )
    rows: tuple[RowForecast, ...] = ()
    if measured:
        _require_benchmark(configuration, measured)
        rows = forecast(configuration, measured)
        notes += _forecast_notes(configuration, measured, rows)
    table = None
    if spreads and question:
        _require_benchmark(configuration, spreads)
        table = power_table(spreads, question)
        notes += _power_notes(configuration, spreads, question)
    return Preview(configuration, plan, workers, rows, table, tuple(notes))


def _spawn_count(configuration: Configuration, measured: Results | None) -> int | None:
    """How many spawn points the town has, as far as that is known without a simulator."""
    if (configuration.target, configuration.backend) == ("carla", "embedded"):
        from sim2real_bench.envs.carla.embedded.town.store import stored_town

        return len(stored_town(configuration.town).spawn_points)
    if measured:
        there = measured.plan.configuration
        same = (there.target, there.backend, there.town) == (
            configuration.target, configuration.backend, configuration.town,
        )  # fmt: skip
        return measured.plan.spawn_count if same else None
    return None


def _require_benchmark(configuration: Configuration, results: Results) -> None:
    other = results.plan.configuration.benchmark
    if other != configuration.benchmark:
        raise ConfigurationError(
            f"that result is of {other!r}, the plan of {configuration.benchmark!r}; name another with --results"
        )


def _forecast_notes(configuration: Configuration, measured: Results, rows: tuple[RowForecast, ...]) -> list[str]:
    found = ["Wall time: as measured in that result, without the starts of simulators."]
    unknown = [row.label for row in rows if row.realtime_factor is None]
    if unknown:
        found.append(f"Not measured there: {', '.join(unknown)}.")
    other = [row.label for row in rows if row.other_weights]
    if other:
        found.append(f"Measured with other weights: {', '.join(other)}; they may drive longer or shorter.")
    if measured.plan.configuration.backend != configuration.backend:
        found.append(
            f"Measured on backend {measured.plan.configuration.backend}, planned is {configuration.backend}: the times "
            "are not alike."
        )
    return found


def _power_notes(configuration: Configuration, spreads: Results, question: PowerQuestion) -> list[str]:
    found = [
        f"Two-sided t-test over starts, level {question.level:g}, power {question.power:g}. A start is driven by all "
        f"{question.controllers} controllers; they share what they meet there, so more controllers are no more starts.",
        "[ ]: if the true spread lies at the ends of its interval; measured from few starts it is uncertain itself.",
    ]
    there = spreads.plan.configuration
    changed = [
        f"{name} {old}, planned {new}"
        for name, old, new in (
            ("backend", there.backend, configuration.backend),
            ("town", there.town, configuration.town),
            ("horizon in ticks", there.limits.horizon_ticks, configuration.limits.horizon_ticks),
        )
        if old != new
    ]
    if changed:
        found.append(f"Where the spreads were measured, something was different ({'; '.join(changed)}): take care.")
    return found
