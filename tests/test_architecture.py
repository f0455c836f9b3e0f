"""The shape of the repository: which folder may import which, what a bare import costs, what the wheel holds."""

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A folder may import those to its left, and the ground floor.
ORDER = ("envs", "agents", "distill", "evaluation")
GROUND_FLOOR = {"errors", "registry", "presets", "untrusted"}
SIMULATORS = {
    "carla": "envs/carla",
    "pystk2": "envs/supertuxkart",
    "moderngl": "envs/carla/embedded",
    "vizdoom": "envs/vizdoom",
    "coppeliasim_zmqremoteapi_client": "envs/coppelia",
}


def imports_of(path: Path) -> list[str]:
    """All absolute module names a file imports, wherever in the file."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the full name"
            names.append(node.module or "")
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def arrows_back(folder: str, names: list[str]) -> list[str]:
    """Imports that run against the order of the folders."""
    allowed = set(ORDER[: ORDER.index(folder) + 1]) | GROUND_FLOOR | {"__version__"}
    own = [name.split(".") for name in names if name.startswith("sim2real_bench.")]
    return [".".join(parts) for parts in own if parts[1] not in allowed]


def test_arrows_back_finds_a_wrong_import() -> None:
    assert arrows_back("agents", ["sim2real_bench.evaluation.plan"]) == ["sim2real_bench.evaluation.plan"]
    assert arrows_back("agents", ["sim2real_bench.envs.camera", "numpy", "sim2real_bench.errors"]) == []


@pytest.mark.parametrize("folder", ORDER)
def test_imports_run_one_way(folder: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): back
        for path in (ROOT / folder).rglob("*.py")
        if (back := arrows_back(folder, imports_of(path)))
    }
    assert wrong == {}


def test_the_ground_floor_imports_nothing_of_ours() -> None:
    for name in GROUND_FLOOR:
        ours = [n for n in imports_of(ROOT / "sim2real_bench" / f"{name}.py") if n.startswith("sim2real_bench.")]
        assert {n.split(".")[1] for n in ours} <= {"errors"}, name


def test_only_its_adapter_imports_a_simulator() -> None:
    wrong = []
    for folder in (*ORDER, "sim2real_bench"):
        for path in (ROOT / folder).rglob("*.py"):
            place = str(path.relative_to(ROOT))
            for name in {name.split(".")[0] for name in imports_of(path)} & set(SIMULATORS):
                if not place.startswith(SIMULATORS[name]) and not place.startswith("sim2real_bench/cli/doctor/"):
                    wrong.append((place, name))
    assert wrong == []


def modules_after(statement: str) -> set[str]:
    """Top-level modules loaded in a fresh interpreter after a statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/")
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statement", ["import sim2real_bench", "from sim2real_bench.cli import build_app; build_app()"]
)
def test_front_door_imports_nothing_heavy(statement: str) -> None:
    heavy = {"torch", "stable_baselines3", "gymnasium", "numpy", "cv2", "carla", "pystk2", "moderngl", "matplotlib"}
    assert modules_after(statement) & heavy == set()


def test_the_gpl_engine_is_never_imported_into_our_process() -> None:
    loaded = modules_after("import sim2real_bench.envs.supertuxkart.environment, sim2real_bench.agents.ppo.training")
    assert "gymnasium" in loaded and "pystk2" not in loaded


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    import sim2real_bench

    with pytest.raises(AttributeError, match="public names"):
        _ = sim2real_bench.nonsense


@pytest.mark.parametrize("name", sorted(__import__("sim2real_bench").__all__))
def test_every_public_name_exists(name: str) -> None:
    import sim2real_bench

    assert getattr(sim2real_bench, name) is not None


def test_the_wheel_holds_every_module_and_data_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    expected = set()
    for folder in (*ORDER, "sim2real_bench"):
        for path in (ROOT / folder).rglob("*"):
            if (
                path.suffix
                in {".py", ".glsl", ".vert", ".frag", ".xodr", ".safetensors", ".jsonl", ".html", ".css", ".js"}
                or path.name == "py.typed"
            ):
                place = str(path.relative_to(ROOT))
                expected.add(place if folder == "sim2real_bench" else f"sim2real_bench/{place}")
    assert expected - held == set()
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    modules = [name[:-3].replace("/", ".").removesuffix(".__init__") for name in held if name.endswith(".py")]
    # Modules that are programs run when imported, and the engine's worker imports a GPL library on purpose.
    modules = [m for m in modules if not m.endswith(("__main__", "supertuxkart.worker", "supertuxkart.engine"))]
    program = f"import sys; sys.path.insert(0, {str(target)!r})\nfrom importlib import import_module\n"
    program += f"for name in {sorted(modules)!r}: assert import_module(name).__file__.startswith({str(target)!r}), name"
    subprocess.run([sys.executable, "-S", "-c", _with_site_packages(program)], check=True, cwd="/")


def _with_site_packages(program: str) -> str:
    """Keep installed libraries but not this project's editable install."""
    paths = [path for path in sys.path if path.endswith("site-packages")]
    return f"import sys; sys.path += {paths!r}\n{program}"
