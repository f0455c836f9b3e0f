"""What a transfer was asked for: which stages run, and which networks later stages build on."""

from pathlib import Path

import pytest

from sim2real_bench.agents.cards import SHIPPED_FOLDER
from sim2real_bench.distill.method import trainings_of
from sim2real_bench.distill.transfer import TransferRequest
from sim2real_bench.errors import CheckpointError, ConfigurationError


def stages_of(method: str, request: TransferRequest) -> list[str]:
    """The stages a method would run, in order, from the commands of its trainings."""
    return [training.words[training.words.index("--stage") + 1] for training in trainings_of(method, request)]


DATA = {"source_data": Path("s"), "target_data": (Path("t"),)}


@pytest.mark.parametrize(
    ("method", "stage", "parts", "wanted"),
    [
        ("task-distillation", "all", (), ["proxy", "target"]),
        ("task-distillation", "all", ("proxy",), ["target"]),
        ("task-distillation", "proxy", ("proxy",), ["proxy"]),
        ("modular", "all", (), ["proxy", "recogniser", "agent"]),
        ("modular", "agent,recogniser", (), ["recogniser", "agent"]),
        ("modular-predicted", "all", ("recogniser",), ["source-recogniser", "proxy", "agent"]),
        ("modular-predicted", "all", ("source-recogniser", "recogniser"), ["proxy", "agent"]),
    ],
)
def test_given_parts_leave_their_stage_out(method: str, stage: str, parts: tuple[str, ...], wanted: list[str]) -> None:
    request = TransferRequest(proxy="map", stage=stage, parts={part: Path(part) for part in parts}, **DATA)
    assert stages_of(method, request) == wanted


def test_nothing_left_to_train_is_told() -> None:
    parts = {stage: Path(stage) for stage in ("proxy", "target")}
    with pytest.raises(ConfigurationError, match="nothing left to train: --part gave proxy, target already"):
        trainings_of("task-distillation", TransferRequest(proxy="map", parts=parts, **DATA))


def test_a_network_is_the_one_given_or_made_or_left_or_shipped(tmp_path: Path) -> None:
    name, own = "stk-proxy-map", tmp_path / "stk-proxy-map.safetensors"
    given = TransferRequest(parts={"proxy": Path("p")}, out=tmp_path)
    assert given.network("proxy", name) == Path("p")
    assert TransferRequest(out=tmp_path).network("proxy", name) == own  # this command makes it first
    later = TransferRequest(stage="target", out=tmp_path)
    assert later.network("proxy", name) == SHIPPED_FOLDER / own.name
    own.touch()
    assert later.network("proxy", name) == own
    with pytest.raises(CheckpointError, match="no shipped checkpoint 'stk-nonsense'"):
        later.network("proxy", "stk-nonsense")


def test_one_data_set_of_the_target_or_several() -> None:
    request = TransferRequest(target_data=(Path("a"), Path("b")), target_images=500)
    assert request.targets() == (Path("a"), Path("b"))
    assert request.target_words() == ("--target-data", "a", "--target-data", "b", "--target-images", "500")
    with pytest.raises(ConfigurationError, match="reads one data set of the target; --target-data gave a, b"):
        request.target()
    with pytest.raises(ConfigurationError, match="--target-data is missing"):
        TransferRequest().targets()
