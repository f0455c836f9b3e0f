"""Agents that other packages register alone: what they are made with, and how they stand in a table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sim2real_bench.agents.controllers import ControllerChoice, controllers_hash, follower
from sim2real_bench.distill.method import build_agent, method_supervision, row_spec, trainings_of
from sim2real_bench.distill.transfer import TransferRequest
from sim2real_bench.errors import ConfigurationError, PlugInError, UnknownNameError
from sim2real_bench.evaluation.rows import resolve_rows
from sim2real_bench.registry import AGENTS, CONTROLLERS, METHODS

Install = Callable[..., None]

AGENTS_MODULE = """
from sim2real_bench.distill.method import Supervision

class Plain:
    observations = ("speed",)
    def reset(self, seed): pass
    def act(self, observation): return [0.0, 1.0]

class Asks(Plain):
    supervision = Supervision(source=("videos",))
    def __init__(self, controller, checkpoint=None):
        self.controller, self.checkpoint = controller, checkpoint

class Boasts(Plain):
    supervision = "nothing at all"

def made():
    return Plain()
"""


@pytest.fixture
def agents(install: Install) -> None:
    install("mine", "plain = mine:Plain\nasks = mine:Asks\nboasts = mine:Boasts\nmade = mine:made", AGENTS_MODULE,
            group=AGENTS)  # fmt: skip


def test_an_agent_is_made_with_what_it_asks_for(agents: None, tmp_path: Path) -> None:
    asks = build_agent("asks", None, 3, tmp_path / "w.npz")
    assert (asks.controller, asks.checkpoint) == (3, tmp_path / "w.npz")
    assert build_agent("asks", None, 1).checkpoint is None
    assert build_agent("plain", None, 3).observations == build_agent("made", None, 0).observations == ("speed",)
    with pytest.raises(ConfigurationError, match="agent 'plain' takes no checkpoint"):
        build_agent("plain", None, 0, tmp_path / "w.npz")
    with pytest.raises(ConfigurationError, match="'plain' has no proxy"):
        build_agent("plain", "map", 0)


def test_what_an_agent_read_stands_in_its_row(agents: None, tmp_path: Path) -> None:
    assert method_supervision("plain") == "not declared (agent)"
    assert method_supervision("asks") == "source: videos (agent)"
    with pytest.raises(ConfigurationError, match="declares supervision='nothing at all'"):
        method_supervision("boasts")
    weights = tmp_path / "w.npz"
    weights.write_bytes(b"7")
    reference, asks = resolve_rows(["reference", "asks"], checkpoints={"asks": weights})
    assert (asks.method, asks.proxy, asks.supervision) == ("asks", None, "source: videos (agent)")
    assert asks.checkpoint_hash == "7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451"
    assert reference.checkpoint_hash == ""
    assert (row_spec("asks").distribution, row_spec("reference").distribution) == ("mine", "sim2real-bench")


def test_an_agent_alone_is_not_trained(agents: None) -> None:
    with pytest.raises(ConfigurationError, match="agent 'plain' needs no training; transfer trains direct"):
        trainings_of("plain", TransferRequest())


def test_a_method_and_an_agent_cannot_share_a_name(agents: None, install: Install) -> None:
    install("yours", "plain = yours:x", "x = 1", group=METHODS)
    with pytest.raises(PlugInError, match="'plain' is the name of a method and of an agent"):
        build_agent("plain", None, 0)


CONTROLLERS_MODULE = """
from sim2real_bench.agents.controllers import Controllers

class Still:
    waypoints = None
    def __init__(self, number, speed, tick): self.made_with = number, speed, tick
    def reset(self): pass
    def action(self, waypoints, speed): return [0.0, 0.0]

def broken(number, speed, tick): raise KeyError("gains")

STILL = Controllers(2, Still, "v1")
BROKEN = Controllers(2, broken, "v1")
NONE = Controllers(0, Still, "v1")
"""


def test_controllers_of_another_package_are_made_at_the_benchmarks_speed(install: Install) -> None:
    entries = "still = other:STILL\nbroken = other:BROKEN\nnone = other:NONE"
    install("other", entries, CONTROLLERS_MODULE, group=CONTROLLERS)
    made = ControllerChoice("still", 4.0, 0.05).controller(1)
    assert made.made_with == (1, 4.0, 0.05)
    assert follower(made) is made
    with pytest.raises(ConfigurationError, match="controller 2 of 'still': choose one of 0 to 1"):
        ControllerChoice("still").controller(2)
    with pytest.raises(PlugInError, match=r"making controller 0 of 'broken' failed in the package other 1\.0"):
        ControllerChoice("broken").controller(0)
    with pytest.raises(ConfigurationError, match="not a set of at least one controller"):
        ControllerChoice("none").controller(0)


def test_the_hash_of_controllers_follows_their_settings_and_package(install: Install) -> None:
    install("other", "still = other:STILL", CONTROLLERS_MODULE, group=CONTROLLERS)
    install("newer", "later = newer:STILL", CONTROLLERS_MODULE, group=CONTROLLERS, version="1.1")
    assert len({controllers_hash(), controllers_hash("still"), controllers_hash("later")}) == 3


def test_the_standard_controllers_stay_ids_unless_speed_or_tick_differ() -> None:
    assert ControllerChoice().controller(4) == 4
    slower = ControllerChoice(target_speed_mps=3.0).controller(4)
    path = np.array([[6.0, 0.0], [18.0, 0.0]])
    standard = follower(4)
    assert slower.action(path, 4.0)[1] <= 0.0 < standard.action(path, 4.0)[1]


def test_a_method_may_have_proxies_of_its_own(install: Install) -> None:
    module = "from sim2real_bench.distill.method import Method, Supervision\n"
    module += "OURS = Method('ours', {'depth': Supervision(), 'flow': Supervision()}, {}, lambda c, w: None)\n"
    install("other", "ours = other:OURS", module, group=METHODS)
    assert [row.proxy for row in resolve_rows(["ours", "reference"])] == ["depth", "flow", None]
    assert [row.proxy for row in resolve_rows(["ours"], "flow")] == ["flow"]
    with pytest.raises(UnknownNameError, match="unknown proxy 'flw': did you mean 'flow'"):
        resolve_rows(["ours"], "flw")
