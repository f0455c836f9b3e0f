"""What is wrong with a results folder or a submission: every problem on one line, ``file:line:field: message``."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sim2real_bench.agents.cards import SHIPPED_FOLDER, CheckpointCard, parse_card
from sim2real_bench.distill.method import method_named, method_supervision
from sim2real_bench.errors import ConfigurationError, ForeignFileError, RecordError, Sim2RealError, UnknownNameError
from sim2real_bench.evaluation.benchmarks import benchmark_named
from sim2real_bench.evaluation.leaderboard.plausibility import implausible
from sim2real_bench.evaluation.leaderboard.submissions import (
    CARDS_FOLDER,
    MAX_FILES,
    SUBMISSION_FILE,
    Submission,
    described,
    names_in,
    read_submission,
    submitted_bytes,
)
from sim2real_bench.evaluation.plan import (
    PLAN_FORMAT,
    EvaluationPlan,
    MethodRow,
    differing_fields,
    make_plan,
    resolve_configuration,
)
from sim2real_bench.evaluation.records import (
    READABLE_VERSIONS,
    RECORDS_FILE,
    EpisodeKey,
    EpisodeRecord,
    Outcome,
    episode_key,
    parse_record,
)
from sim2real_bench.evaluation.results import PLAN_FILE
from sim2real_bench.untrusted import Problem, parse_model

MAX_EPISODES = 100_000
"""Of one plan."""
MAX_SPAWN_POINTS = 100_000
_MAX_ROWS = 64
_FREE_FIELDS = ("controllers", "controller_set", "controllers_hash", "town", "agents", "rows")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass
class Checked:
    """What was read of a folder, and everything wrong with it.

    Attributes:
        plan: None where it cannot be read.
        records: the lines that could be read.
        contents: name to bytes of every file that belongs to the submission.
        problems: one line each.
    """

    plan: EvaluationPlan | None = None
    records: list[EpisodeRecord] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, file: str, line: int, name: str, message: str) -> None:
        """Note one problem."""
        self.problems.append(str(Problem(file, line, name, message)))


def check_results(folder: Path) -> Checked:
    """Check a folder that ``evaluate`` wrote: schema of every line, the plan, coverage, versions, duplicates, bounds.

    Nothing is raised for what a stranger may have written; it is listed.
    """
    checked = Checked()
    names = names_in(folder)
    if len(names) > MAX_FILES:
        checked.add(CARDS_FOLDER, 0, "", f"{len(names)} files in all; at most {MAX_FILES} are accepted")
    for name in names[:MAX_FILES]:
        try:
            checked.contents[name] = submitted_bytes(folder, name)
        except ForeignFileError as error:
            checked.problems += error.problems
    _check_plan(checked)
    _check_records(checked)
    if checked.plan is not None:
        _check_coverage(checked, checked.plan)
        _check_cards(checked, checked.plan)
    return checked


def check_submission(folder: Path) -> tuple[Checked, Submission | None]:
    """The checks of ``check_results``, and of the manifest: every file is listed, and is what its hash says."""
    checked = check_results(folder)
    try:
        submission = read_submission(folder)
    except RecordError as error:
        checked.problems.append(str(error))
        return checked, None
    for name in sorted(submission.files.keys() | checked.contents.keys()):
        listed, content = submission.files.get(name), checked.contents.get(name)
        if listed is None:
            checked.add(SUBMISSION_FILE, 0, f"files.{name}", "is in the folder but not listed")
        elif content is None:
            checked.add(SUBMISSION_FILE, 0, f"files.{name}", "is listed but is no file of a submission")
        elif described(content) != listed:
            checked.add(name, 0, "", "was changed after it was submitted: its hash differs from submission.json")
    return checked, submission


def _check_plan(checked: Checked) -> None:
    if PLAN_FILE not in checked.contents:
        return
    try:
        plan = parse_model(EvaluationPlan, checked.contents[PLAN_FILE], PLAN_FILE)
    except ForeignFileError as error:
        checked.problems += error.problems
        return
    configuration = plan.configuration
    expected = configuration.episodes_per_controller * len(configuration.controllers)
    if plan.format != PLAN_FORMAT:
        checked.add(PLAN_FILE, 0, "format", f"{plan.format} is unknown; this version reads {PLAN_FORMAT}")
    if not len(plan.episodes) == expected <= MAX_EPISODES:
        checked.add(PLAN_FILE, 0, "episodes", f"{len(plan.episodes)} episodes; the configuration has {expected}")
    elif not 0 < plan.spawn_count <= MAX_SPAWN_POINTS:
        checked.add(PLAN_FILE, 0, "spawn_count", f"{plan.spawn_count} is not between 1 and {MAX_SPAWN_POINTS}")
    elif plan != (drawn := make_plan(configuration, plan.spawn_count)):
        what = "sha256" if plan.episodes == drawn.episodes else "episodes"
        checked.add(PLAN_FILE, 0, what, f"not what seed {configuration.seed} draws; the plan was edited")
    _check_protocol(checked, plan)
    _check_rows(checked, plan)
    checked.plan = plan


def _check_protocol(checked: Checked, plan: EvaluationPlan) -> None:
    """What a benchmark's id fixes is as it fixes it; only what is kept apart anyway may differ."""
    configuration = plan.configuration
    try:
        benchmark = benchmark_named(configuration.benchmark)
        if benchmark.name != configuration.benchmark:
            raise UnknownNameError(f"a result names its version, for example {benchmark.name}")
        wanted = resolve_configuration(
            benchmark, backend=configuration.backend, preset=configuration.preset, rows=configuration.rows,
            episodes_per_controller=configuration.episodes_per_controller, agents=configuration.agents,
            horizon_ticks=configuration.limits.horizon_ticks, seed=configuration.seed,
        )  # fmt: skip
    except ConfigurationError as error:
        checked.add(PLAN_FILE, 0, "configuration", str(error))
        return
    for name, (found, fixed) in differing_fields(configuration, wanted).items():
        if name.split(".")[0] not in _FREE_FIELDS:
            checked.add(PLAN_FILE, 0, f"configuration.{name}", f"is {found!r}; {benchmark.name} fixes {fixed!r}")


