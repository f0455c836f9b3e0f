"""Results folders with the distances a test wants, without driving."""

from fake_driving import ROWS, configuration

from sim2real_bench.evaluation.plan import make_plan, write_plan
from sim2real_bench.evaluation.records import EpisodeResult, Outcome, episode_key, make_record


def write_results(
    folder, metres, *, rows=ROWS, horizon=600, seed=0, episodes=6, leave_out=lambda row, episode: False, **fields
):
    """Write a folder in which ``metres(row, episode)`` were driven; those of 300 m and more ended at the horizon."""
    asked = configuration(episodes=episodes, horizon=horizon, rows=rows, seed=seed)
    plan = make_plan(asked.model_copy(update=fields), spawn_count=90)
    folder.mkdir(parents=True)
    write_plan(folder / "plan.json", plan)
    with (folder / "episodes.jsonl").open("w") as lines:
        for row in rows:
            for episode in plan.episodes:
                if not leave_out(row, episode):
                    record = _record(plan.configuration, row, episode, float(metres(row, episode)))
                    lines.write(record.model_dump_json() + "\n")
    return folder


def _record(configuration, row, episode, metres):
    result = EpisodeResult(
        outcome=Outcome.HORIZON if metres >= 300.0 else Outcome.COLLISION, distance_m=metres, distance_2s_m=metres,
        distance_driven_m=metres, ticks=100, sim_time_s=metres / 5.0, wall_time_s=metres / 50.0,
        versions={"simulator": "fake 1.0"},
    )  # fmt: skip
    return make_record(result, episode_key(configuration, row, episode), 1, configuration.backend)
