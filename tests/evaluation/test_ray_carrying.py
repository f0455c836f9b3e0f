"""What travels to the machines of a cluster: checkpoints, versions, a class that needs no package; and its page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sim2real_bench.agents.checkpoints import shipped_checkpoint
from sim2real_bench.errors import CheckpointError
from sim2real_bench.evaluation.cluster.checkpoints import CarriedCheckpoint, carried
from sim2real_bench.evaluation.cluster.versions import CODE, code_hash, differences, installed
from sim2real_bench.evaluation.execution.worker import DrivingSetup, EnvironmentSpec

SETUP = DrivingSetup(EnvironmentSpec("fake_driving:FakeDrivingEnv"), "test_ray_carrying:checkpoint_of")
DIRECT = shipped_checkpoint("stk-direct")


def checkpoint_of(method, proxy, controller, checkpoint):
    """In place of an agent: the checkpoint it would be built from."""
    return checkpoint


def test_a_setup_without_checkpoints_travels_as_it_is():
    assert carried(SETUP) is SETUP


def test_checkpoints_arrive_whole_and_once(tmp_path, monkeypatch):
    from fake_driving import row

    monkeypatch.setattr("sim2real_bench.evaluation.cluster.checkpoints.user_cache_path", lambda name: tmp_path / name)
    own = tmp_path / "own.safetensors"
    own.write_bytes(DIRECT.read_bytes())
    own.with_suffix(".json").write_bytes(DIRECT.with_suffix(".json").read_bytes())
    there = carried(DrivingSetup(SETUP.environment, SETUP.agents, {"direct": own}))
    own.unlink()  # the other machine does not have it
    for _ in range(2):
        with there.open(None) as context:
            path = context.agent(row("direct"), 0)
        assert path.read_bytes() == DIRECT.read_bytes()
        assert path.with_suffix(".json").read_bytes() == DIRECT.with_suffix(".json").read_bytes()
        assert len(list((tmp_path / "sim2real-bench/checkpoints").iterdir())) == 1
        path.write_bytes(b"changed since")  # mended by the next


def test_a_checkpoint_that_cannot_be_read_or_kept_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot read .*none.safetensors.*NAME.json beside"):
        carried(DrivingSetup(SETUP.environment, SETUP.agents, {"direct": tmp_path / "none"}))
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot keep a checkpoint in"):
        CarriedCheckpoint(b"weights", b"card").stored(tmp_path / "file")


def test_versions_that_differ_are_named():
    here = installed()
    assert here["Python"] == ".".join(map(str, sys.version_info[:2]))
    assert differences(here, here) == []
    assert differences(here, here | {"numpy": "0.1"}) == [f"numpy 0.1 (here {here['numpy']})"]
    assert f"{CODE} not installed (here {here[CODE]})" in differences(here, {})


def test_the_code_is_known_by_its_content(tmp_path, monkeypatch):
    before = code_hash()
    assert code_hash() == before
    file = tmp_path / "more.py"
    monkeypatch.setattr(
        "sim2real_bench.evaluation.cluster.versions._files", lambda: iter([("more.py", file)]), raising=True
    )
    file.write_text("one")
    one = code_hash()
    file.write_text("two")
    assert len({before, one, code_hash()}) == 3


ELSEWHERE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sim2real_bench":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from ray import cloudpickle
import json
place, versions = cloudpickle.load(sys.stdin.buffer)().place()
print(json.dumps(versions))
"""


def test_a_machine_without_the_package_still_answers():
    pytest.importorskip("ray")
    from ray import cloudpickle

    from sim2real_bench.evaluation.cluster.node_worker import node_worker_class

    sent = cloudpickle.dumps(node_worker_class())
    answer = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=sent, capture_output=True, check=True, cwd=Path(__file__).parent
    )
    assert json.loads(answer.stdout) == {}


PAGE = Path(__file__).resolve().parents[2] / "docs/cluster.md"


@pytest.mark.parametrize("program", ["ray start", "sim2real-bench evaluate"])
def test_the_options_on_the_page_exist(program):
    pytest.importorskip("ray")
    import typer
    from ray.scripts.scripts import start

    from sim2real_bench.cli import build_app

    command = start if program == "ray start" else typer.main.get_command(build_app()).commands["evaluate"]
    known = {option for parameter in command.params for option in parameter.opts}
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL))
    used = {
        option for line in re.findall(rf"{program} (.*)", blocks) for option in re.findall(r"--[a-z-]+(?=[ =]|$)", line)
    }
    assert used
    assert used <= known
