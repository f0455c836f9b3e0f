"""Trials of CoppeliaSim and of MuJoCo, which stands in for it: client, program, running server, picture."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from importlib import import_module, metadata
from pathlib import Path

from sim2real_bench.cli.doctor.check import Finding, Settings, absent, broken, works
from sim2real_bench.cli.doctor.remedies import extra_install, system_packages

_EDITION = "CoppeliaSim_Edu_V4_10_0_rev0_Ubuntu22_04"
DOWNLOAD = (
    f"wget https://downloads.coppeliarobotics.com/V4_10_0_rev0/{_EDITION}.tar.xz && tar -xf {_EDITION}.tar.xz && "
    f'export COPPELIASIM_ROOT_DIR="$PWD/{_EDITION}" (its licence: students, teachers and schools only)'
)
_CLIENT = "coppeliasim_zmqremoteapi_client"
_OLDEST = 40600  # the protocol of the 2.x client
_START_S = 45.0
_PROGRAMS = ("coppeliaSim.sh", "coppeliaSim")


def client(settings: Settings) -> Finding:
    """The client library of CoppeliaSim's ZeroMQ remote API."""
    try:
        import_module(_CLIENT)
    except ModuleNotFoundError:
        return absent("not installed", extra_install("coppelia"))
    return works(metadata.version(_CLIENT))


def server(settings: Settings) -> Finding:
    """The CoppeliaSim at --coppelia-host, --coppelia-port tells its version. Nothing in its scene is touched."""
    host, port = settings.coppelia_host, settings.coppelia_port
    if not _accepts(host, port):
        remedy = f"xvfb-run -a ./coppeliaSim.sh -h -GzmqRemoteApi.rpcPort={port} (in its folder)"
        return absent(f"no server at {host}:{port}", remedy)
    return _of_version(ask_version(host, port), f"at {host}:{port}")


def ask_version(host: str, port: int) -> int:
    """What a running CoppeliaSim says its version is: 40600 for 4.6.0. Waits as long as it takes."""
    sim = import_module(_CLIENT).RemoteAPIClient(host, port).require("sim")
    return int(sim.getInt32Param(sim.intparam_program_version))


def _of_version(version: int, where: str) -> Finding:
    named = f"CoppeliaSim {version // 10000}.{version // 100 % 100}.{version % 100} {where}"
    if version < _OLDEST:
        return broken(f"{named}: too old for this client", DOWNLOAD)
    return works(named)


def program(settings: Settings) -> Finding:
    """CoppeliaSim starts without a window (``-h``, which can draw) and answers on a free port."""
    path = find_program()
    if path is None:
        return absent("CoppeliaSim was not found (COPPELIASIM_ROOT_DIR, PATH, /opt, home)", DOWNLOAD)
    display = [] if os.environ.get("DISPLAY") else ["xvfb-run", "-a"]
    if display and shutil.which("xvfb-run") is None:
        return broken(f"{path} needs a display to draw, and there is no xvfb-run", system_packages("xvfb"))
    port = _free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*display, str(path), "-h", f"-GzmqRemoteApi.rpcPort={port}"],
            cwd=path.parent, stdin=subprocess.PIPE, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            started = _await_port(process, port)
            log.seek(0)
            words = log.read().decode(errors="replace")
            if not started:
                return broken(f"{path} does not answer: {_telling(words)}", DOWNLOAD)
            return _of_version(ask_version("127.0.0.1", port), f"in {path.parent}{_licence(path, words)}")
        finally:
            process.terminate()


def find_program() -> Path | None:
    """CoppeliaSim's start script on this machine."""
    named = (os.environ.get(name) for name in ("COPPELIASIM_ROOT_DIR", "COPPELIASIM_ROOT"))
    folders = [Path(folder) for folder in named if folder]
    for parent in (Path.home(), Path("/opt")):
        folders += sorted(parent.glob("[Cc]oppelia[Ss]im*"), reverse=True)
    for folder in folders:
        for name in _PROGRAMS:
            if os.access(folder / name, os.X_OK) and (folder / name).is_file():
                return (folder / name).resolve()
    found = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
    return Path(found).resolve() if found else None


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def _accepts(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2.0):
            return True
    except OSError:
        return False


def _await_port(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        if _accepts("127.0.0.1", port):
            return True
        time.sleep(0.2)
    return False


def _telling(words: str) -> str:
    """The line about a licence if there is one (expired editions end with it), else the last."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    about = [line for line in lines if re.search(r"licen[cs]e|expired", line, re.IGNORECASE)]
    return (about or lines or ["no message"])[-1][:160]


def _licence(path: Path, words: str) -> str:
    """The edition, from the folder's name; and what the program says about its licence."""
    edition = re.search(r"(edu|pro|lite|player)", path.parent.name, re.IGNORECASE)
    said = _telling(words) if re.search(r"licen[cs]e|expired", words, re.IGNORECASE) else ""
    return f"{f', {edition.group().lower()} edition' if edition else ''}{f'; {said}' if said else ''}"


def mujoco(settings: Settings) -> Finding:
    """MuJoCo steps and draws a small scene without a display."""
    os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        library = import_module("mujoco")
    except ModuleNotFoundError:
        return absent("not installed", extra_install("coppelia"))
    scene = '<mujoco><worldbody><light pos="0 0 3"/><geom size="1" rgba="1 0 0 1"/></worldbody></mujoco>'
    model = library.MjModel.from_xml_string(scene)
    data = library.MjData(model)
    library.mj_step(model, data)
    with library.Renderer(model, 48, 64) as renderer:
        renderer.update_scene(data)
        image = renderer.render()
    if image.max() == image.min():
        raise ArithmeticError(f"the picture is all {image.max()}: nothing was drawn")
    return works(f"{library.__version__}: one step, 64x48 picture by {os.environ['MUJOCO_GL']}")
