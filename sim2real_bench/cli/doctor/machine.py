"""Trials of the machine: cores, memory, disk, shared memory, open files, the cache folder, what runs left behind."""

import os
import resource
import shutil
import tempfile
from pathlib import Path

import platformdirs
import psutil

from sim2real_bench.cli.doctor.check import Finding, Settings, absent, broken, weak, works
from sim2real_bench.cli.doctor.remedies import as_root, interpreter

_GIB = 2**30
_MEMORY_LEAST_GIB = 2.0
_MEMORY_TWO_WORKERS_GIB = 4.0
_DISK_LEAST_GIB = 2.0
_SHARED_LEAST_GIB = 1.0
_FILES_TRIED = 512
_FILES_RAY = 65536


def cores(settings: Settings) -> Finding:
    """The cores this process may use, and the share of them a container grants."""
    usable = len(os.sched_getaffinity(0))
    share = _granted_cores()
    words = f"{usable} usable" + (f", of which the container grants {share:g}" if share is not None else "")
    if min(usable, share or usable) < 2:
        return weak(words, "evaluate with --workers 1; on one core everything takes twice as long")
    return works(words)


def _granted_cores() -> float | None:
    quota = _control_group("cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit():
        return round(int(quota[0]) / int(quota[1]), 2)
    return None


def _control_group(name: str) -> str:
    """A limit of the control group (version 2) this process is in; "" where there is none."""
    try:
        return (Path("/sys/fs/cgroup") / name).read_text().strip()
    except OSError:
        return ""


def memory(settings: Settings) -> Finding:
    """Free memory, of the machine and within the container's limit."""
    free, total = psutil.virtual_memory().available, psutil.virtual_memory().total
    limit, used = _control_group("memory.max"), _control_group("memory.current")
    if limit.isdigit() and used.isdigit() and int(limit) < total:
        free, total = min(free, int(limit) - int(used)), int(limit)
    words = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free"
    if free < _MEMORY_LEAST_GIB * _GIB:
        return broken(
            words, f"close other programs: one worker with its embedded server needs {_MEMORY_LEAST_GIB:g} GiB"
        )
    if free < _MEMORY_TWO_WORKERS_GIB * _GIB:
        return weak(words, "evaluate with --workers 1")
    return works(words)


def disk(settings: Settings) -> Finding:
    """Space in the working folder, where results go by default, and whether it can be written."""
    free = shutil.disk_usage(".").free / _GIB
    try:
        with tempfile.TemporaryFile(dir="."):
            pass
    except OSError as error:
        return broken(
            f"cannot write in {Path.cwd()}: {error.strerror}", "work in a folder of yours, or name one: --out"
        )
    if free < _DISK_LEAST_GIB:
        return broken(
            f"{free:.1f} GiB free in {Path.cwd()}",
            f"free {_DISK_LEAST_GIB:g} GiB for results and data sets, or name another folder: --out",
        )
    return works(f"{free:.0f} GiB free in {Path.cwd()}")


def shared_memory(settings: Settings) -> Finding:
    """Size of /dev/shm, which Ray and PyTorch's data loaders live in."""
    try:
        size = shutil.disk_usage("/dev/shm").total / _GIB
    except OSError:
        return absent("there is no /dev/shm", as_root("mount -t tmpfs -o size=2G tmpfs /dev/shm"))
    words = f"/dev/shm holds {size:.2g} GiB"
    if size < _SHARED_LEAST_GIB:
        remedy = as_root("mount -o remount,size=2G /dev/shm")
        return weak(words, f"{remedy} (in a container: docker run --shm-size=2g)")
    return works(words)


def open_files(settings: Settings) -> Finding:
    """How many files may be open, tried by opening many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    words = f"{soft} at once allowed (at most {hard})"
    handles: list[int] = []
    try:
        handles = [os.open(os.devnull, os.O_RDONLY) for _ in range(_FILES_TRIED)]
    except OSError as error:
        return broken(f"{words}; the next after some failed: {error.strerror}", f"ulimit -n {min(hard, _FILES_RAY)}")
    finally:
        for handle in handles:
            os.close(handle)
    return works(words)


def cache_folder(settings: Settings) -> Finding:
    """Whether the user's cache can be written; towns are kept there, so that later servers start faster."""
    folder = platformdirs.user_cache_path("sim2real-bench")
    remedy = f'mkdir -p "{folder}" && chown -R "$(id -un)" "{folder}"; or name another: export XDG_CACHE_HOME=FOLDER'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"doctor")
            file.flush()
    except OSError as error:
        return weak(f"cannot write in {folder}: {error.strerror}; every embedded server starts slowly", remedy)
    return works(f"{folder}, {_size(folder) / 2**20:.0f} MiB")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def leftovers(settings: Settings) -> Finding:
    """What killed runs left behind: leases of ports that nobody holds, and simulators that still use them."""
    from sim2real_bench.evaluation.supervisor.leases import lease_folder
    from sim2real_bench.evaluation.supervisor.survey import survey

    states = survey(lease_folder())
    stale = [state for state in states if not state.held]
    held = f"simulators that run under supervision: {len(states) - len(stale)}"
    if not stale:
        return works(f"nothing; {held}")
    left = [str(process) for state in stale for process in state.processes]
    words = f"ports {', '.join(str(state.port) for state in stale)} of killed runs"
    still = f"; their processes {', '.join(left)} still run" if left else ""
    return weak(f"{words}{still}; {held}", _sweeping())


def _sweeping() -> str:
    module = "sim2real_bench.evaluation.supervisor.leases"
    program = f"from {module} import lease_folder, sweep; sweep(lease_folder())"
    return f'{interpreter()} -c "{program}" (the next evaluate does it, too)'
