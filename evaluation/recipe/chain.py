"""The whole lane-following benchmark from nothing, as a list of this package's own commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sim2real_bench.distill.method import method_named
from sim2real_bench.evaluation.recipe.steps import Step
from sim2real_bench.presets import Preset, preset_named

PROXIES = ("map", "camera")
BENCHMARK = ("--source", "stk", "--target", "carla")
TEST_TOWN = "MiniTown02"
OWN_SHARE = 0.4  # of the labelled images, which an on-policy student collects itself: the sum stays the preset's
JUDGED_FRAMES = 1500  # of the test town, for the analysis; never learnt from


@dataclass(frozen=True)
class Row:
    """One row of the final table that has to be trained.

    Attributes:
        method: registered name.
        proxy: "map", "camera" or None.
        words: of its ``transfer``, besides method, proxy and folder.
    """

    method: str
    proxy: str | None
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """Told apart from the other rows by it."""
        return f"{self.method}-{self.proxy}" if self.proxy else self.method

    @property
    def checkpoint(self) -> str:
        """Name of the weights it ends in."""
        entry = method_named(self.method)
        return Path(str(entry.checkpoints[entry.key(self.proxy)])).name


@dataclass(frozen=True)
class Reproduction:
    """What is reproduced, and where.

    Attributes:
        preset: "quick", "standard" or "paper": the sizes of everything.
        out: folder of data, networks, results and logs.
        seed: of every step.
        learning: words of the trainings that change nothing in principle (threads, device).
        driving: the same for what drives simulators (workers).
    """

    preset: str
    out: Path
    seed: int = 0
    learning: tuple[str, ...] = ()
    driving: tuple[str, ...] = ()

    @property
    def values(self) -> Preset:
        """The preset's numbers."""
        return preset_named(self.preset)

    @property
    def common(self) -> tuple[str, ...]:
        """Words of every command that has a preset and a seed."""
        return ("--preset", self.preset, "--seed", str(self.seed))

    def data(self, name: str) -> Path:
        """The folder of a data set."""
        return self.out / "data" / name

    def network(self, name: str) -> Path:
        """The weights file of a network."""
        return self.out / "networks" / f"{name}.safetensors"


def reproduction_steps(job: Reproduction) -> list[Step]:
    """Every command, in order: source agent, data sets, networks, table, figure, analysis, report."""
    first, second = first_rows(job), on_policy_rows(job)
    return [
        *_source_steps(job),
        *(_transfer(job, row) for row in first),
        _student_step(job),
        *(_transfer(job, row) for row in second),
        _table_step(job, [*first, *second]),
        *_study_steps(job),
    ]


def first_rows(job: Reproduction) -> list[Row]:
    """The rows of the paper's table 1, and ours that need no drives of a student.

    Each takes what earlier ones left in the networks' folder.
    """
    source = ("--source-data", str(job.data("stk")))
    target = ("--target-data", str(job.data("carla")))
    rows = [Row("direct", None, source)]
    for proxy in PROXIES:
        teacher = _part(job, "proxy", f"stk-proxy-{proxy}")
        recogniser = _part(job, "recogniser", f"carla-recogniser-{proxy}")
        rows += [
            Row("task-distillation", proxy, (*source, *target)),
            Row("modular", proxy, (*target, *teacher)),
            Row("modular-predicted", proxy, (*source, *recogniser)),
        ]
    return [*rows, Row("task-distillation-junctions", "map", (*source, *target))]


def on_policy_rows(job: Reproduction) -> list[Row]:
    """Ours that learn from drives of a student as well, with no more labelled images in all."""
    words = (
        "--target-data", str(job.data("carla")), "--target-data", str(job.data("carla-student")),
        "--target-images", str(job.values.collect.frames),
    )  # fmt: skip
    return [
        Row("task-distillation-on-policy", "map", (*words, *_part(job, "proxy", "stk-proxy-map"))),
        Row("task-distillation-plus", "map", (*words, *_part(job, "proxy", "stk-proxy-map-junctions"))),
    ]


def _part(job: Reproduction, stage: str, name: str) -> tuple[str, str]:
    return ("--part", f"{stage}={job.network(name)}")


def _source_steps(job: Reproduction) -> Iterator[Step]:
    agent = job.out / "source-agent"
    yield Step("train-stk", ("train", "--source", "stk", *job.common, "--out", str(agent)), agent / "track_scores.png")
    ppo = ("--checkpoint", str(agent / "stk-ppo.safetensors"))
    yield _collection(job, "stk", ("--simulator", "stk", *ppo, *job.common))
    yield _collection(job, "carla", ("--simulator", "carla", *job.common))


def _collection(job: Reproduction, name: str, words: Sequence[str]) -> Step:
    folder = job.data(name)
    return Step(f"collect-{name}", ("collect", *words, "--out", str(folder)), folder / "manifest.json", job.driving)


def _transfer(job: Reproduction, row: Row) -> Step:
    proxy = ("--proxy", row.proxy) if row.proxy else ()
    weights = job.network(row.checkpoint)
    words = ("transfer", "--method", row.method, *proxy, *row.words, *job.common, "--out", str(weights.parent))
    return Step(f"transfer-{row.name}", words, weights, ("--resume", *job.learning))


def _student_step(job: Reproduction) -> Step:
    """What the student of task distillation meets when it drives the training town."""
    student = job.network("stk-carla-task-distillation-map")
    frames = round(OWN_SHARE * job.values.collect.frames)
    words = ("--simulator", "carla", "--driver", "student", "--checkpoint", str(student), "--frames", str(frames))
    other_starts = ("--preset", job.preset, "--seed", str(job.seed + 1))
    return _collection(job, "carla-student", (*words, *other_starts))


def _table_step(job: Reproduction, rows: Sequence[Row]) -> Step:
    methods = ["reference", "proxy", *dict.fromkeys(row.method for row in rows)]
    networks = [(row.method, row.proxy, job.network(row.checkpoint)) for row in rows]
    networks += [("proxy", proxy, job.network(f"stk-proxy-{proxy}")) for proxy in PROXIES]
    given = [f"{method}:{proxy}={path}" if proxy else f"{method}={path}" for method, proxy, path in networks]
    words = ["evaluate", *BENCHMARK, "--methods", ",".join(methods), *job.common]
    words += [word for text in given for word in ("--checkpoint", text)]
    folder = job.out / "results"
    return Step("evaluate", (*words, "--out", str(folder)), folder / "table.json", job.driving)


def _study_steps(job: Reproduction) -> Iterator[Step]:
    """The figure over the number of images, the analysis, and the report."""
    teacher = f"map={job.network('stk-proxy-map')}"
    words = ("--target-data", str(job.data("carla")), "--proxy-checkpoint", teacher, *job.common)
    figure = job.out / "sweep"
    yield Step("sweep", ("sweep", *words, "--out", str(figure)), figure / "sweep.json", (*job.learning, *job.driving))
    judged = ("--simulator", "carla", "--town", TEST_TOWN, "--frames", str(JUDGED_FRAMES), *job.common)
    yield _collection(job, "carla-test-town", judged)
    folders = ("--source-data", str(job.data("stk")), "--target-data", str(job.data("carla-test-town")))
    known = ("--results", str(job.out / "results"), "--networks", str(job.out / "networks"))
    analysis = job.out / "analysis"
    yield Step("analyse", ("analyse", *folders, *known, "--out", str(analysis)), analysis / "analysis.md")
    results = job.out / "results"
    report = ("report", str(results), "--cards", str(job.out / "networks"))
    yield Step("report", report, results / "report.html")
