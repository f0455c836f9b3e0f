"""The whole lane-following benchmark from nothing, as a list of this package's own commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sim2real_bench.distill.method import method_named
from sim2real_bench.evaluation.recipe.steps import Step
from sim2real_bench.evaluation.rows import in_table_order
from sim2real_bench.presets import Preset, preset_named

PROXIES = ("map", "camera")
NETWORKS, FIRST_STAGE = "networks", "networks/first-stage"
BENCHMARK = ("--source", "stk", "--target", "carla")
UNTRAINED = ("proxy", "task-distillation-peaks")  # drive networks of other rows
TEST_TOWN = "MiniTown02"
STUDENTS = {"carla-student": "task-distillation", "carla-student-junctions": "task-distillation-junctions"}
"""Data set to the method whose network drives for it."""
TEACHERS = {"task-distillation": "stk-proxy-map", "task-distillation-junctions": "stk-proxy-map-junctions"}
OWN_SHARE = 0.4  # of the labelled images, which a student collects itself: the sum stays the preset's
JUDGED_FRAMES = 1500  # of the test town, for the analysis; never learnt from


@dataclass(frozen=True)
class Row:
    """One row of the final table that has to be trained.

    Attributes:
        method: registered name.
        proxy: "map", "camera" or None.
        words: of its ``transfer``, besides method, proxy and folder.
        folder: below the job's, of its network.
    """

    method: str
    proxy: str | None
    words: tuple[str, ...]
    folder: str = NETWORKS

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

    def network(self, name: str, folder: str = NETWORKS) -> Path:
        """The weights file of a network."""
        return self.out / folder / f"{name}.safetensors"

    def weights(self, row: Row) -> Path:
        """The weights file that a row ends in."""
        return self.network(row.checkpoint, row.folder)

    @property
    def scores(self) -> Path:
        """The folder of the source scores."""
        return self.out / "source-scores"

    @property
    def own_frames(self) -> int:
        """Labelled images that a student collects."""
        return round(OWN_SHARE * self.values.collect.frames)


def reproduction_steps(job: Reproduction) -> list[Step]:
    """Every command, in order: source agent, data sets, networks, table, figure, analysis, report."""
    first, second = first_rows(job), on_policy_rows(job)
    return [
        *_source_steps(job),
        *(_transfer(job, row) for row in first),
        *_student_steps(job),
        *(_transfer(job, row) for row in second),
        _source_score_step(job),
        _table_step(job, [*first, *second]),
        *_study_steps(job),
    ]


def first_rows(job: Reproduction) -> list[Row]:
    """The rows of the paper's table 1, and ours that need no drives of a student.

    Each takes what earlier ones left in the networks' folder.
    """
    source = ("--source-data", str(job.data("stk")))
    target = ("--target-data", str(job.data("carla")))
    policy, style = _part(job, "source", "stk-direct"), _part(job, "translator", "carla-stk-translator")
    rows = [
        Row("direct", None, source),
        Row("cycada", None, (*source, *target, *policy)),
        Row("cycada-raw-control", None, (*source, *policy, *style)),
    ]
    for proxy in PROXIES:
        teacher = _part(job, "proxy", f"stk-proxy-{proxy}")
        recogniser = _part(job, "recogniser", f"carla-recogniser-{proxy}")
        rows += [
            Row("task-distillation", proxy, (*source, *target)),
            Row("modular", proxy, (*target, *teacher)),
            Row("modular-predicted", proxy, (*source, *recogniser)),
        ]
    return [*rows, Row("task-distillation-junctions", "map", (*source, *target))]


def student_rows(job: Reproduction) -> dict[str, Row]:
    """The students that drive the training town themselves, by the data set they drive for.

    They have seen fewer labelled images than the rows of the table, by as many as they will collect.
    """
    images = ("--target-images", str(job.values.collect.frames - job.own_frames))
    words = ("--stage", "target", "--target-data", str(job.data("carla")), *images)
    return {
        name: Row(method, "map", (*words, *_part(job, "proxy", TEACHERS[method])), FIRST_STAGE)
        for name, method in STUDENTS.items()
    }


def on_policy_rows(job: Reproduction) -> list[Row]:
    """Ours that learn from drives of a student as well, with no more labelled images in all."""
    return [
        _second_stage(job, "task-distillation-on-policy", "carla-student", share=4),
        _second_stage(job, "task-distillation-plus", "carla-student-junctions", share=2),
    ]


def _second_stage(job: Reproduction, method: str, drives: str, share: int) -> Row:
    """A student trained further, for a share of the first stage's steps and with half of its step size."""
    values, student = job.values.transfer, student_rows(job)[drives]
    words = (
        "--target-data", str(job.data("carla")), "--target-data", str(job.data(drives)),
        "--target-images", str(job.values.collect.frames), *_part(job, "proxy", TEACHERS[student.method]),
        "--start-from", str(job.weights(student)),
        "--steps", str(values.steps // share), "--lr", repr(values.learning_rate / 2),
    )  # fmt: skip
    return Row(method, "map", words)


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
    weights = job.weights(row)
    words = ("transfer", "--method", row.method, *proxy, *row.words, *job.common, "--out", str(weights.parent))
    name = f"{row.name}-first-stage" if row.folder == FIRST_STAGE else row.name
    return Step(f"transfer-{name}", words, weights, ("--resume", *job.learning))


def _student_steps(job: Reproduction) -> Iterator[Step]:
    """What students meet when they drive the training town, each from starts of its own."""
    for place, (name, row) in enumerate(student_rows(job).items(), start=1):
        yield _transfer(job, row)
        student = ("--driver", "student", "--checkpoint", str(job.weights(row)), "--frames", str(job.own_frames))
        pushes = ("--push-every", "60", "--push-steer", "0.3")  # a student errs by itself, and recovers less well
        other_starts = ("--preset", job.preset, "--seed", str(job.seed + place))
        yield _collection(job, name, ("--simulator", "carla", *student, *pushes, *other_starts))


def _source_score_step(job: Reproduction) -> Step:
    """How far the policies that are carried over drive where they come from."""
    policies = [str(job.network(name)) for name in ("stk-direct", "stk-proxy-camera", *TEACHERS.values())]
    words = ("source-score", *policies, "--splits", "held-out", "--seed", str(job.seed), "--out", str(job.scores))
    return Step("source-score", words, job.scores / "source_scores.md")


def _table_step(job: Reproduction, rows: Sequence[Row]) -> Step:
    driven = [*rows, *(Row(name, proxy, ()) for name in UNTRAINED for proxy in method_named(name).proxies)]
    methods = in_table_order(dict.fromkeys(["reference", *(row.method for row in driven)]))
    words = ["evaluate", *BENCHMARK, "--methods", ",".join(methods), *job.common]
    words += ["--source-scores", str(job.scores)]
    for row in driven:
        label = f"{row.method}:{row.proxy}" if row.proxy else row.method
        words += ["--checkpoint", f"{label}={job.weights(row)}"]
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
    known = ("--results", str(job.out / "results"), "--networks", str(job.out / NETWORKS))
    analysis = job.out / "analysis"
    yield Step("analyse", ("analyse", *folders, *known, "--out", str(analysis)), analysis / "analysis.md")
    results = job.out / "results"
    report = ("report", str(results), "--cards", str(job.out / NETWORKS))
    yield Step("report", report, results / "report.html")
