"""The registry of methods: names, supervision, proxies, checkpoints, agents."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim2real_bench.agents.checkpoints import CheckpointCard, save_checkpoint
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.reference import ReferenceAgent
from sim2real_bench.distill import list_methods
from sim2real_bench.distill.method import METHODS, build_agent, checkpoint_for, method_named, method_supervision
from sim2real_bench.errors import CheckpointError, ConfigurationError, UnknownNameError


def test_the_methods_of_the_first_benchmark() -> None:
    paper = ["reference", "direct", "modular", "modular-predicted", "task-distillation", "proxy"]
    assert [name for name in paper if name not in list_methods()] == []
    for spec in METHODS:
        assert method_named(spec.name).name == spec.name
    assert method_named("task-distillation").proxies == ("map", "camera")


@pytest.mark.parametrize(
    ("method", "proxy", "words"),
    [
        ("reference", None, "at test: lane graph"),
        ("direct", None, "source: images"),
        ("task-distillation", "map", "source: map labels | target: images + map labels"),
        ("task-distillation", "camera", "source: camera labels | target: images + camera labels"),
        ("modular", "map", "source: map labels | target: images + map labels"),
        ("modular-predicted", "camera", "source: images + camera labels | target: images + camera labels"),
        ("proxy", "map", "source: map labels | at test: map labels"),
    ],
)
def test_supervision_is_declared(method: str, proxy: str | None, words: str) -> None:
    assert method_supervision(method, proxy) == words


def test_wrong_names_and_proxies_are_explained() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'direct'"):
        method_named("dirct")
    with pytest.raises(ConfigurationError, match="needs --proxy map or camera; none was given"):
        method_supervision("task-distillation")
    with pytest.raises(ConfigurationError, match="has no proxy"):
        build_agent("reference", "map", 0)
    with pytest.raises(ConfigurationError, match="no weights"):
        build_agent("reference", None, 0, Path("x.safetensors"))


def test_the_reference_needs_no_checkpoint() -> None:
    assert checkpoint_for("reference", None) is None
    assert isinstance(build_agent("reference", None, 2), ReferenceAgent)


@pytest.mark.parametrize(("method", "proxy"), [("direct", None), ("task-distillation", "map")])
def test_an_agent_is_built_from_a_checkpoint_and_acts(method: str, proxy: str | None, tmp_path: Path) -> None:
    network = WaypointNetwork(3, 0.05, 160, 384)
    save_checkpoint(tmp_path / "net", network, CheckpointCard(observation="rgb", command="", seed=0))
    agent = build_agent(method, proxy, 1, tmp_path / "net")
    agent.reset(0)
    action = agent.act({"rgb": np.zeros((160, 384, 3), np.uint8), "speed": np.array(3.0, np.float32)})
    assert action.shape == (2,)
    assert set(agent.observations) == {"rgb", "speed"}


def test_the_interface_needs_no_torch() -> None:
    program = (
        "import sys\nfrom sim2real_bench.distill.method import method_supervision\n"
        "print(method_supervision('direct', None), 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "source: images False"


def test_a_method_without_its_weights_says_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setattr("sim2real_bench.agents.checkpoints.SHIPPED_FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match=r"--method modular --proxy map.*--checkpoint modular:map=FILE"):
        checkpoint_for("modular", "map")
    with pytest.raises(CheckpointError, match=r"--checkpoint direct=FILE"):
        checkpoint_for("direct")
