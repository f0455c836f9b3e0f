"""Checkpoints of several networks: hashed as one, verified when loaded, moved as one."""

import hashlib
import json
from pathlib import Path

import pytest

from sim2real_bench.agents.cards import CheckpointCard, card_path, read_card, weights_path, with_parts
from sim2real_bench.agents.checkpoints import checkpoint_hash, save_checkpoint
from sim2real_bench.agents.composites import copy_checkpoint, load_parts, save_composite
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.errors import CheckpointError

CARD = CheckpointCard(observation="rgb", command="sim2real-bench transfer", seed=0, data={"target": "ab" * 32})


def part(folder: Path, name: str, channels: int = 1) -> Path:
    """A tiny checkpoint with random weights."""
    save_checkpoint(folder / name, WaypointNetwork(channels, 0.05, 32, 32), CARD)
    return weights_path(folder / name)


@pytest.fixture
def composite(tmp_path: Path) -> Path:
    parts = {"eye": part(tmp_path, "eye-1", 3), "mind": part(tmp_path, "mind-1")}
    save_composite(tmp_path / "both", "pair", parts, CARD)
    return weights_path(tmp_path / "both")


def test_parts_are_found_by_role_and_recorded_in_the_card(composite: Path) -> None:
    parts, card = load_parts(composite, "pair")
    folder = composite.parent
    assert parts == {"eye": folder / "eye-1.safetensors", "mind": folder / "mind-1.safetensors"}
    assert (card.kind, card.parts) == ("pair", {"eye": "eye-1", "mind": "mind-1"})
    assert card.data == {"target": "ab" * 32} | {role: checkpoint_hash(path) for role, path in parts.items()}
    assert card.part_hashes == tuple(checkpoint_hash(path) for path in parts.values())
    assert card.weights_sha256 == hashlib.sha256(composite.read_bytes()).hexdigest()
    assert with_parts(composite) == [composite, *parts.values()]


def test_its_hash_covers_its_parts(composite: Path, tmp_path: Path) -> None:
    before = checkpoint_hash(composite)
    mind = composite.with_name("mind-1.safetensors")
    save_composite(composite, "pair", {"eye": composite.with_name("eye-1"), "mind": mind}, CARD)
    assert checkpoint_hash(composite) == before
    part(tmp_path, "mind-1")
    save_composite(composite, "pair", {"eye": composite.with_name("eye-1"), "mind": mind}, CARD)
    assert checkpoint_hash(composite) != before


def test_an_exchanged_part_is_refused(composite: Path, tmp_path: Path) -> None:
    part(tmp_path, "mind-1")
    with pytest.raises(CheckpointError, match=r"mind-1\.safetensors .* is not the part 'mind' that both"):
        load_parts(composite, "pair")
    composite.with_name("mind-1.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"cannot read .*mind-1\.safetensors"):
        load_parts(composite, "pair")


def test_a_card_that_names_other_parts_is_refused(composite: Path) -> None:
    card = json.loads(card_path(composite).read_text())
    card_path(composite).write_text(json.dumps(card | {"parts": {"eye": "eye-1"}}))
    with pytest.raises(CheckpointError, match=r"names the parts eye; both\.safetensors holds the hashes of eye, mind"):
        load_parts(composite, "pair")
    card_path(composite).write_text(json.dumps(card | {"parts": {"eye": "../eye-1"}}))
    with pytest.raises(CheckpointError, match="is not a checkpoint card"):
        read_card(composite)
    with pytest.raises(CheckpointError, match="kind 'waypoints'; expected 'pair'"):
        load_parts(composite.with_name("eye-1"), "pair")


def test_cards_that_name_each_other_end(composite: Path) -> None:
    for name, other in (("both", "eye-1"), ("eye-1", "both")):
        where = composite.with_name(f"{name}.json")
        where.write_text(json.dumps(json.loads(where.read_text()) | {"parts": {"other": other}}))
    assert with_parts(composite) == [composite, composite.with_name("eye-1.safetensors")]


def test_parts_that_lie_elsewhere_are_brought_along(composite: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    save_composite(there / "deep", "pair", {"pair": composite, "third": part(tmp_path, "third")}, CARD)
    assert sorted(path.name for path in there.glob("*.json")) == [
        "both.json", "deep.json", "eye-1.json", "mind-1.json", "third.json"
    ]  # fmt: skip
    assert load_parts(load_parts(there / "deep", "pair")[0]["pair"], "pair")[1].kind == "pair"
    copied = copy_checkpoint(there / "deep", tmp_path / "again")
    assert [path.stem for path in with_parts(copied)] == ["deep", "both", "third", "eye-1", "mind-1"]
    load_parts(copied, "pair")


def test_another_checkpoint_of_the_same_name_is_not_overwritten(composite: Path, tmp_path: Path) -> None:
    other = part(tmp_path / "there", "mind-1")
    kept = other.read_bytes()
    with pytest.raises(CheckpointError, match=r"mind-1\.safetensors is there already and is not"):
        copy_checkpoint(composite, tmp_path / "there")
    assert other.read_bytes() == kept
    load_parts(copy_checkpoint(composite, tmp_path / "there", replace=True), "pair")


def test_a_name_no_card_may_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be put together"):
        save_composite(tmp_path / "both", "pair", {"eye": part(tmp_path, "two words")}, CARD)
    assert not (tmp_path / "both.safetensors").exists()