def _check_rows(checked: Checked, plan: EvaluationPlan) -> None:
    rows = plan.configuration.rows
    if len(rows) > _MAX_ROWS:
        checked.add(PLAN_FILE, 0, "configuration.rows", f"{len(rows)} rows; at most {_MAX_ROWS} are accepted")
    for label, count in Counter(row.label for row in rows).items():
        if count > 1:
            checked.add(PLAN_FILE, 0, "configuration.rows", f"{label!r} stands there {count} times")
    for index, row in enumerate(rows[:_MAX_ROWS]):
        for name, message in _row_problems(row):
            checked.add(PLAN_FILE, 0, f"configuration.rows.{index}.{name}", message)


def _row_problems(row: MethodRow) -> list[tuple[str, str]]:
    found = [
        (name, f"{value!r} is no name: lower case letters, digits, '.' and '-', at most 64")
        for name, value in (("method", row.method), ("proxy", row.proxy))
        if value is not None and not _NAME.fullmatch(value)
    ]
    if row.checkpoint_hash and not _HASH.fullmatch(row.checkpoint_hash):
        found.append(("checkpoint_hash", "is not a SHA-256 of 64 hexadecimal digits"))
    if found:
        return found
    try:
        supervision, weights = method_supervision(row.method, row.proxy), bool(method_named(row.method).checkpoints)
    except Sim2RealError:  # a method of another installation; its words stand for themselves
        return [("supervision", "is empty; say which data the method read")] if not row.supervision else []
    if row.supervision != supervision:
        found.append(("supervision", f"is {row.supervision!r}; {row.label} reads {supervision!r}"))
    if weights and not row.checkpoint_hash:
        found.append(("checkpoint_hash", f"is empty, but {row.label} drives a network"))
    return found


