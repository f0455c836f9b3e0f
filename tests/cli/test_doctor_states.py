"""``doctor`` where something is wrong: each state is brought about for real, and the finding and remedy are read."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from doctor_runs import distribution, doctor, doctor_command, modules, program

from sim2real_bench.evaluation.supervisor.leases import TOKEN_VARIABLE

MISSING = "raise ModuleNotFoundError(f'No module named {__name__!r}', name=__name__)"
CRASHING = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
HANGING = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
pathlib.Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""


def runs(pid: int) -> bool:
    """Whether a process runs; one that was killed may wait for an init that collects it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_pids(path: Path) -> list[int]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists() and len(words := path.read_text().split()) == 2:
            return [int(word) for word in words]
        time.sleep(0.05)
    raise AssertionError("the trial never began")


def test_libraries_that_crash_hang_or_are_missing_are_findings_beside_the_others(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    folder = modules(tmp_path, imageio_ffmpeg=CRASHING, vizdoom=HANGING, carla=MISSING, msgpack=MISSING)
    names = "ffmpeg,vizdoom-frame,extra-carla,carla-client,python"
    status, found = doctor("--only", names, "--deadline", "10", PYTHONPATH=folder, PIDS=pids)
    assert status == 1
    assert {name: row["state"] for name, row in found.items()} == {
        "ffmpeg": "failed", "vizdoom-frame": "failed", "extra-carla": "absent", "carla-client": "failed",
        "python": "ok",
    }  # fmt: skip
    assert found["ffmpeg"]["found"] == "its process crashed (SIGSEGV)"
    assert found["vizdoom-frame"]["found"] == "no answer within 10 s"
    assert found["extra-carla"]["found"] == "not installed: carla, msgpack"
    for name in ("extra-carla", "carla-client"):
        assert "pip install" in found[name]["remedy"] and "[carla]" in found[name]["remedy"]
    assert all(row["remedy"] for row in found.values() if not row["ok"])
    assert not any(runs(pid) for pid in await_pids(pids))


def test_an_interrupt_ends_what_is_being_tried(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    environment = os.environ | {"PYTHONPATH": str(modules(tmp_path, vizdoom=HANGING)), "PIDS": str(pids)}
    command = doctor_command("--only", "vizdoom-frame,python")
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": environment,
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    }
    with subprocess.Popen(command, **options) as process:
        running = await_pids(pids)
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=30)
    assert process.returncode == 130, words
    assert b"interrupted" in words and b"Traceback" not in words
    assert not any(runs(pid) for pid in running)


@pytest.mark.simulator
def test_a_machine_without_drivers_and_assets_is_told_what_to_install(tmp_path: Path, stk: None) -> None:
    for name in ("dnf", "sudo"):
        program(tmp_path / "bin" / name, "exit 0")
    names = "opengl,carla-embedded,stk-assets,stk-frame,cache-folder"
    status, found = doctor(
        "--only", names, PATH=tmp_path / "bin", SUPERTUXKART_DATADIR=tmp_path / "nothing",
        __EGL_VENDOR_LIBRARY_FILENAMES=tmp_path / "no-driver.json", XDG_CACHE_HOME="/dev/null/cache",
    )  # fmt: skip
    assert status == 1
    assert {name: row["state"] for name, row in found.items()} == {
        "opengl": "failed", "carla-embedded": "failed", "stk-assets": "absent", "stk-frame": "failed",
        "cache-folder": "weak",
    }  # fmt: skip
    assert "dnf install -y mesa-libEGL" in found["opengl"]["remedy"]
    assert "SUPERTUXKART_DATADIR" in found["stk-assets"]["remedy"]
    assert "dnf install -y supertuxkart-data" in found["stk-assets"]["remedy"]
    assert "XDG_CACHE_HOME" in found["cache-folder"]["remedy"]
    assert "EGL" in found["carla-embedded"]["found"] + found["carla-embedded"]["remedy"]


def test_broken_packages_and_plugins_are_named(tmp_path: Path) -> None:
    folder = modules(
        tmp_path, torchvision="raise RuntimeError('operator torchvision::nms does not exist')", broken_agent="1 / 0",
        scipy="raise ImportError('numpy.core.multiarray failed to import')",
    )  # fmt: skip
    distribution(folder, "torchvision", "0.1")
    distribution(folder, "opencv-python", "4.9.0")
    points = "[sim2real_bench.agents]\nbroken = broken_agent:Agent\n[sim2real_bench.methods]\ngood = json:loads\n"
    distribution(folder, "stranger", "1.0", entry_points=points)
    status, found = doctor("--only", "torchvision,opencv,plugins,numpy", PYTHONPATH=folder)
    assert status == 1
    states = {name: row["state"] for name, row in found.items()}
    assert states == {"torchvision": "failed", "opencv": "weak", "plugins": "failed", "numpy": "failed"}
    assert found["torchvision"]["remedy"].endswith("pip uninstall -y torchvision")
    assert "uninstall -y opencv-python opencv-python-headless &&" in found["opencv"]["remedy"]
    assert "broken (ZeroDivisionError: division by zero)" in found["plugins"]["found"]
    assert found["plugins"]["remedy"].endswith("pip uninstall stranger")
    assert "multiarray" in found["numpy"]["found"] and "--force-reinstall" in found["numpy"]["remedy"]


