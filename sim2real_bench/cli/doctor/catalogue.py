"""All checks, in the order they are shown, and choosing among them."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial

from sim2real_bench.cli.doctor import coppelia, graphics, libraries, machine, ports, services, simulators
from sim2real_bench.cli.doctor.check import Check, Need, Result
from sim2real_bench.cli.doctor.remedies import extra_install, pinned_install, system_packages
from sim2real_bench.errors import UnknownNameError

_OPENGL = partial(system_packages, "opengl")
_NUMERIC = partial(pinned_install, "numpy", "scipy", "opencv-python-headless")
_TRAINING = partial(extra_install, "train")
_DRIVING = partial(extra_install, "carla")
_ASSETS = simulators.stk_assets_remedy


def _extra_check(name: str) -> Check:
    need: Need = "main" if name in ("carla", "train") else "service"
    what = f"the libraries of the extra {name!r} import"
    return Check(f"extra-{name}", "libraries", what, libraries.extra(name), need, partial(extra_install, name), 60)


CHECKS: tuple[Check, ...] = (
    Check("cores", "machine", "usable processor cores", machine.cores),
    Check("memory", "machine", "free memory", machine.memory, "main"),
    Check("disk", "machine", "space for results in the working folder", machine.disk, "main"),
    Check("shared-memory", "machine", "size of /dev/shm", machine.shared_memory),
    Check("open-files", "machine", "how many files may be open", machine.open_files, "main"),
    Check("cache-folder", "machine", "the user's cache can be written", machine.cache_folder),
    Check("leftovers", "machine", "what killed runs left behind", machine.leftovers),
    Check("python", "libraries", "version of Python", libraries.python, "main"),
    Check("pins", "libraries", "installed versions against constraints.txt", libraries.pins),
    Check("numpy", "libraries", "NumPy and what is compiled against it", libraries.numpy, "main", _NUMERIC),
    Check("opencv", "libraries", "OpenCV codes a picture; one build only", libraries.opencv, "main", _NUMERIC),
    Check("torch", "libraries", "PyTorch computes; its build fits", libraries.torch, "main", _TRAINING, 60),
    Check("torchvision", "libraries", "no torchvision that breaks PyTorch", libraries.torchvision, deadline_s=60),
    *(_extra_check(name) for name in libraries.EXTRAS),
    Check("plugins", "libraries", "other packages' simulators, methods, agents", libraries.plugins, deadline_s=60),
    Check("checkpoints", "libraries", "hashes of the shipped weights", libraries.checkpoints, "main", _TRAINING, 60),
    Check("opengl", "graphics", "a picture by OpenGL without a display", graphics.opengl, "main", _OPENGL),
    Check("vulkan", "graphics", "devices Vulkan finds", graphics.vulkan, "service"),
    Check("nvidia", "graphics", "NVIDIA driver and free memory of the card", graphics.nvidia, "service"),
    Check("display", "graphics", "a virtual display comes up", graphics.virtual_display, "service"),
    Check("stk-assets", "stk", "SuperTuxKart's tracks and karts", simulators.stk_assets, "part", _ASSETS),
    Check("stk-frame", "stk", "SuperTuxKart starts, ticks, draws", simulators.stk_frame, deadline_s=60),
    Check("vizdoom-frame", "vizdoom", "ViZDoom starts, ticks, draws", simulators.vizdoom_frame),
    Check("carla-client", "carla", "version of CARLA's client library", simulators.carla_client, "main", _DRIVING),
    Check(
        "carla-embedded",
        "carla",
        "the embedded server starts, ticks, draws",
        simulators.embedded_frame,
        "main",
        deadline_s=120,
    ),
    Check("carla-ports", "carla", "ports of a CARLA server and Traffic Manager", ports.carla_ports, "service"),
    Check(
        "carla-server",
        "carla",
        "the server at --host, --port answers",
        simulators.carla_server,
        "service",
        simulators.carla_server_remedy,
    ),
    Check("coppelia-client", "coppelia", "CoppeliaSim's client library", coppelia.client),
    Check("mujoco-frame", "coppelia", "MuJoCo steps and draws", coppelia.mujoco, "part", _OPENGL),
    Check("coppelia-program", "coppelia", "CoppeliaSim starts and answers", coppelia.program, "service", deadline_s=90),
    Check("coppelia-ports", "coppelia", "port of its remote API", ports.coppelia_ports, "service"),
    Check("coppelia-server", "coppelia", "the one at --coppelia-host, -port answers", coppelia.server, "service"),
    Check("docker", "services", "Docker's client, daemon and compose", services.docker, "service"),
    Check("docker-gpu", "services", "containers can use the NVIDIA card", services.docker_gpu, "service"),
    Check("ray", "services", "Ray, and the cluster it finds", services.ray, "service", deadline_s=20),
    Check("ffmpeg", "services", "the video encoder encodes", services.ffmpeg),
)


def check_named(name: str) -> Check:
    """The check of a name."""
    return next(check for check in CHECKS if check.name == name)


def chosen(names: Sequence[str]) -> tuple[Check, ...]:
    """The checks that names of checks or groups stand for; all for none.

    Raises:
        UnknownNameError: a name is neither; the nearest are named.
    """
    known = {check.name for check in CHECKS} | {check.group for check in CHECKS}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise UnknownNameError(f"--only {name}: no such check or group; {hint}(see: sim2real-bench doctor --list)")
    return tuple(check for check in CHECKS if not names or check.name in names or check.group in names)


def counts(result: Result, names: Sequence[str]) -> bool:
    """Whether a result that is not ok makes the verb fail.

    Without names: what the main job needs. With names: whatever was chosen, except that a service (a server, Docker,
    a graphics card) counts only where it was named itself.
    """
    if not names:
        return result.need == "main"
    return result.need != "service" or result.name in names
