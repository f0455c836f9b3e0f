"""Trials of Python and its libraries: versions, pins, and that each does a little work."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path

from sim2real_bench.cli.doctor.check import Finding, Settings, absent, broken, weak, works
from sim2real_bench.cli.doctor.remedies import checkout, extra_install, pinned_install, python_install

_PYTHONS = ((3, 11), (3, 12))
_SHOWN = 4
EXTRAS: dict[str, dict[str, str]] = {
    "stk": {"pystk2": "PySuperTuxKart2"},
    "vizdoom": {"vizdoom": "vizdoom"},
    "carla": {name: name for name in ("carla", "glcontext", "moderngl", "msgpack", "shapely")},
    "coppelia": {name: name for name in ("coppeliasim_zmqremoteapi_client", "mujoco")},
    "train": {
        "torch": "torch",
        "stable_baselines3": "stable-baselines3",
        "safetensors": "safetensors",
        "torchmetrics": "torchmetrics",
        "tensorboard": "tensorboard",
        "matplotlib": "matplotlib",
    },
    "cluster": {"ray": "ray"},
    "video": {"imageio_ffmpeg": "imageio-ffmpeg"},
}
"""Optional sets of dependencies: the modules to import, and what installs each."""
_PLUGIN_GROUPS = ("simulators", "methods", "agents", "controllers", "benchmarks")


def python(settings: Settings) -> Finding:
    """The version of Python."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] not in _PYTHONS:
        return broken(found, "make setup PYTHON=python3.11 (or 3.12): CARLA's client has no wheel for others")
    return works(found)


def pins(settings: Settings) -> Finding:
    """Installed versions against ``constraints.txt``, in a checkout."""
    folder = checkout()
    if folder is None:
        return works(f"sim2real-bench {metadata.version('sim2real-bench')} is installed; pins belong to a checkout")
    pinned = read_pins(folder / "constraints.txt")
    present = {name: found for name in pinned if (found := _version(name))}
    wrong = {name: found for name, found in present.items() if found.split("+")[0] != pinned[name]}
    if not wrong:
        return works(f"{len(present)} installed libraries are as in constraints.txt")
    shown = ", ".join(f"{name} {found} (not {pinned[name]})" for name, found in list(wrong.items())[:_SHOWN])
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return weak(f"{shown}{more}", python_install(*(f"{name}=={pinned[name]}" for name in wrong)))


def read_pins(path: Path) -> dict[str, str]:
    """``name==version`` lines of a constraints file."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return dict(line.split("==") for line in lines if line)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def numpy(settings: Settings) -> Finding:
    """NumPy, and that compiled libraries were built for its binary interface."""
    import numpy as np
    import scipy
    from scipy import linalg

    matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    if not np.allclose(linalg.inv(matrix) @ matrix, np.eye(2)):
        raise ArithmeticError("SciPy inverts a matrix wrongly")
    return works(f"{np.__version__}, SciPy {scipy.__version__}")


def opencv(settings: Settings) -> Finding:
    """OpenCV encodes and decodes an image; one build of it only, without windows."""
    import cv2
    import numpy as np

    image = np.full((8, 8, 3), 200, np.uint8)
    decoded = cv2.imdecode(cv2.imencode(".png", image)[1], cv2.IMREAD_COLOR)
    if decoded is None or not np.array_equal(decoded, image):
        raise ArithmeticError("a picture comes back from PNG changed")
    others = [
        name for name in ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless") if _version(name)
    ]
    if others:
        headless = "opencv-python-headless"
        pip = python_install().removesuffix(" install ")
        remedy = f"{pip} uninstall -y {' '.join(others)} {headless} && {python_install(headless)}"
        return weak(f"{cv2.__version__}, and {', '.join(others)} fills the same folder", remedy)
    return works(f"{cv2.__version__}, headless")


def torch(settings: Settings) -> Finding:
    """PyTorch multiplies, convolves and shares memory with NumPy; the build fits the machine."""
    import numpy as np
    import torch as library

    product = library.from_numpy(np.eye(3, dtype=np.float32)) @ library.ones(3, 3)
    library.nn.functional.conv2d(library.ones(1, 3, 8, 8), library.ones(2, 3, 3, 3)).sum().item()
    if product.numpy().sum() != 9:
        raise ArithmeticError("a product of matrices is wrong")
    cuda = library.version.cuda
    if cuda is None:
        return works(f"{library.__version__}, for processors, {library.get_num_threads()} threads")
    if library.cuda.is_available():
        library.ones(8, device="cuda").sum().item()
        return works(f"{library.__version__} on {library.cuda.get_device_name()}")
    remedy = python_install(
        f"torch=={library.__version__.split('+')[0]}", "--index-url https://download.pytorch.org/whl/cpu"
    )
    return weak(
        f"{library.__version__} is built for CUDA {cuda}, but no GPU answers", f"{remedy} (smaller); or leave it"
    )


def torchvision(settings: Settings) -> Finding:
    """Nothing here needs torchvision; one that does not fit PyTorch breaks what finds it."""
    found = _version("torchvision")
    if found is None:
        return works("not installed, and not needed")
    remedy = python_install().replace("install ", "uninstall -y torchvision")
    try:
        import_module("torchvision")
    except Exception as error:  # operators that do not fit raise RuntimeError, missing libraries OSError
        return broken(f"{found} does not fit this PyTorch ({type(error).__name__})", remedy)
    return works(f"{found} is installed; nothing here needs it")


def extra(name: str) -> Callable[[Settings], Finding]:
    """The trial that imports every module of an optional set of dependencies."""

    def trial(settings: Settings) -> Finding:
        missing = []
        for module in EXTRAS[name]:
            try:
                import_module(module)
            except ModuleNotFoundError as error:
                if (error.name or "").split(".")[0] != module:
                    raise
                missing.append(module)
        if missing:
            return absent(f"not installed: {', '.join(missing)}", extra_install(name))
        return works(", ".join(f"{package} {_version(package)}" for package in EXTRAS[name].values()))

    return trial


def plugins(settings: Settings) -> Finding:
    """Every entry point that other packages register for this one can be imported."""
    loaded, wrong, owners = [], [], []
    for group in _PLUGIN_GROUPS:
        for point in metadata.entry_points(group=f"sim2real_bench.{group}"):
            try:
                point.load()
            except Exception as error:  # a stranger's package may raise anything
                wrong.append(f"{point.name} ({type(error).__name__}: {str(error)[:80]})")
                owners.append(point.dist.name if point.dist else point.value)
            else:
                loaded.append(point.name)
    if wrong:
        remedy = f"mend or remove the package: {python_install().replace('install ', 'uninstall ')}{' '.join(owners)}"
        return broken(f"cannot be imported: {', '.join(wrong)}", remedy)
    return works(f"{len(loaded)}: {', '.join(loaded)}" if loaded else "none installed")


def checkpoints(settings: Settings) -> Finding:
    """The weights that come with the package are those their cards describe."""
    from sim2real_bench.agents.checkpoints import SHIPPED_NAMES, checkpoint_hash, read_card, shipped_checkpoint

    paths = [shipped_checkpoint(name) for name in SHIPPED_NAMES]
    wrong = [path.stem for path in paths if checkpoint_hash(path) != read_card(path).weights_sha256]
    if wrong:
        folder = checkout()
        remedy = pinned_install("sim2real-bench") if folder is None else f"git -C {folder} checkout -- agents/shipped"
        return broken(f"not the files their cards describe: {', '.join(wrong)}", remedy)
    return works(f"{len(paths)}, each with the hash in its card")
