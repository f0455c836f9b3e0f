"""The commands that mend what is missing, in the words of this machine: its package manager, its rights, its Python."""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import sim2real_bench

_PACKAGES: Mapping[str, Mapping[str, str]] = {
    "opengl": {
        "apt-get": "libegl1 libgl1 libegl-mesa0 libgl1-mesa-dri",
        "dnf": "mesa-libEGL mesa-libGL mesa-dri-drivers",
        "pacman": "mesa libglvnd",
        "zypper": "Mesa-libEGL1 Mesa-libGL1 Mesa-dri",
    },
    "stk-assets": {
        "apt-get": "supertuxkart-data",
        "dnf": "supertuxkart-data",
        "pacman": "supertuxkart",
        "zypper": "supertuxkart-data",
    },
    "xvfb": {
        "apt-get": "xvfb xauth",
        "dnf": "xorg-x11-server-Xvfb xorg-x11-xauth",
        "pacman": "xorg-server-xvfb xorg-xauth",
        "zypper": "xorg-x11-server-Xvfb xauth",
    },
    "glib": {
        "apt-get": "libglib2.0-0",
        "dnf": "glib2",
        "pacman": "glib2",
        "zypper": "libglib-2_0-0",
    },
    "vulkan": {
        "apt-get": "libvulkan1",
        "dnf": "vulkan-loader",
        "pacman": "vulkan-icd-loader",
        "zypper": "libvulkan1",
    },
}
_INSTALL = {
    "apt-get": ("apt-get update", "apt-get install -y"),
    "dnf": ("dnf install -y",),
    "pacman": ("pacman -S --needed",),
    "zypper": ("zypper install -y",),
}


def system_packages(what: str) -> str:
    """The line that installs system packages here.

    Args:
        what: "opengl", "stk-assets", "xvfb", "glib" or "vulkan".
    """
    names = _PACKAGES[what]
    manager = next((name for name in _INSTALL if shutil.which(name)), None)
    if manager is None:
        return f"install with your system's package manager what Debian calls: {names['apt-get']}"
    *before, install = _INSTALL[manager]
    return as_root(*before, f"{install} {names[manager]}")


def shared_library_remedy(error: str) -> str:
    """For an error that says which shared library of the system is missing, the line that installs it; else ""."""
    found = re.search(r"(lib[\w.+-]+\.so[\d.]*): cannot open shared object file", error)
    if found is None:
        return ""
    library = found.group(1)
    for start, what in (("libglib-", "glib"), ("libEGL.", "opengl"), ("libGL.", "opengl"), ("libvulkan.", "vulkan")):
        if library.startswith(start):
            return system_packages(what)
    return f"install the package of your system that holds {library} (Debian: apt-file search {library})"


def as_root(*commands: str) -> str:
    """Commands that need an administrator, for whoever asks."""
    if os.geteuid() == 0:
        return " && ".join(commands)
    if shutil.which("sudo"):
        return " && ".join(f"sudo {command}" for command in commands)
    return f"ask your administrator to run: {' && '.join(commands)}"


def checkout() -> Path | None:
    """The folder of the source checkout this package runs from; None for an installed one."""
    folder = Path(sim2real_bench.__file__).resolve().parents[1]
    return folder if (folder / "constraints.txt").is_file() and (folder / "pyproject.toml").is_file() else None


def python_install(*packages: str) -> str:
    """The line that installs Python packages into the environment this program runs in."""
    return f"{_pip()} install {' '.join(packages)}"


def extra_install(extra: str) -> str:
    """The line that installs an optional set of dependencies at the pinned versions."""
    folder = checkout()
    if folder is None:
        return python_install(f'"sim2real-bench[{extra}]"')
    return python_install(f"-c {_short(folder / 'constraints.txt')}", f'-e "{_short(folder)}[{extra}]"')


def pinned_install(*packages: str) -> str:
    """The line that installs packages anew at the pinned versions."""
    folder = checkout()
    pins = () if folder is None else (f"-c {_short(folder / 'constraints.txt')}",)
    return python_install("--force-reinstall", "--no-deps", *pins, *packages)


def interpreter() -> str:
    """The Python this program runs in, as one types it here."""
    return _short(Path(sys.executable))


def _pip() -> str:
    return f"{interpreter()} -m pip"


def _short(path: Path) -> str:
    """Relative to the working folder where that is shorter; a link (a venv's Python) stays a link."""
    try:
        relative = path.relative_to(Path.cwd())
    except ValueError:
        return str(path)
    return str(relative)