def test_a_taken_port_names_who_has_it_and_a_mute_server_is_not_waited_for() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        port = min(mute.getsockname()[1], 65533)
        asked = ("--only", "carla-ports,carla-server", "--port", str(port))
        status, found = doctor(*asked)
    assert status == 1
    ports, server = found["carla-ports"], found["carla-server"]
    assert ports["state"] == "weak"
    assert f"{port} taken by" in ports["found"] and f"(process {os.getpid()} of" in ports["found"]
    assert server["state"] == "failed" and "does not answer as CARLA" in server["found"]
    status, found = doctor("--only", "carla-server", "--port", str(port))
    assert (status, found["carla-server"]["state"]) == (1, "absent")
    assert f"serve carla --port {port}" in found["carla-server"]["remedy"]


COPPELIA_CLIENT = """
class Sim:
    intparam_program_version = 1
    def getInt32Param(self, parameter):
        return {version}
class RemoteAPIClient:
    def __init__(self, host, port):
        pass
    def require(self, name):
        return Sim()
"""
COPPELIA_PROGRAM = """
echo "{words}" >&2
exec {python} -c "import socket, sys, time
port = int(sys.argv[-1].partition('=')[2])
server = socket.create_server(('127.0.0.1', port))
time.sleep(600)" "$@"
"""


@pytest.mark.parametrize(
    ("version", "words", "state", "says"),
    [(41000, "EDU licence", "ok", "CoppeliaSim 4.10.0"), (40500, "", "failed", "too old")],
)
def test_coppeliasim_is_started_asked_and_ended(
    tmp_path: Path, version: int, words: str, state: str, says: str
) -> None:
    folder = tmp_path / "CoppeliaSim_Edu"
    program(folder / "coppeliaSim.sh", COPPELIA_PROGRAM.format(words=words, python=sys.executable))
    stand_in = COPPELIA_CLIENT.format(version=version)
    path = modules(tmp_path, coppeliasim_zmqremoteapi_client=stand_in)
    status, found = doctor(
        "--only", "coppelia-program", PYTHONPATH=path, COPPELIASIM_ROOT_DIR=folder, DISPLAY=":99"
    )  # fmt: skip
    assert (status, found["coppelia-program"]["state"]) == (0 if state == "ok" else 1, state)
    assert says in found["coppelia-program"]["found"]
    left = [p for p in psutil.process_iter(["cmdline"]) if any("zmqRemoteApi" in w for w in p.info["cmdline"] or ())]
    assert not [process for process in left if str(tmp_path) in " ".join(process.info["cmdline"])]


def test_an_expired_coppeliasim_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "CoppeliaSim_Edu"
    program(folder / "coppeliaSim.sh", "echo 'This version has expired'; echo bye; exit 3")
    status, found = doctor("--only", "coppelia-program", COPPELIASIM_ROOT_DIR=folder, DISPLAY=":99")
    assert status == 1
    assert "This version has expired" in found["coppelia-program"]["found"]
    assert "COPPELIASIM_ROOT_DIR" in found["coppelia-program"]["remedy"]


def test_what_a_killed_run_left_is_found_and_the_remedy_sweeps_it(tmp_path: Path) -> None:
    """The guardian of a simulator is killed together with its owner; the simulator stays."""
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    ask = ("--only", "leftovers")
    assert doctor(*ask, XDG_RUNTIME_DIR=tmp_path)[1]["leftovers"]["found"].endswith("supervision: 0")
    stale = tmp_path / "sim2real-bench" / "ports" / "20008.lock"
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], env=environment | {TOKEN_VARIABLE: "left"}
    ) as left:
        stale.write_text(json.dumps({"token": "left", "folder": "", "removal": [], "leader": 0, "created": 0.0}))
        with stale.with_name("20000.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            status, found = doctor(*ask, XDG_RUNTIME_DIR=tmp_path)
            row = found["leftovers"]
            assert (status, row["state"]) == (0, "weak")
            left_behind = f"ports 20008 of killed runs; their processes {left.pid} still run"
            assert row["found"] == f"{left_behind}; simulators that run under supervision: 1"
            command = row["remedy"].partition(" (")[0]
            subprocess.run(["sh", "-c", command], check=True, env=environment)
            stale.with_name("20000.lock").unlink()
        assert left.wait(30) == -signal.SIGKILL
    assert not stale.exists()
    assert doctor(*ask, XDG_RUNTIME_DIR=tmp_path)[1]["leftovers"]["state"] == "ok"
