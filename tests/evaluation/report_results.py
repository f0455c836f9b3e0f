"""Results folders with trajectories, outcomes and films, without driving."""

import math

from fake_driving import ROWS
from fake_results import write_results

from sim2real_bench.evaluation.film.choice import chosen_episodes, film_path
from sim2real_bench.evaluation.records import Outcome, read_records
from sim2real_bench.evaluation.results import read_results

ENDS = (Outcome.COLLISION, Outcome.HORIZON, Outcome.OFF_ROAD, Outcome.STUCK, Outcome.AGENT_ERROR)
WORDS = '<script>window.hacked=1</script>"><img src=x onerror="window.hacked=1">'


def write_driven(folder, *, rows=ROWS, words="static.wall", episodes=2, **fields):
    """A complete folder with every outcome, a trajectory in each record, and ``words`` wherever a text may stand."""
    write_results(
        folder,
        lambda row, episode: 20.0 + 13.0 * episode.index + 7.0 * len(row.method),
        rows=rows,
        episodes=episodes,
        **fields,
    )
    path = folder / "episodes.jsonl"
    records = [_driven(record, number, words) for number, record in enumerate(read_records(path))]
    path.write_text("".join(record.model_dump_json() + "\n" for record in records))
    return folder


def _driven(record, number, words):
    path = tuple((round(number % 7 + 2.0 * step, 2), round(40 * math.sin(step / 20 + number), 2)) for step in range(60))
    return record.model_copy(
        update={
            "outcome": ENDS[number % len(ENDS)], "trajectory": path, "collided_with": words, "error": words,
            "versions": {"simulator": words},
        }
    )  # fmt: skip


def write_films(folder, film):
    """Put a film in place of every chosen episode's; answers with their number."""
    results = read_results(folder)
    paths = [
        film_path(folder, record.key, record.attempt)
        for row in results.plan.configuration.rows
        for record in chosen_episodes(list(results.drives(row).values())).values()
    ]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(film.suffix).write_bytes(film.read_bytes())
    return len(paths)
