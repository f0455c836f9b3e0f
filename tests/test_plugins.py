"""The example package, installed, and packages that are broken: what the verbs do with them.

Recording, training and the example's own tests are run by ``test_docs_extending.py``.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from plug_in_folder import write_package

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "sim2real-bench-example"
NAMES = {
    "benchmarks": "stk-ring-v1",
    "methods": "road-colour",
    "agents": "lane-seeker",
    "simulators": "ring",
    "controllers": "pure-pursuit",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that holds the example, put there by pip."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "source")  # pip builds in the source folder
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", folder / "site", folder / "source"], check=True, capture_output=True)
    return folder / "site"


def run(*words: object, packages: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """The program with further packages installed."""
    environment = os.environ | {"PYTHONPATH": str(packages), "OMP_NUM_THREADS": "1"} | more
    command = [sys.executable, "-m", "sim2real_bench", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_list_shows_what_the_package_brings_and_whose_it_is(site: Path) -> None:
    result = run("list", packages=site)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    for name in NAMES.values():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert line.endswith("[sim2real-bench-example 0.1.0]")
    assert not any("[" in line for line in lines if line.split()[:1] == ["direct"])
    listing = json.loads(run("list", "--json", packages=site).stdout)
    assert listing["problems"] == []
    for section, name in NAMES.items():
        sources = {row["name"]: row["from"] for row in listing[section]}
        assert sources[name] == "sim2real-bench-example 0.1.0"
        assert set(sources.values()) == {"sim2real-bench", "sim2real-bench-example 0.1.0"} or section == "agents"


def test_an_agent_alone_drives_in_worker_processes_on_the_packages_benchmark(site: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--source", "stk", "--target", "ring", "--methods", "reference,lane-seeker")
    words += ("--episodes", "1", "--horizon", "100", "--workers", "2", "--out", tmp_path)
    result = run(*words, packages=site)
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "episodes.jsonl").read_text().splitlines()]
    assert len(records) == 10
    for record in records:
        assert record["outcome"] == "horizon" and record["distance_m"] > 35.0
        assert record["versions"]["sim2real-bench-example"] == "0.1.0"
        assert record["versions"]["simulator"] == "ring road 1"
    table = (tmp_path / "table.md").read_text()
    assert "lane-seeker" in table and "at test: camera labels (agent)" in table
    again = run(*words, packages=site)
    assert again.returncode == 0 and len((tmp_path / "episodes.jsonl").read_text().splitlines()) == 10


def test_other_controllers_drive_and_the_result_says_so(site: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--target", "ring", "--methods", "reference", "--episodes", "1", "--horizon", "60")
    result = run(*words, "--controllers", "pure-pursuit", "--out", tmp_path / "a", packages=site)
    assert result.returncode == 0, result.stderr
    plan = json.loads((tmp_path / "a" / "plan.json").read_text())["configuration"]
    assert (plan["controller_set"], plan["controllers"]) == ("pure-pursuit", [0, 1, 2])
    standard = json.loads(run(*words, "--show-config", packages=site).stdout)
    assert (standard["controller_set"], standard["controllers"]) == ("pid-v1", [0, 1, 2, 3, 4])
    assert plan["controllers_hash"] != standard["controllers_hash"]
    assert "Driven by the controllers 'pure-pursuit', not 'pid-v1'" in (tmp_path / "a" / "table.md").read_text()
    mixed = run(*words, "--out", tmp_path / "a", packages=site)
    assert mixed.returncode == 1 and "controller_set: 'pure-pursuit' there, 'pid-v1' asked for" in mixed.stderr


BROKEN = """
class Silent:
    observations = ("speed",)
    def __init__(self): raise RuntimeError("no licence key")
    def reset(self, seed): pass
    def act(self, observation): return [0.0, 1.0]

class Halved:
    observations = ("speed",)
    def reset(self, seed): pass

Number = 7
"""
BROKEN_ENTRIES = """
[sim2real_bench.agents]
needs-key = broken_things:Silent
half = broken_things:Halved
number = broken_things:Number
lost = broken_things:Nowhere
[sim2real_bench.methods]
direct = broken_things:Number
not-a-method = broken_things:Number
[sim2real_bench.robots]
arm = broken_things:Number
"""


@pytest.fixture(scope="module")
def broken(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example beside a package in which everything is wrong."""
    folder = tmp_path_factory.mktemp("broken") / "site"
    shutil.copytree(site, folder)
    write_package(folder, "broken-things", BROKEN_ENTRIES, BROKEN, "0.9")
    return folder


def test_list_warns_of_broken_packages_and_shows_the_rest(broken: Path) -> None:
    result = run("list", packages=broken)
    assert result.returncode == 0
    assert "lane-seeker" in result.stdout and "task-distillation" in result.stdout
    warnings = result.stderr.splitlines()
    assert all(line.startswith("warning: ") and "broken-things 0.9" in line for line in warnings)
    assert len(warnings) == 3  # "lost", the clash "direct", and the group that does not exist
    listing = json.loads(run("list", "--json", packages=broken).stdout)
    assert {row["name"] for row in listing["problems"]} == {"lost", "direct", "arm"}
    assert "direct" not in {row["name"] for row in listing["methods"]}


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("lost", "'lost' of the package broken-things 0.9 cannot be used (entry point 'broken_things:Nowhere'"),
        ("direct", "'direct' is offered by sim2real-bench and by broken-things 0.9"),
        ("needs-key", "RuntimeError: no licence key"),
        ("half", "'half' made a Halved, which lacks act"),
        ("number", "agent 'number' is registered as int, not as a class or function"),
        ("not-a-method", "registered as int, not as a Method"),
        ("lane-seekr", "did you mean 'lane-seeker'"),
    ],
)
def test_a_broken_name_is_one_line_where_it_is_used(broken: Path, tmp_path: Path, method: str, words: str) -> None:
    result = run("evaluate", "--target", "ring", "--methods", method, "--out", tmp_path, packages=broken)
    assert result.returncode in (1, 2)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert words in line
    assert "Traceback" not in result.stderr


def test_a_broken_package_does_not_disturb_others(broken: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--target", "ring", "--methods", "reference,lane-seeker", "--episodes", "1", "--horizon", "20")
    result = run(*words, "--workers", "1", "--out", tmp_path, packages=broken)
    assert result.returncode == 0, result.stderr
