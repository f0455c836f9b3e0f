"""The checks behind ``doctor``: each tries one thing and names the remedy where it fails."""

import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata

INSTALL = 'pip install -c constraints.txt "sim2real-bench[{extra}]"'
EGL_REMEDY = "apt-get install libegl1 libgl1 libegl-mesa0 libgl1-mesa-dri"


@dataclass(frozen=True)
class Check:
    """One trial.

    Attributes:
        name: what is tried.
        trial: does it; answers with what was found; raises where it does not work.
        remedy: what to do then; the trial's own message is used where this is "".
        needed: the main job cannot run without it.
    """

    name: str
    trial: Callable[[], str]
    remedy: str = ""
    needed: bool = True


@dataclass(frozen=True)
class CheckResult:
    """What a trial showed."""

    name: str
    ok: bool
    needed: bool
    found: str
    remedy: str


def run_check(check: Check) -> CheckResult:
    """Try one thing; whatever it raises becomes a finding."""
    try:
        return CheckResult(check.name, True, check.needed, check.trial(), "")
    except Exception as error:  # a broken driver or wheel may raise anything, and doctor must go on to the next check
        text = str(error).strip().splitlines()
        found = f"{type(error).__name__}: {text[0] if text else ''}"[:160]
        return CheckResult(check.name, False, check.needed, found, check.remedy or str(error))


def _python() -> str:
    if sys.version_info[:2] not in ((3, 11), (3, 12)):
        raise RuntimeError(f"Python {platform.python_version()}")
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _library(module: str, distribution: str) -> Callable[[], str]:
    def trial() -> str:
        import_module(module)
        return metadata.version(distribution)

    return trial


def _opengl() -> str:
    import moderngl

    # The stub wrongly declares every extra argument a dictionary.
    context = moderngl.create_context(standalone=True, backend="egl", require=330)  # type: ignore[arg-type]
    found = f"{context.info['GL_RENDERER']}, OpenGL {context.version_code / 100:.1f}"
    context.release()
    return found


def _stk_assets() -> str:
    from sim2real_bench.envs.supertuxkart.assets import find_assets

    return str(find_assets())


def _stk_frame() -> str:
    from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv

    with SuperTuxKartEnv("lighthouse", observations=("rgb",), width=160, height=96) as environment:
        image = environment.reset(seed=0)[0]["rgb"]
    return f"one frame of lighthouse, {image.shape[1]}x{image.shape[0]}, mean grey level {image.mean():.0f}"


def _embedded_frame() -> str:
    from sim2real_bench.envs.carla.environment import CarlaDriveEnv

    with CarlaDriveEnv(backend="embedded", observations=("rgb",)) as environment:
        image, version = environment.reset(seed=0)[0]["rgb"], environment.backend_version
    return f"{version}: one frame of MiniTown01, mean grey level {image.mean():.0f}"


def _checkpoints() -> str:
    from sim2real_bench.agents.checkpoints import SHIPPED_NAMES, checkpoint_hash, shipped_checkpoint

    hashes = [checkpoint_hash(shipped_checkpoint(name)) for name in SHIPPED_NAMES]
    return f"{len(hashes)} shipped checkpoints"


def _disk() -> str:
    free = shutil.disk_usage(".").free / 2**30
    if free < 2:
        raise RuntimeError(f"{free:.1f} GiB free in this folder")
    return f"{free:.0f} GiB free in this folder"


CHECKS: tuple[Check, ...] = (
    Check("Python", _python, "use Python 3.11 or 3.12"),
    Check("free disk", _disk, "free at least 2 GiB for results and data sets"),
    Check("PyTorch", _library("torch", "torch"), INSTALL.format(extra="train")),
    Check("Stable-Baselines3", _library("stable_baselines3", "stable-baselines3"), INSTALL.format(extra="train")),
    Check("CARLA client", _library("carla", "carla"), INSTALL.format(extra="carla")),
    Check("headless OpenGL", _opengl, EGL_REMEDY),
    Check("embedded CARLA server", _embedded_frame),
    Check("SuperTuxKart assets", _stk_assets, needed=False),
    Check("SuperTuxKart engine", _stk_frame, needed=False),
    Check("shipped checkpoints", _checkpoints, "reinstall the package: its checkpoint files are missing or damaged"),
    Check("ViZDoom", _library("vizdoom", "vizdoom"), INSTALL.format(extra="vizdoom"), needed=False),
    Check(
        "CoppeliaSim client",
        _library("coppeliasim_zmqremoteapi_client", "coppeliasim_zmqremoteapi_client"),
        INSTALL.format(extra="coppelia"),
        needed=False,
    ),
)
