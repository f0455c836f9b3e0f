"""Rows that drive a checkpoint of several networks: their parts travel, and their cards are shown and submitted."""

import json
import shutil
from pathlib import Path

import pytest

from sim2real_bench.agents.cards import CheckpointCard, read_card
from sim2real_bench.agents.checkpoints import checkpoint_hash, save_checkpoint
from sim2real_bench.agents.composites import load_parts, save_composite
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.evaluation.cluster.checkpoints import CarriedCheckpoint
from sim2real_bench.evaluation.leaderboard import accepted_result
from sim2real_bench.evaluation.leaderboard.checks import check_submission
from sim2real_bench.evaluation.leaderboard.submit import SubmissionRequest, submit
from sim2real_bench.evaluation.plan import MethodRow, read_plan
from sim2real_bench.evaluation.report.cards import cards_of

CARD = CheckpointCard(observation="rgb", command="sim2real-bench transfer", seed=0)


@pytest.fixture
def composite(tmp_path: Path) -> Path:
    folder = tmp_path / "networks"
    parts = {}
    for role in ("eye", "mind"):
        save_checkpoint(folder / role, WaypointNetwork(1, 0.05, 32, 32), CARD.model_copy(update={"notes": role}))
        parts[role] = folder / f"{role}.safetensors"
    save_composite(folder / "both", "pair", parts, CARD)
    return folder / "both.safetensors"


def test_parts_travel_to_other_machines_and_are_mended_there(composite: Path, tmp_path: Path) -> None:
    carried = CarriedCheckpoint.read(composite)
    for path in composite.parent.iterdir():
        path.unlink()  # the other machine does not have them
    there = carried.stored(tmp_path / "cache")
    assert checkpoint_hash(there) == read_card(there).weights_sha256
    parts, card = load_parts(there, "pair")
    assert (set(parts), card.kind) == ({"eye", "mind"}, "pair")
    parts["mind"].write_bytes(b"changed since")
    assert carried.stored(tmp_path / "cache") == there
    load_parts(there, "pair")


class DrivenRow:
    """What the cards of a report need to know of a row."""

    def __init__(self, label: str, digest: str) -> None:
        self.label, self.row = label, MethodRow(method=label, checkpoint_hash=digest)


def test_a_report_shows_the_cards_of_the_parts(composite: Path) -> None:
    eye = checkpoint_hash(composite.with_name("eye"))
    rows = [DrivenRow("modular", checkpoint_hash(composite)), DrivenRow("direct", eye)]
    shown = {card.name: card.rows for card in cards_of(rows, [composite.parent])}  # type: ignore[arg-type]
    assert shown == {"both": ("modular",), "eye": ("direct", "modular"), "mind": ("modular",)}


def test_a_submission_takes_the_cards_of_the_parts_along(composite: Path, tmp_path: Path) -> None:
    result = tmp_path / "result"
    result.mkdir()
    for name in ("plan.json", "episodes.jsonl"):
        shutil.copy(accepted_result() / name, result / name)
    driven = next(
        row.checkpoint_hash for row in read_plan(result / "plan.json").configuration.rows if row.checkpoint_hash
    )
    where = composite.with_suffix(".json")  # in place of the checkpoint that drove: only its hash is compared
    where.write_text(json.dumps(json.loads(where.read_text()) | {"weights_sha256": driven}))
    request = SubmissionRequest(
        folder=result, name="mine", authors=("A. Author",), contact="https://example.org", date="2026-11-21",
        checkpoints=(composite,),
    )  # fmt: skip
    target = submit(request, tmp_path / "accepted")
    assert {read_card(path.with_suffix("")).notes for path in (target / "cards").iterdir()} == {"", "eye", "mind"}
    assert check_submission(target)[0].problems == []
