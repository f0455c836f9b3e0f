"""Shared fixtures: simulators are required in CI and skipped with a reason on a machine that lacks them."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plug_in_folder import write_package

# The tests run side by side and their networks are tiny: a second thread would only spin and take a core from others.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _probe_stk() -> None:
    from sim2real_bench.envs.supertuxkart.assets import find_assets

    if importlib.util.find_spec("pystk2") is None:
        raise ImportError('pystk2 is not installed: pip install "sim2real-bench[stk]" -c constraints.txt')
    find_assets()


def _probe_carla() -> None:
    import carla  # noqa: F401
    import moderngl

    moderngl.create_context(standalone=True, backend="egl", require=330).release()


_PROBES: dict[str, Callable[[], None]] = {"stk": _probe_stk, "carla": _probe_carla}
_REASONS: dict[str, str] = {}


def require_simulator(name: str) -> None:
    """Skip the calling test with the reason when a simulator cannot run here; fail where CI demands it."""
    if name not in _REASONS:
        try:
            _PROBES[name]()
            _REASONS[name] = ""
        except Exception as error:  # a broken driver may raise anything
            _REASONS[name] = f"{type(error).__name__}: {error}"
    if not _REASONS[name]:
        return
    if os.environ.get("SIM2REAL_REQUIRE_SIMULATORS") == "1":
        pytest.fail(f"simulator {name!r} must run here, but: {_REASONS[name]}")
    pytest.skip(f"simulator {name!r} is not available: {_REASONS[name]}")


@pytest.fixture(scope="session")
def stk() -> None:
    """SuperTuxKart is available."""
    require_simulator("stk")


@pytest.fixture(scope="session")
def carla_embedded() -> None:
    """The embedded CARLA server can run: client library and headless OpenGL."""
    require_simulator("carla")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs packages for one test: (name, lines of entry points, source of the module, group=..., version=...)."""
    from sim2real_bench.registry import METHODS, installed_entry_points

    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def install_package(name: str, entries: str, module: str = "", **more: str) -> None:
        write_package(tmp_path, name, f"[{more.pop('group', METHODS)}]\n{entries}\n", module, **more)
        installed_entry_points.cache_clear()

    yield install_package
    installed_entry_points.cache_clear()
    for module in {name for name in set(sys.modules) - before if _lies_in(tmp_path, name)}:
        del sys.modules[module]


def _lies_in(folder: Path, module: str) -> bool:
    return str(getattr(sys.modules[module], "__file__", None) or "").startswith(str(folder))