def _check_records(checked: Checked) -> None:
    content = checked.contents.get(RECORDS_FILE)
    if content is None:
        return
    *lines, rest = content.split(b"\n")
    if rest:
        checked.add(RECORDS_FILE, len(lines) + 1, "", "the last line is torn; run the evaluation again to complete it")
    planned = _planned(checked.plan)
    seen: dict[EpisodeKey, list[EpisodeRecord]] = {}
    simulator = ""
    for number, line in enumerate(lines, start=1):
        try:
            record = parse_record(line, RECORDS_FILE, number)
        except ForeignFileError as error:
            checked.problems += error.problems
            continue
        before = seen.setdefault(record.key, [])
        problems = [*_record_problems(record, checked.plan, planned), *_attempt_problems(record, before)]
        if record.finished:
            told = record.versions.get("simulator", "")
            simulator = simulator or told
            if told not in ("", simulator):
                problems.append(("versions.simulator", f"not {simulator!r} as before; one result has one simulator"))
        before.append(record)
        checked.records.append(record)
        for name, message in problems:
            checked.add(RECORDS_FILE, number, name, message)


def _planned(plan: EvaluationPlan | None) -> frozenset[EpisodeKey]:
    if plan is None:
        return frozenset()
    rows = plan.configuration.rows[:_MAX_ROWS]
    return frozenset(episode_key(plan.configuration, row, episode) for row in rows for episode in plan.episodes)


def _record_problems(
    record: EpisodeRecord, plan: EvaluationPlan | None, planned: frozenset[EpisodeKey]
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if record.version not in READABLE_VERSIONS:
        found.append(("version", f"{record.version} is unknown; this version reads {READABLE_VERSIONS}"))
    if record.finished:
        # An agent that took its worker along left nobody to tell the simulator's version.
        needed = ("sim2real-bench",) if record.outcome is Outcome.AGENT_ERROR else ("sim2real-bench", "simulator")
        missing = [name for name in needed if not record.versions.get(name)]
        found += [("versions", f"holds no version of {name}") for name in missing]
    if plan is None:
        return found
    if record.key not in planned:
        found.append(("key", "is not an episode of plan.json"))
    if record.backend != plan.configuration.backend:
        found.append(("backend", f"is {record.backend!r}, the plan's is {plan.configuration.backend!r}"))
    return found + implausible(record, plan.configuration)


def _attempt_problems(record: EpisodeRecord, before: list[EpisodeRecord]) -> list[tuple[str, str]]:
    if any(earlier.finished for earlier in before):
        return [("key", "this episode has a result already; an episode has one")]
    if record.attempt != len(before) + 1:
        return [("attempt", f"{record.attempt} follows {len(before)} attempts at this episode; every attempt is kept")]
    return []


def _check_coverage(checked: Checked, plan: EvaluationPlan) -> None:
    finished = {record.key for record in checked.records if record.finished}
    for row in plan.configuration.rows[:_MAX_ROWS]:
        missing = [e for e in plan.episodes if episode_key(plan.configuration, row, e) not in finished]
        if missing:
            first = missing[0]
            checked.add(
                RECORDS_FILE, 0, "", f"{row.label}: {len(missing)} of {len(plan.episodes)} episodes have no result "
                f"(first: controller {first.controller}, spawn {first.spawn_index}); run the evaluation to its end",
            )  # fmt: skip


def _check_cards(checked: Checked, plan: EvaluationPlan) -> None:
    cards: dict[str, CheckpointCard] = {}
    for name, content in checked.contents.items():
        if not name.startswith(f"{CARDS_FOLDER}/"):
            continue
        try:
            cards[name] = parse_card(content, name)
        except ForeignFileError as error:
            checked.problems += error.problems
    hashes = {row.checkpoint_hash for row in plan.configuration.rows}
    for _ in cards:  # parts of parts, however deep
        hashes |= {part for card in cards.values() if card.weights_sha256 in hashes for part in card.part_hashes}
    for name, card in cards.items():
        if card.weights_sha256 not in hashes:
            checked.add(
                name, 0, "weights_sha256", f"{card.weights_sha256[:12]} is the checkpoint of no row of the plan"
            )


def cards_of(checked: Checked) -> dict[str, CheckpointCard]:
    """Hash of the weights to card, of a checked folder and of the checkpoints that come with the package."""
    contents = {path.name: path.read_bytes() for path in sorted(SHIPPED_FOLDER.glob("*.json"))}
    contents |= {name: text for name, text in checked.contents.items() if name.startswith(f"{CARDS_FOLDER}/")}
    cards = [parse_card(content, name) for name, content in contents.items()]
    return {card.weights_sha256: card for card in cards}
