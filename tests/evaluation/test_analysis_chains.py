"""What a row is made of, and what it may be judged on: read from the cards."""

import pytest
import torch
from analysis_data import write_data, write_network

from sim2real_bench.agents.cards import CheckpointCard, weights_path
from sim2real_bench.agents.checkpoints import checkpoint_hash, save_tensors
from sim2real_bench.agents.composites import save_composite
from sim2real_bench.errors import CheckpointError, ConfigurationError, DataError
from sim2real_bench.evaluation.analysis.chains import Kind, chain_of
from sim2real_bench.evaluation.analysis.recordings import held_out, learnt_episodes


def other_network(folder, name, kind, metrics):
    """A checkpoint that is no waypoint network."""
    card = CheckpointCard(kind=kind, observation="rgb", command="", seed=0, metrics=metrics)
    save_tensors(folder / name, {"weight": torch.zeros(2)}, card)
    return weights_path(folder / name)


def composite(folder, name, kind, **parts):
    save_composite(folder / name, kind, parts, CheckpointCard(observation="rgb", command="", seed=0))
    return weights_path(folder / name)


def test_a_source_network_on_images_is_direct_and_on_labels_a_proxy(tmp_path):
    image = write_network(tmp_path, "s", "rgb", {"source": "a" * 64})
    labels = write_network(tmp_path, "p", "map_view", {"source": "a" * 64})
    assert chain_of("direct", None, image).kind is Kind.DIRECT
    chain = chain_of("proxy", "map", labels)
    assert (chain.kind, chain.start, chain.label) == (Kind.PROXY, labels, "proxy (map)")


def test_a_student_begins_with_the_teacher_its_card_names(tmp_path):
    other = tmp_path / "other"
    teacher = write_network(other, "p", "labels", {})
    write_network(tmp_path, "a", "labels", {}, seed=1)
    student = write_network(tmp_path, "t", "rgb", {"target": "b" * 64, "teacher": checkpoint_hash(teacher)})
    chain = chain_of("task-distillation", "camera", student, [other])
    assert (chain.kind, chain.start) == (Kind.DISTILLED, teacher)
    with pytest.raises(CheckpointError, match="--networks"):
        chain_of("task-distillation", "camera", student)


def test_a_composite_is_modular_or_translated_by_what_its_policy_reads(tmp_path):
    image, labels = write_network(tmp_path, "s", "rgb", {}), write_network(tmp_path, "p", "map_view", {})
    recogniser = other_network(tmp_path, "r", "recogniser", {"mean_iou": 0.75, "validation_loss": 0.1})
    translator = other_network(tmp_path, "g", "translator", {})
    modular = chain_of("modular", "map", composite(tmp_path, "m", "modular", recogniser=recogniser, proxy=labels))
    assert (modular.kind, modular.start) == (Kind.MODULAR, labels)
    assert modular.recognition == (("mean_iou", 0.75),)
    translated = chain_of("cycada", None, composite(tmp_path, "c", "cycada", translator=translator, source=image))
    assert (translated.kind, translated.start) == (Kind.TRANSLATED, image)
    assert {card.kind for card in translated.cards()} == {"cycada", "translator", "waypoints"}


@pytest.mark.parametrize("make", ["controls", "two policies", "fused"])
def test_a_row_without_one_chain_says_why(tmp_path, make):
    first, second = write_network(tmp_path, "a", "labels", {}), write_network(tmp_path, "b", "map_view", {})
    weights, reason = {
        "controls": lambda: (other_network(tmp_path, "n", "controls", {}), "kind 'controls'"),
        "two policies": lambda: (composite(tmp_path, "m", "modular", one=first, two=second), "2 parts"),
        "fused": lambda: (write_network(tmp_path, "f", "rgb", {"target": "b" * 64, "teacher-map": "c" * 64}), "f\\^P"),
    }[make]()
    with pytest.raises(ConfigurationError, match=reason):
        chain_of("x", None, weights)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("analysis") / "carla", "carla", episodes=20, samples=1)


def card(**data):
    return CheckpointCard(observation="rgb", command="", seed=0, data=data)


def test_episodes_learnt_from_are_left_out(data):
    learnt = learnt_episodes(data, card(target=data.hash))
    assert len(learnt) == 18, "a tenth of the episodes was held out"
    judged = held_out(data, [card(target=data.hash), card(teacher="c" * 64)])
    assert set(judged.episodes) == set(range(20)) - learnt
    assert judged.learnt
    assert len(judged) == 2


def test_a_training_on_the_first_episodes_is_found(data):
    learnt = learnt_episodes(data, card(target=data.first(10).hash))
    assert len(learnt) == 9
    assert learnt < set(range(10))


def test_one_of_several_data_sets_counts_as_learnt_whole(data):
    assert learnt_episodes(data, card(target="d" * 64, **{"target-2": data.first(10).hash})) == set(range(10))


def test_other_data_are_judged_whole_and_cut_to_whole_episodes(data):
    judged = held_out(data, [card(target="d" * 64)])
    assert (len(judged), judged.learnt) == (20, False)
    assert judged.first(5).episodes == (0, 1, 2, 3, 4)
    assert judged.first(1).episodes == (0, 1), "an interval needs two"


def test_nothing_left_to_judge_is_refused(data):
    with pytest.raises(DataError, match="collect another data set"):
        held_out(data, [card(other=data.hash)])
